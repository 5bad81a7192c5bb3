"""The subcommands of `pulumi-llm`, one module each, with `run(argv) -> exit code`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from pulumi_llm import _help
from pulumi_llm.errors import Refusal, nearest
from pulumi_llm.language import tr
from pulumi_llm.texts import Text, _, either, listed

DONE, REFUSED, USAGE = 0, 1, 2
"""Exit codes: it was done, it was refused or failed, it was called wrongly."""

WRONG_CALL = frozenset({"project.not-found", "stack.unknown"})
"""What says that a command which runs a stack's program was called wrongly, rather than that the program refuses."""


class UsageError(Exception):
    """A command was called wrongly; the message says how, and what would be right."""


class Parser(argparse.ArgumentParser):
    """argparse with no abbreviations, and errors that are raised and say what was meant."""

    def __init__(self, prog: str, description: str | None) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False)

    def format_help(self) -> str:
        """The help, in the language that is spoken now."""
        _help.translate(self)
        self.formatter_class = _help.formatter(self.formatter_class)
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print and exit with."""
        raise UsageError(message)

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """The arguments. Raises UsageError, with the nearest options for one that does not exist."""
        asked, rest = self.parse_known_args(list(argv))
        if rest:
            options = [option for action in self._actions for option in action.option_strings]
            wrong = rest[0].partition("=")[0]
            if not wrong.startswith("-"):
                raise UsageError(_("{problem!r} is one argument too many", problem=wrong))
            near = nearest(wrong, options)
            hint = _("; did you mean {names}?", names=either(near)) if near else ""
            raise UsageError(_("there is no option {problem}{hint}", problem=wrong, hint=hint))
        return asked


def guarded(prog: str, body: Callable[[], int], wrong_call: frozenset[str] | None = None) -> int:
    """Run a command's body; a wrong call or a name that is not known is told on stderr, with exit code 2.

    A refusal is a wrong call too where ``wrong_call`` is None (the command itself gives its verdict in another way), or
    where it holds one of the refusal's codes; else the exit code is 1.
    """
    try:
        return body()
    except UsageError as wrong:
        sys.stderr.write(tr("{prog}: {problem}\n  {prog} --help tells the options\n", prog=prog, problem=wrong))
    except Refusal as refusal:
        for finding in refusal.findings:
            sys.stderr.write(f"{finding.text()}\n")
        if wrong_call is not None and wrong_call.isdisjoint(finding.code for finding in refusal.findings):
            return REFUSED
    except SystemExit as left:  # --help
        return left.code if isinstance(left.code, int) else DONE
    return USAGE


def whole(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from ``low`` to ``high``."""

    def parse(text: str) -> int:
        # More digits than any bound has are not read: Python refuses thousands of them in words of its own.
        if not (text.isascii() and text.isdigit() and len(text) <= 18) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(
                tr("{text!r} is not a whole number from {low} to {high}", text=text, low=low, high=high)
            )
        return int(text)

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """A parser of numbers above ``low`` and up to ``high``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low < value <= high:
            raise argparse.ArgumentTypeError(
                tr("{text!r} is not a number above {low:g} and up to {high:g}", text=text, low=low, high=high)
            )
        return value

    return parse


def one_of(kind: str, names: Iterable[str]) -> Callable[[str], str]:
    """A parser of names, in any case."""
    known = list(names)

    def parse(text: str) -> str:
        for name in known:
            if text.casefold() == name.casefold():
                return name
        near = nearest(text, known)
        hint = _("did you mean {names}?", names=either(near)) if near else _("there are: {names}", names=listed(known))
        raise argparse.ArgumentTypeError(
            tr("there is no {kind} {text!r}; {hint}", kind=Text(kind), text=text, hint=hint)
        )

    return parse
