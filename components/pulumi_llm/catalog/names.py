"""What a person means by a name: GPUs and models are written in many ways."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pulumi_llm._texts import _, either, listed, sentences
from pulumi_llm.catalog import accelerators, pooling
from pulumi_llm.errors import Finding, Refusal, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

    from pulumi_llm.catalog.models import Model
    from pulumi_llm.catalog.rows import Ending, Gpu

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


def by_an_api(vendors: Iterable[str], ends: Iterable[Ending], today: date) -> str:
    """What is said of a name that vendors serve by their API, or did until the day that is told; "" if none does."""
    days = {row.vendor: row for row in ends}
    past = [row for row in days.values() if row.day <= today]
    serving = sorted({*vendors, *days} - {row.vendor for row in past})
    told = [
        _("{vendor} (until {ends})", vendor=each, ends=days[each].ends) if each in days else each for each in serving
    ]
    gone = [
        _("{vendor} (on {ends}, for {instead})", vendor=row.vendor, ends=row.ends, instead=row.instead)
        if row.instead
        else _("{vendor} (on {ends})", vendor=row.vendor, ends=row.ends)
        for row in past
    ]
    said = [_("Vendors serve that name by their API, as upstreams: {vendors}.", vendors=listed(told))] if told else []
    said += [_("Vendors have switched that name of their API off: {vendors}.", vendors=listed(gone))] if gone else []
    return sentences(*said) if said else ""


def _ids(model: Model) -> tuple[str, ...]:
    return (model.id.casefold(),)


def _modelscope_ids(model: Model) -> tuple[str, ...]:
    return (model.modelscope_id.casefold(),) if model.modelscope_id else ()


def _short_ids(model: Model) -> tuple[str, ...]:
    return tuple(each.rpartition("/")[2] for each in (*_ids(model), *_modelscope_ids(model)))
