"""What a Worker is made of: its modules as they are, and one that holds what is particular to it. No key is in any."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from pulumi_llm.roles import files, gateway
from pulumi_llm.roles.base import PROBE

if TYPE_CHECKING:
    from pulumi_llm._bootstrap import GatewayRole

MAIN = "worker.js"
SETTINGS = "settings.js"
LEDGER = "Ledger"
"""The Durable Object's class; its binding is called ``LEDGER``."""
COMPATIBILITY_DATE = "2026-07-01"
"""The behaviour of the runtime that the Worker is tested with: workerd 2026-07-30 (tools/fetch)."""
COMPATIBILITY_FLAGS = ("enable_request_signal",)
"""That a call is told when its caller hangs up before an answer has begun."""
KEYS_PREFIX = "GATE_KEYS_"
KEYS_IN_ONE = 35
"""Keys in one secret: a name of 63 letters and a digest take 136 bytes, and a secret of a Worker has 5 KB at most
(developers.cloudflare.com/workers/platform/limits, 2026-11)."""


@cache
def modules() -> Mapping[str, str]:
    """The Worker's own modules by name, as they are; without `SETTINGS`."""
    folder = files.templates() / "worker"
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".js"))
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


def settings(role: GatewayRole, allowed: Sequence[str]) -> str:
    """The module that says which models are served, where, and who may ask, from which ranges."""
    routes = json.loads(gateway.routes(role))
    keys = json.loads(gateway.policy(role))["keys"]
    ours = {name: rules for name, rules in keys.items() if name != PROBE}
    return settings_of(routes, ours, allowed_cidrs=list(allowed))


def settings_of(routes: Mapping[str, Any], keys: Mapping[str, Any], **more: Any) -> str:
    """The same of llm-gate's own documents: ``routes.json``, and the keys of ``policy.json``.

    ``more``: ``allowed_cidrs``; without it everybody may ask who has a key. ``patience``: how long is waited, in ms.
    """
    code = files.templates() / "gateway" / "llm_gate"
    fields = json.loads((code / "fields.json").read_text(encoding="utf-8"))
    pictures = json.loads((code / "pictures.json").read_text(encoding="utf-8"))["rows"]
    document = {
        "upstreams": routes["upstreams"],
        "routes": routes["routes"],
        "keys": dict(keys),
        "fields": {name: fields[name] for name in ("endpoints", "kinds", "without", "refused", "needed", "betas")},
        "pictures": [{name: row[name] for name in ("kind", "model", "most")} for row in pictures],
        **more,
    }
    return f"export const settings = {json.dumps(document, indent=1, ensure_ascii=False)};\n"


def key_table(digests: Mapping[str, str]) -> dict[str, str]:
    """The secrets that tell whose a key is, by the names of their bindings. ``digests``: SHA-256 of a key to a name."""
    rows = list(digests.items())
    parts = [dict(rows[at : at + KEYS_IN_ONE]) for at in range(0, len(rows), KEYS_IN_ONE)]
    return {f"{KEYS_PREFIX}{number}": json.dumps(part) for number, part in enumerate(parts)}
