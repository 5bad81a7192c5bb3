"""Whoever is called with a key of its own: upstream vendors, moderators, the model hub. One row of the catalogue each.

A row's name gives all other names: the vendor ``groq`` has the config key ``groqApiKey``, the argument ``groq_api_key``
and, on the node, the secret ``upstream_groq``. So does the name that an upstream of the user's own has, but for the
argument: all of those are in ``upstream_api_keys``. The rows are always the package's own, whatever
``PULUMI_LLM_CATALOG`` names: the components' arguments and what the gateway knows of a vendor are generated from them
(tools/arguments).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
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
    """A vendor of models that a gateway can serve. ``endpoints``: the paths of the gateway that it answers."""

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


NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
"""What an upstream may be called: each such name has a config key of its own."""
RESERVED = ("proxy", "vllm")
"""What a model server's gateway has already: the overseas proxy, and its own vLLM."""
OWN_KEYS = "upstream_api_keys"
CARRIED_KEYS = "carried_keys"
"""The argument of a fleet for keys that callers have already."""
"""The argument with the keys of upstreams that have names of the user's own, by those."""


def _key(name: str, meaning: str) -> Secret:
    first, *rest = name.split("-")
    plain = name.replace("-", "_")
    camel = first + "".join(each.capitalize() for each in rest)
    return Secret(f"{camel}ApiKey", f"{plain}_api_key", f"upstream_{plain}", meaning)


def authority_secret(name: str) -> str:
    """What the node knows the certificate authority of the upstream called ``name`` by: it travels as secrets do."""
    return f"{upstream_key(name).name}_authority"


def upstream_key(name: str) -> Secret:
    """The secret with the key of the upstream called ``name``; all names of the user's own share one argument."""
    if name in VENDORS:
        return VENDORS[name].secret
    return replace(_key(name, f"The key for the upstream ``{name}``"), argument=OWN_KEYS)


def _vendor(row: Mapping[str, Any]) -> Vendor:
    name, title = str(row["vendor"]), str(row["title"])
    meaning = f"The key for {title}; needed where ``upstreams`` of the server or the proxy names ``{name}``"
    return Vendor(name, title, tuple(row.get("endpoints", ())), _key(name, meaning))


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


_ROWS = tuple(reader.raw_rows(catalog.DATA / "upstreams.json"))

KINDS: tuple[str, ...] = tuple(str(row["vendor"]) for row in _ROWS)
"""The vendors that an upstream may be of, whatever its name."""

VENDORS: Mapping[str, Vendor] = {each.name: each for each in map(_vendor, _ROWS) if each.name not in RESERVED}
"""The vendors whose names are upstreams' names too."""

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

BACKUP_SECRETS: tuple[Secret, ...] = (
    Secret(
        "backupAccessKeyId",
        "backup_access_key_id",
        "backup_access_key_id",
        "The id of a key that may write to the bucket of ``vectors.backup``; needed where ``every`` is given",
    ),
    Secret(
        "backupAccessKeySecret",
        "backup_access_key_secret",
        "backup_access_key_secret",
        "That key; give it the right to put and to delete objects below the prefix, and no other",
    ),
)
"""What the timer's node signs with; without a timer no node has it."""
WEIGHTS_SECRETS: tuple[Secret, ...] = (
    Secret(
        "weightsAccessKeyId",
        "weights_access_key_id",
        "weights_access_key_id",
        "The id of a key to the bucket of ``weights``; needed where that is given",
    ),
    Secret(
        "weightsAccessKeySecret",
        "weights_access_key_secret",
        "weights_access_key_secret",
        "That key; give it the right to get and to put objects below the prefix, and no other",
    ),
)
"""What a server's node signs with."""
HOST_KEY = Secret(
    "sshPrivateKey",
    "ssh_private_key",
    "ssh_private_key",
    "The key that lets in to the machine of ``server.host``; needed where that names neither a file nor an agent",
)
"""The key for a machine that exists. It is never sent anywhere."""
KUBECONFIG = Secret(
    "kubeconfig",
    "kubeconfig",
    "kubeconfig",
    "The kubeconfig of the cluster of a ``Fleet``, as text; needed where no Kubernetes provider is handed in",
)
"""What lets in to a cluster. It is handed to the provider and to nothing else."""

SECRETS: tuple[Secret, ...] = (
    *(each.secret for each in VENDORS.values()),
    HUB,
    HOST_KEY,
    *(secret for each in MODERATORS.values() for secret in each.secrets.values()),
    *BACKUP_SECRETS,
    *WEIGHTS_SECRETS,
)
"""Every secret that a stack may hold."""
