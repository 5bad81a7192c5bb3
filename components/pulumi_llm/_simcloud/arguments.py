"""The command line of ``pulumi-llm sim``: what is for the simulation, and what is for Pulumi."""

from __future__ import annotations

import os
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

_RUNS_THE_PROGRAM = frozenset(("destroy", "dn", "down", "import", "pre", "preview", "refresh", "up", "update", "watch"))
_MAKES_A_STACK = _RUNS_THE_PROGRAM | {"config"}
_ON_A_STACK = _MAKES_A_STACK | {"cancel", "console", "export", "history", "logs", "stack", "state"}
_TAKES_A_PATH = frozenset(
    (
        *("--policy-pack", "--policy-pack-config", "--save-plan", "--plan", "--file", "--import-file"),
        *("--input-file", "--out", "--event-log", "--details-file", "--resources-file", "--provider-file"),
    )
)
_TAKES_A_VALUE = _TAKES_A_PATH | {
    *("-s", "--stack", "-v", "--verbose", "--color"),
    *("--tracing", "--otel-traces", "--profiling", "--memprofilerate"),
}


@dataclass(slots=True)
class Request:
    """What the command line asked for: the simulation's own options, and the arguments for Pulumi."""

    arguments: list[str] = field(default_factory=list)
    home: Path | None = None
    project: Path | None = None
    faults: list[str] = field(default_factory=list)
    boot: bool = False
    config_file: Path | None = None
    help: bool = False

    @property
    def words(self) -> list[str]:
        """Pulumi's command and its positional arguments, as far as flags can be told from values."""
        found: list[str] = []
        skip = False
        for argument in self.arguments:
            if not skip and not argument.startswith("-"):
                found.append(argument)
            skip = argument in _TAKES_A_VALUE
        return found

    @property
    def command(self) -> str:
        """Pulumi's command, such as ``up``; empty where there is none."""
        return next(iter(self.words), "")

    @property
    def is_on_a_stack(self) -> bool:
        """Whether Pulumi reads or changes a stack, and so has to run in the mirror of the project."""
        return self.command in _ON_A_STACK and not {"--help", "-h"} & {*self.arguments}

    @property
    def policy_packs(self) -> list[str]:
        """The folders of the policy packs that are asked for."""
        pairs = zip(self.arguments, self.arguments[1:], strict=False)
        return [value for option, value in pairs if option == "--policy-pack"]

    @property
    def only_previews(self) -> bool:
        """Whether ``destroy`` or ``refresh`` is asked to show what it would do, and no more."""
        return not {"--preview-only", "--preview-only=true"}.isdisjoint(self.arguments)

    @property
    def makes_a_stack(self) -> bool:
        """Whether the stack that is named is made where it is not there yet."""
        return self.command in _MAKES_A_STACK

    @property
    def runs_the_program(self) -> bool:
        """Whether the program may be run, which wants its secrets and a stack that nobody holds locked."""
        return self.command in _RUNS_THE_PROGRAM

    @property
    def stack(self) -> str:
        """The stack that is named, without organization and project; empty where none is."""
        name = os.environ.get("PULUMI_STACK", "")
        for before, argument in zip(["", *self.arguments], self.arguments, strict=False):
            if before in ("-s", "--stack"):
                name = argument
            elif argument.startswith("--stack="):
                name = argument.removeprefix("--stack=")
            elif argument.startswith("-s") and not argument.startswith("--") and len(argument) > 2:
                name = argument[2:].removeprefix("=")
        return name.rsplit("/", 1)[-1]


def parse(argv: Sequence[str]) -> Request:
    """Split the simulation's own options, which come first, from what is for Pulumi.

    Raises Refusal ``sim.usage`` where an option lacks its value.
    """
    request = Request()
    rest = list(argv)
    while rest:
        option, equals, value = rest[0].partition("=")
        if option in ("--help", "-h"):
            request.help = True
            return request
        if rest[0] == "--boot":
            request.boot = True
            rest.pop(0)
            continue
        if option not in ("--home", "--project", "--fault"):
            break
        if not equals:
            if len(rest) < 2:
                hint = _("{option} VALUE; see pulumi-llm sim --help", option=option)
                raise Refusal([Finding("sim.usage", _("{option} wants a value", option=option), hint)])
            value = rest.pop(1)
        rest.pop(0)
        if option == "--fault":
            request.faults.append(value)
        else:
            setattr(request, option[2:], Path(value))
    while rest:
        argument = rest.pop(0)
        option, equals, value = argument.partition("=")
        if option in ("-C", "--cwd", "--config-file") or option in _TAKES_A_PATH:
            if not equals and not rest:
                request.arguments.append(argument)  # Pulumi says what is missing
                break
            value = value if equals else rest.pop(0)
            if option in ("-C", "--cwd"):
                request.project = Path(value)
            elif option == "--config-file":
                request.config_file = Path(value).resolve()
            else:  # the engine runs in the mirror, so what is relative to here has to be made absolute
                request.arguments += [option, str(Path(value).resolve())]
        else:
            request.arguments.append(argument)
    return request
