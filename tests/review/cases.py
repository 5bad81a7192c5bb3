"""Changes of a shipped stack that everybody makes some day, and what each does on each cloud."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.exchange import standing
from pulumi_llm._plan.forecast import Forecast

ROOT = Path(__file__).parents[2]
CLOUDS = ("aliyun", "aws", "gcp", "tencent", "volcengine")
OTHER_GPU = {"aliyun": "A10", "aws": "A10G", "gcp": "T4", "tencent": "A10", "volcengine": "A100-80GB"}
OTHER_REGION = {
    "aliyun": "cn-shanghai",
    "aws": "us-west-2",
    "gcp": "europe-west4",
    "tencent": "ap-shanghai",
    "volcengine": "cn-shanghai",
}
SERVERS = {
    "gcp": {"cloud": "gcp", "region": "us-central1", "gpu": "L4"},
    "volcengine": {"cloud": "volcengine", "region": "cn-beijing", "gpu": "A10"},
    "gcp-to-tpu": {"cloud": "gcp", "region": "europe-west4", "gpu": "L4", "model": "Qwen/Qwen3-8B"},
    "gcp-from-tpu": {"cloud": "gcp", "region": "europe-west4", "gpu": "TPU-v6e", "model": "Qwen/Qwen3-8B"},
}
"""Clouds without a shipped stack: what is said otherwise of the server of Aliyun's."""
NEWER_IMAGE = "image-date:20271231"
DISK_GIB = 200

Platform = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A change. ``worst`` is the worst impact, by cloud where they differ; ``same_machine`` likewise."""

    edit: Callable[[Platform, str], None]
    worst: str | dict[str, str]
    same_machine: bool | dict[str, bool] = True
    faults: str = ""
    vllm: str | None = None
    words: tuple[str, ...] = field(default=())
    """Words that the English comment must hold."""
    refused_on: tuple[str, ...] = ()
    """Clouds that cannot what the change asks for."""

    def worst_on(self, cloud: str) -> str:
        return self.worst if isinstance(self.worst, str) else self.worst[cloud]

    def keeps_machine_on(self, cloud: str) -> bool:
        return self.same_machine if isinstance(self.same_machine, bool) else self.same_machine[cloud]


def setting(path: str, value: Any) -> Callable[[Platform, str], None]:
    """Set one value; a callable gives it by cloud."""

    def edit(platform: Platform, cloud: str) -> None:
        *steps, last = path.split(".")
        here = platform
        for step in steps:
            here = here.setdefault(step, {})
        here[last] = value(cloud) if callable(value) else value

    return edit


def _without_vectors(platform: Platform, cloud: str) -> None:
    platform.pop("vectors", None)


CASES = {
    "context-length": Case(setting("server.context_length", 2048), "restarts-service", words=("llm-vllm",)),
    "key": Case(setting("server.keys.default.generation", 2), "replaces-secret", words=("llm-server-key-default",)),
    "model": Case(setting("server.model", "Qwen/Qwen2.5-3B-Instruct"), "restarts-service", words=("llm-vllm",)),
    "gpu": Case(
        setting("server.gpu", OTHER_GPU.__getitem__),
        {
            "aliyun": "stops-and-starts",
            "aws": "stops-and-starts",
            "gcp": "replaces-machine",
            "tencent": "deletes-data",
            "volcengine": "stops-and-starts",
        },
        same_machine={"aliyun": True, "aws": True, "gcp": False, "tencent": False, "volcengine": True},
    ),
    "image": Case(
        setting("server.renew", True),
        "replaces-machine",
        same_machine=False,
        faults=NEWER_IMAGE,
    ),
    "cidr": Case(setting("access.allowed_cidrs", ["198.51.100.0/24"]), "in-place", words=("198.51.100.0/24",)),
    "region": Case(
        setting("server.region", OTHER_REGION.__getitem__),
        "deletes-data",
        same_machine=False,
        words=("nothing copies it", "its GPU may be sold out", "another public address"),
    ),
    "upstream": Case(
        setting("proxy.upstreams.openai.models", ["gpt-6-luna", "gpt-6-sol"]),
        "applied-over-ssh",
        words=("routes.json",),
    ),
    "disk-grow": Case(setting("server.model_disk_gib", 300), "applied-over-ssh", words=("200",)),
    "disk-shrink": Case(setting("server.model_disk_gib", 100), "refused", words=("`up` fails",)),
    "engine-version": Case(lambda platform, cloud: None, "restarts-service", vllm="0.33.0", words=("0.33.0",)),
    "vectors-engine": Case(
        setting("vectors.engine", "qdrant"),
        "restarts-service",
        words=("diff.vectors-not-carried", "/srv/llm/weaviate", "stops `llm-weaviate`"),
    ),
    "replicas": Case(
        setting("server.replicas", 3),
        "applied-over-ssh",
        words=("llm-server-replica-2-machine", "llm-server-replica-3: replica"),
    ),
    "nodes": Case(
        setting("server.nodes", 2),
        "restarts-service",
        words=("llm-server-node-2-machine", "llm-server-node-2: node"),
        refused_on=("gcp", "volcengine"),
    ),
    "vectors-removed": Case(_without_vectors, "restarts-service", words=("stops `llm-weaviate`",)),
}
"""In all of them the data disk's size is given: by default it follows the model's size, and a disk cannot shrink."""


PROXIES = {"azure": "southeastasia", "digitalocean": "sgp1", "gcp-proxy": "us-west1", "vultr": "sgp"}
"""Proxies on other clouds than the server, which is on Aliyun: their clouds, each with its region there."""

OTHER_SIZES = {
    "azure": "Standard_B4ls_v2",
    "digitalocean": "s-4vcpu-8gb",
    "gcp-proxy": "e2-standard-4",
    "vultr": "vc2-4c-8gb",
}
OTHER_REGIONS = {"azure": "japaneast", "digitalocean": "nyc3", "gcp-proxy": "asia-northeast1", "vultr": "nrt"}

PROXY_CASES = {
    "cidr": Case(setting("access.allowed_cidrs", ["198.51.100.0/24"]), "in-place", words=("198.51.100.0/24",)),
    "image": Case(
        setting("proxy.renew", True),
        # Vultr has one number for all images of a release, and Azure finds the newest one when a machine is made.
        {
            "azure": "may-take-effect",
            "digitalocean": "replaces-machine",
            "gcp-proxy": "replaces-machine",
            "vultr": "may-take-effect",
        },
        faults=NEWER_IMAGE,
    ),
    "size": Case(setting("proxy.instance_type", OTHER_SIZES.__getitem__), "stops-and-starts", words=("llm-proxy",)),
    "region": Case(
        setting("proxy.region", OTHER_REGIONS.__getitem__), "deletes-data", words=("another public address",)
    ),
    "upstream": CASES["upstream"],
    "disk-grow": Case(setting("proxy.disk_gib", 40), "applied-over-ssh", words=("20",)),
    "disk-shrink": Case(setting("proxy.disk_gib", 10), "refused", words=("`up` fails",)),
}
"""What may be changed of a proxy, and what that does where its cloud is another than the server's."""

TPUS = {"gcp-to-tpu": "TPU-v6e", "gcp-from-tpu": "L4"}
"""Servers that stand on Google Cloud, and what is asked for in their GPU's place."""

TPU_CASES = {
    "gpu": Case(
        setting("server.gpu", TPUS.__getitem__),
        "deletes-data",
        same_machine=False,
        # Of another kind are the disk and the image, and the machine that starts from it has an address of its own.
        words=("copy the data first", "its GPU may be sold out", "another public address"),
    ),
}

SHRINKS_TO_ANOTHER = {
    "gcp": Case(setting("server.model_disk_gib", 100), "deletes-data", words=("diff.deletes-data",)),
    "gcp-proxy": Case(setting("proxy.disk_gib", 10), "deletes-data", words=("diff.deletes-data",)),
}
"""A smaller disk of Google's is another disk: its provider replaces it."""


def case_on(name: str, cloud: str) -> Case:
    """The case as it is on that cloud."""
    cases = PROXY_CASES if cloud in PROXIES else TPU_CASES if cloud in TPUS else CASES
    return SHRINKS_TO_ANOTHER.get(cloud, cases[name]) if name == "disk-shrink" else cases[name]


def stack_of(cloud: str) -> str:
    return "aliyun-t4" if cloud in PROXIES or cloud in SERVERS else f"{cloud}-t4"


def project(folder: Path, cloud: str, edit: Callable[[Platform, str], None] | None = None) -> Path:
    """A copy of the shipped project, its stack edited; the given disk size comes first."""
    target = folder / "project"
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    shutil.copytree(ROOT / "stacks", target / "stacks")
    shutil.copy(ROOT / "Pulumi.yaml", target)
    file = target / "stacks" / f"Pulumi.{stack_of(cloud)}.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    platform = content["config"]["pulumi-llm:platform"]
    platform["server"]["model_disk_gib"] = DISK_GIB
    platform["server"] |= SERVERS.get(cloud, {})
    if cloud in PROXIES:
        platform["proxy"] |= {"cloud": cloud.removesuffix("-proxy"), "region": PROXIES[cloud]}
    if edit is not None:
        edit(platform, cloud)
    file.write_text(yaml.safe_dump(copy.deepcopy(content)), encoding="utf-8")
    return target


def base(folder: Path, cloud: str) -> Any:
    """The plan of the stack as it stands before any change."""
    return standing(project(folder, cloud), stack_of(cloud))


def compared(folder: Path, cloud: str, before: Any, edit: Callable[[Platform, str], None]) -> Comparison:
    """The comparison of an edit with what stands."""
    forecast = Forecast(before)
    return forecast.comparison(capture_stack(project(folder, cloud, edit), stack_of(cloud), forecast))
