"""Several models on one machine: what `pulumi-llm check MODEL --beside OTHER` adds to the verdict on the first."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pulumi_llm import catalog
from pulumi_llm._commands import UsageError, _model
from pulumi_llm._tables import aligned
from pulumi_llm._texts import _
from pulumi_llm.errors import Refusal, UnknownName
from pulumi_llm.preflight import beside, on_cpu, sharing, turning
from pulumi_llm.preflight.on_cpu import OnCpu
from pulumi_llm.preflight.report import Report, check, in_order
from pulumi_llm.preflight.request import FitRequest
from pulumi_llm.preflight.sharing import Seat, Wish

OWN = "own"
"""What stands for a share where a model is to have a GPU of its own."""
IN_TURN = "turns"
"""The same where it takes turns with the first model."""


def verdict(asked: Namespace, main: FitRequest) -> tuple[Report, tuple[Seat | OnCpu, ...]]:
    """The verdict on all of them, as one report, and each model with its share."""
    asked_for = list(_others(asked, main))
    others = [each for each in asked_for if isinstance(each, Wish)]
    cpu = [each for each in asked_for if isinstance(each, OnCpu)]
    main = replace(main, beside_gpus=sum(not each.shares for each in others))
    given = asked.gpu_memory_utilization is not None
    name = main.named.rsplit("/", 1)[-1]
    turns = any(each.turns for each in others)
    seats = sharing.seats([Wish(name=name, request=main, given=given, shares=True, turns=turns), *others])
    hosted = tuple(beside.of_model(each.name, each.case.model if each.case else None, 1) for each in seats[1:])
    if turns:
        hosted += (beside.of_sleepers(each.case.model if each.case else None for each in seats if each.wish.turns),)
    hosted += tuple(beside.of_cpu(each) for each in cpu)
    request = replace(seats[0].wish.request, services=hosted)
    alone = check(request)
    of_cpu = [one.placed(f"models.{each.name}") for each in cpu for one in on_cpu.findings(each)]
    found = in_order([*sharing.findings(seats, alone.findings), *of_cpu])
    return replace(alone, findings=found, suggestion=None, together=True), (*seats, *cpu)


def _others(asked: Namespace, main: FitRequest) -> Iterator[Wish | OnCpu]:
    names = {main.named.rsplit("/", 1)[-1]}
    for text in asked.beside:
        model, sign, share = text.partition("=")
        if not model.strip():
            raise UsageError(_("--beside {text!r} names no model", text=text))
        own, turns = share == OWN, share == IN_TURN
        if share == on_cpu.CPU:
            yield on_cpu.of_model(_unused(names, model), _row_of(model))
            continue
        where, from_config = _place(asked, model)
        name = _unused(names, model)
        request = FitRequest(
            model=where,
            from_config=from_config,
            hub_id=None if not from_config or _model.is_path(model) else model,
            gpu=main.gpu,
        )
        given = _share(share) if sign and not own and not turns else None
        yield sharing.further(name, request, share=given, shares=not own, turns=turns)


def _unused(names: set[str], model: str) -> str:
    name = model.rsplit("/", 1)[-1]
    while name in names:
        name += "-2"
    names.add(name)
    return name


def _row_of(model: str) -> str:
    """The catalogue's id of a model, however it is written; as it stands where there is none."""
    try:
        return catalog.load().model(model).id
    except UnknownName:
        return model


def _place(asked: Namespace, model: str) -> tuple[str, bool]:
    try:
        return _model.place(Namespace(**{**vars(asked), "model": model, "refresh": False, "revision": None}))
    except Refusal as refusal:
        if {each.code for each in refusal.findings} != {"catalog.not-a-chat-model"}:
            raise
        return model, False  # a reranker that has no row: what it takes is not known, and that is said


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not sharing.LEAST <= share <= sharing.MOST:
        raise UsageError(
            _(
                "--beside MODEL={text}: the share is a number from {least} to {most}, {own} for a GPU of its own, "
                "{turns} for a model that takes turns with the first, or {cpu} for the machine's memory",
                text=text,
                least=sharing.LEAST,
                most=sharing.MOST,
                own=OWN,
                turns=IN_TURN,
                cpu=on_cpu.CPU,
            )
        )
    return share


HEAD = (
    _("model"),
    _("GPU"),
    _("share"),
    "GiB",
    _("weights"),
    _("overhead"),
    _("KV cache"),
    _("tokens"),
    _("longest"),
    _("needs"),
)


def table(seats: Sequence[Seat | OnCpu]) -> str:
    """Each model with its share of a card and what becomes of it, in GiB and tokens."""
    turns = any(each.wish.turns for each in seats if isinstance(each, Seat))
    rows: list[tuple[str, ...]] = [(*HEAD, _("asleep"))] if turns else [HEAD]
    own, gpu_count = 0, 0
    for each in seats:
        if isinstance(each, OnCpu):
            rows.append((*_cpu_row(each), *(("–",) if turns else ())))
            continue
        gpu_count = gpu_count or each.wish.request.gpu_count
        memory, card = each.memory, 0
        if not each.wish.shares:
            own += 1
            card = gpu_count + own - 1
        parts = ("–",) * 7
        if memory is not None:
            parts = (
                f"{memory.budget_gib:.2f}",
                f"{memory.weights_gib:.2f}",
                f"{memory.overhead_gib:.2f}",
                f"{max(memory.kv_gib, 0.0):.2f}",
                f"{memory.kv_tokens:,}" if memory.need_gib else "–",
                f"{memory.max_model_len:,}" if memory.need_gib else "–",
                f"{each.least_gib:.2f}",
            )
        asleep = (f"{turning.asleep_gib(each):.2f}" if each.wish.turns and memory is not None else "–",)
        rows.append((each.name, str(card), f"{each.share:.2f}", *parts, *(asleep if turns else ())))
    return "\n".join(["", *aligned(rows, right=range(1, len(rows[0])))]) + "\n"


def _cpu_row(model: OnCpu) -> tuple[str, ...]:
    """What it takes of the machine's memory."""
    weights = "–" if model.weights_gib is None else f"{model.weights_gib:.2f}"
    rest = "–" if model.weights_gib is None else f"{model.memory_gib - model.weights_gib:.2f}"
    return (model.name, "CPU", "–", f"{model.memory_gib:.2f}", weights, rest, "–", "–", "–", f"{model.memory_gib:.2f}")


def for_json(seats: Sequence[Seat | OnCpu]) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [
        {"name": each.name, "model": each.id, "device": "cpu", "memory_gib": each.memory_gib}
        if isinstance(each, OnCpu)
        else {
            "name": each.name,
            "model": each.wish.request.named,
            "share": each.share,
            "shares_the_first_gpu": each.wish.shares,
            **({"asleep_gib": round(turning.asleep_gib(each), 2)} if each.wish.turns else {}),
            "least_gib": None if each.least_gib is None else round(each.least_gib, 2),
            "memory": None if each.memory is None else each.memory.for_json(),
        }
        for each in seats
    ]
