"""`llm-node run STAGE | stage | begin | apply | status | logs`, and what each prints and exits with."""
# ruff: noqa: T201 - a command talks by printing

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path

from llm_node import status
from llm_node.system import Failure, extra, node

PATIENCE = 900  # seconds in which what may pass by itself is tried again
MODULE = Path(__file__)


def main(argv: list[str]) -> int:
    """Run one command. 0: done. 1: it failed, and standard error says how. 2: there is no such command."""
    try:
        match argv:
            case ["run", name] if name in node()["stages"]:
                return run_stage(name)
            case ["stage"]:
                import_module("llm_node.receive").main()
            case ["apply" | "begin" | "watch" | "serve-status" | "logs" as name, *more]:
                import_module("llm_node." + name.replace("-", "_")).main(*more)
            case ["status"]:
                print(json.dumps(status.summary(), indent=1))
            case _:
                print("usage: llm-node run STAGE | stage | apply | status | logs [STAGE]", file=sys.stderr)
                return 2
    except Failure as failure:
        hint = status.hint(failure.code)
        # One line: it is what `pulumi up` ends with.
        print(f"[{failure.code}] {failure.message}" + f" -- try: {hint}" * bool(hint), file=sys.stderr)
        return 1
    return 0


def run_stage(name: str) -> int:
    """Run one stage until it is done, or has failed for good."""
    pause, deadline, best, code_at = 2.0, time.monotonic() + PATIENCE, 0, MODULE.stat().st_mtime_ns
    status.record(name, "running")
    while True:
        try:
            import_module("llm_node." + name).main()
            status.record(name, "done")
            return 0
        except Failure as failure:
            found = extra("diagnosed", lambda each: each)(failure) if failure.retry else failure
            code, message, retry = found.code, found.message, found.retry
        except Exception as error:
            code, message, retry = name + ".internal", repr(error), False
        progress = status.entry(name).get("progress")
        if progress and progress["done"] > best:  # hours of download are no reason to give up at a hiccup
            pause, deadline, best = 2.0, time.monotonic() + PATIENCE, progress["done"]
        retry = retry and time.monotonic() < deadline
        status.record(name, "running" if retry else "failed", code=code, message=message, progress=progress)
        print(f"[{code}] {message}", file=sys.stderr)
        if not retry:
            return 1
        time.sleep(pause)
        pause = min(2 * pause, 60)
        if MODULE.stat().st_mtime_ns != code_at:  # newer code came with the settings
            os.execv(sys.executable, [sys.executable, "-I", *sys.argv])  # noqa: S606 - no shell is wanted
