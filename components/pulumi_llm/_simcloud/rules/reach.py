"""Which simulated machine answers at an address, and whose key it lets in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pulumi_llm import clouds
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._provider_facts.values import REDACTED, Props

from ..store import Record, Store
from .base import public_key


@dataclass(frozen=True)
class Reach:
    """A cloud's types that decide who answers at an address and what is plugged in, and the properties that say so."""

    package: str
    instance: str
    key_pair: str
    machine_key: str
    """The machine's property that names its key pair, or a list of them."""
    address: str
    address_ip: str
    association: str
    association_address: str
    association_instance: str
    private_ip: str
    subnet: str
    machine_subnet: str
    """The machine's property that names its subnet."""
    disk: str
    disk_size: str
    attachment: str
    attachment_disk: str
    key_name: str = ""
    """The name of a key pair, where machines want that and the provider may have made it."""
    public_key: str = "publicKey"
    """Where a key pair has its public key."""
    own_keys: str = ""
    """Where a machine has the keys that it lets in itself, a line each: `ssh-rsa …`, maybe with `user:` before it."""
    own_address: str = ""
    """Where a machine has its public address itself, and no resource attaches one."""
    own_private_address: str = ""


@cache
def reaches() -> tuple[Reach, ...]:
    """One row a cloud that has machines with addresses, from the clouds' folders."""
    rows = ((each.package, each.read("simulated.json").get("reach")) for each in clouds.folders().values())
    return tuple(Reach(package=package, **row) for package, row in rows if row)


def instance_types() -> list[str]:
    """The types that are machines."""
    return [each.instance for each in reaches()]


def machine_at(store: Store, address: str, *, private: bool = False) -> Record | None:
    """The running instance that answers at a public address; with ``private`` at a private one too."""
    for instance in store.list(*instance_types()):
        own = {str(each) for each in addresses_of(instance, private=private)}
        if address and address in (*own, instance.get("publicIp"), instance.get("privateIp") if private else None):
            return instance
    for reach in reaches():
        for found in store.list(reach.address, **{reach.address_ip: address}):
            bound = [
                each
                for each in (store.list(reach.association) if reach.association else ())
                if found.id in map(str, at(each.properties, reach.association_address))
            ]
            # A number, where ids are.
            wanted = [str(one) for each in bound for one in at(each.properties, reach.association_instance)]
            wanted += [found.get("instance")]  # an AWS address may name its instance itself
            for instance in store.list(*instance_types()):
                if instance.id in wanted:
                    return instance
    return None


def addresses_of(instance: Record, *, private: bool = False) -> Iterator[Any]:
    """The addresses that a machine names itself."""
    for each in reaches():
        if each.instance == instance.type:
            for path in (each.own_address, each.own_private_address if private else ""):
                yield from at(instance.properties, path) if path else ()


def at(value: Any, path: str) -> Iterator[Any]:
    """All that is at a dotted path; `[]` goes through a list."""
    step, _, rest = path.partition(".")
    found = value.get(step.removesuffix("[]")) if isinstance(value, Mapping) else None
    for each in (found or ()) if step.endswith("[]") else (found,):
        yield from at(each, rest) if rest else (each,)


def key_pairs_of(type_: str, properties: Props) -> set[str]:
    """The ids of the key pairs that a machine of that type lets in."""
    found: set[str] = set()
    for each in reaches():
        if each.instance == type_:
            named = properties.get(each.machine_key) or []
            found |= {str(name) for name in (named if isinstance(named, list) else [named])}
    return found


def lets_in(store: Store, machine: Record, private_key: str) -> bool:
    """Whether a private key opens an instance: its key pair, or a key that its user data installs.

    A key that cannot be read as one is turned away; where no library can read keys, every key is let in.
    """
    try:
        from cryptography.hazmat.primitives import serialization as pem
    except ImportError:
        return True
    try:
        load = pem.load_ssh_private_key if "OPENSSH PRIVATE KEY" in private_key else pem.load_pem_private_key
        line = load(private_key.encode(), None).public_key().public_bytes(
            pem.Encoding.OpenSSH, pem.PublicFormat.OpenSSH
        )  # fmt: skip
    except Exception:
        return False
    wanted = public_key(line.decode())
    named = key_pairs_of(machine.type, machine.properties)
    known = [
        each.get(reach.public_key) or ""
        for reach in reaches()
        for each in (store.list(reach.key_pair) if reach.key_pair else ())
        if each.region in ("", machine.region) and each.id in named
    ]
    own = [path for each in reaches() if each.instance == machine.type and (path := each.own_keys)]
    known += [
        line.partition(":")[2] or line
        for path in own
        for text in at(machine.properties, path)
        for line in str(text).splitlines()
    ]
    if REDACTED in known or wanted in map(public_key, known):  # a key that was a secret cannot be compared
        return True
    text = _user_data(machine.properties)
    return text == REDACTED or line.decode().split()[1] in text


def _user_data(properties: Props) -> str:
    import base64
    import contextlib

    metadata = properties.get("metadata")
    if isinstance(metadata, Mapping):
        return str(metadata.get("user-data") or "")
    text: Any = properties.get("userData") or properties.get("userDataRaw") or properties.get("userDataBase64") or ""
    with contextlib.suppress(ValueError):
        return str(text) + base64.b64decode(text, validate=True).decode(errors="replace")
    return str(text)
