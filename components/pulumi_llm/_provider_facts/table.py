"""Our table of facts about resource inputs: what replaces, defaults, allowed values, conflicts.

Each type names the source and the date that its facts were read from. Paths in the table are ``a.b`` for a single
nested block and ``a[].b`` for the elements of a list or set.
"""

from __future__ import annotations

from dataclasses import field
from functools import cache
from typing import Any

from pulumi_llm._dataclasses import dataclass

from . import rows


@dataclass(frozen=True)
class Fact:
    """What is known about one input (``facts`` is the row as stored in the data file)."""

    path: str
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit(".", 1)[-1]

    @property
    def parent(self) -> str:
        """The path of the block that holds this input, "" at the top."""
        return self.path.rsplit(".", 1)[0].replace("[]", "") if "." in self.path else ""

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_"):
            raise AttributeError(key)
        return self.facts.get(key)


@dataclass(frozen=True)
class TypeFacts:
    """What is known about one resource type."""

    token: str
    source: str
    inputs: dict[str, Fact]
    outputs: tuple[str, ...]
    secret_outputs: frozenset[str]
    notes: tuple[str, ...] = ()
    by_path: dict[str, Fact] = field(default_factory=dict)
    _saying: dict[tuple[str, ...], tuple[Fact, ...]] = field(default_factory=dict)

    def saying(self, *keys: str) -> tuple[Fact, ...]:
        """The facts that have one of these keys: most inputs have none, and each resource is asked about all."""
        found = self._saying.get(keys)
        if found is None:
            found = tuple(each for each in self.inputs.values() if not each.facts.keys().isdisjoint(keys))
            self._saying[keys] = found
        return found

    def at(self, path: str) -> Fact:
        """The facts about the input at ``path`` (``a.b`` also finds ``a[].b``); an empty row where there are none."""
        return self.by_path.get(path) or Fact(path, {})


def of_package(package: str) -> dict[str, TypeFacts]:
    """Every type of ``package`` that is known, by type token."""
    return {token: facts for token in rows(package).get("resources", {}) if (facts := find(token)) is not None}


@cache
def find(token: str) -> TypeFacts | None:
    """The facts about a type, or ``None`` where the table has none."""
    row = rows(token.split(":", 1)[0]).get("resources", {}).get(token)
    if row is None:
        return None
    inputs = {path: Fact(path, facts) for path, facts in row["inputs"].items()}
    return TypeFacts(
        token=token,
        source=row["source"],
        inputs=inputs,
        outputs=tuple(row["outputs"]),
        secret_outputs=frozenset(row.get("secret_outputs", ())),
        notes=tuple(row.get("notes", ())),
        by_path={path.replace("[]", ""): fact for path, fact in inputs.items()},
    )


def is_regional(token: str) -> bool:
    """Whether a type's resources are in one region, and have no say themselves in which: their provider's."""
    package, _, rest = token.partition(":")
    regional = rows(package).get("regional", {})
    return regional.get("region_of") == "provider" and rest.split("/")[0] not in regional.get("global_modules", ())


def is_everywhere(token: str) -> bool:
    """Whether a type's resources are in no region at all: where resources name their own, they have none to name."""
    facts = find(token)
    package = token.split(":", 1)[0]
    if token in rows(package).get("regional", {}).get("placeless", ()):
        return True
    return facts is not None and has_own_region(package) and region_input(package) not in facts.inputs


def region_input(package: str) -> str:
    """The input in which resources name their region, where they have one; Azure calls it the location."""
    return str(rows(package).get("regional", {}).get("at", "region"))


def region_named(package: str, region: str) -> str:
    """A region as our catalogue writes it: Azure takes `East US` and `EastUS` for `eastus`."""
    free = rows(package).get("regional", {}).get("any_case_and_blanks")
    return region.replace(" ", "").lower() if free else region


def tags_of(token: str) -> str:
    """The input that has a type's tags; Google calls them labels, and has tags for something else."""
    return str(rows(token.split(":", 1)[0]).get("tags", "tags"))


def has_own_region(package: str) -> bool:
    """Whether the package's resources have a region among their own inputs, which wins over their provider's."""
    return bool(rows(package).get("regional", {}).get("region_of") == "resource")
