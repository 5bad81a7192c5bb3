"""What each kind of moderator needs: its options, and its secrets under the names that they have on their way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Field = Literal["secret", "secret_id"]


@dataclass(frozen=True, slots=True)
class ModeratorSecret:
    """One secret of a moderator: the stack's config key, the components' argument, and the name that the node knows."""

    config_key: str
    argument: str
    name: str


def _of(kind: str, field: Field) -> ModeratorSecret:
    what = "id" if field == "secret_id" else "key"
    return ModeratorSecret(
        f"{kind}Moderation{what.capitalize()}", f"{kind}_moderation_{what}", f"moderation_{kind}_{what}"
    )


NEEDED: Mapping[str, tuple[Field, ...]] = {
    "openai": ("secret",),
    "yidun": ("secret_id", "secret"),
    "baidu": ("secret_id", "secret"),
    "aliyun": ("secret_id", "secret"),
    "tencent": ("secret_id", "secret"),
    "hook": (),
}
"""The secrets that each kind cannot do without. A hook says itself whether it needs one."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "openai": ("model", "thresholds", "url"),
    "yidun": ("business_id", "url"),
    "baidu": ("url",),
    "aliyun": ("endpoint", "input_service", "output_service", "region"),
    "tencent": ("biz_type", "endpoint", "region"),
}
"""The options that each kind takes (llm_gate's `vendors` and `moderators`). A hook takes what its factory reads."""

REQUIRED_OPTIONS: Mapping[str, str] = {"yidun": "business_id", "hook": "entry"}

MODERATOR_SECRETS: Mapping[str, ModeratorSecret] = {
    each.name: each
    for each in (
        *(_of(kind, field) for kind, fields in NEEDED.items() for field in fields),
        _of("hook", "secret"),
    )
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
                yield str(name), field, "upstream_openai" if by_upstream else _of(kind, field).name
