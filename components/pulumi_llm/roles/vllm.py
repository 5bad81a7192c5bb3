"""vLLM: where its model comes from and lies, which driver it wants, and how it is started."""

from __future__ import annotations

from typing import Any

from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.roles import vllm_flags
from pulumi_llm.roles.base import Role, Row, file_row, told
from pulumi_llm.roles.files import data
from pulumi_llm.roles.requests import NodeRequest, VllmRole
from pulumi_llm.roles.vllm_flags import model_path

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


class Vllm(Role):
    """A vLLM server for one model, on loopback."""

    def check(self, node: NodeRequest) -> list[Finding]:
        """What is refused of its command line: flags that the release lacks, or that the spec sets itself."""
        try:
            vllm_flags.vllm_arguments(_asked(node))
        except Refusal as refusal:
            return list(refusal.findings)
        return []

    def document(self, node: NodeRequest) -> Row:
        """Hubs, model, driver and GPUs: the weights are fetched from the first minute on.

        Raises:
            UnknownName: ``bootstrap.unknown-hub`` for a hub that is neither known nor given as ``kind=https://host``.
            Refusal: ``bootstrap.no-hub`` if none of the hubs has the model.
        """
        role = _asked(node)
        hubs = _hubs(node)
        model: dict[str, Any] = {
            "huggingface": role.model_id,
            "modelscope": role.modelscope_id,
            "revision": role.revision,
            "path": model_path(role),
        }
        load_format = flags_of(role.extra_args).get("--load-format", "")
        if load_format not in ("", "auto"):
            # No pattern: all files come. By itself the node takes what vLLM's `auto` reads.
            model["kinds"] = list(LOADED.get(load_format, ()))
        if not any(model[hub["kind"]] for hub in hubs):
            raise Refusal(
                [
                    Finding(
                        "bootstrap.no-hub",
                        _(
                            "none of the hubs {hubs} has {model_id}",
                            hubs=list(node.sources.hubs),
                            model_id=role.model_id,
                        ),
                        _("give modelscope_id, or add huggingface or hf-mirror to the hubs"),
                    )
                ]
            )
        return {
            "hubs": hubs,
            "model": model,
            "driver": max(role.min_driver, self.manifest.facts["engine"]["min_driver"]),
            "gpus": role.tensor_parallel_size,
        }

    def supply(self, node: NodeRequest) -> Row:
        """The driver's packages."""
        return {key: self.manifest.facts["driver"][key] for key in ("signed", "compiled", "nvswitch")}

    def files(self, node: NodeRequest) -> list[Row]:
        """The unit, and the chat template of a model whose own does not offer tools."""
        name = vllm_flags.chat_template(_asked(node))
        chat = [file_row(vllm_flags.CHAT_FILE, self.text(f"chat/{name}"), str(self.unit))] if name else []
        return [*chat, *super().files(node)]

    def values(self, node: NodeRequest) -> Row:
        """For the unit: the command line, and where its programs are."""
        role = _asked(node)
        values = super().values(node)
        folder = f"{values['venv']['vllm']}/bin"
        command = vllm_flags.command_line(role, folder)
        return {**values, "model": role.model_id.replace("%", "%%"), "command": command, "folder": folder}


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
