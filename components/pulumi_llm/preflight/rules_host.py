"""What the machine has besides its GPUs, and what shares it: the data disk and the host's memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _, any_of, listed
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import placement, weights
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.request import Case, FitRequest

if TYPE_CHECKING:
    from pulumi_llm.preflight.placement import Placement


def disk_too_small(case: Case) -> Iterator[Finding]:
    """The files, and the vectors beside them, must find room on the data disk before the first byte is fetched."""
    stored = weights.weights_gib(case.model, case.model.quantization, case.model.quantization_bits)
    yield from _disk(case.request, case.model.id, stored)


def memory_too_small(case: Case) -> Iterator[Finding]:
    """Weaviate, and what vLLM is told to keep in the host's memory, must find room there beside vLLM itself."""
    yield from _memory(case.request, case.placing.place)


def of_unknown_model(request: FitRequest, place: Placement | None) -> list[Finding]:
    """What can be said of the host where nothing is known of the model; ``place`` None: there is none."""
    return [*_disk(request, None, None), *_memory(request, place)]


def _disk(request: FitRequest, model: str | None, stored: float | None) -> Iterator[Finding]:
    given, vectors = request.model_disk_gib, request.vectors_disk_gib
    others = sum(each.disk_gib for each in request.services)
    if given is None or (stored is None and not vectors and not others):
        return
    needed = placement.disk_gib(stored or 0.0, vectors, others)
    if given >= needed:
        return
    share = placement.WEAVIATE_DISK_SHARE
    if others:
        titles = listed(each.title for each in request.services if each.disk_gib)
        why = _(
            "{others} GiB are for {titles}, and the rest of a disk of {given} GiB is too little for all else on it",
            others=others,
            titles=titles,
            given=given,
        )
    elif not vectors:
        why = _(
            "the files of {model} take about {stored:.1f} GiB, and a disk of {given} GiB has no room to fetch them",
            model=model,
            stored=stored,
            given=given,
        )
    elif stored is None:
        why = _(
            "{vectors} GiB are for vectors, and Weaviate takes no more writes once {share:.0%} "
            "of the disk are full: {given} GiB are too few, before the model's files are counted",
            vectors=vectors,
            share=share,
            given=given,
        )
    else:
        why = _(
            "the files of {model} take about {stored:.1f} GiB and {vectors} GiB are for vectors, "
            "on one disk of {given} GiB, and Weaviate takes no more writes once {share:.0%} of "
            "it are full",
            model=model,
            stored=stored,
            vectors=vectors,
            given=given,
            share=share,
        )
    yield Finding("fit.disk-too-small", why, f"model_disk_gib: {needed}", where="model_disk_gib")


def _memory(request: FitRequest, place: Placement | None) -> Iterator[Finding]:
    flags = flags_of(request.extra_args)
    beside = request.vectors_memory_gib + sum(each.memory_gib for each in request.services)
    offloaded = _gib(flags, "--cpu-offload-gb") * request.gpu_count + _gib(flags, "--kv-offloading-size")
    if place is None or not (beside or offloaded):
        return  # where there is no place, the rule about it says so
    machine = catalog.load().instance(place.cloud, place.instance_type)
    fixed = engine().host_gib_per_gpu * request.gpu_count + offloaded + placement.SYSTEM_GIB
    if fixed + beside <= machine.memory_gib:
        return
    parts = [
        _("{vectors_memory_gib} GiB for Weaviate", vectors_memory_gib=request.vectors_memory_gib)
        if request.vectors_memory_gib
        else "",
        *[
            _("{memory_gib} GiB for {title}", memory_gib=each.memory_gib, title=each.title)
            for each in request.services
            if each.memory_gib
        ],
        _("{host_gib_per_gpu:g} for vLLM", host_gib_per_gpu=engine().host_gib_per_gpu * request.gpu_count),
        _("{offloaded:g} for what its flags keep there", offloaded=offloaded) if offloaded else "",
        _("{system_gib} for the system", system_gib=placement.SYSTEM_GIB),
    ]
    yield Finding(
        "fit.host-memory",
        _(
            "{instance_type} has {memory_gib:g} GiB of memory, and {fixed:g} are asked for: {parts}",
            instance_type=place.instance_type,
            memory_gib=machine.memory_gib,
            fixed=fixed + beside,
            parts=listed(filter(None, parts)),
        ),
        _roomier(request, fixed, machine.memory_gib),
        where="instance_type",
    )


def _roomier(request: FitRequest, fixed: float, memory_gib: float) -> str:
    """What would find room: less for Weaviate, a machine of its own, or a larger one with the same GPUs."""
    ways = []
    others = sum(each.memory_gib for each in request.services)
    left = math.floor(memory_gib - fixed - others)
    ways += [_("a smaller services.{name}.memory_gib", name=each.name) for each in request.services if each.memory_gib]
    if request.vectors_memory_gib:
        if left >= 1:
            ways.append(f"vectors.memory_gib: {left}")
        ways.append("vectors.placement: own")
    for offer in catalog.load().offers(
        gpu=request.gpu, gpu_count=request.gpu_count, cloud=request.cloud, region=request.region, spot=request.spot
    ):
        row = offer.instance
        if row.memory_gib >= fixed + others + request.vectors_memory_gib and not row.bare_metal:
            ways.append(
                _(
                    "instance_type: {instance_type}, which has {memory_gib:g} GiB",
                    instance_type=row.instance_type,
                    memory_gib=row.memory_gib,
                )
            )
            break
    return any_of(ways) or _("fewer GiB in the flags among extra_args")


def _gib(flags: dict[str, str], name: str) -> float:
    try:
        size = float(flags.get(name, "") or 0)
    except ValueError:
        return 0.0  # vLLM itself has something to say about it
    return size if 0 < size < 1e6 else 0.0
