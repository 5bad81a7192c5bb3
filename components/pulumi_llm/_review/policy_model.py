"""What a policy rule sees, and what it says: a view of a plan, and breaches with the URN of what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from datetime import date
from functools import cached_property
from typing import Any

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.model import SHOWN_SECRET, SHOWN_UNKNOWN, SIGNATURE, UNKNOWN, Plan, PlannedResource, is_secret
from pulumi_llm._provider_facts import table
from pulumi_llm._review.policy_settings import Settings


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that does not hold: for which resource (a URN, empty for the whole stack), where in it, and why.

    ``undecided`` marks what the plan cannot tell yet, because a value is known only after `up`.
    """

    urn: str
    message: str
    hint: str = ""
    path: str = ""
    undecided: bool = False

    @property
    def where(self) -> str:
        """The resource's name and the path of the input."""
        return ".".join(filter(None, (self.urn.rsplit("::", 1)[-1], self.path)))


@dataclass(frozen=True)
class View:
    """A plan as the rules look at it. ``default_regions`` are those of providers that no program makes, by package."""

    plan: Plan
    settings: Settings
    today: date
    default_regions: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def by_urn(self) -> dict[str, PlannedResource]:
        """The resources by their URN."""
        return self.plan.by_urn()

    def region_of(self, resource: PlannedResource) -> str | None:
        """Where it is: its own region, its provider's, or the package's default. None where the plan does not say."""
        candidates = (
            resource.inputs.get(table.region_input(resource.package)),
            self.provider_of(resource).get("region"),
            self.default_regions.get(resource.package),
        )
        found = next((each for each in candidates if isinstance(each, str) and each and each != UNKNOWN), None)
        return found and table.region_named(resource.package, found)

    def provider_of(self, resource: PlannedResource) -> Mapping[str, Any]:
        """The inputs of its provider, empty where no program made that."""
        provider = self.by_urn.get(resource.provider.rsplit("::", 1)[0])
        return provider.inputs if provider is not None else {}

    def of_clouds(self) -> Iterator[tuple[str, PlannedResource]]:
        """The resources of the three clouds, each with the catalogue's name of its cloud."""
        clouds = clouds_by_package()
        for each in self.plan.resources:
            if each.custom and each.package in clouds:
                yield clouds[each.package], each


Rule = Callable[[View], Iterable[Breach]]


def clouds_by_package() -> dict[str, str]:
    """The catalogue's name of the cloud that a Pulumi package is for."""
    return {facts.pulumi_package: name for name, facts in catalog.load().clouds.items()}


def is_unknown(value: object) -> bool:
    """Whether the value is known only after `up`."""
    return value in (UNKNOWN, SHOWN_UNKNOWN)


def is_hidden(value: object) -> bool:
    """Whether the value is marked as a secret: by the engine, or in a plan that was masked when it was written."""
    return is_secret(value) or value == SHOWN_SECRET


def parts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What is at a dotted ``path`` in ``value``, each with its full path: ``[]`` goes through a list's items.

    Nothing comes for a path that is not there. A secret or unknown on the way comes itself, under the path so far.
    """
    step, _, rest = path.partition(".")
    name, many = step.removesuffix("[]"), step.endswith("[]")
    found = value.get(name) if isinstance(value, Mapping) else None
    if found is None:
        return
    if is_unknown(found) or is_hidden(found) or not (many or rest):
        yield name, found
        return
    items = enumerate(found) if many and isinstance(found, (list, tuple)) else [(None, found)]
    for index, item in items:
        here = name if index is None else f"{name}[{index}]"
        if not rest or is_unknown(item) or is_hidden(item):
            yield here, item
            continue
        for below, leaf in parts(item, rest):
            yield f"{here}.{below}", leaf


def at(value: Any, path: str) -> Any:
    """The first that is at a dotted ``path``, of which a name may be all: None where nothing is."""
    return next((each for __, each in parts(value, path)), None)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of nested inputs with its path. A secret is a leaf, and so is an asset's text."""
    if isinstance(value, Mapping) and not is_secret(value):
        for key, each in value.items():
            if key not in ("__defaults", SIGNATURE):
                yield from leaves(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            yield from leaves(each, f"{path}[{index}]")
    else:
        yield path, value
