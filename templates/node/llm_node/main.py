"""`llm-node run STAGE | stage | apply | status`, and what each prints and exits with."""
# ruff: noqa: T201 - a command talks by printing

from __future__ import annotations

import json
import sys
import time
from importlib import import_module

from llm_node import status
from llm_node.system import Failure, node

PATIENCE = 900  # seconds in which what may pass by itself is tried again


def main(argv: list[str]) -> int:
    """Run one command. 0: done. 1: it failed, and standard error says how. 2: there is no such command."""
    try:
        match argv:
            case ["run", name] if name in node()["stages"]:
                return run_stage(name)
            case ["stage"]:
                import_module("llm_node.receive").main()
            case ["apply" | "watch" | "serve-status" as name]:
                import_module("llm_node." + name.replace("-", "_")).main()
            case ["status"]:
                print(json.dumps(status.summary(), indent=1))
            case _:
                print("usage: llm-node run STAGE | stage | apply | status", file=sys.stderr)
                return 2
    except Failure as failure:
        hint = status.hint(failure.code)
        print(f"[{failure.code}] {failure.message}", f"\n  try: {hint}" * bool(hint), file=sys.stderr)
        return 1
    return 0


def run_stage(name: str) -> int:
    """Run one stage until it is done, or has failed for good."""
    pause, deadline = 2, time.monotonic() + PATIENCE
    status.record(name, "running")
    while True:
        try:
            # The short ones are functions of one module; the others, of which not every node has all, modules.
            work = getattr(import_module("llm_node.stages"), name, None) or import_module(f"llm_node.{name}").main
            work()
            status.record(name, "done")
            return 0
        except Failure as failure:
            code, message, retry = failure.code, failure.message, failure.retry
        except Exception as error:
            code, message, retry = name + ".internal", repr(error), False
        retry = retry and time.monotonic() < deadline
        status.record(name, "running" if retry else "failed", code=code, message=message)
        print(f"[{code}] {message}", file=sys.stderr)
        if not retry:
            return 1
        time.sleep(pause)
        pause = min(2 * pause, 60)
