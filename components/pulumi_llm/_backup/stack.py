"""One stack's vector store, and the place of its backups: what its outputs and its file say, and the options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi_llm import _channel as channel
from pulumi_llm import _outputs as outputs
from pulumi_llm._backup.manifest import FILE, Manifest, parse
from pulumi_llm._backup.places import Folder, Place, Store
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan import project as projects
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.spec import BackupSpec, bucket_of
from pulumi_llm.spec import parse as parse_spec

PROGRAM = "sudo -n /opt/llm/bin/llm-backup"


@dataclass(frozen=True)
class Kept:
    """A whole backup: what its manifest says, and as it stands there."""

    manifest: Manifest
    raw: Mapping[str, Any]


def settings(project: Path, stack: str) -> tuple[BackupSpec, str]:
    """``vectors.backup`` of a stack's file, and the region that its vector store is in.

    Raises:
        Refusal: ``stack.unknown`` where no file says anything of it; ``backup.not-asked`` where it has no backups;
            what is wrong with the key.
    """
    found = projects.find(project)
    raw = projects.read_stack(found, stack).raw.get(f"{found.name}:platform")
    platform: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    vectors, server = platform.get("vectors"), platform.get("server")
    asked = vectors.get("backup") if isinstance(vectors, Mapping) else None
    if asked is None:
        message = _("the stack {stack!r} has no `vectors.backup`, so its node has neither program nor key", stack=stack)
        raise Refusal(
            [
                Finding(
                    "backup.not-asked",
                    message,
                    _("write {example} in its file, and `pulumi up`", example="`vectors: {backup: {}}`"),
                )
            ]
        )
    region = server.get("region") if isinstance(server, Mapping) else None
    return parse_spec(BackupSpec, asked, where="platform.vectors.backup"), str(region)


def place(project: Path, stack: str, wanted: BackupSpec, region: str, to: str | None) -> Place:
    """Where that stack's backups are: ``to``, or what its file says.

    Raises:
        Refusal: ``backup.no-target``; ``vectors.backup-place`` for what is no place; ``backup.no-signer``.
    """
    where = to or wanted.to
    if where is None:
        hint = _("--to FOLDER, or `to` under vectors.backup")
        raise Refusal([Finding("backup.no-target", _("nothing says where backups are"), hint)])
    if to is not None:
        wanted = parse_spec(BackupSpec, {**wanted.model_dump(exclude_none=True), "to": to}, where="--to")
    below = f"{projects.find(project).name}/{stack.rpartition('/')[2]}"
    bucket = bucket_of(where)
    if bucket is None:
        return Folder(Path(where).expanduser() / below)
    return Store(bucket, wanted.region or region, wanted.endpoint, below)


def whole(there: Place) -> list[Kept]:
    """The backups that have a manifest, oldest first."""
    found = []
    for id_ in there.ids():
        read = parse(there.read(f"{id_}/{FILE}") or b"")
        if read is not None and read[0].id == id_:
            found.append(Kept(*read))
    return sorted(found, key=lambda each: (each.manifest.time, each.manifest.id))


def machine(project: Path, stack: str, *, simulated: bool) -> tuple[channel.Machine, Mapping[str, Any]]:
    """The machine with the vector store, and the stack's outputs. Raises what `channel.machine_of_vectors` does."""
    told = outputs.read(project, stack, simulated=simulated)
    return channel.machine_of_vectors(told, project, stack), told
