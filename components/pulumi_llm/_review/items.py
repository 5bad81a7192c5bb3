"""What a plan buys: machines, disks, public addresses and traffic, each with how much of it. No prices yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pulumi_llm._plan.model import UNKNOWN, Plan, PlannedResource
from pulumi_llm._provider_facts.table import region_input, region_named
from pulumi_llm._review import own_items
from pulumi_llm._review.buckets import in_buckets
from pulumi_llm._review.hours import SERVER, of_month, written
from pulumi_llm._review.item import Item, ItemKind, Usage
from pulumi_llm._review.money import HOURS_PER_MONTH, exact, plain
from pulumi_llm._review.table import CostRule, CostTable, DiskRule, NotInPlan, cost_table, holds, look, sold_as
from pulumi_llm._texts import Text, _
from pulumi_llm.catalog import Catalog, Price


def items(
    plan: Plan, catalog: Catalog, usage: Usage, default_regions: Mapping[str, str] | None = None
) -> Iterator[Item]:
    """Everything in ``plan`` that costs, in the plan's order.

    ``default_regions`` gives each package's region where neither a resource nor its provider names one. A type
    that the table does not know yields an item of unknown price: it may cost, and is not passed over.
    """
    return _Reader(plan, catalog, usage, default_regions or {}).items()


class _Reader:
    def __init__(self, plan: Plan, catalog: Catalog, usage: Usage, default_regions: Mapping[str, str]) -> None:
        self.plan = plan
        self.usage = usage
        self.default_regions = default_regions
        self.table: CostTable = cost_table()
        self.subscribed: set[str] = set()
        """Types whose price is once for the whole account, and told."""
        self.by_urn = plan.by_urn()
        self.clouds = {facts.pulumi_package: name for name, facts in catalog.clouds.items()}
        self.zones = {(cloud, zone): name for (cloud, name), row in catalog.regions.items() for zone in row.zones}
        self.held, self.holders = self._bindings()
        self.kept_by = self._kept_by()

    def items(self) -> Iterator[Item]:
        for each in self.plan.resources:
            if each.type == SERVER and isinstance(each.inputs.get("host"), Mapping):
                yield own_items.existing(each, each.inputs["host"], self.usage)
            if each.type == own_items.FLEET:
                yield from own_items.of_fleet(each, self.usage)
            yield from in_buckets(self.plan, each)
            if not each.custom or each.package in self.table.free_packages:
                continue
            rule = self.table.rules.get(each.type)
            if rule is None:
                if not self._is_counted(each):
                    yield self._unlisted(each)
            elif rule.kind == "machine":
                yield from self._machine(each, rule)
            elif rule.kind == "disk":
                yield from self._disks(each, rule)
            elif rule.kind == "nodes":
                yield from self._nodes(each, rule)
            elif rule.kind == "address":
                yield from self._address(each, rule)
            elif rule.kind == "snapshots":
                yield self._copies(each, rule)
            elif rule.kind == "subscription":
                yield from self._subscription(each, rule)
            elif rule.kind == "free":
                yield from self._not_always_free(each, rule)

    def _is_counted(self, resource: PlannedResource) -> bool:
        """Whether a resource is of a fleet, and what it costs is told with that."""
        above = self._fleet(resource)
        return above is not None and own_items.is_counted(above, resource)

    def _fleet(self, resource: PlannedResource) -> PlannedResource | None:
        above = self.by_urn.get(resource.parent)
        while above is not None and above.type != own_items.FLEET:
            above = self.by_urn.get(above.parent)
        return above

    def _nodes(self, pool: PlannedResource, rule: CostRule) -> Iterator[Item]:
        """The disks of a fleet's nodes, which are told with it themselves; of other pools nothing is known."""
        fleet = self._fleet(pool)
        if fleet is None or not own_items.is_counted(fleet, pool):
            yield self._unlisted(pool)
            return
        above = (self.by_urn[urn] for urn in pool.dependencies if urn in self.by_urn)
        inputs = [each.inputs for each in above if each.type == rule.template]
        whole = replace(pool, inputs={**(inputs[0] if inputs else {}), **pool.inputs})
        for each in self._disks(whole, rule):
            yield own_items.of_nodes(each, whole.inputs, rule, self.usage, fleet)

    def _not_always_free(self, resource: PlannedResource, rule: CostRule) -> Iterator[Item]:
        """What costs nothing but in some forms of it, whose price is not known."""
        try:
            reason = _refused(rule, resource.inputs)
        except NotInPlan as missing:
            reason = str(missing)
        if reason is not None:
            item = self._item(resource, rule, "resource", "other", resource.type.rsplit(":", 1)[-1])
            yield replace(item, unknown=reason)

    def _subscription(self, resource: PlannedResource, rule: CostRule) -> Iterator[Item]:
        """What is paid for by the month: once for all that uses it, or for each with a note of its own."""
        if not rule.note and rule.type in self.subscribed:
            return
        self.subscribed.add(rule.type)
        item = self._item(resource, rule, "subscription", "other", rule.what)
        told = Price(
            cloud=resource.package,
            instance_type="",
            region="*",
            amount=float(exact(rule.monthly_usd or 0) / HOURS_PER_MONTH),
            currency="USD",
            source=rule.source,
            source_date=rule.source_date,
        )
        once = _("once for the whole account; what it does not include comes on top")
        yield replace(item, told=told, note=Text(rule.note) if rule.note else once)

    def _unlisted(self, resource: PlannedResource) -> Item:
        if resource.package in self.clouds:
            reason = _("whether a {type} costs is not known", type=resource.type)
        else:
            reason = _("there are no prices for the package {package!r}", package=resource.package)
        item = self._item(resource, None, "resource", "other", resource.type.rsplit(":", 1)[-1])
        return replace(item, unknown=reason)

    def _machine(self, resource: PlannedResource, rule: CostRule) -> Iterator[Item]:
        inputs = resource.inputs
        item = self._item(resource, rule, "machine", "machine", "machine")
        try:
            name = sold_as(rule, inputs)
            spot = rule.spot is not None and holds(rule.spot, inputs)
            item = replace(item, name=str(name or ""), spot=spot, unknown=_refused(rule, inputs))
            item = replace(
                item, what=_("{name}, {note}", name=name or _("machine"), note=_("spot") if spot else _("on demand"))
            )
            if not name:
                item = replace(item, unknown=_("the plan names no {instance_type}", instance_type=rule.instance_type))
            hours = self._hours(resource)
            running = self._running(resource)
            item = replace(item, hours=running)
            if hours and running < self.usage.running:
                item = replace(item, note=_("in its hours: {hours}", hours=hours))
            elif rule.stop_mode and self.usage.running < HOURS_PER_MONTH:
                item = replace(
                    item, note=_("if each stop asks for {mode}, as `pulumi-llm stop` does", mode=rule.stop_mode)
                )
        except NotInPlan as missing:
            item = replace(item, unknown=missing.args[0])
        yield item
        yield from self._surcharges(resource, rule, rule.surcharges, inputs, item.slot)
        yield from self._disks(resource, rule)
        yield from self._own_address(resource, rule)

    def _server(self, resource: PlannedResource) -> PlannedResource | None:
        """The model server that a resource, or the machine with this address, is of."""
        machine = self.kept_by.get(resource.urn)
        above = self.by_urn.get(self.by_urn[machine].parent if machine else resource.parent)
        while above is not None and above.type != SERVER:
            above = self.by_urn.get(above.parent)
        return above

    def _hours(self, resource: PlannedResource) -> str:
        """The hours of the server that a resource, or the machine with this address, is of; empty: none."""
        server = self._server(resource)
        return written(server) if server is not None and self.usage.own_hours else ""

    def _running(self, resource: PlannedResource) -> Decimal:
        """Hours of a month in which it runs: as many as are asked about, and no more than its own hours have."""
        return min(self.usage.running, of_month(self._hours(resource)))

    def _disks(self, resource: PlannedResource, rule: CostRule) -> Iterator[Item]:
        for disk in rule.disks:
            try:
                if disk.each is None:
                    found = look(resource.inputs, disk.at)
                    parts = [(disk.slot, found if isinstance(found, Mapping) else {})]
                else:
                    listed = look(resource.inputs, disk.each) or []
                    parts = [(f"{disk.slot}-{number}", part) for number, part in enumerate(listed, start=1)]
            except NotInPlan as missing:
                yield replace(self._item(resource, rule, disk.slot, "disk", disk.name), unknown=str(missing))
                continue
            for slot, part in parts:
                yield self._disk(resource, rule, disk, slot, part)
                yield from self._surcharges(resource, rule, disk.surcharges, part, slot)

    def _disk(
        self, resource: PlannedResource, rule: CostRule, disk: DiskRule, slot: str, part: Mapping[str, Any]
    ) -> Item:
        item = self._item(resource, rule, slot, "disk", disk.name)
        try:
            size = look(part, disk.size)
            size = disk.default_size if size is None else size
            kind = (look(part, disk.type) if disk.type else None) or disk.default_type
            if kind in disk.leveled and disk.level:
                kind = f"{kind}-{look(part, disk.level) or disk.default_level}"
            refused = _refused(rule, resource.inputs)
        except NotInPlan as missing:
            return replace(item, unknown=missing.args[0])
        if not isinstance(size, (int, float)) or isinstance(size, bool) or size <= 0:
            return replace(item, unknown=_("the plan gives no size ({size})", size=disk.size))
        if not kind:
            return replace(item, unknown=_("the plan gives no kind of disk ({type})", type=disk.type))
        what = _("{disk}, {gib} GiB {kind}", disk=Text(disk.name), gib=plain(exact(size)), kind=str(kind))
        return replace(item, what=what, name=str(kind), quantity=exact(size), unknown=refused)

    def _copies(self, resource: PlannedResource, rule: CostRule) -> Item:
        """The snapshots of a schedule: priced as one whole copy of the disk, as nobody knows how much of it changes."""
        item = self._item(resource, rule, "snapshots", "snapshots", _("snapshots of a disk"))
        above = [self.by_urn[urn] for urn in resource.dependencies if urn in self.by_urn]
        disks = [
            disk
            for each in above
            if (its := self.table.rules.get(each.type)) is not None and its.kind == "disk"
            for disk in self._disks(each, its)
            if disk.kind == "disk"
        ]
        if len(disks) != 1 or disks[0].unknown:
            return replace(item, unknown=_("the plan does not tell the size of what is copied"))
        what = _("snapshots, {gib} GiB: one whole copy (estimate)", gib=plain(disks[0].quantity))
        note = _("at most, where the disk is full; what changes from one to the next comes on top")
        return replace(
            item,
            what=what,
            name="standard",
            quantity=disks[0].quantity,
            region=item.region or disks[0].region,
            note=note,
        )

    def _address(self, resource: PlannedResource, rule: CostRule) -> Iterator[Item]:
        try:
            refused = _refused(rule, resource.inputs)
        except NotInPlan as missing:
            refused = str(missing)
        if resource.urn in self.held:
            yield from self._address_in_use(resource, rule, refused, keeps=True)
        else:
            item = self._item(resource, rule, "address-idle", "address", _("public address, on no machine"))
            if self._is_counted(resource):
                item = replace(item, what=_("public address of the NAT gateway"))
            yield replace(item, name="idle", unknown=refused)

    def _own_address(self, resource: PlannedResource, rule: CostRule) -> Iterator[Item]:
        """The public address that a machine brings along, which an attached one replaces."""
        if rule.public_address is None or resource.urn in self.holders:
            return
        try:
            wanted = holds(rule.public_address, resource.inputs)
            if rule.address_from_subnet and rule.subnet and look(resource.inputs, rule.address_from_subnet) is None:
                wanted = self._subnet_gives_address(resource, rule.subnet)
        except NotInPlan as missing:
            item = self._item(resource, rule, "address", "address", _("public address"))
            yield replace(item, name="in-use", unknown=str(missing))
            return
        if wanted:
            yield from self._address_in_use(resource, rule, None, keeps=False)

    def _subnet_gives_address(self, resource: PlannedResource, path: str) -> bool:
        subnet = resource.inputs.get(path)
        if subnet is None:
            return True  # the default subnets of the default VPC give public addresses
        for urn in resource.dependencies:
            planned = self.by_urn.get(urn)
            rule = self.table.rules.get(planned.type) if planned else None
            if subnet == UNKNOWN and planned and rule and rule.gives_addresses is not None:
                return holds(rule.gives_addresses, planned.inputs)
        raise NotInPlan(_("whether the subnet gives a public address is not in the plan"))

    def _address_in_use(
        self, resource: PlannedResource, rule: CostRule, refused: str | None, *, keeps: bool
    ) -> Iterator[Item]:
        """An address of a machine; one that the machine ``keeps`` is paid for as idle while that stands still."""
        running = self._running(resource)
        item = self._item(resource, rule, "address", "address", _("public address"))
        yield replace(item, name="in-use", hours=running, unknown=refused)
        if keeps and running < HOURS_PER_MONTH:
            idle = self._item(resource, rule, "address-idle", "address", _("public address, machine stopped"))
            stopped = HOURS_PER_MONTH - running
            yield replace(idle, name="idle", hours=stopped, while_running=False, unknown=refused)
        gib = self.usage.traffic_gib
        try:
            metered = holds(rule.by_traffic, resource.inputs)
        except NotInPlan as missing:
            metered, refused = True, refused or str(missing)
        if metered:
            item = self._item(
                resource, rule, "traffic", "traffic", _("traffic out, {gib} GiB a month (estimate)", gib=plain(gib))
            )
            yield replace(item, name="internet", quantity=gib, hours=running, unknown=refused)
        else:
            item = self._item(resource, rule, "bandwidth", "other", "bandwidth")
            yield replace(item, unknown=_("it is not paid for by traffic, and the catalogue has no price of bandwidth"))

    def _surcharges(
        self, resource: PlannedResource, rule: CostRule, surcharges: tuple[Any, ...], part: Mapping[str, Any], slot: str
    ) -> Iterator[Item]:
        for each in surcharges:
            try:
                applies = holds(each, part)
            except NotInPlan:
                applies = True
            if applies:
                item = self._item(resource, rule, f"{slot}-{each['at']}", "other", Text(each["what"]))
                yield replace(item, unknown=_("it costs extra, and the catalogue has no price of it"))

    def _item(self, resource: PlannedResource, rule: CostRule | None, slot: str, kind: ItemKind, what: str) -> Item:
        cloud, server = self.clouds.get(resource.package), self._server(resource)
        return Item(
            urn=resource.urn,
            type=resource.type,
            resource=resource.name,
            slot=slot,
            kind=kind,
            what=what,
            cloud=cloud,
            region=self._region(resource, cloud, rule),
            server=server.urn if server is not None else "",
        )

    def _region(self, resource: PlannedResource, cloud: str | None, rule: CostRule | None) -> str | None:
        """The resource's own, its provider's, that of its zone, or the package's default."""
        provider = self.by_urn.get(resource.provider.rsplit("::", 1)[0])
        zone = resource.inputs.get(rule.zone) if rule and rule.zone else None
        candidates = (
            resource.inputs.get(region_input(resource.package)),
            provider.inputs.get("region") if provider else None,
            self.zones.get((cloud or "", zone)) if isinstance(zone, str) else None,
            self.default_regions.get(resource.package),
        )
        for each in candidates:
            if isinstance(each, str) and each and each != UNKNOWN:
                return region_named(resource.package, each)
        return None

    def _kept_by(self) -> dict[str, str]:
        """The machine of each address that something attaches to one: an address may be made before, and elsewhere."""
        found: dict[str, str] = {}
        for each in self.plan.resources:
            rule = self.table.rules.get(each.type)
            if rule is None or (rule.kind != "attaches" and not rule.takes_address):
                continue
            kinds = {urn: self.table.rules[self.by_urn[urn].type].kind for urn in each.dependencies
                     if urn in self.by_urn and self.by_urn[urn].type in self.table.rules}  # fmt: skip
            machines = [each.urn] if rule.takes_address else [urn for urn, kind in kinds.items() if kind == "machine"]
            for machine in machines[:1]:
                found |= {urn: machine for urn, kind in kinds.items() if kind == "address"}
        return found

    def _bindings(self) -> tuple[set[str], set[str]]:
        """The addresses that something holds, and the machines that hold one."""
        held: set[str] = set()
        holders: set[str] = set()
        for each in self.plan.resources:
            rule = self.table.rules.get(each.type)
            if rule is None:
                continue
            binds = rule.kind == "attaches" or rule.takes_address
            if rule.kind == "address" and any(each.inputs.get(key) for key in rule.held_by):
                held.add(each.urn)
                binds = True
            if binds:
                for urn in each.dependencies:
                    other = self.by_urn.get(urn)
                    target = self.table.rules.get(other.type) if other else None
                    if target and target.kind == "address" and rule.kind != "address":
                        held.add(urn)
                        holders |= {each.urn} if rule.takes_address else set()
                    elif target and target.kind == "machine":
                        holders.add(urn)
        return held, holders


def _refused(rule: CostRule, inputs: Mapping[str, Any]) -> str | None:
    """Why the catalogue's prices do not hold for this resource, if they do not."""
    return next((str(each["else"]) for each in rule.only if not holds(each, inputs)), None)
