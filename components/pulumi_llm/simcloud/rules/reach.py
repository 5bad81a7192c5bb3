"""Which simulated machine answers at an address, and whose key it lets in."""

from __future__ import annotations

from typing import Any

from ..store import Record, Store
from ..values import REDACTED, Props
from .base import public_key

INSTANCES = {
    "aws": "aws:ec2/instance:Instance",
    "alicloud": "alicloud:ecs/instance:Instance",
    "tencentcloud": "tencentcloud:Instance/instance:Instance",
}
# Address resource, its property, the association that binds it, and that association's inputs.
ADDRESSES = (
    ("aws:ec2/eip:Eip", "publicIp", "aws:ec2/eipAssociation:EipAssociation", "allocationId", "instanceId"),
    (
        "alicloud:ecs/eipAddress:EipAddress",
        "ipAddress",
        "alicloud:ecs/eipAssociation:EipAssociation",
        "allocationId",
        "instanceId",
    ),
    (
        "tencentcloud:Eip/instance:Instance",
        "publicIp",
        "tencentcloud:Eip/association:Association",
        "eipId",
        "instanceId",
    ),
)
KEYS = (
    "aws:ec2/keyPair:KeyPair",
    "alicloud:ecs/ecsKeyPair:EcsKeyPair",
    "tencentcloud:Key/pair:Pair",
)


def machine_at(store: Store, address: str, *, private: bool = False) -> Record | None:
    """The running instance that answers at a public address; with ``private`` at a private one too."""
    for instance in store.list(*INSTANCES.values()):
        if address and address in (instance.get("publicIp"), instance.get("privateIp") if private else None):
            return instance
    for type_, field, association, key, target in ADDRESSES:
        for found in store.list(type_, **{field: address}):
            wanted = [each.get(target) for each in store.list(association, **{key: found.id})]
            wanted += [found.get("instance")]  # an AWS address may name its instance itself
            for instance in store.list(*INSTANCES.values()):
                if instance.id in wanted:
                    return instance
    return None


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
    named = {machine.get("keyName"), *(machine.get("keyIds") or ())}
    pairs = [each for each in store.list(*KEYS, region=machine.region) if each.id in named]
    known = [each.get("publicKey") or "" for each in pairs]
    if REDACTED in known or wanted in map(public_key, known):  # a key that was a secret cannot be compared
        return True
    text = _user_data(machine.properties)
    return text == REDACTED or line.decode().split()[1] in text


def _user_data(properties: Props) -> str:
    import base64
    import contextlib

    text: Any = properties.get("userData") or properties.get("userDataRaw") or properties.get("userDataBase64") or ""
    with contextlib.suppress(ValueError):
        return str(text) + base64.b64decode(text, validate=True).decode(errors="replace")
    return str(text)
