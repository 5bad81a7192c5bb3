"""The secrets of moderators: which each kind needs, and which of them a gateway's moderators call for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, cast

from pulumi_llm.spec.vendors import MODERATORS, Secret

Field = Literal["secret", "secret_id"]


NEEDED: Mapping[str, tuple[Field, ...]] = {
    kind: tuple(cast("Iterable[Field]", each.secrets)) if each.needed else () for kind, each in MODERATORS.items()
}
"""The secrets that each kind cannot do without. A hook says itself whether it needs one."""

MODERATOR_SECRETS: Mapping[str, Secret] = {
    secret.name: secret for each in MODERATORS.values() for secret in each.secrets.values()
}
"""Every secret that is a moderator's own, by the name that the node knows it by."""


def secrets_named(moderators: object, upstreams: object = ()) -> Iterator[tuple[str, Field, str]]:
    """Moderator, field and the secret's name, for each secret that moderators call for.

    ``moderators`` and ``upstreams`` (the gateway's vendors) may be raw and wrong; what cannot be read is passed over.
    A secret that is not named is the kind's own; OpenAI's moderator takes the key of the upstream where there is one.
    """
    if not isinstance(moderators, Mapping):
        return
    vendors = {str(each) for each in upstreams} if isinstance(upstreams, Mapping | tuple | list | set) else set()
    for name, row in moderators.items():
        if not isinstance(row, Mapping):
            continue
        kind: Any = row.get("kind")
        needed = NEEDED.get(kind, ()) if isinstance(kind, str) else ()
        fields: tuple[Field, ...] = ("secret_id", "secret")
        for field in fields:
            given = row.get(field)
            if isinstance(given, str) and given:
                yield str(name), field, given
            elif field in needed:
                by_upstream = kind == "openai" and "openai" in vendors
                yield str(name), field, "upstream_openai" if by_upstream else MODERATORS[kind].secrets[field].name
