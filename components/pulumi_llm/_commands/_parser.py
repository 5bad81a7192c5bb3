"""How a command's arguments are read: argparse with no abbreviations, and errors that say what was meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from pulumi_llm import _help
from pulumi_llm._commands._declared import Option, Options, UsageError
from pulumi_llm._texts import _, either
from pulumi_llm.errors import nearest


class Parser(argparse.ArgumentParser):
    """argparse with no abbreviations, and errors that are raised and say what was meant."""

    def __init__(self, prog: str, about: str, options: Options) -> None:
        super().__init__(prog=prog, description=about.strip(), allow_abbrev=False, formatter_class=_Paragraphs)
        for each in options:
            if isinstance(each, Option):
                self.add_argument(*each.names, **each.settings)
                continue
            group = self.add_mutually_exclusive_group(required=each.required)
            for one in each.options:
                group.add_argument(*one.names, **one.settings)

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


class _Paragraphs(argparse.HelpFormatter):
    """Fills each paragraph by itself, and leaves those that are set in as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = (part.strip("\n") for part in text.split("\n\n"))
        return "\n\n".join(
            part if part.startswith(" ") else super(_Paragraphs, self)._fill_text(part, width, indent) for part in parts
        )
