"""Runs the user's program for the engine's language host, as `python` would, but dies quietly.

When a cloud refuses something the engine interrupts the program. Python answers with a traceback, which hides the
cloud's own words in the output; newer language hosts keep it to themselves, the one that can be built here does not.
"""

from __future__ import annotations

import gc
import runpy
import sys
from types import TracebackType

from pulumi_llm import _process


def main() -> None:
    """Run the script that follows the interpreter's own options, with the rest as its arguments."""
    arguments = sys.argv[1:]
    while arguments and arguments[0].startswith("-"):  # -u: the environment says the same
        arguments.pop(0)
    sys.argv = arguments
    sys.excepthook = _quiet
    sys.path[:] = [each for each in sys.path if each]
    # It ends after seconds, and an engine waits for that: see docs/decisions/cheap-plans.md.
    gc.disable()
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as left:
        if not isinstance(left.code, int | None):
            raise
        _process.end(left.code or 0)
    _process.end(0)


def _quiet(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


if __name__ == "__main__":
    main()
