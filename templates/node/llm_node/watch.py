"""`llm-node watch`: whether what runs here answers. Ready: a real answer came back through the gateway."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from llm_node import keys, logs, naming, status
from llm_node.system import Failure, at, run, tail

PAUSE = float(os.environ.get("LLM_POLL_SECONDS", "3"))
LOG = "1000"  # lines that are looked through for a cause
CRASHES = 3  # restarts after which a service is said to have failed


def main() -> None:
    """Watch for good."""
    ready, names = False, naming.Looks()
    while True:
        ready = look(ready)
        keys.retire()
        logs.refresh()
        names.look()
        time.sleep(PAUSE * (10 if ready else 1))


def look(ready: bool) -> bool:
    """Look once, and record what there is to see. A node that was ready is not asked for completions again."""
    want = status.read(at("/opt/llm/watch.json"))
    try:
        for name in want["services"]:
            alive(name)
        for name, state in want.get("tied", {}).items():
            together(name, state)
        turning(want.get("turns", ""))
        for name, url in want["health"].items():
            try:
                answer(f"{coded(name)}.not-ready", url)
            except Failure:
                contained(name)
                raise
        if not ready:
            through_gateway(want)
    except Failure as failure:
        state = "running" if failure.retry else "failed"
        status.record("serve", state, code=failure.code, message=failure.message)
        return False
    if not ready:
        status.record("serve", "done")
    return True


def alive(unit: str) -> None:
    """A Failure with the best name for it if systemd gave up on a service, or it keeps dying."""
    out = run("systemctl", "show", unit, "--property=ActiveState,NRestarts,SubState")[1]
    state = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    if state.get("ActiveState") == "active" and state.get("SubState") != "auto-restart":
        return
    name = unit.removeprefix("llm-").removesuffix(".service")
    crashed = int(state.get("NRestarts") or 0) >= CRASHES or state.get("ActiveState") == "failed"
    if not crashed:
        raise Failure(f"{coded(name)}.starting", f"{unit} is {state.get('ActiveState')}", True)
    raise dying(name, unit, state.get("NRestarts"))


def together(name: str, state: str) -> None:
    """A Failure while the machines that have one model together are not all there, or load it."""
    told = status.read(at(state))
    if told.get("code", "loading"):
        raise Failure(f"{coded(name)}.{told.get('code', 'loading')}", told.get("message", f"llm-{name} begins"), True)


def turning(url: str) -> None:
    """A Failure while a model that takes turns will not sleep, wake or load; a gateway that is away says nothing."""
    try:
        told = json.loads(answer("gate.not-ready", url)) if url else {}
    except (Failure, ValueError):
        return
    for name, what in told.get("failed", {}).items():
        raise Failure("vllm.turn-failed", f"{name}: {what} failed; the others of its card go on", True)


def contained(name: str) -> None:
    """A Failure if what does not answer runs in a container that keeps dying: its unit is active all the same."""
    for box in logs.boxes(name):
        rc, times = run("docker", "inspect", "--format", "{{.RestartCount}}", box)
        if rc == 0 and times.strip().isdigit() and int(times) >= CRASHES:
            raise dying(name, box, int(times))


def dying(name: str, what: str, times: Any, since: float | None = None, code: str = "") -> Failure:
    """The verdict on a service that does not stay, by what it said (``since``: from then on, in seconds since 1970).

    ``code``: what its codes begin with, where the watch's file does not know the service.
    """
    begun = () if since is None else ("--since", f"@{int(since)}")
    unit = f"llm-{name}.service"
    log = run("journalctl", "--unit", unit, "--lines", LOG, "--output", "cat", "--no-pager", *begun)[1]
    inner = (run("docker", "logs", "--tail", LOG, each) for each in logs.boxes(name))
    lines = (log + "".join(said for rc, said in inner if rc == 0)).splitlines()
    signs = status.read(at("/opt/llm/signs.json"))
    # The cause of a long traceback stands far above its end.
    found = ((kind, line) for sign, kind in signs.items() if (line := said(sign, lines)))
    kind, why = next(found, ("crashes", tail("\n".join(lines))))
    return Failure(
        f"{code or coded(name)}.{kind}", f"{what} started {times} times and does not stay: {logs.cleaner()(why[-600:])}"
    )


def coded(name: str) -> str:
    """What a service's codes begin with: of a further model's as of the main one's."""
    return str(status.read(at("/opt/llm/watch.json")).get("codes", {}).get(name, name))


def said(sign: str, lines: list[str]) -> str:
    """The last line in which a sign stands; empty if it does not."""
    return next((line for line in reversed(lines) if sign.lower() in line.lower()), "")


def answer(code: str, url: str, body: Any = None, key: str = "", tls: ssl.SSLContext | None = None) -> Any:
    """What an address answers; anything but success is a Failure that may pass."""
    if url.startswith("tcp://"):
        return called(code, url)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = Request(url, data=None if body is None else json.dumps(body).encode(), headers=headers)  # noqa: S310 - loopback only
    try:
        with urlopen(request, timeout=120, context=tls) as reply:  # noqa: S310
            return reply.read()
    except HTTPError as error:
        raise Failure(
            code, f"{url} answered {error.code}: {tail(error.read(2000).decode(errors='replace'))}", True
        ) from error
    except OSError as error:
        raise Failure(code, f"{url}: {error}", True) from error


def called(code: str, url: str) -> None:
    """Whether somebody takes the call at ``tcp://address:port``, where no HTTP is spoken."""
    host, _, port = url.removeprefix("tcp://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=20).close()
    except OSError as error:
        raise Failure(code, f"{url}: {error}", True) from error


def through_gateway(want: dict[str, Any]) -> None:
    """As a client: refused without a key, and with one an answer from each model that this node itself serves."""
    # Its own certificate is the authority; its names are those that clients use, not loopback.
    tls = ssl.create_default_context(cafile=str(at("/srv/llm/secrets/tls.crt")))
    tls.check_hostname = False
    base = f"https://127.0.0.1:{want['https_port']}"
    try:
        answer("gateway.not-ready", f"{base}/status", tls=tls)
    except Failure as failure:
        if " answered 401" not in failure.message:
            raise
    else:
        raise Failure("gateway.open", "the gateway answers without a key")
    key = at("/srv/llm/secrets/probe_key").read_text()
    answer("gateway.not-ready", f"{base}/status", key=key, tls=tls)
    if want["models"] is not None:
        answer("gateway.not-ready", f"{base}/v1/models", key=key, tls=tls)
    for model in want["models"] or []:
        question = {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "ping"}]}
        reply = json.loads(answer("gateway.no-completion", f"{base}/v1/chat/completions", question, key, tls))
        if not reply.get("choices"):
            raise Failure("gateway.no-completion", f"{model} answered without a choice", True)
    for model in want.get("embed", ()):  # it writes no text, and turns some into a vector
        question = {"model": model, "input": "ping"}
        reply = json.loads(answer("gateway.no-completion", f"{base}/v1/embeddings", question, key, tls))
        if not reply.get("data"):
            raise Failure("gateway.no-completion", f"{model} answered without a vector", True)
    for model in want.get("rerank", ()):  # and this one says how well texts fit a question
        question = {"model": model, "query": "ping", "documents": ["pong"]}
        reply = json.loads(answer("gateway.no-completion", f"{base}/v1/rerank", question, key, tls))
        if not reply.get("results"):
            raise Failure("gateway.no-completion", f"{model} answered without a rank", True)
