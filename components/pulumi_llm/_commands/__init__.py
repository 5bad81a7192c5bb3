"""The subcommands of `pulumi-llm`: what a command is, and the one way in which all of them are run.

A command is one module of this package with a :class:`Command` called ``COMMAND``. `pulumi-llm --help` imports all of
them, so a module is light: what its body works with is imported by the body.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from pulumi_llm import _texts as texts
from pulumi_llm._commands._declared import OneOf, Option, Options, UsageError, option
from pulumi_llm._language import tr, written
from pulumi_llm._tables import aligned
from pulumi_llm._texts import _, either

if TYPE_CHECKING:
    from pulumi_llm._commands._parser import Parser

__all__ = [
    "DONE",
    "EVERY",
    "NAMES",
    "REFUSED",
    "USAGE",
    "WRONG_CALL",
    "Command",
    "OneOf",
    "Option",
    "Options",
    "UsageError",
    "find",
    "listed",
    "meant",
    "option",
]

NAMES = (
    "plan",
    "render",
    "bundle",
    "check",
    "offers",
    "bill",
    "compare",
    "keys",
    "usage",
    "vectors",
    "status",
    "stop",
    "start",
    "recover",
    "snapshots",
    "diff",
    "comment",
    "outlook",
    "monitoring",
    "catalog",
    "explain",
    "sim",
    "rehearse",
)
"""The commands in the order in which they are shown."""

DONE, REFUSED, USAGE = 0, 1, 2
"""Exit codes: it was done, it was refused or failed, it was called wrongly."""

WRONG_CALL = ("project.not-found", "stack.unknown")
"""What says that a command which runs a stack's program was called wrongly, rather than that the program refuses."""

EVERY = ("*",)
"""Each refusal is a wrong call: the command gives its verdict in another way."""


class Command(NamedTuple):
    """A command, or one of a command's own.

    ``help`` is its line in a list, ``about`` what its ``--help`` says first. ``options`` are a function where data has
    a part in them, and ``reader`` takes their place where not argparse reads the arguments. The ``body`` gets what was
    read, and gives the exit code; without one it is ``run`` in the module that is called as the command is, with an
    underscore. ``wrong_call`` has the codes of refusals that mean exit code 2 (patterns; one of them in a refusal is
    enough), all others mean 1. A command that runs ``long`` has its cyclic garbage collected. One ``of_machines`` is
    refused for a stack that is a fleet, by the name of the command that it belongs to.

    (A named tuple, as the import of `dataclasses` takes a fifth of the time of `pulumi-llm --help`.)
    """

    name: str
    help: str
    about: str = ""
    options: Options | Callable[[], Options] = ()
    body: Callable[[Any], int] | None = None
    reader: Callable[[Sequence[str]], Any] | None = None
    wrong_call: Sequence[str] = ()
    long: bool = False
    commands: tuple[Command, ...] = ()
    of_machines: str = ""

    def run(self, argv: Sequence[str], within: str = "pulumi-llm") -> int:
        """Run it. What is refused is told on standard error; see the exit codes above."""
        from pulumi_llm.errors import Refusal

        prog = f"{within} {self.name}"
        try:
            if self.commands:
                return self._one_of_its_own(list(argv), prog)
            asked = self.reader(argv) if self.reader else self._parser(prog).parse(argv)
            if self.of_machines:
                from pulumi_llm._commands import _fleet_stack

                _fleet_stack.refuse(asked, self.of_machines)
            body = self.body or importlib.import_module(f"{__name__}._{self.name}").run
            return int(body(asked))
        except UsageError as wrong:
            sys.stderr.write(tr("{prog}: {problem}\n  {prog} --help tells the options\n", prog=prog, problem=wrong))
            return USAGE
        except Refusal as refusal:
            for finding in refusal.findings:
                sys.stderr.write(f"{finding.text()}\n")
            codes = [finding.code for finding in refusal.findings]
            wrong_call = any(fnmatchcase(code, pattern) for code in codes for pattern in self.wrong_call)
            return USAGE if wrong_call else REFUSED
        except SystemExit as left:  # --help
            return left.code if isinstance(left.code, int) else DONE

    def _parser(self, prog: str) -> Parser:
        from pulumi_llm._commands._parser import Parser

        return Parser(prog, self.about, self.options() if callable(self.options) else self.options)

    def _one_of_its_own(self, argv: list[str], prog: str) -> int:
        own = {each.name: each for each in self.commands}
        if not argv:
            raise UsageError(_("name what to do: {prog} {own}", prog=prog, own=" | ".join(own)))
        if argv[0] in ("-h", "--help"):
            usage = tr("usage: {prog} {own} [options]", prog=prog, own=f"{{{','.join(own)}}}")
            sys.stdout.write(f"{usage}\n\n{written(self.about).strip()}\n\n")
            sys.stdout.write(
                tr(
                    "{commands}\n\n{prog} {name} --help tells its options\n",
                    commands=listed(self.commands),
                    prog=prog,
                    name=self.commands[0].name,
                )
            )
            return DONE
        if argv[0] not in own:
            raise UsageError(_("there is no {argv!r}; {meant}", argv=argv[0], meant=meant(argv[0], own)))
        return own[argv[0]].run(argv[1:], prog)


def find(name: str) -> Command:
    """The command of that name, which is one of :data:`NAMES`."""
    found = importlib.import_module(f"{__name__}.{name}").COMMAND
    assert isinstance(found, Command)  # noqa: S101 - each module has one
    return found


def listed(commands: Sequence[Command]) -> str:
    """The commands as a list, each with its line."""
    return "\n".join(f"  {line}" for line in aligned([(each.name, written(each.help)) for each in commands]))


def meant(name: str, known: Sequence[str] | dict[str, Command]) -> str:
    """What was meant by a name that is none of those known; all of them where none is near."""
    from pulumi_llm.errors import nearest

    near = nearest(name, known)
    return (
        _("did you mean {names}?", names=either(near)) if near else _("there are: {names}", names=texts.listed(known))
    )
