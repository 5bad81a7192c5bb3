"""vLLM: where its model comes from and lies, which driver it wants, and how it is started."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _
from pulumi_llm.catalog.pooling import EMBEDDING, RERANKER
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.roles import encoder, files, memory, rayed, tied, turning, vllm_flags
from pulumi_llm.roles.base import UNITS, Role, Row, file_row, told
from pulumi_llm.roles.files import data
from pulumi_llm.roles.kept import BucketRole, BundleRole
from pulumi_llm.roles.requests import SECOND_PORT, Adapter, GatewayRole, Guesser, NodeRequest, VllmRole
from pulumi_llm.roles.vllm_flags import model_path

if TYPE_CHECKING:
    from pulumi_llm.roles.manifest import Stage

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


ADAPTER_WEIGHTS = r"adapter_model\.[a-z]+"
"""The pattern of an adapter's weights: .safetensors, .bin or .pt (vLLM 0.32.0, lora/lora_model.py)."""
SLICE = "llm-vllm.slice"
"""The units of all models, with one limit of memory for them together."""
FOR_TPU, DRIVER = "vllm-tpu", "driver"
"""The environment of a machine with a TPU, and the stage that it has not."""
WAITS = "/opt/llm/vllm/waits"
"""What waits until the models before it on its card have loaded: a plug-in of vLLM's, as a package is laid out."""


class Vllm(Role):
    """vLLM servers on loopback, one for each model."""

    def units(self, node: NodeRequest) -> tuple[str, ...]:
        """One for each model, the main one's first."""
        return tuple(_unit(each) for each in _asked(node).all)

    def ahead(self, node: NodeRequest) -> tuple[str, ...]:
        """All of them: loading takes longest. Not where other machines or turns have a say in when they start."""
        role = _asked(node)
        return () if role.among is not None or _turning(role) else self.units(node)

    def health(self, node: NodeRequest) -> dict[str, str]:
        """Each at its own port; a headless one says how it is through what ties it to the others."""
        return {_service(each): _health(each) for each in _asked(node).all if not (each.among and each.among.rank)}

    def stages(self, node: NodeRequest) -> tuple[Stage, ...]:
        """Without the one for further models where there are none, no adapters, and nothing that guesses ahead."""
        more, source = _later(_asked(node)), _source(node)
        found = [each for each in super().stages(node) if more or each.name != MORE]
        if _asked(node).tpu:
            found = [each for each in found if each.name != DRIVER]
        if source == WEIGHTS:
            return tuple(found)
        # What takes them from a bucket needs a key, which user data does not have; a bundle is known by the settings.
        return tuple(
            dataclasses.replace(cast("Any", each), after=(source,)) if each.name == MORE else each
            for each in found
            if each.name != WEIGHTS
        )

    def environments(self, node: NodeRequest) -> tuple[str, ...]:
        """NVIDIA's build of vLLM, the same with Ray, or the one for TPUs."""
        others = {FOR_TPU: _asked(node).tpu, rayed.ENVIRONMENT: rayed.is_over(_asked(node))}
        asked = [name for name, wanted in others.items() if wanted]
        return tuple(asked or [each for each in super().environments(node) if each not in others])

    def _programs(self, node: NodeRequest) -> str:
        """Where its environment has its programs."""
        (environment,) = self.environments(node)
        return f"{super().values(node)['venv'][environment]}/bin"

    def check(self, node: NodeRequest) -> list[Finding]:
        """What is refused of command lines: flags that the release lacks, or that the spec sets itself."""
        found = []
        for each in _asked(node).all:
            if each.host_gib:
                continue  # no command line of vLLM's
            try:
                vllm_flags.vllm_arguments(each)
            except Refusal as refusal:
                found += [one.placed(f"models.{each.name}") if each.name else one for one in refusal.findings]
        return found

    def document(self, node: NodeRequest) -> Row:
        """Hubs, model, driver and GPUs: the weights are fetched from the first minute on.

        Raises:
            UnknownName: ``bootstrap.unknown-hub`` for a hub that is neither known nor given as ``kind=https://host``.
            Refusal: ``bootstrap.no-hub`` if none of the hubs has the model.
        """
        role = _asked(node)
        hubs = _hubs(node)
        fetched = {"hubs": hubs, "model": _fetched(node, role, hubs)}
        if role.tpu:
            return fetched
        return {
            **fetched,
            "driver": max(role.min_driver, self.manifest.facts["engine"]["min_driver"]),
            "gpus": max(role.tensor_parallel_size, *(1 + max(each.cards, default=0) for each in role.all)),
        }

    def supply(self, node: NodeRequest) -> Row:
        """The driver's packages, and the further models, which have time until the settings are there."""
        packages = () if _asked(node).tpu else ("signed", "compiled", "nvswitch")
        found = {key: self.manifest.facts["driver"][key] for key in packages}
        role, hubs = _asked(node), _hubs(node)
        further = [_fetched(node, each, hubs) for each in role.more]
        # What an adapter was made for stands in its own files.
        further += [_adapter(node, model, each, hubs) for model in role.all for each in model.adapters]
        further += [_on_hubs(node, model.guesser, hubs) for model in role.all if model.guesser]
        return {**found, **({"further": further} if further else {})}

    def files(self, node: NodeRequest) -> list[Row]:
        """The units, and the chat template of a model whose own does not offer tools."""
        role = _asked(node)
        rows = [_named(each, str(self.unit), _unit(role)) for each in super().files(node)]
        rows += [file_row(f"{UNITS}/{_unit(each)}", self._further(node, each), _unit(each))
                 for each in role.more if not each.host_gib]  # fmt: skip
        # Another limit is in force as soon as systemd reads it: nothing starts anew.
        rows.append(file_row(f"{UNITS}/{SLICE}", self.filled(f"{SLICE}.j2", node)))
        if any(not each.host_gib for each in role.more):
            package = {
                "llm_waits.py": "",
                "METADATA": "llm_waits-1.dist-info/",
                "entry_points.txt": "llm_waits-1.dist-info/",
            }
            rows[:0] = [
                file_row(f"{WAITS}/{folder}{name}", self.text(f"waits/{name}")) for name, folder in package.items()
            ]
        rows[:0] = turning.files(role.all, _turning(role), self.text)
        folder = self._programs(node)
        rows += encoder.rows(self, folder, [(each, _unit(each)) for each in role.more if each.host_gib])
        if role.among is not None:
            rows.insert(0, file_row(tied.TIE, self.text("tie"), _unit(role)))
        if rayed.is_over(role):
            rows.insert(1, file_row(rayed.OVER_RAY, self.text("over-ray"), _unit(role)))
        named = [(each, vllm_flags.chat_template(each)) for each in role.all if not each.host_gib]
        chat = [
            file_row(vllm_flags.chat_file(each), self.text(f"chat/{name}"), _unit(each)) for each, name in named if name
        ]
        return [*chat, *rows]

    def values(self, node: NodeRequest) -> Row:
        """For the main model's unit: the command line, and where its programs are."""
        values = {**super().values(node), "percent": memory.percent_of_models(node)}
        return {**values, **self._of_model(node, _asked(node))}

    def _of_model(self, node: NodeRequest, model: VllmRole) -> Row:
        folder = self._programs(node)
        command = vllm_flags.command_line(model, folder)
        return {
            "model": model.model_id.replace("%", "%%"),
            "command": command,
            "folder": folder,
            "further": None,
            "source": _source(node),
            "before": [],
            "waits": WAITS,
            "reaches_out": memory.reaches_out(model.extra_args),
            "collector": urlsplit(model.traces).hostname if model.traces else None,
            "later": bool(model.adapters or model.guesser),
            "nodes": tied.others(model),
            "ray": {"token": rayed.TOKEN_FILE, "scaler": rayed.SCALER_PORT} if rayed.is_over(model) else None,
            "turns": turning.environment(model),
            "tpu": model.tpu,
        }

    def _further(self, node: NodeRequest, model: VllmRole) -> str:
        """A further model's unit. On a card that others are on too it waits until those before it have loaded."""
        before = turning.before(model, _asked(node).all)
        values = {
            **super().values(node),
            **self._of_model(node, model),
            "further": model,
            "before": [{"unit": _unit(each), "url": _health(each)} for each in before],
        }
        return files.filled(self.text(f"{self.unit}.j2"), values)

    def rests(self, node: NodeRequest) -> dict[str, str]:
        """Where other machines have the same models: then these go on with what callers ask."""
        gateway = node.of(GatewayRole)
        several = {each.base_url: each.name for each in gateway.upstreams if each.replica} if gateway else {}
        units = {_unit(each): several.get(f"http://127.0.0.1:{each.port}/v1") for each in _asked(node).all}
        return {unit: name for unit, name in units.items() if name is not None}

    def watched(self, node: NodeRequest) -> Row:
        """The codes of services that are not called as the role is, which are vLLM's."""
        codes = {name: "vllm" for each in _asked(node).all if (name := _service(each)) != "vllm"}
        tie = {"tied": {"vllm": tied.STATE}} if _asked(node).among is not None else {}
        turns = {"turns": turning.URL} if _turning(_asked(node)) else {}
        return {**({"codes": codes} if codes else {}), **tie, **turns}

    def secret_files(self, node: NodeRequest, *, optional: bool = False) -> list[Row]:
        """The hub's token, what opens the routes of models that take turns, and what Ray asks for."""
        rows, role = super().secret_files(node, optional=optional), _asked(node)
        if optional:
            return rows
        return [*rows, *turning.secrets(role.all, _turning(role)), *rayed.secrets(role, _unit(role))]

    def required_secrets(self, node: NodeRequest) -> list[str]:
        """What Ray asks for, where the model is on several machines over it."""
        return [*super().required_secrets(node), *([rayed.TOKEN] if rayed.is_over(_asked(node)) else [])]

    def generated(self, node: NodeRequest) -> tuple[str, ...]:
        """The key of models that take turns."""
        return (turning.KEY,) if _turning(_asked(node)) else ()

    def twin(self, node: NodeRequest) -> NodeRequest | None:
        """The node with its main model's server as the second unit, and with the gateway's route to it."""
        role, gateway = _asked(node), told("gateway", node.of(GatewayRole))
        if not role.beside:
            return None
        old, new = (f"http://127.0.0.1:{port}/" for port in (role.port, SECOND_PORT))
        ways = [dataclasses.replace(each, base_url=each.base_url.replace(old, new)) for each in gateway.upstreams]
        return node.having(
            dataclasses.replace(role, port=SECOND_PORT), dataclasses.replace(gateway, upstreams=tuple(ways))
        )

    def turns(self, node: NodeRequest) -> Row | None:
        """The main model's unit, and what is asked of it before the gateway sends anybody there."""
        role = _asked(node)
        if not role.beside:
            return None
        path, question, answer = _ASKED[role.task]
        return {
            "unit": _unit(role),
            "health": _health(role),
            "ask": {
                "url": f"http://127.0.0.1:{role.port}{path}",
                "body": {"model": role.served_name, **question},
                "answer": answer,
            },
            "share": role.gpu_memory_utilization,
            "cards": role.tensor_parallel_size,
        }


_ASKED: dict[str | None, tuple[str, Row, str]] = {
    None: ("/v1/chat/completions", {"max_tokens": 1, "messages": [{"role": "user", "content": "ping"}]}, "choices"),
    EMBEDDING: ("/v1/embeddings", {"input": "ping"}, "data"),
    RERANKER: ("/v1/rerank", {"query": "ping", "documents": ["pong"]}, "results"),
}
"""By task: where a model is asked, with what, and what its answer has."""
WEIGHTS, MORE = "weights", "models"
"""The stages that fetch the main model, and further ones."""


def _source(node: NodeRequest) -> str:
    """The stage that gives the main model: from a hub, from a bundle, or from a bucket."""
    if node.of(BundleRole) is not None:
        return BundleRole.role
    return WEIGHTS if node.of(BucketRole) is None else BucketRole.role


def _service(model: VllmRole) -> str:
    if model.port == SECOND_PORT:
        return "vllm2"  # no further model is called so: their names follow a dash
    return f"vllm-{model.name}" if model.name else "vllm"


def _named(row: Row, unit: str, other: str) -> Row:
    """A unit's file, and what it restarts, under the name of the unit that it is now."""
    return {**row, "path": row["path"].replace(unit, other), "restart": [other] if row["restart"] else []}


def _unit(model: VllmRole) -> str:
    return f"llm-{_service(model)}.service"


def _turning(role: VllmRole) -> list[str]:
    """The units of models that take turns."""
    return [_unit(each) for each in role.all if each.turns]


def _health(model: VllmRole) -> str:
    return f"http://127.0.0.1:{model.port}/health"


def _later(role: VllmRole) -> bool:
    """Whether anything is fetched after the main model."""
    return bool(role.more or role.adapters or role.guesser)


def _adapter(node: NodeRequest, role: VllmRole, adapter: Adapter, hubs: list[dict[str, Any]]) -> dict[str, Any]:
    """An adapter as its stage fetches it, and what it is held against. Raises Refusal ``bootstrap.no-hub``."""
    found = _on_hubs(node, adapter, hubs)
    told = {"name": adapter.name, "bases": list(adapter.bases), "rank": int(role.slots[-1])}
    # Not the model with the adapter merged into it, which may lie beside it.
    return {**found, "kinds": [ADAPTER_WEIGHTS], "adapter": told}


def _fetched(node: NodeRequest, role: VllmRole, hubs: list[dict[str, Any]]) -> dict[str, Any]:
    """A model as its stage fetches it. Raises Refusal ``bootstrap.no-hub``."""
    model = _on_hubs(node, role, hubs)
    load_format = flags_of(role.extra_args).get("--load-format", "")
    if load_format not in ("", "auto"):
        # No pattern: all files come. By itself the node takes what vLLM's `auto` reads.
        model["kinds"] = list(LOADED.get(load_format, ()))
    return model


def _on_hubs(node: NodeRequest, of: VllmRole | Adapter | Guesser, hubs: list[dict[str, Any]]) -> dict[str, Any]:
    """Where the hubs have it, and where it will lie. Raises Refusal ``bootstrap.no-hub``."""
    model: dict[str, Any] = {
        "huggingface": of.model_id,
        "modelscope": of.modelscope_id,
        "revision": of.revision,
        "path": model_path(of),
    }
    if not any(model[hub["kind"]] for hub in hubs):
        raise Refusal(
            [
                Finding(
                    "bootstrap.no-hub",
                    _("none of the hubs {hubs} has {model_id}", hubs=list(node.sources.hubs), model_id=of.model_id),
                    _("give modelscope_id, or add huggingface or hf-mirror to the hubs"),
                )
            ]
        )
    return model


def _asked(node: NodeRequest) -> VllmRole:
    return told("vllm", node.of(VllmRole))


def _hubs(node: NodeRequest) -> list[dict[str, Any]]:
    known = data("hubs.json")["hubs"]
    found = []
    for each in node.sources.hubs:
        name, __, own = each.partition("=")
        if name not in known or (own and not own.startswith(("https://", "http://"))):
            raise UnknownName("bootstrap.unknown-hub", _("model hub"), each, known, hint=_("or kind=https://host"))
        hub = known[name]
        # A token goes to the hub that issued it, or to one that somebody named, not to a public mirror.
        found.append(
            {"kind": hub["kind"], "endpoint": own or hub["endpoint"], "token": bool(own) or name == "huggingface"}
        )
    return found
