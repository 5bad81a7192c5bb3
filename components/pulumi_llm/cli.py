"""The command `pulumi-llm`: its streams, its own options, and the subcommand that is called."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from pulumi_llm import _commands as commands
from pulumi_llm import _language as language
from pulumi_llm import _process
from pulumi_llm import _system as system
from pulumi_llm._language import tr

COMMANDS = commands.NAMES

USAGE = commands.USAGE
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
        hint = commands.meant(wrong.name, language.LANGUAGES)
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
        _complain(tr("pulumi-llm: the output cannot be written: {problem}", problem=system.why(wrong)))
        return 1


def program() -> NoReturn:
    """The command as a process of its own: run the subcommand, and end with its exit code."""
    _process.end(main())


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
        _complain(
            tr("pulumi-llm: there is no command {name!r}; {meant}", name=name, meant=commands.meant(name, COMMANDS))
        )
        return USAGE
    command = commands.find(name)
    with contextlib.nullcontext() if command.long else _uncollected():
        return command.run(rest)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Leave cyclic garbage lying: a sixth of the time that the SDKs' import takes is the search for it."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            # What is there now counts as old: else the first collection would look at all of it after all.
            gc.freeze()
            gc.unfreeze()
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
    usage = tr("usage: pulumi-llm COMMAND [options] [--lang en|zh]   (pulumi-llm COMMAND --help tells the options)")
    return f"{usage}\n\n{commands.listed([commands.find(each) for each in COMMANDS])}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    program()
