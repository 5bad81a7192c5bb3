"""A change of the main model beside the one that runs (`server.model_change: beside`).

Its settings have two forms: the model's server as one unit on one port, or as another unit on another port, with all
that names either. A node takes the form that does not run now. So the new one loads and is asked while the old one
serves; then the gateway reads other routes, what went to the old one comes to its end, and the old one is stopped.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from typing import Any

from llm_node import status, watch
from llm_node.system import Failure, at, run, write

CHANGE = "/run/llm/change.json"
USE = os.environ.get("LLM_GATE_USE", "http://127.0.0.1:4001/use")
POLL = float(os.environ.get("LLM_POLL_SECONDS", "1"))
CUDA_GIB = 0.25  # what CUDA holds for a process on top of its share; the fit check's own number
DRAIN = float(os.environ.get("LLM_DRAIN_SECONDS", "900"))  # the longest that an old answer is waited for


def chosen(settings: dict[str, Any], good: dict[str, Any]) -> dict[str, Any]:
    """The form of the settings to put in force: the running one's if its server stays as it is, else the other.

    A server that was not made for it has no room left beside it: its change restarts it, once.
    """
    if not settings.get("beside") or not good.get("beside"):
        return settings
    forms = {each["beside"]["unit"]: each for each in (settings, twin(settings))}
    same = forms.pop(good["beside"]["unit"])
    return same if contents(engine(same)) == contents(engine(good)) else next(iter(forms.values()))


def twin(settings: dict[str, Any]) -> dict[str, Any]:
    """The other form of the settings, which knows this one as its other."""
    mine = settings["beside"]
    other, shared = mine["other"], {key: mine[key] for key in ("units", "share", "cards")}
    new = {each["path"]: each for each in other["files"]}
    gone, files = set(other["gone"]), []
    for each in settings["files"]:
        if each["path"] not in gone:
            files.append(new.pop(each["path"], each))
    rest = {key: mine[key] for key in ("unit", "health", "ask")}
    paths = {each["path"] for each in other["files"]} | gone
    back = [each for each in settings["files"] if each["path"] in paths]
    mine = {**rest, "services": settings["services"], "files": back, "gone": list(new)}
    known = {key: other[key] for key in ("unit", "health", "ask")}
    return {
        **settings,
        "services": other["services"],
        "files": [*files, *new.values()],
        "beside": {**shared, **known, "other": mine},
    }


def engine(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The files with which the main model's server starts anew."""
    return [each for each in settings["files"] if settings["beside"]["unit"] in each["restart"]]


def contents(rows: list[dict[str, Any]]) -> dict[str, str]:
    """What is in files, by their paths."""
    return {each["path"]: each["content"] for each in rows}


def begins(settings: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether the model's server is another unit than before, so that both run for a while."""
    return bool(before.get("beside")) and settings.get("beside", before["beside"])["unit"] != before["beside"]["unit"]


def kept(settings: dict[str, Any], before: dict[str, Any]) -> set[str]:
    """Units and files of the server before that stay until `settle`."""
    if not begins(settings, before):
        return set()
    return {before["beside"]["unit"], *contents(engine(before))}


def load(settings: dict[str, Any], changed: bool, deadline: float, say: Callable[[str], None]) -> None:
    """Start the new server, and wait for an answer. What fails is a Failure, and the new one is gone at once."""
    mine = settings["beside"]
    unit, runs = mine["unit"], run("systemctl", "is-active", "--quiet", mine["unit"])[0] == 0
    if changed or not runs:
        note("loading")
        say(f"{settings['node']}: the model is loaded as {unit}, beside the one that serves")
    try:
        if not runs:
            room(mine)
        run("systemctl", "reset-failed", unit)
        times, since = restarts(unit), time.time()
        run("systemctl", "restart" if changed else "start", "--no-block", unit)
        said = time.monotonic()
        while not healthy(unit, mine["health"], times, since):
            if time.monotonic() > deadline:
                raise Failure("apply.timeout", f"{unit} did not answer in time; the model before was serving meanwhile")
            said = again(said, lambda: say(f"{settings['node']}: {unit} is loading"))
            time.sleep(POLL)
        asked(mine["ask"])
    except Failure:
        stop(unit, engine(settings))
        raise


def room(mine: dict[str, Any]) -> None:
    """A Failure if a card has less free than vLLM will ask for, which is its share of the whole card."""
    query = "--query-gpu=memory.total,memory.free"
    rows = run("nvidia-smi", query, "--format=csv,noheader,nounits")[1].splitlines()[: mine["cards"]]
    for card, row in enumerate(rows):
        try:
            total, free = (float(each) / 1024 for each in row.split(","))
        except ValueError:
            return  # no numbers: vLLM looks for itself
        need = math.ceil(total * mine["share"] * 1024) / 1024 + CUDA_GIB
        if free < need:
            raise Failure(
                "vllm.no-room-beside",
                f"GPU {card} has {free:.2f} of {total:.2f} GiB free beside the model that serves, and the new one "
                f"takes {need:.2f}",
            )


def restarts(unit: str) -> tuple[str, int]:
    """systemd's word for how a unit is, and how often it was started again."""
    out = run("systemctl", "show", unit, "--property=ActiveState,SubState,NRestarts")[1]
    state = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    word = "auto-restart" if state.get("SubState") == "auto-restart" else state.get("ActiveState", "")
    return word, int(state.get("NRestarts") or 0)


def healthy(unit: str, url: str, before: tuple[str, int], since: float) -> bool:
    """Whether it answers; a Failure with its cause if it has ended, the first time that it does."""
    state, times = restarts(unit)
    if state in ("failed", "auto-restart") or times > before[1]:
        raise watch.dying(unit.removeprefix("llm-").removesuffix(".service"), unit, 1, since, "vllm")
    try:
        watch.answer("vllm.not-ready", url)
    except Failure:
        return False
    return True


def asked(ask: dict[str, Any]) -> None:
    """A Failure if the model gives no answer."""
    try:
        reply = json.loads(watch.answer("vllm.no-answer", ask["url"], ask["body"]))
    except ValueError as error:
        raise Failure("vllm.no-answer", f"{ask['url']} answered what is no JSON") from error
    if not isinstance(reply, dict) or not reply.get(ask["answer"]):
        raise Failure("vllm.no-answer", f"{ask['url']} answered without {ask['answer']}")


def settle(settings: dict[str, Any], before: dict[str, Any], deadline: float, say: Callable[[str], None]) -> None:
    """The new one serves: let what goes to the other come to its end, and stop that one for good."""
    mine = settings.get("beside")
    if not mine:
        return
    (unit,) = (each for each in mine["units"] if each != mine["unit"])
    if begins(settings, before):
        note("draining")
        left = drained(min(deadline, time.monotonic() + DRAIN), lambda: say(f"{settings['node']}: {unit} is answering"))
        if left:
            say(f"{settings['node']}: {left} requests to the model before did not end in time, and are cut off")
    rows = [each for each in twin(settings)["files"] if unit in each["restart"]]
    rows += engine(before) if begins(settings, before) else []
    stop(unit, [each for each in rows if each["path"] not in contents(settings["files"])])


def drained(deadline: float, say: Callable[[], None]) -> int:
    """Wait until no call is under way that came before the gateway's table of now; how many there still are."""
    left, said = 0, time.monotonic()
    while True:
        try:
            left = int(json.loads(watch.answer("gateway.not-ready", USE)).get("earlier", 0))
        except (Failure, ValueError):
            left = max(left, 1)  # it starts anew, perhaps: answers under way come to their end before that
        if not left or time.monotonic() > deadline:
            return left
        said = again(said, say)
        time.sleep(POLL)


def again(said: float, say: Callable[[], None]) -> float:
    """Say it if half a minute has passed, so that whoever looks (and the SSH connection) stays awake; when it was."""
    if time.monotonic() - said < 30:
        return said
    say()
    return time.monotonic()


def stop(unit: str, rows: list[dict[str, Any]]) -> None:
    """Stop a server, and take its files away."""
    if run("systemctl", "cat", unit)[0] == 0:
        run("systemctl", "disable", "--now", unit)
    for each in rows:
        at(each["path"]).unlink(missing_ok=True)


def note(state: str, code: str | None = None, message: str | None = None) -> None:
    """Say in the status how the change is. That it failed stays there until the next one."""
    if status.read(at(CHANGE)).get("state") == "failed":
        return
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    row = {"state": state, "code": code, "message": message, "hint": status.hint(code) if code else None, "since": now}
    write(at(CHANGE), json.dumps(row))


def over() -> None:
    """Nothing is to be said of a change (any more)."""
    at(CHANGE).unlink(missing_ok=True)
