"""What the machine has besides its GPUs, and what shares it: the data disk and the host's memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _, all_of, any_of, listed
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import beside, placement, turning, weights
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.request import Case, FitRequest

if TYPE_CHECKING:
    from pulumi_llm.preflight.beside import Beside
    from pulumi_llm.preflight.placement import Placement


def disk_too_small(case: Case) -> Iterator[Finding]:
    """The files, and what services keep, must find room on the data disk before the first byte is fetched."""
    stored = weights.weights_gib(case.model, case.model.quantization, case.model.quantization_bits)
    yield from _disk(case.request, case.model.id, stored)


def memory_too_small(case: Case) -> Iterator[Finding]:
    """Services, and what vLLM is told to keep in the host's memory, must find room there beside vLLM itself."""
    yield from _memory(case.request, case.placing.place)


def of_unknown_model(request: FitRequest, place: Placement | None) -> list[Finding]:
    """What can be said of the host where nothing is known of the model; ``place`` None: there is none."""
    return [*_disk(request, None, None), *_memory(request, place)]


def _disk(request: FitRequest, model: str | None, stored: float | None) -> Iterator[Finding]:
    given, services = request.model_disk_gib, [each for each in request.services if each.disk_gib]
    if given is None or (stored is None and not services):
        return
    needed = placement.disk_gib(stored or 0.0, services)
    if given >= needed:
        return
    if not services:
        why = _(
            "the files of {model} take about {stored:.1f} GiB, and a disk of {given} GiB has no room to fetch them",
            model=model,
            stored=stored,
            given=given,
        )
    else:
        room = all_of(_("{gib} GiB are for {title}", gib=each.disk_gib, title=each.title) for each in services)
        note = _stops_writing(services)
        why = (
            _(
                "{room}, which is too much for a disk of {given} GiB{note}, before the model's files are counted",
                room=room,
                given=given,
                note=note,
            )
            if stored is None
            else _(
                "the files of {model} take about {stored:.1f} GiB and {room}, which is too much for one disk of "
                "{given} GiB{note}",
                model=model,
                stored=stored,
                room=room,
                given=given,
                note=note,
            )
        )
    yield Finding("fit.disk-too-small", why, f"model_disk_gib: {needed}", where="model_disk_gib")


def _stops_writing(services: Sequence[Beside]) -> str:
    percent = beside.disk_percent(services)
    if percent == 100:
        return ""
    titles = all_of(each.title for each in services if each.disk_percent == percent)
    return _(" (once {percent}% of it are full, it is read-only for {titles})", percent=percent, titles=titles)


def _memory(request: FitRequest, place: Placement | None) -> Iterator[Finding]:
    flags = flags_of(request.extra_args)
    services = [each for each in request.services if each.memory_gib]
    running = 2 if request.changes_beside else 1
    offloaded = running * (_gib(flags, "--cpu-offload-gb") * request.gpu_count + _gib(flags, "--kv-offloading-size"))
    if place is None or not (services or offloaded or place.exists or request.changes_beside):
        return  # where there is no place, the rule about it says so
    given = place.memory_gib if place.exists else catalog.load().instance(place.cloud, place.instance_type).memory_gib
    if given is None:
        return  # nobody says how much there is
    of_vllm = running * engine().host_gib_per_gpu * request.gpu_count
    fixed = of_vllm + offloaded + placement.SYSTEM_GIB
    asked = fixed + beside.memory_gib(services)
    if asked <= given:
        return
    parts = [
        *(_("{memory_gib} GiB for {title}", memory_gib=each.memory_gib, title=each.title) for each in services),
        _("{host_gib_per_gpu:g} for vLLM", host_gib_per_gpu=of_vllm)
        if running == 1
        else _("{gib:g} for vLLM, two of which run while the model is changed", gib=of_vllm),
        _("{offloaded:g} for what its flags keep there", offloaded=offloaded) if offloaded else "",
        _("{system_gib} for the system", system_gib=placement.SYSTEM_GIB),
    ]
    yield Finding(
        "fit.host-memory",
        _(
            "{instance_type} has {memory_gib:g} GiB of memory, and {fixed:g} are asked for: {parts}",
            instance_type=place.instance_type,
            memory_gib=given,
            fixed=asked,
            parts=listed(filter(None, parts)),
        ),
        _roomier(request, services, fixed, given) or _less(offloaded),
        where="instance_type",
    )


def _roomier(request: FitRequest, services: Sequence[Beside], fixed: float, memory_gib: float) -> str:
    """What would find room: less for a service, a machine of its own, or a larger one with the same GPUs."""
    ways, together = [], beside.memory_gib(services)
    for each in sorted(services, key=lambda each: bool(each.argument)):
        if each.name == turning.TAKES_TURNS and fixed + together - each.memory_gib <= memory_gib:
            ways.append("turns.weights: disk")
        if each.fixed:
            continue
        if not each.argument:
            ways.append(_("a smaller services.{name}.memory_gib", name=each.name))
            continue
        left = math.floor(memory_gib - fixed - (together - each.memory_gib))
        ways += [f"{each.argument}.memory_gib: {left}"] if left >= 1 else []
        if each.argument == beside.VECTORS and request.host is None:
            ways.append(f"{each.argument}.placement: own")
    for offer in catalog.load().offers(
        gpu=request.gpu, gpu_count=request.cards, cloud=request.cloud, region=request.region, spot=request.spot
    ):
        row = offer.instance
        if row.memory_gib >= fixed + together and not row.bare_metal:
            ways.append(
                _(
                    "instance_type: {instance_type}, which has {memory_gib:g} GiB",
                    instance_type=row.instance_type,
                    memory_gib=row.memory_gib,
                )
            )
            break
    return any_of(ways)


def _less(offloaded: float) -> str:
    return _("fewer GiB in the flags among extra_args") if offloaded else _("a machine with more memory")


def _gib(flags: dict[str, str], name: str) -> float:
    try:
        size = float(flags.get(name, "") or 0)
    except ValueError:
        return 0.0  # vLLM itself has something to say about it
    return size if 0 < size < 1e6 else 0.0
