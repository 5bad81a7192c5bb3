"""One model on several machines over Ray: how Ray is started on each, and how vLLM finds it.

Ray's daemons run below `tie` as vLLM's own processes do, so that they start and end with those of the other machines
(docs/decisions/nodes.md). Every port that `ray start` of 2.56 has a flag for is given, so that a firewall can name it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm.roles.base import secret_row

if TYPE_CHECKING:
    from pulumi_llm.roles.base import Row
    from pulumi_llm.roles.requests import Among, VllmRole

ENVIRONMENT = "vllm-ray"
"""vLLM and Ray, in one environment."""
OVER_RAY = "/opt/llm/vllm/over-ray"
FOLDER = "/tmp/llm-ray"  # noqa: S108 - the unit has a /tmp of its own
TOKEN = "ray_token"  # noqa: S105 - the name of a secret
TOKEN_FILE = "/var/lib/llm-vllm/ray.token"  # noqa: S105
OBJECTS = 512 * 2**20
"""Bytes of shared memory for Ray's objects. vLLM passes what a model is told through them, and no tensors."""

GCS_PORT = 32765
"""Where the first machine's Ray is joined."""
NODE_PORTS = {
    "--node-manager-port": 32764,
    "--object-manager-port": 32763,
    "--runtime-env-agent-port": 32762,
    "--dashboard-agent-grpc-port": 32761,
    "--dashboard-agent-listen-port": 32760,
    "--metrics-export-port": 32759,
}
"""Of each machine."""
WORKER_PORTS = (32700, 32758)
CLIENT_PORT, DASHBOARD_PORT, SCALER_PORT = 32699, 32698, 32697
"""Of the first machine, and outside of what the firewall opens: Ray Client, which `ray start` starts by itself where
gRPC is installed, the dashboard, which is off, and the metrics of the program that would order machines."""


def is_over(role: VllmRole) -> bool:
    """Whether a model is on several machines over Ray."""
    return role.among is not None and role.among.ray


def start(role: VllmRole, among: Among, first: str, own: str, folder: str) -> list[str]:
    """`ray start` of one machine. ``first`` and ``own``: the addresses of the first machine, and of this one."""
    told = [f"{folder}/ray", "start", "--block", "--disable-usage-stats", f"--node-ip-address={own}"]
    if among.rank:
        told.append(f"--address={first}:{GCS_PORT}")
    else:
        told += ["--head", f"--port={GCS_PORT}", f"--ray-client-server-port={CLIENT_PORT}"]
        told += ["--include-dashboard=false", "--dashboard-host=127.0.0.1", f"--dashboard-port={DASHBOARD_PORT}"]
    told += [f"{flag}={port}" for flag, port in NODE_PORTS.items()]
    told += [f"--min-worker-port={WORKER_PORTS[0]}", f"--max-worker-port={WORKER_PORTS[1]}"]
    # No processor is anybody else's to ask for: a worker of vLLM asks for its GPU alone.
    told += ["--num-cpus=0", f"--num-gpus={role.tensor_parallel_size}", f"--object-store-memory={OBJECTS}"]
    return [*told, f"--temp-dir={FOLDER}"]


def prefix(role: VllmRole, among: Among, first: str, own: str, folder: str) -> list[str]:
    """What comes before vLLM's own command on the first machine, and is the whole command on the others."""
    whole = [f"{folder}/python", OVER_RAY, f"{first}:{GCS_PORT}", str(among.count)]
    return [*whole, *start(role, among, first, own, folder)]


def secrets(role: VllmRole, unit: str) -> list[Row]:
    """The token that Ray asks for of each call. Not among the other secrets, which vLLM's unit cannot see."""
    if not is_over(role):
        return []
    return [{**secret_row("ray.token", "llm-vllm", "raw", {TOKEN: ""}, unit), "path": TOKEN_FILE}]
