"""The body of `pulumi-llm recover`: each alternative once, in its order, until the machine is there."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pulumi_llm import _outputs as outputs
from pulumi_llm import catalog, spec
from pulumi_llm._commands import DONE, _platform_file, _snapshots
from pulumi_llm._commands._asking import confirm, say
from pulumi_llm._commands._recover_engine import Pulumi, failures_of, sold_out
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._language import tr
from pulumi_llm._plan import project as projects
from pulumi_llm._plan import state
from pulumi_llm._power import machines
from pulumi_llm._resolve.choices import Choice, choices_of
from pulumi_llm._resolve.parts import looking
from pulumi_llm._snapshots.disks import Disk, current
from pulumi_llm._texts import _, listed
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import capabilities

KEY = "server.alternative"
COPY_KEY = f"server.{_snapshots.KEY}"
_COMMAND = "command:remote:Command"
NEWEST = "newest"
_OWN_DISK = ("llm:index:ModelServer", "llm:index:VectorStore")


def run(asked: Namespace) -> int:
    """Make the server's machine, where it is missing. Gives the exit code."""
    pulumi = Pulumi(asked.project.resolve(), asked.stack, asked.sim)
    before = There.read(asked)
    if before.rows:
        say(_("looking what is there: `pulumi refresh`"))
        if pulumi.run("refresh", "--yes", "--skip-preview", shown=False).code:
            message = _("`pulumi refresh` failed, so what is there is not known, and nothing was done")
            raise Refusal([Finding("recover.not-known", message, _("run it by hand: it says why"))])
        now = There.read(asked)
        if now.has_server:
            say(_("the server's machine is there; where it stands still, `pulumi-llm start` starts it"))
            return DONE
        if now.taken:
            say(_("the server's spot machine stands still: its cloud has taken it back, or somebody has stopped it"))
    platform = _platform(asked)
    server = platform.server
    if server.host is not None:
        message = _("the server is a machine that exists, and no cloud makes it again")
        raise Refusal([Finding("recover.own-machine", message, _("`pulumi up` sets it up again"))])
    capabilities.demand(server.cloud, [Capability.RECOVER])
    choices = choices_of(server, looking(server, platform.vectors, platform.access), platform.network)
    copied = server.disk.from_snapshot if server.disk else None
    disk = _disk(asked, copied) if before.rows else None
    # Where the state does not tell the disk's zone, it is where the machine was to be.
    told = disk.zone if disk is not None else before.zone
    zone = (told or choices[server.alternative].place.zone) if before.used else ""
    copy = _copy(asked, disk) if asked.snapshot else ""
    region = choices[server.alternative].place.region if before.used or copy or copied else ""
    meant, left = _meant(choices, Bound(region, "" if copy else zone), asked.most)
    for line in left:
        say(line)
    if not meant:
        raise Refusal([Finding("recover.nothing-left", _("no alternative is left to try"), _("see the lines above"))])
    say(_("to be tried, each once: {choices}", choices=listed(str(each) for each in meant)))
    # Whatever else was changed in the files comes with it.
    confirm(asked, tr("Go on? [y/N] "), lambda: pulumi.run("preview"))
    written = Written(server.alternative, copied)
    return _try(asked, Files(pulumi, written, copy, zone), meant, before)


@dataclass(frozen=True, slots=True)
class Written:
    """What the stack's file says: which alternative is taken, and from which snapshot the disk is made."""

    number: int
    copy: str | None


@dataclass(slots=True)
class Files:
    """The stack's file as the tries go: ``copy`` is for the disk of a choice in another zone than the disk's."""

    pulumi: Pulumi
    now: Written
    copy: str
    zone: str

    def take(self, choice: Choice, written: Written) -> None:
        """Write what makes that choice, over what was ``written`` at first. Raises Refusal ``recover.not-written``."""
        moved = bool(self.copy) and choice.place.zone != self.zone
        self.put(Written(choice.number, self.copy if moved else written.copy))

    def put(self, wanted: Written) -> None:
        """Write that. Raises Refusal ``recover.not-written``."""
        if wanted.number != self.now.number:  # 0 is what nobody writes
            self._write(KEY, str(wanted.number) if wanted.number else None)
        if wanted.copy != self.now.copy:
            self._write(COPY_KEY, wanted.copy)
        self.now = wanted

    def _write(self, key: str, value: str | None) -> None:
        if said := _platform_file.write(self.pulumi, key, value):
            path = f"{_platform_file.PART}.{key}"
            message = _("{path} could not be written into the stack's file: {said}", path=path, said=said)
            raise Refusal([Finding("recover.not-written", message, _("set it by hand, then `pulumi up`"))])


def _disk(asked: Namespace, written: str | None) -> Disk | None:
    """The server's data disk, as the stack's file means it; None: there is none."""
    found = [each for each in _snapshots.of_stack(asked) if each.place == "server"]
    return current(found, written) if found else None


def _copy(asked: Namespace, disk: Disk | None) -> str:
    """The snapshot that the disk is made from in another zone: the one that is asked for, or the newest."""
    if disk is not None:
        return _snapshots.wanted(asked, disk, None if asked.snapshot == NEWEST else asked.snapshot).id
    if asked.snapshot == NEWEST:
        message = _("the stack has no data disk of the server's, so its newest snapshot is not known")
        raise Refusal([Finding("snapshots.no-disk", message, _("--snapshot ID"))])
    return str(asked.snapshot)


@dataclass(frozen=True, slots=True)
class There:
    """What a stack's state says is there."""

    rows: Sequence[Mapping[str, Any]]
    has_server: bool
    """Whether the server has its machine, and it was not taken back."""
    taken: bool
    """Whether its machine is one that was stopped and not removed, as it was taken back."""
    used: bool
    """Whether the server's or the vectors' disk may hold data: it has had a machine that was set up."""
    zone: str
    """The zone of the server's data disk or machine, as far as the state tells."""

    @classmethod
    def read(cls, asked: Namespace) -> There:
        """From the stack's state; a simulated stack that was never brought up has nothing."""
        project = projects.find(asked.project)
        try:
            exported = outputs.state(asked.project, asked.stack, simulated=asked.sim)
        except Refusal as refusal:
            never_up = asked.sim and refusal.findings[0].code == "stack.unknown"
            if not (never_up and project.stack_file(asked.stack).is_file()):
                raise
            exported = {}
        rows = (exported.get("deployment") or {}).get("resources") or []
        plan = state.plan_of(exported, project.name, asked.stack)
        found = machines.machines_of(plan, catalog.load(), {})
        own = [each for each in found if each.place == "server"]
        used = [
            each
            for each in rows
            if each.get("type") == _COMMAND and any(kind in each.get("urn", "") for kind in _OWN_DISK)
        ]
        disks = [each for each in plan.resources if "-server-" in each.name and _zone(each.outputs)]
        zone = next((_zone(each.outputs) for each in disks if "disk" in each.name), "")
        taken = any(each.taken for each in own)
        return cls(rows, bool(own) and not taken, taken, bool(used or own), zone)


def _zone(values: Mapping[str, Any]) -> str:
    """The zone of a resource, by what its cloud calls that; Google writes its address at times."""
    found = next((values[key] for key in (*machines.ZONES, "zoneId") if values.get(key)), "")
    return found.rpartition("/")[2] if isinstance(found, str) else ""


def _platform(asked: Namespace) -> spec.PlatformSpec:
    found = _platform_file.read(asked)
    if found is None:
        message = _(
            "the stack {stack!r} has no value {key!r} to write into", stack=asked.stack, key=_platform_file.PART
        )
        hint = _("in a program of your own, set the argument `alternative` and run `pulumi up`")
        raise Refusal([Finding("recover.no-platform", message, hint)])
    return found


@dataclass(frozen=True, slots=True)
class Bound:
    """Where data is that does not move: the region of the server, and the zone of its disk. Empty: there is none."""

    region: str
    zone: str


def _meant(choices: Sequence[Choice], bound: Bound, most: Decimal | None) -> tuple[list[Choice], list[str]]:
    """What is to be tried, and a line about each that is left out."""
    meant, left, zone = [], [], bound.zone
    for each in choices:
        price = each.place.price
        if bound.region and each.place.region != bound.region:
            left.append(
                _(
                    "left out: {choice}: the server's address, disk and snapshots are in {region} and do not move",
                    choice=str(each),
                    region=bound.region,
                )
            )
        elif zone and each.place.zone != zone:
            left.append(
                _(
                    "left out: {choice}: the data disk is in {zone} and does not move to another zone",
                    choice=str(each),
                    zone=zone,
                )
            )
        elif most is not None and price is None:
            left.append(_("left out: {choice}: whether it is below {most} is not known", choice=str(each), most=most))
        elif most is not None and price is not None and Decimal(str(price.amount)) > most:
            left.append(_("left out: {choice}: more than {most} an hour", choice=str(each), most=most))
        else:
            meant.append(each)
    return meant, left


def _try(asked: Namespace, files: Files, meant: Sequence[Choice], before: There) -> int:
    facts = machines.facts(meant[0].place.cloud)
    refusals, written, pulumi = [], files.now, files.pulumi
    for each in meant:
        files.take(each, written)
        if files.now.copy != written.copy:
            say(_("trying {choice}, with a data disk from {copy}", choice=str(each), copy=files.now.copy))
        else:
            say(_("trying {choice}", choice=str(each)))
        done = pulumi.run("up", "--yes")
        if done.code == 0:
            say(_("the machine is there: {choice}", choice=str(each)))
            return DONE
        code = sold_out(failures_of(done.text), facts["type"], facts["sold_out"]["pattern"])
        if not code:
            if not There.read(asked).has_server:
                files.put(written)
            message = _("`pulumi up` failed for another reason than stock, and no other alternative was tried")
            hint = _("what it says above; then this again")
            raise Refusal([Finding("recover.failed", message, hint)])
        refusals.append(_("{choice}: {code}", choice=str(each), code=code))
    files.put(written)
    message = _("none of these is left: {refusals}", refusals=listed(refusals))
    raise Refusal([Finding("recover.sold-out", message, _cleared(pulumi, before))])


def _cleared(pulumi: Pulumi, before: There) -> str:
    """Take away what the tries made, where there was nothing before; what to do next."""
    if before.rows:
        return _("try again later; disks and the address are still there, and cost")
    if pulumi.run("destroy", "--yes", "--skip-preview").code:
        return _("try again later; what the tries made could not be taken away: `pulumi destroy` says why")
    return _("try again later; what the tries made is gone again, and nothing costs")
