"""Who has which key, and what it may do: three small files, read again when they change.

``policy.json`` (limits by key name) and ``gateway-keys.json`` (SHA-256 of a key to its name) come with the settings and
the secrets; ``own-keys.json`` is what `pulumi-llm keys` made on the node. A change costs no restart and no request.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Rules:
    """One key's limits; None: there is no such limit. Times are seconds since 1970, money is USD, days are UTC's."""

    name: str
    models: tuple[str, ...] = ()
    """Names or patterns with ``*``; empty: all that the gateway serves."""
    endpoints: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrency: int | None = None
    daily_budget_usd: float | None = None
    monthly_budget_usd: float | None = None
    daily_tokens: int | None = None
    monthly_tokens: int | None = None
    expires: float | None = None
    cidrs: tuple[Network, ...] = ()
    managed: str = "pulumi"
    ask_twice: bool = False
    """A paid upstream that closes the connection without a word is asked once more, and may charge for both."""

    def allows_model(self, model: str) -> bool:
        """Whether the key may ask this model."""
        return not self.models or any(_matches(model, each) for each in self.models)

    def allows_endpoint(self, endpoint: str) -> bool:
        """Whether the key may use this path."""
        return not self.endpoints or endpoint in self.endpoints

    def allows_address(self, address: str) -> bool:
        """Whether the key may be used from this address; one that cannot be read is nowhere."""
        if not self.cidrs:
            return True
        try:
            where = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(where, ipaddress.IPv6Address) and where.ipv4_mapped is not None:
            where = where.ipv4_mapped
        return any(where in network for network in self.cidrs)

    @cached_property
    def counts_tokens(self) -> bool:
        """Whether anything about the key depends on how many tokens a request takes."""
        return bool(self.token_limits) or self.has_budget

    @cached_property
    def has_budget(self) -> bool:
        """Whether there is a limit of tokens or money over a day or a month."""
        budgets = (self.daily_tokens, self.monthly_tokens, self.daily_budget_usd, self.monthly_budget_usd)
        return any(each is not None for each in budgets)

    @cached_property
    def token_limits(self) -> tuple[tuple[int, str], ...]:
        """What no single request may exceed, whatever was used before: tokens, and what the limit is called."""
        limits = (
            (self.tokens_per_minute, "tokens per minute"),
            (self.daily_tokens, "tokens per day"),
            (self.monthly_tokens, "tokens per month"),
        )
        return tuple((limit, name) for limit, name in limits if limit is not None)


MOST = 10**15
"""More than any limit, and little enough to be counted in billionths."""


@lru_cache(4096)
def _matches(model: str, pattern: str) -> bool:
    # Only the star is special: a model's name may hold brackets.
    return fnmatchcase(model, pattern.replace("[", "[[]").replace("?", "[?]"))


def rules_of(name: str, row: dict[str, Any]) -> Rules:
    """A row of a policy file as rules. Raises ValueError or TypeError for one that makes no sense."""
    known = {key: row[key] for key in row if key in LIMITS and row[key] is not None}
    for key, value in list(known.items()):
        # A limit that is compared with by nothing, as NaN is, would be none; Python reads NaN and Infinity as JSON.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
            raise ValueError(f"{key} of {name} is not a number that could be a limit")
        if not key.endswith("_usd"):
            if value != int(value):
                raise ValueError(f"{key} of {name} is no whole number")
            known[key] = int(value)  # some write 3 as 3.0
    expires = row.get("expires")
    if expires is not None and not math.isfinite(float(expires)):
        raise ValueError(f"expires of {name} is no time")
    return Rules(
        name=name,
        models=tuple(row.get("models") or ()),
        endpoints=tuple(row.get("endpoints") or ()),
        cidrs=tuple(ipaddress.ip_network(each) for each in row.get("source_cidrs") or ()),
        expires=float(expires) if expires is not None else None,
        managed=row.get("managed", "pulumi"),
        ask_twice=row.get("ask_twice") is True,
        **known,
    )


LIMITS = tuple(
    each.name for each in fields(Rules) if each.type in ("int | None", "float | None") and each.name != "expires"
)
"""The fields of `Rules` that are numbers, by which a row of the file names them."""


class Reread:
    """A JSON file, read again when it changes; what it last said where it cannot be read this moment."""

    def __init__(self, path: Path) -> None:
        self.path, self._name = path, str(path)
        self.content: dict[str, Any] = {}
        self._stamp: tuple[int, int, int] | None = None

    def fresh(self) -> bool:
        """Read the file if it has changed; whether it had."""
        try:
            stat = os.stat(self._name)  # noqa: PTH116 - Path.stat takes half as long again, with each request
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if stamp == self._stamp:
                return False
            content = json.loads(self.path.read_text())
        except FileNotFoundError:
            changed, self.content, self._stamp = self._stamp is not None, {}, None
            return changed
        except (OSError, ValueError):
            return False
        if not isinstance(content, dict):
            return False
        self.content, self._stamp = content, stamp
        return True


@dataclass(slots=True)
class Policy:
    """The keys of this gateway. A replaced key stays in the node's file until its time is over."""

    policy: Reread
    hashes: Reread
    own: Reread
    clock: Callable[[], float] = time.time
    _keys: dict[str, tuple[Rules, float | None]] = field(default_factory=dict)

    def find(self, key: str) -> Rules | None:
        """The rules of whoever holds this key, if it is one and is still in force."""
        # All three, whichever changed: `or` would leave the others for the next request.
        if any([self.policy.fresh(), self.hashes.fresh(), self.own.fresh()]):
            self._load()
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        found = self._keys.get(digest)
        if found is None:
            return None
        rules, until = found
        now = self.clock()
        if (until is not None and now >= until) or (rules.expires is not None and now >= rules.expires):
            return None
        return rules

    def names(self) -> set[str]:
        """Everyone who has a key."""
        return {rules.name for rules, _ in self._keys.values()}

    def _load(self) -> None:
        keys: dict[str, tuple[Rules, float | None]] = {}
        rows = self.policy.content.get("keys", {})
        ruled = {}
        for name, row in rows.items():
            try:
                ruled[name] = rules_of(name, row)
            except (ValueError, TypeError):
                continue  # a key whose rules cannot be read may do nothing
        listed = {str(digest): str(name) for digest, name in self.hashes.content.items()}
        for digest, name in listed.items():
            if name in ruled:
                keys[digest] = (ruled[name], None)
        for name, row in self.own.content.get("keys", {}).items():
            try:
                rules = rules_of(name, {**row, "managed": "cli"})
                for digest, until in row["hashes"].items():
                    keys.setdefault(digest, (rules, float(until) if until is not None else None))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
        for digest in self.own.content.get("revoked", []):
            keys.pop(digest, None)
        self._keys = keys
