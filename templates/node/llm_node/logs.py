"""`llm-node logs [STAGE|SERVICE]`: what stages and services said, without secrets; the last lines for the status."""
# ruff: noqa: T201 - a command talks by printing

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable

from llm_node import status
from llm_node.system import Failure, at, node, run, write

LINES, WIDTH = 20, 240  # of the status document's log
SHAPES = re.compile(r"\b(?:sk-|hf_)[\w.-]{8,}|(?<=Bearer )[\w.~+/-]{8,}=*|(?<=://)[^/@\s]+:[^/@\s]*@")
WORD = re.compile(r"[\w.~+/-]{16,}")
PUBLIC = ("tls.crt", "upstream-ca")


def main(name: str = "") -> None:
    """Print the last thousand lines of one stage or service, or of all."""
    if name and not at(f"/etc/systemd/system/llm-{name}.service").exists():
        known = sorted(each.stem.removeprefix("llm-") for each in at("/etc/systemd/system").glob("llm-*.service"))
        raise Failure("node.unknown-stage", f"there is no stage or service {name!r}; there are: {', '.join(known)}")
    clean = cleaner()
    for line in journal([f"llm-{name or '*'}.service"], 1000):
        print(clean(line))
    if at(f"/opt/llm/{name}/compose.yaml").exists():
        for each in boxes(name):
            for line in run("docker", "logs", "--tail", "1000", each)[1].splitlines():
                print(clean(line))


def boxes(name: str) -> list[str]:
    """What docker calls the containers of a service."""
    other = status.read(at("/opt/llm/watch.json")).get("containers", {})
    return list(other.get(name, [f"llm-{name}-1"]))


def journal(units: list[str], lines: int, *more: str) -> list[str]:
    """The last lines of units' logs, oldest first."""
    chosen = [f"--unit={each}" for each in units]
    options = ("--lines", str(lines), "--output", "short-iso", "--no-hostname", "--no-pager", "--quiet")
    return run("journalctl", *chosen, *options, *more)[1].splitlines()


def refresh() -> None:
    """Bring the status document's log up to date: what is at work says why it takes its time.

    Only stages, and vLLM since it was started and until it is ready: it has served nobody by then, so that no
    request can be in its log, which whoever has a key may read.
    """
    busy = [each for each in node()["stages"] if status.entry(each).get("state") in ("running", "failed")]
    found = journal([f"llm-{each}.service" for each in busy], LINES) if busy else []
    if status.entry("serve").get("state") == "running":
        for name in ("vllm", *status.read(at("/opt/llm/watch.json")).get("codes", {})):
            run_id = run("systemctl", "show", f"llm-{name}.service", "--property=InvocationID", "--value")[1].strip()
            if run_id:
                found += journal([], LINES, f"_SYSTEMD_INVOCATION_ID={run_id}")
    clean = cleaner()
    write(at("/run/llm/log.json"), json.dumps({"lines": [clean(each)[:WIDTH] for each in found[-LINES:]]}))


def cleaner() -> Callable[[str], str]:
    """What takes secrets out of a line: those that lie on this node, the gateway's keys, and what looks like one."""
    values = set()
    # What vLLM's own unit reads lies beside the others, which it cannot see.
    for path in (*at("/srv/llm/secrets").glob("*"), *at("/var/lib").glob("llm-*/*.token")):
        if path.is_file() and not path.name.startswith(PUBLIC) and path.suffix != ".json":
            for line in path.read_text(errors="replace").splitlines():
                value = (line.partition("=")[2] if path.suffix == ".env" else line).strip()
                values |= {value} if len(value) >= 8 and not value.startswith("-----") else set()
    hashes = status.read(at("/srv/llm/secrets/gateway-keys.json"))
    ordered = sorted(values, key=len, reverse=True)

    def word(found: re.Match[str]) -> str:
        return "[secret]" if hashlib.sha256(found[0].encode()).hexdigest() in hashes else found[0]

    def clean(line: str) -> str:
        for value in ordered:
            line = line.replace(value, "[secret]")
        return WORD.sub(word, SHAPES.sub("[secret]", line))

    return clean
