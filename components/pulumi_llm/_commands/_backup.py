"""Backups that are made, put back and listed: the bodies of `pulumi-llm vectors`."""

from __future__ import annotations

import contextlib
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path

from pulumi_llm import _channel as channel
from pulumi_llm import _outputs as outputs
from pulumi_llm._backup import stack as stacks
from pulumi_llm._backup.manifest import FILE, Manifest, parse
from pulumi_llm._backup.places import Folder, Place, Store
from pulumi_llm._backup.refusals import refused
from pulumi_llm._commands import DONE
from pulumi_llm._language import tr
from pulumi_llm._tables import aligned
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal, UnknownName


def _backup(asked: Namespace) -> int:
    wanted, region = stacks.settings(asked.project, asked.stack)
    place = stacks.place(asked.project, asked.stack, wanted, region, asked.to)
    place.writable()
    machine, __ = stacks.machine(asked.project, asked.stack, simulated=asked.sim)
    raw = channel.ask(machine, "make", {}, program=stacks.PROGRAM, seconds=channel.DAY)
    read = parse(json.dumps(raw))
    if read is None:
        raise Refusal([Finding("backup.damaged", _("the node's manifest is not one"), _("`pulumi up`, and once more"))])
    manifest = read[0]
    _carry(machine, manifest, place)
    place.write(f"{manifest.id}/{FILE}", json.dumps(raw, indent=1).encode())
    channel.ask(machine, "drop", {}, program=stacks.PROGRAM)
    older = [each.manifest.id for each in stacks.whole(place)][: -wanted.keep]
    for id_ in older:
        place.delete(id_)
    if asked.json:
        _print(raw)
        return DONE
    said = tr(
        "{id}: {title} {version}, {count} objects, {size} in {parts} parts",
        id=manifest.id,
        title=manifest.title,
        version=manifest.version,
        count=_count(manifest),
        size=_size(manifest.bytes),
        parts=len(manifest.parts),
    )
    sys.stdout.write(f"{said}\n{_beside(manifest)}")
    for id_ in older:
        sys.stdout.write(tr("deleted: {id}\n", id=id_))
    sys.stderr.write(
        tr(
            "The key that reads it goes with the stack. Keep it elsewhere too:\n"
            "  pulumi stack output vectors_backup_key --show-secrets -s {stack}\n",
            stack=asked.stack,
        )
    )
    return DONE


def _carry(machine: channel.Machine, manifest: Manifest, place: Place) -> None:
    """The parts from the node to the place. What was carried in part is no backup: it has no manifest."""
    if isinstance(place, Store):
        urls = {each.name: place.signed("put", f"{manifest.id}/{each.name}") for each in manifest.parts}
        told = {"urls": urls, "sha256": {each.name: each.sha256 for each in manifest.parts}}
        try:
            channel.ask(machine, "send", told, program=stacks.PROGRAM, seconds=channel.DAY)
        except Refusal:
            with contextlib.suppress(Refusal):  # what is wrong with the first matters
                place.delete(manifest.id)
            raise
        return
    assert isinstance(place, Folder)  # noqa: S101 - there is no third kind
    try:
        place.path(manifest.id).mkdir(parents=True)
        for each in manifest.parts:
            path = place.path(f"{manifest.id}/{each.name}")
            channel.pour(machine, f"{stacks.PROGRAM} read {each.name}", target=path)
            if path.stat().st_size != each.bytes or _digest(path) != each.sha256:
                message = _("{name} did not arrive whole", name=each.name)
                raise Refusal([Finding("backup.damaged", message, _("run the command again"))])
    except OSError as wrong:
        place.delete(manifest.id)
        raise refused(str(place.top), wrong.strerror or type(wrong).__name__) from None
    except Refusal:
        place.delete(manifest.id)
        raise


def _restore(asked: Namespace) -> int:
    source = asked.of or asked.stack
    stacks.settings(asked.project, asked.stack)  # the node that takes it has the program too
    wanted, region = stacks.settings(asked.project, source)
    place = stacks.place(asked.project, source, wanted, region, asked.to)
    there = stacks.whole(place)
    ids = [each.manifest.id for each in there]
    if not there:
        hint = _("make one: pulumi-llm vectors backup -s {stack}", stack=source)
        raise Refusal([Finding("backup.none", _("there is no backup of {stack!r}", stack=source), hint)])
    if asked.id is not None and asked.id not in ids:
        raise UnknownName("backup.unknown", _("backup"), asked.id, ids)
    kept = there[-1] if asked.id is None else there[ids.index(asked.id)]
    machine, told = stacks.machine(asked.project, asked.stack, simulated=asked.sim)
    if source != asked.stack and asked.key is None:
        told = outputs.read(asked.project, source, simulated=asked.sim)
    key = asked.key.read_text(encoding="utf-8") if asked.key else told.get("vectors_backup_key")
    if not key:
        message = _("the stack {stack!r} tells no key that reads its backups", stack=source)
        raise Refusal([Finding("backup.no-key", message, _("--key FILE with the key that was kept"))])
    here = channel.ask(machine, "last", {}, program=stacks.PROGRAM)
    _compare(kept.manifest, str(here["engine"]), str(here["title"]), str(here["version"]))
    _bring(machine, kept.manifest, place)
    question = {"manifest": dict(kept.raw), "key": str(key)}
    done = channel.ask(machine, "restore", question, program=stacks.PROGRAM, seconds=channel.DAY)
    if asked.json:
        _print(done)
        return DONE
    count = tr("not known") if done.get("count") is None else f"{done['count']:,}"
    sys.stdout.write(tr("{id} is restored: {count} objects\n", id=kept.manifest.id, count=count))
    back = {*done.get("beside", ())}
    for each in kept.manifest.beside:
        if each.name in back:
            sys.stdout.write(tr("with {name} {version}\n", name=each.name, version=each.version))
        else:
            sys.stdout.write(tr("without {name} {version}: none runs there\n", name=each.name, version=each.version))
    return DONE


def _compare(manifest: Manifest, engine: str, title: str, version: str) -> None:
    """Refuse another engine before anything is carried, and say where the version is another one."""
    if manifest.engine != engine:
        message = _(
            "the backup is of {saved}, and the stack has {title}; nothing was done", saved=manifest.title, title=title
        )
        hint = _("a stack with that engine takes it: vectors.engine: {engine}", engine=manifest.engine)
        raise Refusal([Finding("backup.other-engine", message, hint)])
    if manifest.version != version:
        said = _(
            "{title} {saved} wrote the backup, and here runs {version}",
            title=title,
            saved=manifest.version,
            version=version,
        )
        hint = _("an older one is read as its makers promise; a newer one is refused by the node")
        sys.stderr.write(f"{Finding('backup.other-version', said, hint, 'warning').text()}\n")


def _bring(machine: channel.Machine, manifest: Manifest, place: Place) -> None:
    """The parts from the place to the node."""
    if isinstance(place, Store):
        urls = {each.name: place.signed("get", f"{manifest.id}/{each.name}") for each in manifest.parts}
        channel.ask(machine, "fetch", {"urls": urls}, program=stacks.PROGRAM, seconds=channel.DAY)
        return
    assert isinstance(place, Folder)  # noqa: S101 - there is no third kind
    for each in manifest.parts:
        path = place.path(f"{manifest.id}/{each.name}")
        if not path.is_file():
            message = _("{name} of {id} is missing", name=each.name, id=manifest.id)
            raise Refusal([Finding("backup.damaged", message, _("take another backup: pulumi-llm vectors list"))])
        channel.pour(machine, f"{stacks.PROGRAM} take {each.name}", source=path)


def _list(asked: Namespace) -> int:
    wanted, region = stacks.settings(asked.project, asked.stack)
    there = stacks.whole(stacks.place(asked.project, asked.stack, wanted, region, asked.to))
    if asked.json:
        _print([dict(each.raw) for each in there])
        return DONE
    if not there:
        sys.stdout.write(tr("there is no backup of {stack!r} yet\n", stack=asked.stack))
        return DONE
    sys.stdout.write("\n".join(_table(each.manifest for each in there)) + "\n")
    return DONE


def _beside(manifest: Manifest) -> str:
    """Lines on the services whose files went along."""
    return "".join(tr("with {name} {version}\n", name=each.name, version=each.version) for each in manifest.beside)


def _table(rows: Iterable[Manifest]) -> list[str]:
    head = (tr("backup"), tr("time"), tr("engine"), tr("version"), tr("objects"), tr("size"))
    cells = [(each.id, each.time, each.title, each.version, _count(each), _size(each.bytes)) for each in rows]
    return aligned([head, *cells], right=(4, 5))


def _count(manifest: Manifest) -> str:
    return tr("not known") if manifest.count is None else f"{manifest.count:,}"


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"


def _digest(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _print(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


ACTIONS: dict[str, Callable[[Namespace], int]] = {"backup": _backup, "restore": _restore, "list": _list}
