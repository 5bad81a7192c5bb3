"""What a person means by a name: GPUs and models are written in many ways."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pulumi_llm._texts import _, either, listed, sentences
from pulumi_llm.catalog import accelerators, pooling
from pulumi_llm.errors import Finding, Refusal, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulumi_llm.catalog.models import Model
    from pulumi_llm.catalog.rows import Gpu

_VENDOR = re.compile(r"\b(nvidia|tesla|geforce|graphics)\b")
_UNIT = re.compile(r"(?<=[^a-z0-9])(\d+) ?(?:g|gb|gib)\b")
_SIZE = re.compile(r"-\d+GB$")


def gpu_key(name: str) -> str:
    """``NVIDIA A100-SXM4-80GB`` as ``a100sxm480``: no vendor, no unit, no punctuation."""
    folded = _VENDOR.sub(" ", re.sub(r"[-_/]", " ", name.casefold()))
    return re.sub(r"[^a-z0-9]", "", _UNIT.sub(r"\1", folded))


def gpu_index(gpus: Iterable[Gpu]) -> Mapping[str, tuple[str, ...]]:
    """Every key that means a GPU, with the names it may mean: several where the size is left out."""
    exact: dict[str, tuple[str, ...]] = {}
    short: dict[str, tuple[str, ...]] = {}
    for gpu in gpus:
        for written in (gpu.name, *gpu.aliases):
            exact[gpu_key(written)] = (gpu.name,)
            key = gpu_key(_SIZE.sub("", written))
            short[key] = tuple(dict.fromkeys((*short.get(key, ()), gpu.name)))
    return {**short, **exact}


def resolve_gpu(name: str, index: Mapping[str, tuple[str, ...]]) -> str:
    """The catalogue's name of the GPU.

    Raises ``catalog.ambiguous-gpu``, ``catalog.not-nvidia`` or ``catalog.unknown-gpu``.
    """
    found = index.get(gpu_key(name), ())
    if len(found) == 1:
        return found[0]
    known = sorted({each for names in index.values() for each in names})
    if not found:
        accelerators.refuse_accelerator(name)
        raise UnknownName("catalog.unknown-gpu", _("GPU"), name, known)
    message = _(
        "{name!r} is the name of {count} GPUs with different memory: {found}",
        name=name,
        count=len(found),
        found=listed(found),
    )
    raise Refusal([Finding("catalog.ambiguous-gpu", message, _("write {found}", found=either(found)))])


def resolve_model(name: str, models: Iterable[Model], beside: Callable[[], str] = str) -> str:
    """The id of the model; ``beside``: what else there is to say of a name that is no model's.

    Raises ``catalog.ambiguous-model``, ``catalog.not-a-chat-model`` or ``catalog.unknown-model``.
    """
    rows = tuple(models)
    folded = name.casefold()
    for written in (_ids, _modelscope_ids, _short_ids):
        found = sorted({row.id for row in rows if folded in written(row)})
        if len(found) == 1:
            return found[0]
        if found:
            message = _(
                "{name!r} is the name of {count} models: {found}", name=name, count=len(found), found=listed(found)
            )
            raise Refusal([Finding("catalog.ambiguous-model", message, _("write the whole id, with its owner"))])
    pooling.refuse_reranker(name)
    hint = _("Give a model outside the catalogue by its config.json.")
    if said := beside():
        hint = sentences(said, hint)
    raise UnknownName("catalog.unknown-model", _("model"), name, [row.id for row in rows], hint=hint)


def _ids(model: Model) -> tuple[str, ...]:
    return (model.id.casefold(),)


def _modelscope_ids(model: Model) -> tuple[str, ...]:
    return (model.modelscope_id.casefold(),) if model.modelscope_id else ()


def _short_ids(model: Model) -> tuple[str, ...]:
    return tuple(each.rpartition("/")[2] for each in (*_ids(model), *_modelscope_ids(model)))
