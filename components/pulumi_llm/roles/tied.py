"""One model on several machines: what vLLM is told of them, and what ties their engines together.

Each machine has some of the layers (pipeline parallelism), and a headless vLLM but for the first, which has the API.
vLLM 0.32.0 starts each for itself, and notices nothing when another one goes (docs/decisions/nodes.md). So each runs
below `tie`, a program of ours that starts the engines of all machines together, and ends them together. Over Ray the
others have Ray's daemons alone, which start vLLM's workers there: see `rayed`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding
from pulumi_llm.roles import rayed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulumi_llm.roles.requests import Among, VllmRole

TIE = "/opt/llm/vllm/tie"
STATE = "/run/llm-vllm/tie.json"
"""Where `tie` writes how it stands with the other machines."""
TIE_PORT, MASTER_PORT = 32766, 32767
PORTS = (TIE_PORT, 60999)
"""What machines with one model open to each other: the two ports above, and those that Linux hands out by itself
(net.ipv4.ip_local_port_range, 32768 to 60999), on which NCCL, Gloo and vLLM's queues listen."""
PORTS_OVER_RAY = (rayed.WORKER_PORTS[0], PORTS[1])
"""The same with Ray's own below them, which are fixed."""
STAGES = {
    *("--pipeline-parallel-size", "-pp", "--nnodes", "-n", "--node-rank", "-r", "--master-addr", "--master-port"),
    *("--headless", "--prefill-context-parallel-size", "-pcp"),
}
"""Flags of one model over several machines, or over more GPUs than ``--tensor-parallel-size`` takes: all of them."""
COPIES = {
    *("--data-parallel-size", "-dp", "--data-parallel-rank", "-dpn", "--data-parallel-start-rank", "-dpr"),
    *("--data-parallel-size-local", "-dpl", "--data-parallel-address", "-dpa", "--data-parallel-rpc-port", "-dpp"),
    *("--data-parallel-backend", "-dpb", "--data-parallel-hybrid-lb", "-dph", "--data-parallel-external-lb", "-dpe"),
    *("--data-parallel-multi-port-external-lb", "-dpm", "--data-parallel-supervisor-port"),
    *("--no-data-parallel-hybrid-lb", "--no-data-parallel-external-lb"),
}
"""Flags of several copies of a model, each with GPUs of its own (0.32.0, engine/arg_utils.py)."""
OURS = {"--distributed-executor-backend", "--api-server-count", "-asc"}
"""Further flags that follow from the machines where there are several."""


def listening(role: VllmRole) -> list[str]:
    """Where the API is; a headless engine has none."""
    if role.among is not None and role.among.rank:
        return []
    return ["--host", "127.0.0.1", "--port", str(role.port)]


def arguments(role: VllmRole) -> list[str]:
    """The flags of vLLM's own mode for several machines (0.32.0: engine/arg_utils.py, entrypoints/cli/serve.py)."""
    among = role.among
    if among is None:
        return []
    if among.ray:
        return ["--pipeline-parallel-size", str(among.count), "--distributed-executor-backend", "ray"]
    return [
        *("--pipeline-parallel-size", str(among.count), "--distributed-executor-backend", "mp"),
        *("--nnodes", str(among.count), "--node-rank", str(among.rank)),
        *("--master-addr", _address(among, 0), "--master-port", str(MASTER_PORT)),
        *(("--headless",) if among.rank else ()),
    ]


def mistakes(role: VllmRole) -> Iterator[Finding]:
    """A finding for each flag of ``extra_args`` that follows from the machines, or that no GPU is left for.

    Each GPU of a machine has its part of each layer, so a second stage or copy would want GPUs that are not there.
    """
    alone = role.among is None
    for flag in dict.fromkeys(each.partition("=")[0] for each in role.extra_args):
        if flag in COPIES:
            hint = _("`replicas` for more machines with the model each; all GPUs of one machine have a part of it")
        elif alone and flag in STAGES:
            hint = _("`nodes` for more machines that have the model together; all GPUs of one have a part of it")
        elif not alone and flag in STAGES | OURS:
            hint = _("it follows from `nodes`, the machines that have the model together")
        else:
            continue
        yield Finding(
            "bootstrap.flag-reserved",
            _("{flag} cannot be given", flag=flag),
            hint,
            where=f"extra_args {flag!r}",
        )


def prefix(role: VllmRole) -> str:
    """What comes before vLLM's own command: the program that ties the machines together, and what it is told."""
    among = role.among
    if among is None:
        return ""
    addresses = ",".join(_address(among, rank) for rank in range(among.count))
    told = f"{among.rank} {addresses} {TIE_PORT} {word(role)} http://127.0.0.1:{role.port}/health"
    return f"/usr/bin/python3 -I {TIE} {told} \\\n    "


def over_ray(role: VllmRole, folder: str) -> list[str]:
    """The command that starts Ray, before vLLM's own; nothing where vLLM itself carries its calls."""
    among = role.among
    if among is None or not among.ray:
        return []
    return rayed.prefix(role, among, _address(among, 0), _address(among, among.rank), folder)


def word(role: VllmRole) -> str:
    """Differs where two machines would not start the same model in the same way."""
    plain: dict[str, Any] = dataclasses.asdict(dataclasses.replace(role, among=None, more=()))
    plain.pop("turns")  # it is never one of several machines that takes turns
    told = [plain, role.among.addresses if role.among else (), *(["ray"] if rayed.is_over(role) else [])]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]


def others(role: VllmRole) -> list[str]:
    """The addresses of the machines, its own among them: nobody else is spoken to."""
    return [_address(role.among, rank) for rank in range(role.among.count)] if role.among else []


def _address(among: Among, rank: int) -> str:
    return among.addresses[rank] if among.addresses else f"node-{rank + 1}.invalid"
