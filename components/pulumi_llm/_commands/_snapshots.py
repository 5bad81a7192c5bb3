"""The body of `pulumi-llm snapshots`: what there is of a stack's disks, and a disk made anew from it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from pulumi_llm import _outputs as outputs
from pulumi_llm import catalog, clouds
from pulumi_llm._commands import DONE, _platform_file
from pulumi_llm._commands._asking import confirm, say
from pulumi_llm._commands._recover_engine import Pulumi
from pulumi_llm._language import tr
from pulumi_llm._plan import project as projects
from pulumi_llm._plan import state
from pulumi_llm._refresh.calls import Failure, patiently
from pulumi_llm._simcloud.store import home_beside
from pulumi_llm._snapshots.base import Copy, Snapshots
from pulumi_llm._snapshots.disks import Disk, chosen, current, disks_of
from pulumi_llm._snapshots.schedule import facts
from pulumi_llm._tables import aligned
from pulumi_llm._texts import Text, _
from pulumi_llm.errors import Finding, Refusal

KEY = "disk.from_snapshot"
Answer = TypeVar("Answer")


def run_list(asked: Namespace) -> int:
    """Tell the snapshots of the stack's disks. Gives the exit code."""
    disks = [_elsewhere(asked)] if asked.disk else chosen(of_stack(asked), asked.at, asked.stack)
    found = [(disk, sorted(copies_of(asked, disk), key=lambda each: each.taken, reverse=True)) for disk in disks]
    if asked.json:
        sys.stdout.write(f"{json.dumps([_plain(disk, each) for disk, each in found], indent=1)}\n")
        return DONE
    for disk, copies in found:
        if not copies:
            say(_("{disk} ({gib} GiB): no snapshot yet", disk=disk, gib=disk.gib))
            if not disk.copied and not asked.disk:
                say(_("no schedule copies it: `disk.snapshots` in the stack's file makes one"))
            continue
        say(_("{disk}: the newest whole copy is {newest}", disk=disk, newest=_newest_words(copies)))
        head = (_("snapshot"), _("taken (UTC)"), "GiB", _("state"), _("kept until (UTC)"))
        rows = [
            (
                each.id,
                _time(each.taken),
                str(each.gib),
                STATES[each.state],
                _time(each.expires) if each.expires else "–",
            )
            for each in copies
        ]
        sys.stdout.write("".join(f"{line}\n" for line in aligned([head, *rows], right=(2,))))
    return DONE


def run_restore(asked: Namespace) -> int:
    """Make a disk, and its machine, anew from a snapshot. Gives the exit code."""
    platform = _platform_file.read(asked)
    if platform is None:
        message = _(
            "the stack {stack!r} has no value {key!r} to write into", stack=asked.stack, key=_platform_file.PART
        )
        hint = _("in a program of your own, set `from_snapshot` of the argument `disk`, and run `pulumi up`")
        raise Refusal([Finding("snapshots.no-platform", message, hint)])
    part = platform.server if asked.at == "server" else platform.vectors
    written = part.disk.from_snapshot if part is not None and part.disk is not None else None
    disk = current(chosen(of_stack(asked), asked.at, asked.stack), written)
    copy = wanted(asked, disk, asked.snapshot)
    _check(disk, copy, written)
    say(
        _(
            "{disk} and its machine are made anew from {id} of {taken} UTC. What was written after that is lost, and "
            "what is there now is deleted once the new machine answers; meanwhile there are two machines",
            disk=disk,
            id=copy.id,
            taken=_time(copy.taken),
        )
    )
    pulumi = Pulumi(asked.project.resolve(), asked.stack, asked.sim)
    key = f"{asked.at}.{KEY}"
    _write(pulumi, key, copy.id)
    try:
        confirm(asked, tr("Go on? [y/N] "), lambda: pulumi.run("preview"))
    except Refusal:
        _write(pulumi, key, written)
        raise
    if pulumi.run("up", "--yes").code:
        message = _("`pulumi up` failed; the disk and the machine that were there have not been deleted")
        hint = _(
            "`pulumi up` again goes on; to go back, `pulumi config {words} --path {path}`, then `pulumi up`",
            words=f"set {written}" if written else "rm",
            path=f"{_platform_file.PART}.{key}",
        )
        raise Refusal([Finding("snapshots.failed", message, hint)])
    say(_("the disk is made from {id}; `{key}` stays in the stack's file", id=copy.id, key=key))
    return DONE


ACTIONS: Mapping[str, Callable[[Namespace], int]] = {"list": run_list, "restore": run_restore}
STATES = {"whole": _("whole"), "under way": _("under way"), "failed": _("failed")}


def of_stack(asked: Namespace) -> list[Disk]:
    """The data disks in the stack's state."""
    data, project = catalog.load(), projects.find(asked.project)
    exported = outputs.state(asked.project, asked.stack, simulated=asked.sim)
    values = projects.read_stack(project, asked.stack).values
    packages = [each.pulumi_package for each in data.clouds.values()]
    regions = {each: values[f"{each}:region"] for each in packages if values.get(f"{each}:region")}
    return disks_of(state.plan_of(exported, project.name, asked.stack), data, regions)


def wanted(asked: Namespace, disk: Disk, snapshot: str | None) -> Copy:
    """The snapshot of that id, or the newest of the disk that is whole.

    Raises Refusal ``snapshots.none``, ``snapshots.unknown`` or ``snapshots.not-whole``.
    """
    if snapshot is None:
        whole = [each for each in copies_of(asked, disk) if each.state == "whole"]
        if not whole:
            message = _("{disk} has no snapshot that is whole", disk=str(disk))
            raise Refusal([Finding("snapshots.none", message, _("`pulumi-llm snapshots list` tells what there is"))])
        return max(whole, key=lambda each: each.taken)
    found = _asked(asked, disk, lambda cloud: cloud.find(snapshot))
    if found is None:
        message = _("{cloud} {region} has no snapshot {id!r}", cloud=disk.cloud, region=disk.region, id=snapshot)
        raise Refusal([Finding("snapshots.unknown", message, _("`pulumi-llm snapshots list` tells what there is"))])
    if found.state != "whole":
        message = _("the snapshot {id} is not whole: {state}", id=found.id, state=STATES[found.state])
        raise Refusal([Finding("snapshots.not-whole", message, _("another one, or this one later"))])
    return found


def copies_of(asked: Namespace, disk: Disk) -> list[Copy]:
    """All snapshots of a disk."""
    return _asked(asked, disk, lambda cloud: cloud.of_disk(disk.id))


def _check(disk: Disk, copy: Copy, written: str | None) -> None:
    found = []
    if copy.gib > disk.gib:
        message = _(
            "the snapshot {id} is of {more} GiB, and the disk has {gib}", id=copy.id, more=copy.gib, gib=disk.gib
        )
        hint = _("a disk as large first: `model_disk_gib`, or `disk_gib` of the vectors")
        found.append(Finding("snapshots.larger", message, hint, where=disk.name))
    if disk.protected:
        message = _("the disk is protected, so Pulumi would refuse to delete it once the new one is there")
        hint = _("protect: false, `pulumi up`, then this again")
        found.append(Finding("snapshots.protected", message, hint, where=disk.name))
    if copy.id in (written, disk.snapshot):
        message = _("the disk is made from {id} already", id=copy.id)
        hint = _("another snapshot: the same one again would change nothing")
        found.append(Finding("snapshots.already", message, hint, where=disk.name))
    if found:
        raise Refusal(found)


def _asked(asked: Namespace, disk: Disk, question: Callable[[Snapshots], Answer]) -> Answer:
    """What the disk's cloud answers. Raises Refusal for what stands in the way."""
    module = clouds.folders()[disk.cloud].part("snapshots")
    assert module is not None, disk.cloud  # noqa: S101 - with the facts comes the module
    if asked.sim:
        from pulumi_llm._simcloud import snapshots

        return question(snapshots.connect(home_beside(projects.find(asked.project).folder), disk.cloud))
    region: Snapshots = module.connect(disk.region)
    try:
        return patiently(lambda: question(region))
    except Failure as failure:
        raise Refusal([_told(failure, disk, module.ACTION)]) from None


def _told(failure: Failure, disk: Disk, action: str) -> Finding:
    said = " ".join(f"{failure.code}: {failure.message}".split())[:300]
    message = _("{disk}: {action} answered {said}", disk=disk, action=action, said=said)
    if failure.kind == "denied":
        hint = _("let these credentials call {action}; docs/real-account.md has the whole policy", action=action)
        return Finding("snapshots.denied", message, hint, where=disk.name)
    if failure.kind == "unreachable":
        hint = _("check the network and the proxy settings of this machine; nothing was changed by this call")
        return Finding("snapshots.unreachable", message, hint, where=disk.name)
    return Finding("snapshots.not-told", message, _("call it again in a few minutes"), where=disk.name)


def _elsewhere(asked: Namespace) -> Disk:
    """A disk that is not in the stack, in the region of its server."""
    platform = _platform_file.read(asked)
    if platform is None or not facts(platform.server.cloud):
        message = _("the stack's file does not tell in which cloud the disk {id!r} is", id=asked.disk)
        raise Refusal([Finding("snapshots.no-disk", message, _("the cloud's own console or command line"))])
    server = platform.server
    return Disk(
        place="disk", name=asked.disk, id=asked.disk, cloud=server.cloud, region=server.region, zone="", gib=0,
        protected=False, snapshot="", copied=False,
    )  # fmt: skip


def _write(pulumi: Pulumi, key: str, value: str | None) -> None:
    if said := _platform_file.write(pulumi, key, value):
        path = f"{_platform_file.PART}.{key}"
        message = _("{path} could not be written into the stack's file: {said}", path=path, said=said)
        raise Refusal([Finding("snapshots.not-written", message, _("set it by hand, then `pulumi up`"))])


def _newest_words(copies: Sequence[Copy]) -> str:
    whole = [each for each in copies if each.state == "whole"]
    return f"{whole[0].id}, {_time(whole[0].taken)} UTC" if whole else Text(_("none"))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _plain(disk: Disk, copies: Sequence[Copy]) -> dict[str, object]:
    rows = [
        {
            "id": each.id,
            "taken": each.taken.isoformat(),
            "gib": each.gib,
            "state": each.state,
            "expires": each.expires.isoformat() if each.expires else None,
            "by_schedule": each.by_schedule,
        }
        for each in copies
    ]
    return {"disk": disk.id, "at": disk.place, "cloud": disk.cloud, "region": disk.region, "snapshots": rows}
