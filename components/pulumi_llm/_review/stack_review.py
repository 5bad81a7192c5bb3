"""Everything that is said about a change of one stack: changes, bill, findings and picture. Masked from here on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import date
from typing import Any

from pulumi_llm import _disks as disks
from pulumi_llm import preflight, spec
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._outlook import stack as outlook
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.forecast import without_stand_ins
from pulumi_llm._plan.model import UNKNOWN, Plan, PlannedResource, is_secret
from pulumi_llm._provider_facts import table
from pulumi_llm._review import callers, capacity, impact, losses, picture, stores
from pulumi_llm._review.bill import Bill, make_bill
from pulumi_llm._review.changes import Change, Changes, changes_of, moved_providers
from pulumi_llm._review.difference import Difference, compare
from pulumi_llm._review.item import Usage
from pulumi_llm._review.masking import Masker, secrets_in, secrets_in_environment
from pulumi_llm._review.nodes import Machine, Nodes, machines_of
from pulumi_llm._review.openings import Open, is_rule, lists_rules, openings_of
from pulumi_llm._review.policy import Settings, check
from pulumi_llm._review.table import NotInPlan, cost_table, sold_as
from pulumi_llm._texts import _, changed
from pulumi_llm.catalog import Catalog
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight.endings import ending_models


@dataclass(slots=True)
class StackReview:
    """A stack's change. Where the program refuses, ``refused`` says why, and there is nothing else."""

    stack: str
    project: str = ""
    source: str = "program"
    changes: Changes = field(default_factory=Changes)
    opened: list[Open] = field(default_factory=list)
    closed: list[Open] = field(default_factory=list)
    broken: list[callers.Broken] = field(default_factory=list)
    """What breaks callers."""
    capacities: list[capacity.Capacity] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    gone_machines: list[Machine] = field(default_factory=list)
    bill: Bill | None = None
    difference: Difference | None = None
    findings: list[Finding] = field(default_factory=list)
    refused: list[Finding] = field(default_factory=list)
    picture: picture.Picture | None = None
    secrets: set[str] = field(default_factory=set, repr=False)
    """The values that are nowhere shown; whoever writes the review looks for them once more."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors: without one of them `diff --fail-on errors` passes."""
        return tuple(each for each in self.findings if each.severity == "error")

    @property
    def changed(self) -> bool:
        """Whether anything differs, be it without effect for now."""
        return bool(self.changes.rows or self.changes.counts or self.changes.asked)


def review(
    comparison: Comparison,
    catalog: Catalog,
    *,
    policy: Settings | None = None,
    today: date,
    environment: Mapping[str, str] | None = None,
) -> StackReview:
    """Review a comparison. ``today`` decides which prices are old; ``environment`` (default: ours) holds secrets."""
    comparison = _ordered(comparison)
    before, after = _for_bill(comparison, comparison.before), _for_bill(comparison, comparison.after)
    stand_ins = comparison.stand_ins
    secrets = secrets_in(comparison.before, stand_ins) | secrets_in(comparison.after, stand_ins)
    masker = Masker(secrets | secrets_in_environment(environment))
    nodes = Nodes(comparison)
    regions = default_regions(comparison.after, catalog)
    found = StackReview(comparison.after.stack, comparison.after.project, comparison.source, secrets=secrets)
    found.changes = changes_of(comparison, masker)
    old_open = openings_of(comparison.before, nodes, comparison.stand_ins)
    new_open = openings_of(comparison.after, nodes, comparison.stand_ins)
    found.opened = sorted(new_open.keys() - old_open.keys())
    found.closed = sorted(old_open.keys() - new_open.keys())
    rules = {urn for urn, each in nodes.by_urn.items() if is_rule(each)}
    # What rules open and close is told by port and range, not rule by rule.
    found.changes.rows = [row for row in found.changes.rows if row.urn not in rules and not lists_rules(row)]
    found.machines = list(machines_of(comparison.after, nodes, catalog, regions))
    was = list(machines_of(comparison.before, nodes, catalog, regions))
    found.gone_machines = [each for each in was if each.urn not in {one.urn for one in found.machines}]
    found.changes.rows = list(_moved(found.changes.rows, was, found.machines))
    found.changes.rows = list(_as_it_is(found.changes.rows, nodes, {each.node for each in found.machines}, catalog))
    usage = Usage()
    new_bill = make_bill(after, catalog, usage, today=today, default_regions=regions)
    old_bill = make_bill(
        before, catalog, usage, today=today, default_regions=default_regions(comparison.before, catalog) or regions
    )
    found.bill, found.difference = new_bill, compare(old_bill, new_bill)
    judged = check(after, policy, default_regions=regions, today=today)
    refused = [*smaller_disks(comparison), *orphans(comparison)]
    lost = losses.of(comparison, found.changes.rows, policy or Settings(), today)
    # A plan's notes hold what the components warn of, the fit check's findings among it.
    told = list(
        dict.fromkeys(
            [
                *comparison.after.notes,
                *refused,
                *lost,
                *stores.not_carried(comparison),
                *fit(comparison.after),
                *endings(comparison.after, today),
                *outlook.concerning(comparison.before, comparison.after, remade(found.changes.rows, nodes), today),
                *judged,
            ]
        )
    )
    found.findings = _unique(_masked(each, masker) for each in told)
    new, old = list(new_open), list(old_open)
    broken = callers.broken(comparison, nodes, found.closed, found.opened)
    found.broken = [
        replace(each, node=masker.mask(each.node), what=_all(masker, each.what), now=_all(masker, each.now))
        for each in broken
    ]
    found.capacities = list(capacity.capacities(comparison, nodes))
    found.picture = picture.draw(comparison, nodes, found.machines, was, new, old, found.changes, masker)
    return found


def _ordered(comparison: Comparison) -> Comparison:
    """The comparison by URN: the order in which a program registers resources is another one at each run."""

    def plan(plan: Plan) -> Plan:
        return replace(plan, resources=sorted(plan.resources, key=lambda each: each.urn))

    steps = sorted(comparison.steps, key=lambda each: each.resource.urn)
    return replace(comparison, before=plan(comparison.before), after=plan(comparison.after), steps=steps)


def _moved(rows: list[Change], was: list[Machine], now: list[Machine]) -> Iterable[Change]:
    """A machine that is made where another of its node goes: one row says so, though the engine calls it two things."""
    new = {each.node: each.urn for each in now if each.urn not in {one.urn for one in was}}
    gone = {each.node: each.urn for each in was if each.urn not in {one.urn for one in now}}
    for row in rows:
        if row.node in new and row.node in gone:
            if row.urn == gone[row.node]:
                continue
            if row.urn == new[row.node]:
                before = gone[row.node].rsplit("::", 1)[-1]
                code = replace(row.impact, code="replaces-machine", note="moved")
                yield replace(row, impact=code, before=before, after=row.resource)
                continue
        yield row


def _as_it_is(rows: Iterable[Change], nodes: Nodes, standing: set[str], catalog: Catalog) -> Iterable[Change]:
    """The rows without what is only said of machines with a GPU, and of nodes that stay."""
    for row in rows:
        role = impact.role_of(nodes.by_urn[row.urn])
        if role == "machine" and not _has_gpu(nodes.by_urn[row.urn], catalog):
            note = row.impact.note or row.impact.code
            row = replace(row, impact=replace(row.impact, note=impact.without_gpu(note)))
        elif role == "address" and row.operation == "delete" and row.node not in standing:
            row = replace(row, impact=replace(row.impact, code="deletes", note="address-gone"))
        elif role == "secret" and row.operation == "delete" and row.node not in standing:
            row = replace(row, impact=replace(row.impact, code="deletes", note=""))
        yield row


def _has_gpu(machine: PlannedResource, catalog: Catalog) -> bool:
    """Whether the machine has a GPU; true where the catalogue does not know its type, so that nothing is hidden."""
    rule = cost_table().rules.get(machine.type)
    try:
        name = sold_as(rule, machine.inputs) if rule is not None and rule.instance_type else None
    except NotInPlan:
        name = None
    known = [each for each in catalog.instances if each.instance_type == name]
    return not known or any(each.gpu for each in known)


def _all(masker: Masker, texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(masker.mask(each) for each in texts)


def refusal(stack: str, findings: Iterable[Finding], masker: Masker | None = None) -> StackReview:
    """A stack whose program refuses."""
    masker = masker or Masker(secrets_in_environment())
    return StackReview(stack, refused=[_masked(each, masker) for each in findings])


def default_regions(plan: Plan, catalog: Catalog) -> dict[str, str]:
    """The region of each package's default provider, as the stack's configuration has it."""
    found = {}
    for facts in catalog.clouds.values():
        value = plan.config.get(f"{facts.pulumi_package}:region")
        if isinstance(value, str) and value:
            found[facts.pulumi_package] = value
    return found


def fit(plan: Plan) -> list[Finding]:
    """What the check of models against GPUs says of each model server in the plan."""
    found = []
    for each in plan.of_type("llm:index:ModelServer"):
        resolved = plan.servers.get(each.urn)
        if resolved is not None:
            found += [one.placed(each.name) for one in resolved.warnings]
            continue
        known = spec.server_arguments(each.inputs)
        # Below a platform they stand beside the one that is taken, which they no longer differ from.
        known = {key: value for key, value in known.items() if key not in ("alternatives", "alternative")}
        beside = {key: each.inputs.get(f"vectors_{key}") for key in spec.VECTORS_BESIDE}
        if any(is_secret(value) or value == UNKNOWN for value in (*known.values(), *beside.values())):
            continue
        try:
            server = spec.parse(spec.ServerSpec, {key: value for key, value in known.items() if value is not None})
            sizes = {key: value for key, value in beside.items() if value is not None}
            vectors = spec.parse(spec.VectorsSpec, sizes) if each.inputs.get("vectors") is True else None
            told = preflight.require(preflight.check_server(server, vectors), server.override)
        except Refusal as refused:
            told = list(refused.findings)
        found += [one.placed(each.name) for one in told]
    return found


def endings(plan: Plan, today: date) -> list[Finding]:
    """The models of the plan's gateways that their vendors have switched off, or soon do."""
    found = []
    for each in [*plan.of_type("llm:index:ModelServer"), *plan.of_type("llm:index:OverseasProxy")]:
        given = each.inputs.get("upstreams")
        if not isinstance(given, Mapping):
            continue
        for vendor, raw in given.items():
            try:
                upstream = spec.parse(spec.UpstreamSpec, raw)
            except Refusal:  # not settled before it is deployed, or refused by the component itself
                continue
            found += [one.placed(each.name) for one in ending_models({str(vendor): upstream}, today)]
    return found


def remade(rows: Iterable[Change], nodes: Nodes) -> set[str]:
    """The nodes whose machine is made, or made again, and installs everything anew."""
    made = [row for row in rows if row.operation in ("create", "replace")]
    return {row.node for row in made if impact.role_of(nodes.by_urn[row.urn]) == "machine"}


def smaller_disks(comparison: Comparison) -> list[Finding]:
    """What the clouds, and before them our own components, refuse: disks that stay and would be smaller."""
    found = []
    for step in comparison.steps:
        if step.operation != "update" or step.before is None or step.after is None:
            continue
        for path in impact.cannot_shrink(step.resource.type):
            sizes = (disks.size_at(each.inputs, path) for each in (step.before, step.after))
            system = impact.role_of(step.resource) == "machine"
            told = disks.shrinking(step.resource.urn, path, *sizes, system=system)
            if told is not None:
                found.append(told)
    return found


def orphans(comparison: Comparison) -> list[Finding]:
    """What is to go from a region that its provider has left: the provider looks for it in the new one, in vain."""
    found = []
    for urn, provider in moved_providers(comparison).items():
        gone = [
            each.resource.name
            for each in comparison.steps
            if each.operation in ("replace", "delete")
            and (each.before or each.resource).provider.rpartition("::")[0] == urn
            and table.is_regional(each.resource.type)
        ]
        if gone and provider.before is not None:
            was, now = provider.before.inputs.get("region"), provider.resource.inputs.get("region")
            more = _(" and {count} more", count=len(gone) - 1) if len(gone) > 1 else ""
            found.append(
                Finding(
                    "diff.provider-moved",
                    _(
                        "the provider goes from {was} to {now} in place: what is to be deleted in {was} "
                        "({gone}{more}) is looked for in {now}, is not found, and stays where it is, still "
                        "paid for",
                        was=was,
                        now=now,
                        gone=gone[0],
                        more=more,
                    ),
                    _("another name for the provider in another region"),
                    severity="warning",
                    where=provider.resource.name,
                )
            )
    return found


def _for_bill(comparison: Comparison, plan: Plan) -> Plan:
    """The plan as one of a stack that does not exist yet, in which what refers to another resource is unknown."""
    if comparison.source == "program":
        return without_stand_ins(plan)
    ids = {each.id for each in [*comparison.before.resources, *comparison.after.resources] if len(each.id) > 3}
    resources = [
        replace(each, inputs={key: _unless_id(value, ids) for key, value in each.inputs.items()})
        for each in plan.resources
    ]
    return Plan(plan.project, plan.stack, resources, plan.outputs, plan.look_ups, plan.notes, plan.config)


def _unless_id(value: Any, ids: set[str]) -> Any:
    return UNKNOWN if isinstance(value, str) and value in ids else value


def _masked(finding: Finding, masker: Masker) -> Finding:
    kept = replace(finding, message=changed(finding.message, masker.mask), hint=changed(finding.hint, masker.mask))
    return replace(kept, where=masker.mask(finding.where))


def _unique(findings: Iterable[Finding]) -> list[Finding]:
    order = {"error": 0, "warning": 1, "info": 2}
    return sorted(dict.fromkeys(findings), key=lambda each: order[each.severity])
