"""The command `pulumi-llm`. Each subcommand is a module that is imported only when it is called."""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pulumi_llm import language
from pulumi_llm.errors import Refusal, UnknownName, nearest
from pulumi_llm.language import told, tr
from pulumi_llm.texts import _, either, listed

COMMANDS = {
    "plan": ("pulumi_llm.commands.plan", _("what a stack would make, without engine, account or network")),
    "render": ("pulumi_llm.commands.render", _("write each machine's user data to files")),
    "check": ("pulumi_llm.commands.check", _("does a model fit on a GPU, and what would")),
    "offers": ("pulumi_llm.commands.offers", _("GPU machines and what they cost, cheapest first")),
    "bill": ("pulumi_llm.commands.bill", _("what a stack costs, line by line, and against another revision")),
    "keys": ("pulumi_llm.commands.keys", _("add, list, rotate and revoke keys of a gateway that runs")),
    "usage": ("pulumi_llm.commands.usage", _("what each key of a gateway has used")),
    "status": ("pulumi_llm.commands.status", _("what a stack's nodes are at, and what is in the way")),
    "diff": ("pulumi_llm.commands.diff", _("what a change does to the machines, what it costs, which rule it breaks")),
    "comment": ("pulumi_llm.commands.comment", _("the same comment from the engine's own `preview --json`")),
    "catalog": ("pulumi_llm.commands.catalog", _("how old the catalogue is, and today's prices from the clouds' APIs")),
    "explain": ("pulumi_llm.commands.explain", _("what a message's code means, and what to do")),
    "sim": ("pulumi_llm.simcloud.command", _("run pulumi against the simulated clouds")),
}

LONG = frozenset({"status", "sim"})
"""Commands that may run for long; all others end after seconds."""

USAGE = 2
BROKEN_PIPE = 141

UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""What the system answers to a write when the output can take no more."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Exit code 0: done; 1: refused or failed; 2: called wrongly.

    An output that cannot be written is no traceback: a pipe that nobody reads is exit code 141, a full disk 1, and
    where standard output or error was closed before the start nothing is said there.
    """
    _prepare_streams()
    try:
        with language.spoken(sys.argv[1:] if argv is None else argv) as rest:
            code = _run(rest)
        sys.stdout.flush()
        return code
    except language.UnknownLanguageError as wrong:
        hint = _("there are: {names}", names=listed(language.LANGUAGES))
        _complain(tr("pulumi-llm: --lang {name}: there is no such language; {hint}", name=wrong.name, hint=hint))
        return USAGE
    except KeyboardInterrupt:
        _complain(tr("interrupted"))
        return 130
    except BrokenPipeError:
        _give_up_output()
        return BROKEN_PIPE
    except OSError as wrong:
        if wrong.filename is not None or wrong.errno not in UNWRITABLE:
            raise
        _give_up_output()
        _complain(tr("pulumi-llm: the output cannot be written: {problem}", problem=wrong.strerror))
        return 1


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        _say(_help())
        return 0 if arguments else USAGE
    if arguments[0] in ("-V", "--version"):
        from pulumi_llm import __version__

        _say(f"pulumi-llm {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        near = nearest(name, COMMANDS)
        hint = (
            _("did you mean {names}?", names=either(near)) if near else _("there are: {names}", names=listed(COMMANDS))
        )
        _complain(tr("pulumi-llm: there is no command {name!r}; {hint}", name=name, hint=hint))
        return USAGE
    try:
        with contextlib.nullcontext() if name in LONG else _uncollected():
            return int(importlib.import_module(COMMANDS[name][0]).run(rest))
    except Refusal as refusal:
        for finding in refusal.findings:
            _complain(finding.text())
        return USAGE if isinstance(refusal, UnknownName) and name in ("check", "offers") else 1


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Leave cyclic garbage lying: a sixth of the time that the SDKs' import takes is the search for it."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _prepare_streams() -> None:
    """Python has no stream at all for a descriptor that is closed, and stops at a letter that the terminal lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _give_up_output() -> None:
    """Send what is still in the buffer nowhere, else Python complains when it writes it at the end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [
        tr("usage: pulumi-llm COMMAND [options] [--lang en|zh]   (pulumi-llm COMMAND --help tells the options)"),
        "",
    ]
    lines += [f"  {name:<{width}}  {told(text)}" for name, (__, text) in COMMANDS.items()]
    return "\n".join(lines)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
