"""The roles of booted machines, as the program made them: what the simulated cloud has of them, told to the edge.

A role's document may hold what is known at `up` alone, such as the machine's id: it is read from the store then.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from llm_boot import compute
from llm_boot.compute import Row
from pulumi_llm import clouds
from pulumi_llm._simcloud.rules.reach import instance_types

if TYPE_CHECKING:
    from llm_boot.world import World
    from pulumi_llm._simcloud.store import Record, Store

Found = tuple[str, list[str]]
"""A machine's role, and its policies' documents."""


def _aliyun(store: Store, machine: Record) -> Found:
    for attached in store.list("alicloud:ecs/ramRoleAttachment:RamRoleAttachment", instanceId=machine.id):
        name = str(attached.get("ramRoleName"))
        names = [
            str(each.get("policyName"))
            for each in store.list("alicloud:ram/rolePolicyAttachment:RolePolicyAttachment", roleName=name)
        ]
        policies = [each for each in store.list("alicloud:ram/policy:Policy") if each.id in names]
        return name, [str(each.get("policyDocument")) for each in policies]
    return "", []


def _tencent(store: Store, machine: Record) -> Found:
    name = str(machine.get("camRoleName") or "")
    roles = [each.id for each in store.list("tencentcloud:Cam/role:Role", name=name)] if name else []
    granted = [
        str(each.get("policyId"))
        for each in store.list("tencentcloud:Cam/rolePolicyAttachment:RolePolicyAttachment")
        if str(each.get("roleId")) in roles
    ]
    policies = [each for each in store.list("tencentcloud:Cam/policy:Policy") if each.id in granted]
    return (name if roles else ""), [str(each.get("document")) for each in policies]


def _aws(store: Store, machine: Record) -> Found:
    profile = str(machine.get("iamInstanceProfile") or "")
    for found in store.list("aws:iam/instanceProfile:InstanceProfile", name=profile) if profile else ():
        role = str(found.get("role"))
        return role, [str(each.get("policy")) for each in store.list("aws:iam/rolePolicy:RolePolicy", role=role)]
    return "", []


FINDERS: dict[str, Callable[[Store, Record], Found]] = {"aliyun": _aliyun, "tencent": _tencent, "aws": _aws}
KINDS = ("role", "policy", "instanceprofile", "attachment", "instance", "association")
"""What the last word of a type's name ends with where it bears on what a machine may."""


def concerns(token: str) -> bool:
    """Whether a resource of that type bears on it."""
    return token.casefold().endswith(KINDS)


def tell(world: World, store: Store) -> None:
    """Let the edge know the roles of all machines that have one. What it was told of their notices stays."""
    with compute.changing(world.folder):
        known = compute.read(world.folder)
        rows = {row.machine: row for row in known.values()}
        made = dict(_rows(world, store, rows))
        if made or known:
            compute.write(world.folder, made)


def _rows(world: World, store: Store, known: dict[str, Row]) -> Iterator[tuple[str, Row]]:
    for record in store.list(*instance_types()):
        machine, folder = world.find_machine(record.id), clouds.of_package(record.package)
        find = FINDERS.get(folder.name if folder else "")
        if machine is None or not machine.address or folder is None or find is None:
            continue
        role, documents = find(store, record)
        before = known.get(record.id)
        if not role and before is None:
            continue
        more: dict[str, Any] = {}
        if arn := record.get("arn"):
            more["account"] = str(arn).split(":")[4]
        yield (
            machine.address,
            Row(
                cloud=folder.name,
                region=record.region,
                id=record.id,
                machine=record.id,
                role=role,
                policies=tuple(json.loads(each) for each in documents),
                notice=before.notice if before else "",
                key=before.key if before else (secrets.token_hex(8), secrets.token_hex(16), secrets.token_hex(16)),
                **more,
            ),
        )
