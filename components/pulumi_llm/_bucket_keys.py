"""Keys to a stack's own buckets, for backups and for weights: what is missing is told before anything is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pulumi_llm import spec
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal

if TYPE_CHECKING:
    from pulumi_llm._resolve import ResolvedServer
    from pulumi_llm.spec import VectorsSpec

Value = TypeVar("Value")


def backup_secrets(vectors: VectorsSpec | None, args: Mapping[str, Any], recipient: Value) -> dict[str, Value]:
    """Whom backups are encrypted for, and the timer's key to its bucket, by the names that the node knows them by.

    :func:`check_backup` has seen that they are given.
    """
    if vectors is None or vectors.backup is None:
        return {}
    found = {"backup_recipient": recipient}
    if vectors.backup.hours is None:
        return found
    return {**found, **{each.name: args[each.argument] for each in spec.BACKUP_SECRETS}}


def weights_secrets(server: ResolvedServer, args: Mapping[str, Any]) -> dict[str, Value]:
    """The key to the bucket of weights, by the names that the node knows it by. :func:`check_weights` has seen it."""
    if server.spec.weights is None:
        return {}
    return {each.name: args[each.argument] for each in spec.WEIGHTS_SECRETS}


def check_weights(server: ResolvedServer, args: Mapping[str, Any]) -> None:
    """Refuse a bucket of weights without a key to it: ``secret.missing``."""
    if server.spec.weights is None:
        return
    names = _missing(spec.WEIGHTS_SECRETS, args)
    if names is not None:
        bucket = server.spec.weights.bucket
        raise _refused(names, _("weights are kept in {bucket}, and there is no {names}", bucket=bucket, names=names[0]))


def check_backup(vectors: VectorsSpec | None, args: Mapping[str, Any]) -> None:
    """Refuse a timer without a key to its bucket: ``secret.missing``."""
    if vectors is None or vectors.backup is None or vectors.backup.hours is None:
        return
    names = _missing(spec.BACKUP_SECRETS, args)
    if names is not None:
        every = vectors.backup.every
        raise _refused(names, _("backups are made every {every}, and there is no {names}", every=every, names=names[0]))


def _missing(wanted: Sequence[Any], args: Mapping[str, Any]) -> tuple[str, str] | None:
    """The arguments that are not given, and how they are; None: all are."""
    missing = [each for each in wanted if args.get(each.argument) is None]
    if not missing:
        return None
    hint = " && ".join(f"pulumi config set --secret {each.config_key}" for each in missing)
    return listed(each.argument for each in missing), hint


def _refused(names: tuple[str, str], message: str) -> Refusal:
    return Refusal([Finding("secret.missing", message, names[1])])
