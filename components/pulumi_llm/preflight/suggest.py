"""What would work instead: each suggestion has been put through the same rules before it is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, any_of
from pulumi_llm.catalog.models import Model
from pulumi_llm.catalog.rows import Gpu, Offer
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import memory
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.gpus import lacks_arm_kernels, too_old
from pulumi_llm.preflight.memory import Load
from pulumi_llm.preflight.request import Case, FitRequest, asked_of, case_of
from pulumi_llm.preflight.rules import OF_MODEL_OBJECTIONS, ON_GPU_OBJECTIONS, passes

MAX_GPUS = 8
"""GPUs in the largest machine that a server may be."""

FEW_REQUESTS = 32
"""Requests at once that still make a useful server where memory is short."""

SHORTEST_CONTEXT = 1024
"""Tokens below which a context is not worth proposing."""

MEMORY_CODES = frozenset(
    {"fit.weights-exceed-vram", "fit.context-too-long", "fit.concurrency-too-high", "fit.utilization-too-high"}
)

NOTHING_HOLDS = (
    _("a shorter context or fewer requests at once: nothing in the catalogue holds so much"),
    _("a smaller model: nothing in the catalogue holds this one"),
)


@dataclass(frozen=True, slots=True)
class Alternative:
    """A changed request that passes, and the change in words."""

    request: FitRequest
    text: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The cheapest machine of the catalogue that a model runs on, with the request that was tried there."""

    offer: Offer
    request: FitRequest

    def for_json(self) -> dict[str, object]:
        """The machine, its price per hour (None: not known) and the model, which may be a quantized sibling."""
        price = self.offer.price
        return {
            "model": self.request.named,
            "cloud": self.offer.instance.cloud,
            "region": self.offer.region,
            "instance_type": self.offer.instance.instance_type,
            "gpu": self.request.gpu,
            "gpu_count": self.request.cards,
            "max_num_seqs": self.request.max_num_seqs,
            "hourly_price": None if price is None else price.amount,
            "currency": None if price is None else price.currency,
        }

    def __str__(self) -> str:
        price = self.offer.price
        cost = (
            _("{amount:g} {currency} per hour", amount=price.amount, currency=price.currency)
            if price
            else _("price unknown")
        )
        seqs = (
            _(" with max_num_seqs {max_num_seqs}", max_num_seqs=self.request.max_num_seqs)
            if self.request.max_num_seqs
            else ""
        )
        return _(
            "{model} on {gpu_count} x {gpu}{seqs}: {cloud} {instance_type} in {region}, {cost}",
            model=self.request.named,
            gpu_count=self.request.cards,
            gpu=self.request.gpu,
            seqs=seqs,
            cloud=self.offer.instance.cloud,
            instance_type=self.offer.instance.instance_type,
            region=self.offer.region,
            cost=cost,
        )


def fitting(request: FitRequest, offers: Iterable[Offer], model: Model | None = None) -> Iterator[Offer]:
    """Those of the offers whose GPUs the model runs on and whose processors nodes are made for, in the order given."""
    asked = asked_of(request, model)
    usable, beside = _usable_gpus(), request.beside_gpus
    first = next(iter(usable.values()), None)
    if first is None or not passes(asked.on(first, request), OF_MODEL_OBJECTIONS):
        return
    fields_of = {each.name: getattr(request, each.name) for each in fields(request)}  # `replace` would read them anew
    by_count: dict[int, memory.Parts | None] = {}
    images = {(row.cloud, row.arch) for row in catalog.load().images}

    def runs_on(name: str, count: int) -> bool:
        gpu = usable.get(name)
        if gpu is None or count <= 0:
            return False
        load: Load | None = None
        if count not in by_count:
            load = asked.load_on(gpu, count)
            by_count[count] = memory.parts_of(asked.model, load)
        parts = by_count[count]
        if memory.overfull(parts, gpu.memory_gib, count, request.gpu_memory_utilization):
            return False
        case = asked.on(gpu, FitRequest(**{**fields_of, "gpu": name, "gpu_count": count}), None, load, parts)
        return passes(case, ON_GPU_OBJECTIONS)

    verdicts: dict[tuple[str, int], bool] = {}
    machines: dict[int, bool] = {}  # a type is offered in many regions
    for offer in offers:
        try:
            verdict = machines[id(offer.instance)]
        except KeyError:
            row = offer.instance
            kind = (row.gpu or "", row.gpu_count)
            verdict = row.gpu is not None and not row.fractional and (row.cloud, row.arch) in images
            if verdict and kind not in verdicts:
                verdicts[kind] = runs_on(kind[0], kind[1] - beside)
            verdict = machines[id(row)] = verdict and verdicts[kind]
        if verdict:
            yield offer


def _usable_gpus() -> dict[str, Gpu]:
    """Those GPUs that the release has kernels for at all: of the others no model need be tried, and TPUs are not."""
    release = engine()
    gpus = catalog.load().gpus
    return {
        name: gpu
        for name, gpu in gpus.items()
        # Nothing of ours has run on a TPU: it is taken where it is asked for, and proposed to nobody.
        if not gpu.tpu and not too_old(gpu, release) and not lacks_arm_kernels(gpu, release)
    }


def cheapest(case: Case) -> Suggestion | None:
    """The cheapest machine on which the request passes, in its cloud and region if they have one, else anywhere.

    Where the model itself runs on nothing, its quantized siblings are tried. Known prices come first; machines that
    are bare metal, sold by contract only or made with a processor that nodes have no image for are left out.
    """
    request = replace(case.request, instance_type=None, zone=None)
    if (request.concurrency or 0) > case.load.max_num_seqs:  # more than vLLM's default, or than what was said
        request = replace(request, max_num_seqs=request.concurrency)
    places: list[tuple[str | None, str | None]] = []
    for place in ((request.cloud, request.region), (request.cloud, None), (None, None)):
        if place not in places:
            places.append(place)
    for asked, model in ((request, case.model), *_siblings(case, request)):
        for cloud, region in places:
            for offer in fitting(asked, buyable(cloud, region, spot=request.spot), model):
                row = offer.instance
                count = row.gpu_count - asked.beside_gpus
                return Suggestion(
                    offer,
                    replace(asked, cloud=row.cloud, region=offer.region, gpu=row.gpu or "", gpu_count=count),
                )
    return None


def buyable(cloud: str | None, region: str | None, *, spot: bool) -> list[Offer]:
    """What anybody may buy by themselves, cheapest first: no bare metal, nothing by contract; [] in no known place."""
    try:
        offers = catalog.load().offers(cloud=cloud, region=region, spot=spot)
    except Refusal:
        return []
    return [
        offer
        for offer in offers
        if offer.instance.gpu_count <= MAX_GPUS
        and not offer.instance.bare_metal
        and offer.instance.access == "self-service"
    ]


def alternatives(case: Case, *, limit: int = 3) -> list[Alternative]:
    """Small changes with which the request passes on the same kind of GPU, the smallest change first."""
    found: list[Alternative] = []
    for request, text in _changes(case):
        changed = case_of(request, case.model if request.model == case.request.model else None)
        if passes(changed):
            found.append(Alternative(request, text))
            if len(found) == limit:
                break
    return found


def wants_hint(findings: Iterable[Finding]) -> bool:
    """Whether one of the findings is about memory and says nothing yet of what would work."""
    return any(finding.code in MEMORY_CODES and not finding.hint for finding in findings)


def with_hints(case: Case, findings: Iterable[Finding], suggestion: Suggestion | None) -> list[Finding]:
    """The findings about memory, told what would work."""
    told = list(findings)
    if not wants_hint(told):
        return told
    ways = [way.text for way in alternatives(case)]
    if suggestion is not None:
        ways.append(_("the cheapest that passes: {suggestion}", suggestion=suggestion))
    hint = any_of(ways)
    return [
        replace(finding, hint=hint or NOTHING_HOLDS[finding.code == "fit.weights-exceed-vram"])
        if finding.code in MEMORY_CODES and not finding.hint
        else finding
        for finding in told
    ]


def _changes(case: Case) -> Iterator[tuple[FitRequest, str]]:
    request, memory = case.request, case.memory
    if memory is None:
        return
    if memory.kv_gib > 0:
        longest = memory.max_model_len
        if request.concurrency:
            longest = int(longest / request.concurrency)
        longest -= longest % 256
        if SHORTEST_CONTEXT <= longest < case.max_model_len:
            yield replace(request, max_model_len=longest), _("a context of {longest} tokens", longest=longest)
        fewer = int(memory.max_concurrency)
        if 1 <= fewer < (request.concurrency or 0):
            yield replace(request, concurrency=fewer), _("{fewer} requests at once", fewer=fewer)
    if request.max_num_seqs is None and (request.concurrency or 0) <= FEW_REQUESTS:
        yield replace(request, max_num_seqs=FEW_REQUESTS), f"max_num_seqs: {FEW_REQUESTS}"
    if case.load.fp8_kv_cache and case.gpu.capability < case.engine.fp8_kv_cache_capability:
        yield replace(request, kv_cache_dtype=case.plain_cache), f"kv_cache_dtype: {case.plain_cache}"
    if not case.load.fp8_kv_cache and case.gpu.capability >= case.engine.fp8_arithmetic_capability:
        yield replace(request, kv_cache_dtype="fp8"), _("kv_cache_dtype: fp8, which halves the cache")
    for sibling, model in _siblings(case, request):
        yield sibling, _("{model} on the same GPU", model=model.id)
    if case.quantization is None:
        yield replace(request, quantization="fp8"), _("quantization: fp8, which halves the weights")
    counts = _counts(case)
    for count in counts:
        if count > request.gpu_count:
            yield replace(request, gpu_count=count, instance_type=None), f"{request.count_key}: {count}"


def _counts(case: Case) -> list[int]:
    """How many of the GPU machines carry, in the place that is asked for."""
    request = case.request
    offers = catalog.load().offers(gpu=case.gpu.name, cloud=request.cloud, region=request.region)
    counts = {offer.instance.gpu_count for offer in offers if offer.instance.gpu_count <= MAX_GPUS}
    return sorted(count - request.beside_gpus for count in counts if count > request.beside_gpus)


def _siblings(case: Case, request: FitRequest) -> Iterator[tuple[FitRequest, Model]]:
    """The request for each quantized sibling of a 16-bit model."""
    data = catalog.load()
    if case.model.quantization is not None or case.model.id not in data.models:
        return
    for row in data.variants(case.model.id):
        if row.quantization in case.engine.quantizations:
            yield replace(request, model=row.id, hub_id=None, from_config=False, quantization=None), row
