"""A script of the steps that start a model by hand, for a notebook to learn with: from the spec as it is resolved."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pulumi_llm import _served, catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._resolve import Shared, resolve_server
from pulumi_llm.roles import registry
from pulumi_llm.roles.files import fill, text
from pulumi_llm.roles.vllm_flags import CHAT, chat_template, model_path, vllm_arguments
from pulumi_llm.spec import AccessSpec, NetworkSpec, ServerSpec, parse

if TYPE_CHECKING:
    from pulumi_llm._resolve import ResolvedServer
    from pulumi_llm.catalog.hub import Hub
    from pulumi_llm.roles.requests import VllmRole

PYTHON = "3.12"
"""What vLLM's lock is made for: a node's own, Ubuntu 24.04's."""
OF_NOBODY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""A host key of 32 zero bytes: a notebook is a machine that exists, and nobody logs in to it."""
ENVIRONMENT = (
    "HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1",
    "VLLM_HOST_IP=127.0.0.1 GLOO_SOCKET_IFNAME=lo NCCL_SOCKET_IFNAME=lo",
    "VLLM_USE_FLASHINFER_SAMPLER=0 VLLM_USE_DEEP_GEMM=0",
)
"""As llm-vllm.service has it: no hub is asked, nothing reported, nothing listens elsewhere, no kernel needs nvcc."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    """What a script is made of: a server as it is resolved, and where its wheels and its model come from."""

    server: ResolvedServer
    hub: Hub
    index: str

    @property
    def role(self) -> VllmRole:
        """vLLM as a node would have it, for the main model alone."""
        return replace(_served.role(self.server), more=(), adapters=(), slots=(), guesser=None)


def of_model(asked: Mapping[str, Any], country: str, hub: Hub | None = None) -> Notebook:
    """A notebook with a GPU in ``country`` (a region of `cloud: ssh`), on which the model of ``asked`` shall run.

    ``asked`` has the keys of ``server``: model, gpu, gpu_count, context_length. Raises Refusal where the spec, the
    catalogue or the fit check refuses it.
    """
    host = {"address": "127.0.0.1", "user": "root", "host_key": OF_NOBODY}
    server = parse(ServerSpec, {"cloud": "ssh", "region": country, "host": host, **asked})
    access = parse(AccessSpec, {"allowed_cidrs": ["127.0.0.1/32"]})
    shared = Shared(access=access, network=parse(NetworkSpec, {}), tags={}, protect=False)
    return of_server(resolve_server(server, shared), hub)


def of_server(server: ResolvedServer, hub: Hub | None = None) -> Notebook:
    """The same for a server of a stack, from the first hub and the first index that anybody in its region reaches."""
    from pulumi_llm.catalog.hub import Hub
    from pulumi_llm.roles.files import data

    region = server.site.region
    sources = catalog.load().sources(region.cloud, region.name)
    public = next(each.url for each in sources.pypi if each.scope != "cloud")  # a notebook is in no cloud's network
    if hub is None:
        name = sources.hub_names[0]
        known = data("hubs.json")["hubs"][name]
        hub = Hub(name, known["kind"], known["endpoint"])
    return Notebook(server=server, hub=hub, index=public)


def script(notebook: Notebook, name: str) -> str:
    """The script, which calls itself ``name``.

    Raises Refusal for flags that this vLLM does not start with, and for a model that the hub has under no name.
    """
    role, server = notebook.role, notebook.server
    environment = registry.environments()["vllm"]
    engine = registry.role("vllm").manifest.facts["engine"]
    gpu = catalog.load().gpus[server.spec.gpu]
    template = chat_template(role)
    arguments = _arguments(role)
    path, question = _question(role)
    return fill(
        "vllm/notebook/script.sh.j2",
        name=name,
        version=metadata.version("pulumi-llm"),
        model=role.model_id,
        gpu=gpu.name,
        count=server.spec.gpu_count,
        driver=max(engine["min_driver"], gpu.min_driver or 0),
        cuda=engine["cuda"],
        memory_mib=int(gpu.memory_gib * 1024),
        vllm=environment.version,
        python=PYTHON,
        download=f"{environment.wheels.download_bytes / 1e9:.1f}",
        index=shlex.quote(notebook.index),
        uv_lock=text("locks/uv.txt").rstrip("\n"),
        vllm_lock=text("locks/vllm.txt").rstrip("\n"),
        folder=model_path(role).rsplit("/", 1)[-1],
        weights=server.weights_gib,
        program=text("vllm/notebook/download.py").rstrip("\n"),
        source=" ".join(shlex.quote(each) for each in _source(notebook)),
        trust=role.trust_remote_code,
        template=text(f"vllm/chat/{template}").rstrip("\n") if template else None,
        environment=ENVIRONMENT,
        flags=" \\\n    ".join(arguments),
        path=path,
        question=shlex.quote(json.dumps(question, ensure_ascii=False)),
    )


def _source(notebook: Notebook) -> Sequence[str]:
    role, hub = notebook.role, notebook.hub
    id_ = (role.modelscope_id or role.model_id) if hub.kind == "modelscope" else role.model_id
    return hub.kind, hub.endpoint, id_, role.revision or ""


def _arguments(role: VllmRole) -> list[str]:
    """`vllm serve`'s flags, a flag and its value in one piece; the model's place and the port are the script's."""
    __, *rest = vllm_arguments(role)
    at = rest.index("--port")
    rest[at : at + 2] = []
    pieces: list[str] = []
    for each in rest:
        if each.startswith("-") or not pieces:
            pieces.append(shlex.quote(each))
        elif pieces[-1] == CHAT and chat_template(role):
            pieces[-1] += ' "$FOLDER/chat-template.jinja"'
        else:
            pieces[-1] += f" {shlex.quote(each)}"
    return pieces


def _question(role: VllmRole) -> tuple[str, dict[str, Any]]:
    """Where the last step asks, and what."""
    if role.task is not None:
        return "/v1/embeddings", {"model": role.served_name, "input": "pulumi-llm"}
    asked = [{"role": "user", "content": "Say in one sentence what a GPU is."}]
    return "/v1/chat/completions", {"model": role.served_name, "messages": asked, "max_tokens": 64}
