"""Whoever is called with a key of its own: upstream vendors, moderators, the model hub. One row of the catalogue each.

A row's name gives all other names: the vendor ``groq`` has the config key ``groqApiKey``, the argument ``groq_api_key``
and, on the node, the secret ``upstream_groq``. The rows are always the package's own, whatever ``PULUMI_LLM_CATALOG``
names: the components' arguments and what the gateway knows of a vendor are generated from them (tools/arguments).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog import reader


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret: the stack's config key, the components' argument, the name that the node knows, and what it is for.

    ``meaning`` is a sentence without its full stop.
    """

    config_key: str
    argument: str
    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor of models that the overseas proxy can serve. ``endpoints``: the paths of the gateway that it answers."""

    name: str
    title: str
    endpoints: tuple[str, ...]
    secret: Secret


@dataclass(frozen=True, slots=True)
class Moderator:
    """A kind of moderator. ``options``: those that it takes; None: whatever its factory reads.

    ``secrets`` by the field of the spec that may name another one; ``needed``: it cannot do without them. ``when``:
    what else there is to know about when they are asked for.
    """

    kind: str
    title: str
    secrets: Mapping[str, Secret]
    needed: bool
    when: str
    options: tuple[str, ...] | None
    required_option: str | None


def _vendor(row: Mapping[str, Any]) -> Vendor:
    name, title = str(row["vendor"]), str(row["title"])
    meaning = f"The proxy's key for {title}; needed where ``proxy.upstreams`` names ``{name}``"
    secret = Secret(f"{name}ApiKey", f"{name}_api_key", f"upstream_{name}", meaning)
    return Vendor(name, title, tuple(row["endpoints"]), secret)


def _moderator(row: Mapping[str, Any]) -> Moderator:
    kind = str(row["kind"])
    secrets = {}
    for field, title in row["secrets"].items():
        what = "id" if field == "secret_id" else "key"
        meaning = f"The {title} of a content moderator of kind ``{kind}``"
        secrets[field] = Secret(
            f"{kind}Moderation{what.capitalize()}",
            f"{kind}_moderation_{what}",
            f"moderation_{kind}_{what}",
            f"{meaning}, {row['when']}" if row["when"] else meaning,
        )
    options = None if row["options"] is None else tuple(row["options"])
    return Moderator(kind, row["title"], secrets, row["needed"], row["when"], options, row["required_option"])


VENDORS: Mapping[str, Vendor] = {
    each.name: each for each in map(_vendor, reader.raw_rows(catalog.DATA / "upstreams.json"))
}
"""The vendors of ``proxy.upstreams``, by name."""

VENDOR_SECRETS: Mapping[str, str] = {name: each.secret.config_key for name, each in VENDORS.items()}
"""The secret config key that holds each vendor's API key."""

MODERATORS: Mapping[str, Moderator] = {
    each.kind: each for each in map(_moderator, reader.raw_rows(catalog.DATA / "moderators.json"))
}
"""The kinds of moderator."""

HUB = Secret(
    "hfToken",
    "hub_token",
    "hf_token",
    "The model hub's token; needed for models whose licence has to be accepted there",
)
"""The model hub's token, needed for gated models only."""

SECRETS: tuple[Secret, ...] = (
    *(each.secret for each in VENDORS.values()),
    HUB,
    *(secret for each in MODERATORS.values() for secret in each.secrets.values()),
)
"""Every secret that a stack may hold."""
