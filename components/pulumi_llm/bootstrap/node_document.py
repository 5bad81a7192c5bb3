"""What a machine shall be, as its stages read it: /opt/llm/node.json and /opt/llm/supply.json. No secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pulumi_llm._flags import flags_of
from pulumi_llm.bootstrap import gateway
from pulumi_llm.bootstrap.files import data
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.texts import _

if TYPE_CHECKING:
    from pulumi_llm.bootstrap.roles import NodeRequest, VllmRole

# Folder on the data disk: whose it is, and the role that needs it.
FOLDERS = {
    "secrets": ("root", "caddy"),
    "models": ("root", "vllm"),
    "docker": ("root", "weaviate"),
    "weaviate": ("llm-weaviate", "weaviate"),
    "gateway": ("llm-gateway", "gate"),
}


_HUGGING_FACE = (r".+\.safetensors", r"(?!training_args|optimizer).+\.bin", r".+\.pt")
LOADED: dict[str, tuple[str, ...]] = {
    "hf": _HUGGING_FACE,
    **dict.fromkeys(("safetensors", "fastsafetensors", "instanttensor", "runai_streamer"), _HUGGING_FACE[:1]),
    "mistral": (r"consolidated.*\.safetensors",),
    "npcache": _HUGGING_FACE[1:],
    "pt": _HUGGING_FACE[2:],
}
"""``--load-format`` to the files of weights that it reads, as patterns in order; of any other format nothing is known.

Source: vLLM 0.32.0, model_executor/model_loader/default_loader.py and runai_streamer_loader.py (read 2026-11-28).
"""


def roles(request: NodeRequest) -> tuple[str, ...]:
    """What this node runs, of vllm, weaviate, gate, caddy."""
    wanted = {
        "vllm": request.vllm is not None,
        "weaviate": request.weaviate is not None,
        "gate": bool(request.gateway.routes),
        "caddy": True,
    }
    return tuple(name for name, wants in wanted.items() if wants)


def stages(request: NodeRequest) -> list[dict[str, Any]]:
    """The stages of this node's boot, in an order that respects what each needs."""
    have = roles(request)
    return [each for each in data("stages.json")["stages"] if each.get("role", "caddy") in have]


def model_path(role: VllmRole) -> str:
    """Where a model lies on the data disk; another revision lies beside it."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "--", f"{role.model_id}@{role.revision or 'main'}".replace("@", "--"))
    return f"/srv/llm/models/{name}"


def node_document(request: NodeRequest) -> dict[str, Any]:
    """The document, complete and in a fixed order.

    Raises:
        UnknownName: ``bootstrap.unknown-hub`` for a hub that is neither known nor given as ``kind=https://host``.
        Refusal: ``bootstrap.no-hub`` if none of the hubs has the model.
    """
    document: dict[str, Any] = {
        "name": request.name,
        "cloud": request.cloud,
        "region": request.region,
        "stages": [each["name"] for each in stages(request)],
        "data_disk_gib": request.data_disk_gib,
        "folders": {name: owner for name, (owner, role) in FOLDERS.items() if role in roles(request)},
    }
    if request.vllm:
        role = request.vllm
        document["hubs"] = _hubs(request)
        document["model"] = {
            "huggingface": role.model_id,
            "modelscope": role.modelscope_id,
            "revision": role.revision,
            "path": model_path(role),
        }
        load_format = flags_of(role.extra_args).get("--load-format", "")
        if load_format not in ("", "auto"):
            # No pattern: all files come. By itself the node takes what vLLM's `auto` reads.
            document["model"]["kinds"] = list(LOADED.get(load_format, ()))
        document["driver"] = max(role.min_driver, data("versions.json")["vllm"]["min_driver"])
        document["gpus"] = role.tensor_parallel_size
        if not any(document["model"][hub["kind"]] for hub in document["hubs"]):
            raise Refusal(
                [
                    Finding(
                        "bootstrap.no-hub",
                        _(
                            "none of the hubs {hubs} has {model_id}",
                            hubs=list(request.sources.hubs),
                            model_id=role.model_id,
                        ),
                        _("give modelscope_id, or add huggingface or hf-mirror to the hubs"),
                    )
                ]
            )
    return document


def venvs(request: NodeRequest) -> tuple[str, ...]:
    """The Python environments that a node has: names in versions.json, each with a lock in locks/."""
    names = {"vllm": "vllm", "gate": gateway.environment(request.gateway)}
    return tuple(name for role, name in names.items() if role in roles(request))


def supply_document(request: NodeRequest) -> dict[str, Any]:
    """/opt/llm/supply.json: packages, images, digests, and where they come from, in the order in which it is tried."""
    pins, have = data("versions.json"), roles(request)
    packages = pins["packages"]
    document: dict[str, Any] = {
        "base": [each for role in ("base", "vllm") if role in ("base", *have) for each in packages[role]],
        "services": [each for role in ("caddy", "weaviate") if role in have for each in packages[role]],
        "apt": list(dict.fromkeys(request.sources.apt)),
        "pypi": list(dict.fromkeys(request.sources.pypi)),
        "venvs": {
            name: {
                "version": pins[name]["version"],
                **{key: pins[name]["wheels"][key] for key in ("digest", "download_bytes", "unpacked_bytes")},
            }
            for name in venvs(request)
        },
    }
    if "weaviate" in have:
        document["registries"] = list(dict.fromkeys(request.sources.registries)) or [""]
        document["images"] = [pins["weaviate"]["image"]]
    if "vllm" in have:
        document.update({key: pins["driver"][key] for key in ("signed", "compiled", "nvswitch")})
    return document


def _hubs(request: NodeRequest) -> list[dict[str, Any]]:
    known = data("hubs.json")["hubs"]
    found = []
    for each in request.sources.hubs:
        name, __, own = each.partition("=")
        if name not in known or (own and not own.startswith(("https://", "http://"))):
            raise UnknownName("bootstrap.unknown-hub", _("model hub"), each, known, hint=_("or kind=https://host"))
        hub = known[name]
        # A token goes to the hub that issued it, or to one that somebody named, not to a public mirror.
        found.append(
            {"kind": hub["kind"], "endpoint": own or hub["endpoint"], "token": bool(own) or name == "huggingface"}
        )
    return found
