"""What the rules of every cloud share: the call that is judged, the refusal, and the register of rules."""

from __future__ import annotations

import base64
import ipaddress
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, TypeVar

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._provider_facts.values import Props

from ..faults import Faults
from ..offers import Offers
from ..store import Record, Store


class CloudError(Exception):
    """A cloud refuses; the message is worded as that cloud's provider prints it."""


@dataclass
class Call:
    """One create, update or delete that a cloud judges. ``inputs`` and ``old`` carry no secret markers."""

    token: str
    urn: str
    region: str
    inputs: Props
    store: Store
    offers: Offers
    faults: Faults
    config: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    old: Props = field(default_factory=dict)
    state: Props = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[-1]

    def find(self, type_: str, id_: Any) -> Record | None:
        """An existing resource of this region."""
        return self.store.get(type_, str(id_), self.region) if id_ else None

    def list(self, *types: str, **properties: Any) -> list[Record]:
        """Existing resources of this region with these property values."""
        return self.store.list(*types, region=self.region, **properties)

    def changed(self, *names: str) -> bool:
        """Whether an update changes one of these inputs."""
        return any(self.old.get(name) != self.inputs.get(name) for name in names)


Rule = Callable[[Call], Props]
"""Judges a create or update (raises :class:`CloudError`) and gives outputs beyond the pattern's."""

CheckRule = Callable[[Props], list[tuple[str, str]]]
"""Judges inputs: (property, what is wrong) for each problem."""

Deletion = Callable[[Call, Record], None]
"""Judges a delete (raises :class:`CloudError`)."""


@dataclass
class Rules:
    """A package's rules by type token. ``failed_delete`` words a failure that a fault asked for."""

    create: dict[str, Rule] = field(default_factory=dict)
    update: dict[str, Rule] = field(default_factory=dict)
    delete: dict[str, Deletion] = field(default_factory=dict)
    check: dict[str, CheckRule] = field(default_factory=dict)
    unknown_on_update: dict[str, Callable[[set[str], Props], set[str]]] = field(default_factory=dict)
    failed_delete: Callable[[Call], CloudError] = lambda call: CloudError(f"deleting {call.token} failed, as asked for")

    def on_create(self, *tokens: str) -> Callable[[Rule], Rule]:
        """Register a rule for creating these types."""
        return _register(self.create, tokens)

    def on_update(self, *tokens: str) -> Callable[[Rule], Rule]:
        """Register a rule for updating these types in place."""
        return _register(self.update, tokens)

    def on_delete(self, *tokens: str) -> Callable[[Deletion], Deletion]:
        """Register a rule for deleting these types."""
        return _register(self.delete, tokens)

    def on_check(self, *tokens: str) -> Callable[[CheckRule], CheckRule]:
        """Register a rule over inputs alone: (property, what is wrong) for each problem."""
        return _register(self.check, tokens)


R = TypeVar("R")


def _register(rules: dict[str, R], tokens: tuple[str, ...]) -> Callable[[R], R]:
    def add(rule: R) -> R:
        for token in tokens:
            rules[token] = rule
        return rule

    return add


def request_id() -> str:
    """A request id as the clouds print one."""
    return str(uuid.uuid4())


def inside(part: str, whole: str) -> bool:
    """Whether CIDR ``part`` lies in CIDR ``whole``."""
    inner, outer = ipaddress.ip_network(part, strict=False), ipaddress.ip_network(whole, strict=False)
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def overlap(left: str, right: str) -> bool:
    """Whether two CIDRs share an address."""
    return ipaddress.ip_network(left, strict=False).overlaps(ipaddress.ip_network(right, strict=False))


def private_address(cidr: str, used: set[str], reserved: int = 4) -> str | None:
    """The first free host address of ``cidr``, after the ``reserved`` ones that clouds keep; ``None`` when full."""
    network = ipaddress.ip_network(cidr, strict=False)
    for offset in range(reserved, network.num_addresses - 1):
        address = str(network[offset])
        if address not in used:
            return address
    return None


def key_problem(text: str) -> bool:
    """Whether ``text`` is not an OpenSSH public key line."""
    return public_key(text) is None


def public_key(text: str) -> bytes | None:
    """The bytes of an OpenSSH public key line, ``None`` where it is none."""
    parts = text.split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (IndexError, ValueError):
        return None
    kind = parts[0].encode()
    return blob if blob[4 : 4 + len(kind)] == kind else None


def unique_name(prefix: str) -> str:
    """``prefix`` and what makes it unique, as the Terraform providers do it: the time, then a counter in hex."""
    return f"{prefix}{time.strftime('%Y%m%d%H%M%S', time.gmtime())}{secrets.token_hex(6)}"
