"""One refresh: which clouds are asked and why not, what they answered, and what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import date
from pathlib import Path
from types import ModuleType

from pulumi_llm import clouds
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._refresh import store
from pulumi_llm._refresh.merge import Change, believed, changes
from pulumi_llm._refresh.observed import Answer, Observation, Scope
from pulumi_llm._texts import _, listed
from pulumi_llm.catalog import DATA, Catalog, Instance, Price
from pulumi_llm.errors import Finding, Refusal, UnknownName


def asked_clouds() -> dict[str, ModuleType]:
    """The clouds with an API that is asked: each folder's `refresh`, with `has_credentials`, `fetch` and `TO_SET`."""
    parts = {name: folder.part("refresh") for name, folder in clouds.folders().items()}
    return {name: part for name, part in parts.items() if part is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to refresh. Empty: every cloud with credentials, every region and GPU of the catalogue, CPU hosts too."""

    cloud: str | None = None
    regions: tuple[str, ...] = ()
    gpu: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    """What a cloud has to be told besides, by its name: the ``refresh_option`` of its folder."""
    accept_jumps: bool = False
    directory: Path = field(default_factory=store.default_directory)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it. ``sold_out`` are (cloud, region, zone, type); ``written`` is False where nothing came."""

    directory: Path
    asked: list[str]
    skipped: dict[str, str]
    findings: list[Finding]
    observations: list[Observation]
    changes: list[Change]
    written: bool

    @property
    def sold_out(self) -> list[tuple[str, str, str, str]]:
        """Zones without stock when they were asked."""
        return sorted(
            (each.cloud, each.region, zone, each.instance_type)
            for each in self.observations
            for zone, stock in each.zones.items()
            if stock == "sold-out"
        )

    @property
    def complete(self) -> bool:
        """Whether something was written and nothing failed; a price that cannot be told is no failure."""
        return self.written and not any(finding.severity == "error" for finding in self.findings)


def refresh(request: Request, today: date, say: Callable[[str], None]) -> Outcome:
    """Ask the clouds and write what they answered.

    Raises UnknownName for a cloud, region or GPU that is not known, and Refusal: ``refresh.no-credentials`` where no
    cloud can be asked, and what `store.write` raises.
    """
    shipped = Catalog(DATA)
    store.check_target(request.directory)
    earlier = _usable(shipped, store.observations_in(request.directory))
    before = Catalog(request.directory) if store.made_with(request.directory) else shipped
    scopes = _scopes(shipped, request, today)
    skipped = {} if request.cloud else _without_credentials(scopes)
    if len(skipped) == len(scopes):
        raise _nothing_to_ask(skipped)
    answers = {name: _ask(scope, request, say) for name, scope in scopes.items() if name not in skipped}
    told = [each.dated() for answer in answers.values() for each in answer.observations]
    findings = [finding for answer in answers.values() for finding in answer.findings]
    kept, held_back = believed(before, told, accept_jumps=request.accept_jumps)
    outcome = Outcome(
        directory=request.directory,
        asked=sorted(answers),
        skipped=skipped,
        findings=[*findings, *held_back],
        observations=kept,
        changes=[],
        written=bool(kept),
    )
    if kept:
        after = store.write(request.directory, joined(earlier, kept))
        outcome.changes = changes(before, after, kept)
    return outcome


def joined(earlier: Iterable[Observation], new: Iterable[Observation]) -> list[Observation]:
    """The new observations, and the earlier ones of what was not asked again; a price that was not answered this
    time is kept from earlier, with its date."""
    by_key = {each.key: each for each in earlier}
    for each in new:
        old = by_key.get(each.key)
        if old is not None:
            each = replace(each, price=each.price or old.price, spot=each.spot or old.spot)
        by_key[each.key] = each
    return list(by_key.values())


def _usable(shipped: Catalog, observations: Iterable[Observation]) -> list[Observation]:
    """Those whose type and region the package's data still has."""
    types = {(row.cloud, row.instance_type) for row in shipped.instances}
    return [
        each
        for each in observations
        if (each.cloud, each.instance_type) in types and (each.cloud, each.region) in shipped.regions
    ]


def _scopes(shipped: Catalog, request: Request, today: date) -> dict[str, Scope]:
    """What each cloud is to be asked; clouds that have none of the regions or GPUs asked for are left out."""
    if request.cloud is not None:
        shipped.cloud(request.cloud)
    gpu = shipped.gpu(request.gpu).name if request.gpu is not None else None
    known = {name for (cloud, name) in shipped.regions if request.cloud in (None, cloud)}
    for region in request.regions:
        if region not in known:
            owner = _("region of {cloud}", cloud=request.cloud) if request.cloud else _("region")
            raise UnknownName("catalog.unknown-region", owner, region, known)
    scopes: dict[str, Scope] = {}
    for cloud in asked_clouds() if request.cloud is None else asked_clouds().keys() & {request.cloud}:
        types = tuple(row for row in shipped.instances if row.cloud == cloud and gpu in (None, row.gpu))
        regions = _regions(shipped, cloud, types, request.regions)
        if types and regions:
            spots = {} if request.accept_jumps else _spots(shipped, cloud, types, regions)
            scopes[cloud] = Scope(cloud=cloud, regions=regions, types=types, today=today, spots=spots)
    if not scopes:
        if request.cloud is not None and request.cloud not in asked_clouds():
            without = _("how {cloud} is asked for its prices is not known to pulumi-llm", cloud=request.cloud)
            others = _("one of {names}", names=listed(sorted(asked_clouds())))
            raise Refusal([Finding("refresh.nothing-to-ask", without, others if asked_clouds() else "")])
        raise Refusal(
            [
                Finding(
                    "refresh.nothing-to-ask",
                    _(
                        "no cloud has {gpu} in {regions}, as far as the catalogue knows; the regions of AWS "
                        "in China need an account of their own and are not asked",
                        gpu=gpu or _("machines"),
                        regions=listed(request.regions) or _("any region"),
                    ),
                    _("ask for another cloud, region or GPU"),
                )
            ]
        )
    return scopes


def _spots(
    shipped: Catalog, cloud: str, types: Iterable[Instance], regions: Sequence[str]
) -> dict[tuple[str, str], Price]:
    names = ((row.instance_type, region) for row in types for region in regions)
    found = {name: shipped.price(cloud, *name, spot=True) for name in names}
    return {name: price for name, price in found.items() if price is not None}


def _regions(shipped: Catalog, cloud: str, types: Sequence[Instance], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The cloud's regions that are asked for, else those that have one of the types.

    Regions of another partition than the cloud's default one (AWS in China) have accounts and a price list of their
    own.
    """
    home = shipped.region(cloud, shipped.cloud(cloud).default_region).partition
    listed_names = {region for row in types for region in row.regions}
    return tuple(
        sorted(
            name
            for (owner, name), row in shipped.regions.items()
            if owner == cloud and row.partition == home and (name in asked if asked else name in listed_names)
        )
    )


def _without_credentials(scopes: Iterable[str]) -> dict[str, str]:
    asked = asked_clouds()
    return {
        name: _("no credentials: set {to_set}", to_set=asked[name].TO_SET)
        for name in scopes
        if not asked[name].has_credentials()
    }


def _nothing_to_ask(skipped: dict[str, str]) -> Refusal:
    return Refusal(
        Finding(
            "refresh.no-credentials",
            _("{name}: no credentials in the environment or in the usual files", name=name),
            _(
                "set {to_set}; for a role of this machine itself, name the cloud: --cloud {name}",
                to_set=asked_clouds()[name].TO_SET,
                name=name,
            ),
        )
        for name in skipped
    )


def _ask(scope: Scope, request: Request, say: Callable[[str], None]) -> Answer:
    """The cloud's answer; where it cannot be asked at all, the reason is a finding, and the others still are."""
    try:
        told = [request.options.get(scope.cloud)] if clouds.folders()[scope.cloud].refresh_option else []
        answer: Answer = asked_clouds()[scope.cloud].fetch(scope, say, *told)
        return answer
    except Refusal as refusal:
        return Answer(findings=list(refusal.findings))
