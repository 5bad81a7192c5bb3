"""What is rehearsed of each stack besides `up` and `destroy`: edits of its file, each on top of those before."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
STACKS = ("aliyun-a100", "aliyun-t4", "tencent-a100", "tencent-t4")
"""The stacks that were rehearsed with an official plugin of their GPU host's cloud."""
ON_AWS = ("aws-t4",)
"""The stack that can be recorded where AWS's plugin is."""
SIMULATED = ("aws",)
"""The package of the third cloud: its plugin was not to be had, so `sim` answers for it (the proxy of aliyun-t4)."""
NEWER_IMAGE = "20271231"


class Edit(NamedTuple):
    """One edit: its name, and what it sets, by path in ``platform``; None takes it out."""

    name: str
    values: dict[str, Any]


OTHER_GPU: dict[str, dict[str, Any]] = {
    "aliyun-a100": {"gpu_count": 2},
    "aliyun-t4": {"gpu": "A10"},
    "aws-t4": {"instance_type": "g4dn.2xlarge"},
    "tencent-a100": {"gpu_count": 2},
    "tencent-t4": {"instance_type": "GN7.5XLARGE80"},
}
OTHER_ZONE = {
    "aliyun-a100": "cn-beijing-k",
    "aliyun-t4": "cn-hangzhou-h",
    "aws-t4": "ap-northeast-1c",
    "tencent-a100": "ap-shanghai-5",
    "tencent-t4": "ap-guangzhou-4",
}


def edits(stack: str) -> tuple[Edit, ...]:
    """The edits of a stack, in order."""
    return (
        Edit("context", {"server.context_length": 2048}),
        Edit("key", {"server.keys.second": {"requests_per_minute": 5}}),
        Edit("cidr", {"access.allowed_cidrs": ["203.0.113.0/24", "198.51.100.0/24"]}),
        Edit("disk", {"server.model_disk_gib": 600}),
        Edit("gpu", {f"server.{key}": value for key, value in OTHER_GPU[stack].items()}),
        Edit("renew", {"server.renew": True}),
        Edit("zone", {"server.zone": OTHER_ZONE[stack]}),
    )


DNS = {"aliyun-t4": "aliyun", "tencent-t4": "tencent"}
"""The stacks that were rehearsed once more with what is added to them, and in whose DNS their record is."""


class Addition(NamedTuple):
    """A rehearsal of a stack with what it can have besides: what it is called, and its edits in order."""

    stack: str
    name: str
    edits: tuple[Edit, ...]

    @property
    def file(self) -> str:
        """The name of its record."""
        return f"{self.stack}-{self.name}" if self.name else self.stack


def at_once(stack: str) -> Addition:
    """In one edit what a stack can have of the server's cloud besides: a role, a record, a schedule of snapshots."""
    record = {"cloud": DNS[stack], "zone": "example.com"}
    values: dict[str, Any] = {
        "server.disk": {"snapshots": {"every": "day", "at": "03:00 Asia/Shanghai", "keep_days": 7}},
        "server.domain": {"name": "llm.example.com", "filed": True, "record": record},
        "server.idle_stop": {"minutes": 30},
    }
    return Addition(stack, "", (Edit("additions", values),))


HOURS = {"server.hours": "Mon-Fri 08:00-20:00 Asia/Shanghai", "server.started_by": "cloud"}
NEAR = {
    "server.gpu": "H20",
    "server.gpu_count": 8,
    "server.instance_type": "HCCPNV6.96XLARGE2304",
    "server.zone": "ap-guangzhou-6",
}
"""Machines that must be in a high performance computing cluster. Which zones sell them is not known: this is one."""
ONE_BY_ONE = (
    Addition(
        "tencent-t4",
        "hours",
        (
            Edit("hours", HOURS),
            Edit("others", {"server.hours": "Mon-Sat 09:30-21:00 Asia/Tokyo"}),
            Edit("tags", {"tags.team": "llm"}),
            Edit("hand", {"server.started_by": "hand"}),
        ),
    ),
    Addition(
        "tencent-t4",
        "replicas",
        (
            Edit("replicas", {"server.replicas": 2}),
            Edit("zone", {"server.replica_zones": ["ap-guangzhou-4"]}),
            Edit("hours", HOURS),
            Edit("one", {"server.replicas": 1, "server.replica_zones": None}),
        ),
    ),
    Addition("tencent-t4", "nodes", (Edit("nodes", {"server.nodes": 2}), Edit("one", {"server.nodes": 1}))),
    Addition(
        "tencent-t4",
        "near",
        (
            Edit("near", {**NEAR, "server.nodes": 2}),
            Edit("one", {**dict.fromkeys(NEAR), "server.gpu": "T4", "server.gpu_count": 1, "server.nodes": 1}),
        ),
    ),
    Addition(
        "tencent-t4",
        "buckets",
        (
            Edit("weights", {"server.weights": {"bucket": "cos://weights-1250000000/llm"}}),
            Edit("backup", {"vectors.backup": {"to": "cos://backups-1250000000/llm", "every": "1d"}}),
        ),
    ),
)
"""What a stack of Tencent Cloud was rehearsed with besides: hours that its functions begin, several machines with one
model or that have one together, buckets for weights and backups."""
ADDITIONS = (*map(at_once, DNS), *ONE_BY_ONE)


def written(stack: str, folder: Path, wanted: tuple[Edit, ...]) -> tuple[Path, ...]:
    """The stack's file with one edit more each, written into ``folder``."""
    content = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))
    files = []
    for edit in wanted:
        content = copy.deepcopy(content)
        for path, value in edit.values.items():
            *steps, last = path.split(".")
            here = content["config"]["pulumi-llm:platform"]
            for step in steps:
                here = here.setdefault(step, {})
            here[last] = value
            if value is None:
                del here[last]
        file = folder / f"{edit.name}.yaml"
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        files.append(file)
    return tuple(files)
