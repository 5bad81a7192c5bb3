"""What a stranger finds at a booted machine's ports, role by role: one that runs there and is not named here fails.

A stranger has no key, or one that nobody gave out, and calls from outside of the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pulumi_llm.roles import registry

if TYPE_CHECKING:
    from llm_boot.machine import Machine
    from pulumi_llm.roles import Role
    from pulumi_llm.roles.manifest import Listener
    from tests.boot.stack import BootedStack

WRONG = "sk-nobody-gave-this-out"


@dataclass(frozen=True)
class Question:
    """Something that only those with a key are told. ``way``: ``http`` (``what`` is method and path), ``grpc`` (a
    method) or ``sql``. ``shown_by``: the test that boots it and asks."""

    way: str
    what: str
    shown_by: str


STACK, PAGE = "tests/boot/test_stack.py", "tests/boot/test_chat_page.py"
ASKED = {
    ("gateway", "https"): Question("http", "GET /v1/models", STACK),
    ("weaviate", "vectors"): Question("http", "GET /v1/schema", STACK),
    ("weaviate", "grpc"): Question("grpc", "/weaviate.v1.Weaviate/Search", STACK),
    ("open-webui", "page"): Question("http", "GET /api/models", PAGE),
    ("pgvector", "sql"): Question("sql", "llm@vectors", PAGE),
}
"""By role and listener."""
REFUSED = {
    "http": re.compile(r"40[13]$"),
    "grpc": re.compile(r"UNAUTHENTICATED|UNKNOWN: extract auth: unauthorized"),  # the latter is Weaviate's
    "sql": re.compile(r"plain: E, TLS: asked for a password$"),
}
ELSEWHERE = {
    "chroma": "tests/vectors/test_chroma.py::test_without_the_key_not_even_the_version_is_told",
    "qdrant": "tests/vectors/test_qdrant.py::test_without_the_key_nothing_is_told",
    "milvus": "tests/vectors/test_milvus.py::test_rest_passes_with_the_password_and_only_with_it",
}
"""Roles that no test boots, and the test that asks them without a key: the real Chroma; of the others a stand-in."""


def found_open(stack: BootedStack, machine: Machine) -> dict[str, object]:
    """What a stranger is answered, or can reach, that he should not; empty: nothing. By role, and listener or port."""
    found: dict[str, object] = {}
    listening = _listening(machine)
    for role in roles_on(machine):
        loopback = list(role.manifest.loopback)
        if reached := stack.client("open_ports", address=machine.address, ports=loopback):
            found[f"{role.name} on loopback"] = reached
        for port in loopback:
            wide = [each for each in listening.get(port, ()) if not re.match(r"127\.|\[::1\]|\[?::ffff:127\.", each)]
            if wide:
                found[f"{role.name}:{port}"] = wide
        for name, port, __ in listeners_of(role, stack):
            if answer := _answered(stack, machine, ASKED[role.name, name], port):
                found[f"{role.name} {name}"] = answer
    return found


def roles_on(machine: Machine) -> list[Role]:
    """The roles whose unit the machine has, and those without a unit of their own that listen all the same."""
    units = set(machine.inside("ls", "/etc/systemd/system").split())
    return [
        each
        for each in registry.built_in().values()
        if each.unit in units or (not each.unit and each.manifest.loopback)
    ]


def listeners_of(role: Role, stack: BootedStack) -> list[tuple[str, int, Listener]]:
    """A role's listeners that are there beside a gateway, with their ports."""
    asked_for = int(stack.outputs["endpoint"].removesuffix("/v1").rpartition(":")[2])
    return [
        (name, asked_for if role.name == "gateway" else each.port, each)
        for name, each in role.manifest.listeners.items()
        if each.to is not None or each.protocol == "tls"
    ]


def _answered(stack: BootedStack, machine: Machine, question: Question, port: int) -> object:
    """What a stranger was told; None where he was refused in each way."""
    where = {"ca": stack.outputs["certificate_authority"], "address": machine.address, "port": port}
    told = [
        stack.client("stranger", **where, way=question.way, question=question.what, key=key)
        for key in ("", *((WRONG,) if question.way != "sql" else ()))
    ]
    return None if all(REFUSED[question.way].match(each) for each in told) else told


def _listening(machine: Machine) -> dict[int, list[str]]:
    """The addresses that somebody listens on, by port."""
    found: dict[int, list[str]] = {}
    for line in machine.inside("ss", "-Hlnt").splitlines():
        address, __, port = line.split()[3].rpartition(":")
        found.setdefault(int(port), []).append(address)
    return found
