"""Two plans of one stack and what it takes to get from one to the other: the model that every review reads."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.model import Plan, PlannedResource

Operation = Literal["same", "create", "update", "replace", "delete"]
Source = Literal["program", "engine"]
"""Who compared: our own run of both programs, or the engine's preview."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one resource.

    ``changed`` are the paths of inputs that differ as the provider sees it, ``replaced_by`` those of them that replace
    the resource. Both leave out what the program tells the engine to ignore.
    """

    operation: Operation
    before: PlannedResource | None
    after: PlannedResource | None
    changed: tuple[str, ...] = ()
    replaced_by: tuple[str, ...] = ()

    @property
    def resource(self) -> PlannedResource:
        """The newer of the two."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - one of them is always there
        return found


@dataclass(slots=True)
class Comparison:
    """A stack before and after a change. ``steps`` has every resource, those that stay the same too."""

    before: Plan
    after: Plan
    steps: list[Step] = field(default_factory=list)
    source: Source = "program"

    @property
    def changes(self) -> list[Step]:
        """The steps that do something."""
        return [each for each in self.steps if each.operation != "same"]

    @property
    def stand_ins(self) -> dict[str, str]:
        """What stands for values that only a cloud could tell, in either plan."""
        return {**self.before.stand_ins, **self.after.stand_ins}
