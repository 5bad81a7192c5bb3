"""Runs an adapter in this process, against a monitor that records what is asked of the engine."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import mocks, settings, stack
from pulumi.runtime.proto import resource_pb2

from pulumi_llm import catalog, clouds
from pulumi_llm._plan.capture import wind_down
from pulumi_llm._plan.structs import plain
from pulumi_llm.clouds.base import (
    Cloud,
    DiskRequest,
    MachineRequest,
    NetworkRequest,
    RecordRequest,
    Rule,
    Scope,
)
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.clouds.plans import SnapshotPlan, StartPlan

USER_DATA = "#cloud-config\nwrite_files: []\n"


def _rsa_public_key() -> str:
    """A well-formed RSA key in OpenSSH's form, which every cloud takes. Nobody has its private half."""
    modulus = (1 << 2047) + 0xC0FFEE1
    fields = (b"ssh-rsa", b"\x01\x00\x01", b"\x00" + modulus.to_bytes(256, "big"))
    blob = b"".join(len(each).to_bytes(4, "big") + each for each in fields)
    return f"ssh-rsa {base64.b64encode(blob).decode()} test"


PUBLIC_KEY = _rsa_public_key()
CIDRS = ("203.0.113.0/24", "198.51.100.7/32")
RULES = (Rule(port=443, cidrs=CIDRS, description="HTTPS"), Rule(port=22, cidrs=CIDRS[:1], description="SSH"))
TAGS = {"team": "search"}

REGIONS = {
    "aliyun": "cn-hangzhou",
    "aws": "us-west-2",
    "azure": "southeastasia",
    "digitalocean": "sgp1",
    "gcp": "us-west1",
    "tencent": "ap-guangzhou",
    "volcengine": "cn-beijing",
    "vultr": "ewr",
}
ZONES = {
    "aliyun": "cn-hangzhou-i",
    "aws": "us-west-2a",
    "azure": "southeastasia",
    "digitalocean": "sgp1",
    "gcp": "us-west1-a",
    "tencent": "ap-guangzhou-3",
    "volcengine": "cn-beijing-a",
    "vultr": "ewr",
}
TYPES = {
    "aliyun": "ecs.gn6i-c4g1.xlarge",
    "aws": "g4dn.xlarge",
    "azure": "Standard_B2s_v2",
    "digitalocean": "s-2vcpu-4gb",
    "gcp": "g2-standard-4",
    "tencent": "GN7.2XLARGE32",
    "volcengine": "ecs.pni2.3xlarge",
    "vultr": "vcg-a16-6c-64g-16vram",
}
SELL_SPOT = tuple(name for name in TYPES if catalog.load().cloud(name).spot)
START = tuple(name for name in TYPES if Capability.STARTS in catalog.load().cloud(name).can)
COPY = tuple(name for name in TYPES if Capability.SNAPSHOTS in catalog.load().cloud(name).can)
STOP = tuple(
    name
    for name in TYPES
    if (power := clouds.folders()[name].read("power.json")) and power.get("itself", {"is": True})["is"]
)
"""The clouds on which a machine stops itself."""
WITH_ZONES = tuple(name for name, zone in ZONES.items() if zone != REGIONS[name])
"""The clouds whose regions have more zones than one."""


@dataclass(frozen=True)
class Made:
    """One resource that was registered."""

    type: str
    name: str
    urn: str
    inputs: dict[str, Any]
    parent: str
    provider: str
    depends_on: frozenset[str]
    ignored: frozenset[str]
    replaced_on: frozenset[str]
    delete_before_replace: bool | None


@dataclass
class Recording:
    """Everything that one run registered and looked up."""

    made: list[Made] = field(default_factory=list)
    looked_up: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def of(self, type_: str) -> list[Made]:
        return [each for each in self.made if each.type == type_]

    def only(self, type_: str) -> Made:
        (found,) = self.of(type_)
        return found


def _image_of_digitalocean(number: int, created: str) -> dict[str, Any]:
    names = ("description", "errorMessage", "name", "status", "type")
    lists: dict[str, list[str]] = {"regions": [], "tags": []}
    sizes = {"minDiskSize": 7, "sizeGigabytes": 2.0, "private": False}
    texts = {"distribution": "Ubuntu", "slug": "ubuntu-24-04-x64", "image": str(number)}
    return {**dict.fromkeys(names, ""), **lists, **sizes, **texts, "id": number, "created": created}


def _image_of_volcengine(image: str, name: str, created: str) -> dict[str, Any]:
    names = (
        "bootMode",
        "description",
        "platform",
        "platformVersion",
        "shareStatus",
        "status",
        "updatedAt",
        "visibility",
    )
    texts = {"architecture": "amd64", "osName": name, "osType": "Linux", "size": 20, "isSupportCloudInit": True}
    return {**dict.fromkeys(names, ""), **texts, "tags": [], "imageId": image, "imageName": name, "createdAt": created}


IMAGES: dict[str, dict[str, Any]] = {
    "aws:ssm/getParameter:getParameter": {"insecureValue": "ami-0123456789abcdef0", "value": "ami-0123456789abcdef0"},
    "alicloud:ecs/getImages:getImages": {"ids": ["ubuntu_24_04_x64_20G_alibase_20260916.vhd"]},
    "digitalocean:index/getImages:getImages": {
        "images": [_image_of_digitalocean(154_000_001, "2026-01-01"), _image_of_digitalocean(154_000_002, "2026-08-01")]
    },
    "gcp:compute/getImage:getImage": {
        "selfLink": "https://www.googleapis.com/compute/v1/projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v20260910"
    },
    "vultr:index/getOs:getOs": {"id": "2284", "name": "Ubuntu 24.04 LTS x64", "arch": "x64", "family": "ubuntu"},
    "tencentcloud:Images/getInstance:getInstance": {
        "images": [
            {"imageId": "img-grid", "imageName": "Ubuntu Server 24.04 LTS 64bit GRID", "createdTime": "2026-08-01"},
            {"imageId": "img-old", "imageName": "Ubuntu Server 24.04 LTS 64bit", "createdTime": "2025-01-01"},
            {"imageId": "img-new", "imageName": "Ubuntu Server 24.04 LTS 64bit", "createdTime": "2026-01-01"},
        ]
    },
    "volcengine:ecs/getImages:getImages": {
        "images": [
            _image_of_volcengine("image-gpu", "Ubuntu 24.04 with GPU Driver 570.86.15 64 bit", "2026-08-01"),
            _image_of_volcengine("image-old", "Ubuntu 24.04 64 bit", "2025-01-01"),
            _image_of_volcengine("image-new", "Ubuntu 24.04 64 bit", "2026-01-01"),
        ]
    },
}


def record(
    program: Callable[[], Any], *, preview: bool = False, images: Mapping[str, dict[str, Any] | Exception] = IMAGES
) -> Recording:
    """Run ``program`` as the engine would and give what it asked for."""
    recording = Recording()
    monitor = _Monitor(recording, images)
    quiet = logging.getLogger("tests.clouds.engine")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    settings.configure(
        mocks.MockSettings(
            monitor=monitor,
            monitor_features=set(monitor.GetDeploymentInfo(empty_pb2.Empty()).supportedFeatures),
            engine=mocks.MockEngine(quiet),
            project="project",
            stack="stack",
            dry_run=preview,
            organization="organization",
            callbacks=None,
        )
    )
    settings.set_root_resource(None)  # type: ignore[arg-type]
    try:
        loop.run_until_complete(stack.run_in_stack(program))
    finally:
        wind_down(loop)
    return recording


class _Monitor(mocks.MockMonitor):
    def __init__(self, recording: Recording, images: Mapping[str, dict[str, Any] | Exception]) -> None:
        super().__init__(_Answers(recording, images))
        self.recording = recording

    def RegisterResource(self, request: Any) -> Any:
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self.recording.made.append(
                Made(
                    type=request.type,
                    name=request.name,
                    urn=response.urn,
                    inputs=plain(request.object),
                    parent=request.parent,
                    provider=request.provider,
                    depends_on=frozenset(request.dependencies),
                    ignored=frozenset(request.ignoreChanges),
                    replaced_on=frozenset(request.replaceOnChanges),
                    delete_before_replace=(request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None),
                )
            )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:
        self.recording.looked_up.append((request.tok, plain(request.args)))
        return super().Invoke(request)

    def SupportsFeature(self, request: Any) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id != "outputValues")


class _Answers(mocks.Mocks):
    def __init__(self, recording: Recording, images: Mapping[str, dict[str, Any] | Exception]) -> None:
        self.recording = recording
        self.images = images

    def call(self, args: mocks.MockCallArgs) -> Any:
        answer = self.images[args.token]
        if isinstance(answer, Exception):
            raise answer
        return {**args.args, **answer}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        computed = {
            "aws:ec2/keyPair:KeyPair": {"keyName": f"{args.name}-key"},
            "volcengine:eip/address:Address": {"eipAddress": "192.0.2.1"},
            "gcp:compute/address:Address": {"address": "192.0.2.1"},
            "vultr:index/reservedIp:ReservedIp": {"subnet": "192.0.2.1"},
        }.get(args.typ, {})
        return f"{args.name}-id", {**args.inputs, **computed, "publicIp": "192.0.2.1", "ipAddress": "192.0.2.1"}


def everything(
    cloud: Cloud,
    *,
    spot: bool = False,
    renew: bool = False,
    stops: bool = False,
    copied: bool = False,
    started: bool = False,
    name: str = "qwen",
    zone: str | None = None,
    **changes: Any,
) -> Callable[[], None]:
    """A program that has ``cloud`` make one of each thing.

    ``stops``: the machine's role to stop itself too, and where a cloud can, to start others; ``copied``: snapshots of
    its disk, on one day of the week; ``started``: a schedule that starts the machine.
    """

    def program() -> None:
        scope = scope_of(cloud)
        where = zone or ZONES[cloud.name]
        network = cloud.network(
            f"{name}-network",
            NetworkRequest(cidr="10.60.0.0/16", subnet_cidr="10.60.0.0/24", zone=where, tags=TAGS),
            scope,
        )
        firewall = cloud.firewall(f"{name}-firewall", network.vpc_id, RULES, TAGS, scope)
        key = cloud.key_pair(f"{name}-key", str(changes.get("public_key", PUBLIC_KEY)), TAGS, scope, renew=renew)
        instance_type = str(changes.get("instance_type", TYPES[cloud.name]))
        role = cloud.stop_role(f"{name}-role", TAGS, scope) if stops else None
        early = cloud.address(f"{name}-address", TAGS, scope) if getattr(cloud, "address_at_launch", False) else None
        wanted = DiskRequest(
            size_gib=int(changes.get("data_disk_gib", 101)),
            zone=where,
            instance_type=instance_type,
            tags=TAGS,
            copied=copied,
        )
        # One of the two may name the other; else the disk is attached by a resource of its own.
        named = getattr(cloud, "disk_names_machine", False)
        names = getattr(cloud, "machine_names_disk", False)
        disk = cloud.disk(f"{name}-disk", wanted, scope) if names else None
        machine = cloud.machine(
            f"{name}-machine",
            MachineRequest(
                instance_type=instance_type,
                zone=where,
                image_id=cloud.image(instance_type, scope),
                vpc_id=network.vpc_id,
                subnet_id=network.subnet_id,
                firewall_id=firewall,
                key_id=key,
                user_data=str(changes.get("user_data", USER_DATA)),
                system_disk_gib=int(changes.get("system_disk_gib", 50)),
                spot=spot,
                renew=renew,
                address=early,
                disk=disk,
                tags=TAGS,
                role=role.at_launch if role else None,
            ),
            scope,
        )
        if role is not None:
            cloud.allow_stop(f"{name}-role", role, machine, scope)
            if Capability.WAKES in catalog.load().cloud(cloud.name).can:
                host: Any = SimpleNamespace(id=machine.id, role=role, machine=machine)
                cloud.let_start(f"{name}-wake", host, [host], scope)
        if started:
            cloud.start_machine(
                f"{name}-starts", [StartPlan(days=(0,), hour=8, minute=0, zone="UTC")], machine, TAGS, scope
            )
        address = early or cloud.address(f"{name}-address", TAGS, scope)
        if early is None:
            cloud.attach_address(f"{name}-address-attachment", address, machine, scope)
        zone_id = "Z1" if cloud.name == "aws" else None
        record = RecordRequest(name="llm.example.com", zone="example.com", zone_id=zone_id, address=address.ip)
        if hasattr(cloud, "record") and Capability.DNS in catalog.load().cloud(cloud.name).can:
            cloud.record(f"{name}-name", record, scope)
        if disk is None:
            disk = cloud.disk(f"{name}-disk", dataclasses.replace(wanted, holder=machine if named else None), scope)
        if copied:
            plan = SnapshotPlan(days=(0,), hour=3, minute=0, keep_days=7)
            cloud.copy_disk(f"{name}-copies", plan, disk, TAGS, scope)
        if not named and not names:
            cloud.attach_disk(f"{name}-disk-attachment", disk.id, machine, scope)

    return program


def scope_of(cloud: Cloud) -> Scope:
    region = REGIONS[cloud.name]
    parent = pulumi.ComponentResource("llm:index:Test", "parent")
    return Scope(parent=parent, provider=cloud.provider("provider", region, parent), region=region)


def value_at(inputs: Mapping[str, Any], path: str) -> Any:
    """The input at a path such as ``rootBlockDevice.encrypted`` or ``ingresses.-1.action``, or None."""
    here: Any = inputs
    for step in path.split("."):
        if isinstance(here, Mapping):
            here = here.get(step)
        elif isinstance(here, Sequence) and not isinstance(here, str) and here:
            here = here[int(step)]
        else:
            return None
    return here
