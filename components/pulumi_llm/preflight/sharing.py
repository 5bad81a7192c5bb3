"""Several models on one machine: what share of a card each is given, and whether they find room together.

vLLM 0.32.0 takes ``gpu_memory_utilization`` of the whole card, whatever else lies on it: it asks for that share of the
total, refuses to start where less is free, and makes its cache of what is left of the share once weights and the
rehearsal are measured (v1/worker/utils.py `request_memory`, v1/worker/gpu_worker.py `determine_available_memory`,
utils/mem_utils.py `memory_profiling`; read 2026-11-28). What it takes itself it measures as what the card has less of
since it began, so that two must not load at the same time. What CUDA holds for each process was taken before it
measures, and is on top of all shares. So the shares of a card, and what CUDA holds for each, must not be more than the
card has; docs/decisions/several-models.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, all_of, any_of
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import request as requests
from pulumi_llm.preflight import rules_change, served_adapters, turning
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.memory import Memory
from pulumi_llm.preflight.request import Case, FitRequest
from pulumi_llm.preflight.rules import findings_of
from pulumi_llm.preflight.suggest import MEMORY_CODES, SHORTEST_CONTEXT

if TYPE_CHECKING:
    from pulumi_llm.spec import ModelSpec, ServerSpec

WHOLE = 0.9
"""The share of a card that nobody else is on, and of all that share one, where nobody says: vLLM's own is 0.92."""
LEAST, MOST = 0.02, 0.98
FEW_REQUESTS = 32
"""Requests at once of a model on another one's card, where nobody says: fewer take less of it."""
UNKNOWN_SHARE = 0.1
"""What is reckoned with where a share is left out and cannot be worked out, which is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A model that is asked for. ``given``: its share is; ``shares``: it lies on the main model's first card;
    ``turns``: it sleeps while another one that takes turns is awake.
    """

    name: str
    request: FitRequest
    given: bool
    shares: bool
    turns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A model with its share of a card. ``case`` is None where the catalogue does not know the model.

    ``least_gib`` is what it starts with, for one request of its context: less would not do. None: not known.
    """

    wish: Wish
    case: Case | None
    least_gib: float | None

    @property
    def name(self) -> str:
        """What callers ask for; of the main model its id."""
        return self.wish.name

    @property
    def share(self) -> float:
        """What vLLM is told: a share of the whole card."""
        return self.wish.request.gpu_memory_utilization

    @property
    def memory(self) -> Memory | None:
        """The estimate with that share."""
        return self.case.memory if self.case else None


def wishes(server: ServerSpec) -> tuple[Wish, ...]:
    """What a server's spec asks for, the main model first."""
    main = requests.of_server(server)
    given = "gpu_memory_utilization" in server.model_fields_set
    rows = [
        Wish(
            name=server.name_served,
            request=main,
            given=given,
            shares=True,
            turns=any(each.takes_turns for each in server.models.values()),
        )
    ]
    return (*rows, *(_wish(server.gpu, name, each) for name, each in server.models.items()
                     if each.device == "gpu"))  # fmt: skip


def _wish(gpu: str, name: str, each: ModelSpec) -> Wish:
    shares = each.gpus is None
    return further(
        name,
        FitRequest(
            model=each.model,
            gpu=gpu,
            gpu_count=each.gpus or 1,
            count_key="gpus",
            quantization=each.quantization,
            dtype=each.dtype,
            max_model_len=each.context_length,
            max_num_seqs=each.max_num_seqs,
            kv_cache_dtype=each.kv_cache_dtype,
            adapters=served_adapters.slots(each),
            trust_remote_code=each.trust_remote_code,
            extra_args=(*each.extra_args, *(("--runner", "pooling") if _pools(each) else ())),
        ),
        share=each.gpu_memory_utilization,
        shares=shares,
        turns=each.takes_turns,
    )


def _pools(each: ModelSpec) -> bool:
    return each.kind in ("embedding", "reranking") and "--runner" not in " ".join(each.extra_args)


def further(name: str, request: FitRequest, *, share: float | None, shares: bool, turns: bool = False) -> Wish:
    """A model beside the main one; what is left out of its request is settled here."""
    seqs = request.max_num_seqs or (FEW_REQUESTS if shares and not turns else None)
    request = replace(request, max_num_seqs=seqs, gpu_memory_utilization=share or WHOLE)
    return Wish(name=name, request=request, given=share is not None, shares=shares, turns=turns)


def seats(asked: Sequence[Wish]) -> tuple[Seat, ...]:
    """Each model with its share: as given, else as little as it starts with; the main one has what is left."""
    main, others = asked[0], [_seated(each) for each in asked[1:]]
    sharing = [each.share for each in others if each.wish.shares and not each.wish.turns]
    if main.turns:
        return _in_turn([_seat(main), *others], sum(sharing))
    if not main.given and sharing:
        main = _with_the_rest(_seat(main), sum(sharing), len(sharing))
    return (_seat(main), *others)


def _in_turn(found: Sequence[Seat], always: float) -> tuple[Seat, ...]:
    """Each of those that take turns has what is left while the others sleep. ``always``: the shares of the rest."""
    card, beside = _card_gib(found[0].wish.request), sum(each.wish.shares for each in found) - 1
    left = {each.name: always + turning.others_gib(found, each) / card for each in found}
    return tuple(
        _seat(_with_the_rest(each, left[each.name], beside)) if each.wish.turns and not each.wish.given else each
        for each in found
    )


def _with_the_rest(seat: Seat, shares: float, count: int) -> Wish:
    """The wish with what ``count`` others with these ``shares`` leave of the card."""
    card, each = _card_gib(seat.wish.request), engine().spending.reserved_gib
    taken, least = shares + count * each / card, seat.least_gib
    # What nobody has is left as it is, unless it is what this one lacks.
    lacking = 0.0 if least is None else min(_up(least / card), _down(1 - each / card - taken))
    share = min(MOST, max(LEAST, _down(WHOLE - taken), lacking))
    return replace(seat.wish, request=replace(seat.wish.request, gpu_memory_utilization=share))


def _up(share: float) -> float:
    return math.ceil(share * 100 - 1e-9) / 100


def _down(share: float) -> float:
    return math.floor(share * 100 + 1e-9) / 100


def _seated(wish: Wish) -> Seat:
    seat = _seat(wish)
    if wish.given or not wish.shares:
        return seat
    least = seat.least_gib
    share = UNKNOWN_SHARE if least is None else _up(least / _card_gib(wish.request))
    request = replace(wish.request, gpu_memory_utilization=min(MOST, max(LEAST, share)))
    return _seat(replace(wish, request=request))


def _seat(wish: Wish) -> Seat:
    case = _case(wish.request)
    found = case.memory if case else None
    least = None
    if found is not None:
        least = found.weights_gib + found.overhead_gib + found.need_gib + engine().spending.error_gib
    return Seat(wish=wish, case=case, least_gib=least)


def _case(request: FitRequest) -> Case | None:
    try:
        model = None if request.from_config else catalog.load().models.get(request.model)
        if model is None and not request.from_config:
            return None
        return requests.case_of(request, model)
    except Refusal:
        return None  # of a config.json that cannot be read; who asked by it is told by the command itself


def _card_gib(request: FitRequest) -> float:
    return catalog.load().gpu(request.gpu).memory_gib


def settled(server: ServerSpec, found: Sequence[Seat] = ()) -> ServerSpec:
    """The same with every share told: the main model's, and that of each further one. ``found``: the seats."""
    server = rules_change.settled(server)
    if not server.models:
        return server
    main, *others = found or seats(wishes(server))
    models = {
        each.name: server.models[each.name].model_copy(
            update={
                "gpu_memory_utilization": each.share,
                "max_num_seqs": each.wish.request.max_num_seqs,
            }
        )
        for each in others
    }
    return server.model_copy(update={"gpu_memory_utilization": main.share, "models": {**server.models, **models}})


def findings(found: Sequence[Seat], of_main: Iterable[Finding]) -> list[Finding]:
    """What is said of all of them: ``of_main`` is what the rules say of the main model alone."""
    told = [(found[0], each) for each in of_main]
    told += [(seat, each.placed(f"models.{seat.name}")) for seat in found[1:] for each in _of_further(seat)]
    together = [*_together(found), *turning.not_run(found)]
    lacking = any(each.severity == "error" for each in together)
    # That finding has all numbers of the shared card: what each lacks there is not said again.
    return [
        *together,
        *(each for seat, each in told if not (lacking and seat.wish.shares and each.code in MEMORY_CODES)),
    ]


def _of_further(seat: Seat) -> Iterator[Finding]:
    model = seat.wish.request.model
    if seat.case is None:
        yield Finding(
            "fit.unknown-model",
            _("the catalogue has no model {model}, so what it takes is not known", model=model),
            _(
                "pulumi-llm catalog add {model} writes a row for it; or say its gpu_memory_utilization and override "
                "fit.unknown-model",
                model=model,
            ),
            where="model",
        )
    else:
        for each in findings_of(seat.case):
            hint = _more_of_the_card(seat) if each.code in MEMORY_CODES and not each.hint else each.hint
            yield replace(each, hint=hint)
    if seat.wish.shares and not seat.wish.given and seat.least_gib is None:
        yield Finding(
            "fit.share-unknown",
            _("what {model} takes is not known, and so not what share of the card it needs", model=model),
            _("gpu_memory_utilization: 0.1, or what its vLLM was seen to take; or gpus: 1"),
            where="gpu_memory_utilization",
        )


def _more_of_the_card(seat: Seat) -> str:
    share = _up((seat.least_gib or 0.0) / _card_gib(seat.wish.request))
    if not LEAST <= share <= MOST:
        return _("a GPU with more memory, a shorter context_length, or a smaller model")
    return _("gpu_memory_utilization: {share:.2f}", share=share)


def _together(found: Sequence[Seat]) -> Iterator[Finding]:
    """Those on the main model's first card do not find room on it."""
    sharing = [each for each in found if each.wish.shares]
    if len(sharing) < 2:
        return
    card, kept = _card_gib(sharing[0].wish.request), engine().spending.reserved_gib * len(sharing)
    asked = turning.asked_gib(sharing, card) + kept
    starved = [each for each in sharing if each.memory is not None and each.memory.kv_gib < each.memory.need_gib]
    alone = sharing[0].least_gib
    if alone is not None and alone > card - engine().spending.reserved_gib:
        return  # it would not find room on an empty card either, and the rules say so
    # With 0.01 GiB of grace: a share has two decimals.
    if asked <= card + 0.01 and not any(not each.wish.given for each in starved):
        return
    rows = all_of(_row(each, card) for each in sharing)
    yield Finding(
        "fit.models-do-not-fit",
        _(
            "{count} models share a {gpu} of {card:.2f} GiB: {rows}; CUDA holds about {kept:.2f} GiB for them besides",
            count=len(sharing),
            gpu=sharing[0].wish.request.gpu,
            card=card,
            rows=rows,
            kept=kept,
        ),
        any_of(_ways(sharing, card, kept)),
        where="models",
    )


def _row(seat: Seat, card: float) -> str:
    values = {"name": seat.name, "share": seat.share, "gib": seat.share * card}
    if seat.least_gib is None:
        return _("{name} ({share:.2f} of it, {gib:.2f} GiB)", **values)
    if seat.wish.turns:
        return _(
            "{name} ({share:.2f} of it, {gib:.2f} GiB; needs {least:.2f}, in turn, and {asleep:.2f} asleep)",
            **values,
            least=seat.least_gib,
            asleep=turning.asleep_gib(seat),
        )
    return _("{name} ({share:.2f} of it, {gib:.2f} GiB; needs {least:.2f})", **values, least=seat.least_gib)


def _ways(sharing: Sequence[Seat], card: float, kept: float) -> Iterator[str]:
    """What would do: other shares, a shorter context, a card of its own for the largest, another card."""
    least = turning.least_gib(sharing)
    if least is not None and least + kept <= card:
        yield _("gpu_memory_utilization left out everywhere, so that each has what it needs")
    main, others = sharing[0], sharing[1:]
    longest = main.memory.max_model_len if main.memory is not None else 0
    if main.case is not None and SHORTEST_CONTEXT <= longest - longest % 256 < main.case.max_model_len:
        yield f"context_length: {longest - longest % 256}"
    most = max(others, key=lambda each: each.least_gib or 0.0)
    if _fit_in_turn(sharing, most, card, kept):
        yield _("takes_turns: true for {name}, so that it or the main model sleeps", name=most.name)
    rest = [each.least_gib for each in sharing if each is not most]
    sides = ([most.least_gib], rest)
    if not most.wish.turns and all(
        sum(each or 0.0 for each in side) + kept * (len(side) - 1) / len(sharing) <= WHOLE * card for side in sides
    ):
        yield _("gpus: 1 for {name}, which then has a card of its own", name=most.name)
    larger = _larger(sharing, card)
    yield _("a GPU with more memory, smaller models, or shorter contexts") if larger is None else f"gpu: {larger}"


def _fit_in_turn(sharing: Sequence[Seat], most: Seat, card: float, kept: float) -> bool:
    """Whether they find room where the main model and that one take turns. One for vectors beside it is asked all the
    time, as a rule, and would send the main model to sleep with each document.
    """
    if any(each.wish.turns for each in sharing) or (most.case is not None and not most.case.load.writes):
        return False
    turns = (sharing[0], most)
    found = seats([replace(each.wish, turns=each in turns, given=False) for each in sharing])
    return turning.asked_gib(found, card) + kept <= card + 0.01 and not list(_room_missing(found))


def _larger(sharing: Sequence[Seat], card: float) -> str | None:
    """The cheapest larger GPU of the same region on which all of them find room."""
    main = sharing[0].wish.request
    if main.cloud is None or main.region is None:
        return None
    tried: Mapping[str, float] = {gpu.name: gpu.memory_gib for gpu in catalog.load().gpus.values()}
    for offer in catalog.load().offers(cloud=main.cloud, region=main.region, gpu_count=main.cards, spot=main.spot):
        gpu = offer.instance.gpu
        if gpu is None or offer.instance.fractional or offer.instance.bare_metal or tried[gpu] <= card:
            continue
        moved = seats([_moved(each.wish, gpu) for each in sharing])
        if not list(_room_missing(moved)):
            return gpu
    return None


def _moved(wish: Wish, gpu: str) -> Wish:
    return replace(wish, given=False, request=replace(wish.request, gpu=gpu, instance_type=None, zone=None))


def _room_missing(found: Sequence[Seat]) -> Iterator[Seat]:
    for each in found:
        memory = each.memory
        if (
            memory is None
            or memory.kv_gib < memory.need_gib
            or memory.kv_gib <= 0
            or (each.case is not None and any(one.severity == "error" for one in findings_of(each.case)))
        ):
            yield each
