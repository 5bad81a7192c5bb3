"""Whether weights, overhead and the KV cache find room. Hints are filled in by ``suggest``, which tries them."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import adapters, drafts, requests
from pulumi_llm.preflight.memory import Memory
from pulumi_llm.preflight.objections import when
from pulumi_llm.preflight.request import Case
from pulumi_llm.preflight.rules_model import architectures


@when(lambda case: case.model.unknown_shape is not None)
def unknown_shape(case: Case) -> Iterator[Finding]:
    """What a config.json says of the shape and is not understood gives no verdict, rather than a wrong one."""
    setting = case.model.unknown_shape
    hint = _("use a model of the catalogue, or try this one on one machine and override the finding")
    in_blocks = architectures().in_blocks.get(case.model.architecture or "")
    if in_blocks is not None:
        hint = _(
            "it writes a block of words at a time, and keeps a number for each place of the block and each word of its "
            "vocabulary meanwhile: try it on one machine with max_num_seqs: {requests}, as vLLM's recipe does (at most "
            "{most}), and override the finding",
            requests=in_blocks["requests"],
            most=in_blocks["most"],
        )
    yield Finding(
        "fit.unknown-shape",
        _(
            "the size of {model}, or what it keeps for each token, is not known: its config.json "
            "says {setting}, which is not understood here",
            model=case.model.id,
            setting=setting,
        ),
        hint,
        where="model",
    )


def unknown_memory(case: Case) -> Iterator[Finding]:
    """Where the catalogue lacks a number, there is no verdict, rather than a wrong one."""
    if case.model.unknown_shape is not None or case.in_other_bits:  # other rules say why
        return
    known_method = case.quantization is None or case.method is not None
    if case.memory is None and known_method:
        lacking = [
            name
            for name in ("parameters_b", "layers", "kv_heads", "head_dim")
            if getattr(case.model, name) is None and not (case.model.mla and name in ("kv_heads", "head_dim"))
        ]
        bits = case.bits or (case.method.bits if case.method else None)
        what = (
            listed(lacking)
            if lacking
            else _(
                "the size of {bits}-bit {quantization} weights", bits=bits or "unknown", quantization=case.quantization
            )
        )
        yield Finding(
            "fit.unknown-memory",
            _("the memory that {model} takes is not known: {what} is missing", model=case.model.id, what=what),
            _("give the config.json that came with its weights"),
            where="model",
        )


@when(lambda case: case.memory is not None and case.memory.kv_gib <= 0)
def weights_exceed_vram(case: Case) -> Iterator[Finding]:
    """Nothing is left for a KV cache, or less than nothing."""
    found = case.memory
    if found is not None:
        over = found.weights_gib + found.overhead_gib
        yield Finding(
            "fit.weights-exceed-vram",
            _(
                "{what} needs {weights_gib:.2f} GiB for weights and {overhead_gib:.2f} GiB for "
                "activations, graphs and CUDA on each GPU, {over:.2f} GiB in all, and {budget}",
                what=_what(case),
                weights_gib=found.weights_gib,
                overhead_gib=found.overhead_gib,
                over=over,
                budget=_budget(case, found),
            ),
            where="gpu",
        )


@when(lambda case: case.memory is not None and 0 < case.memory.kv_gib < case.memory.need_gib)
def context_too_long(case: Case) -> Iterator[Finding]:
    """vLLM does not start unless one request of the full context fits."""
    found = case.memory
    if found is not None:
        yield Finding(
            "fit.context-too-long",
            _(
                "one request of {max_model_len} tokens needs {need_gib:.2f} GiB of KV cache per GPU, "
                "and {kv_gib:.2f} GiB is left: {budget}, less {weights_gib:.2f} GiB of weights and "
                "{overhead_gib:.2f} GiB of overhead",
                max_model_len=case.max_model_len,
                need_gib=found.need_gib,
                kv_gib=found.kv_gib,
                budget=_budget(case, found),
                weights_gib=found.weights_gib,
                overhead_gib=found.overhead_gib,
            ),
            where="context_length",
        )


def concurrency_too_high(case: Case) -> Iterator[Finding]:
    """Requests beyond what the cache holds wait; who asks for so many at once is told."""
    found, asked = case.memory, case.request.concurrency
    if found is None or asked is None or found.kv_gib < found.need_gib:
        return
    if asked > case.load.max_num_seqs:
        yield Finding(
            "fit.concurrency-too-high",
            _(
                "{request} requests at once are asked for, but vLLM takes {max_num_seqs} (max_num_seqs)",
                request=asked,
                max_num_seqs=case.load.max_num_seqs,
            ),
            f"max_num_seqs: {asked}",
            where="concurrency",
        )
    if asked * found.need_gib > found.kv_gib:
        yield Finding(
            "fit.concurrency-too-high",
            _(
                "{request} requests of {max_model_len} tokens need {request_2:.2f} GiB of KV cache "
                "per GPU, and {kv_gib:.2f} GiB is left, enough for {max_concurrency:g}",
                request=asked,
                max_model_len=case.max_model_len,
                request_2=asked * found.need_gib,
                kv_gib=found.kv_gib,
                max_concurrency=found.max_concurrency,
            ),
            where="concurrency",
        )


def more_requests_than_states(case: Case) -> Iterator[Finding]:
    """A hybrid keeps a state for each request, and vLLM refuses to start where there may be more than it has blocks."""
    found, seqs = case.memory, case.load.max_num_seqs
    if found is None or found.kv_gib < found.need_gib:
        return
    blocks = requests.blocks_of(case.model, case.load, found, case.parts)
    if blocks is None or seqs <= blocks:
        return
    fewer = requests.number_that_starts(case.model, case.load)
    yield Finding(
        "fit.more-requests-than-states",
        _(
            "{model} keeps a state for each request, and the {kv_gib:.2f} GiB of KV cache per "
            "GPU hold about {blocks} of them: vLLM {version} refuses to start with max_num_seqs "
            "{seqs}",
            model=case.model.id,
            kv_gib=found.kv_gib,
            blocks=blocks,
            version=case.engine.version,
            seqs=seqs,
        ),
        _("max_num_seqs: {fewer}, or leave it out", fewer=fewer),
        where="max_num_seqs",
    )


def utilization_too_high(case: Case) -> Iterator[Finding]:
    """vLLM refuses to start when its share is more than what is free; graphs outside the share must fit beside it."""
    found, spending = case.memory, case.engine.spending
    if found is None:
        return
    free = found.gpu_gib - spending.reserved_gib
    beside = 0.0 if spending.graphs_in_budget else found.graphs_gib
    if found.budget_gib + beside > free:
        highest = int((free - beside) / found.gpu_gib * 100) / 100
        yield Finding(
            "fit.utilization-too-high",
            _(
                "a share of {utilization:g} is {budget_gib:.2f} GiB, and of the {gpu_gib:.2f} GiB of "
                "{gpu} about {free:.2f} GiB is free when vLLM starts",
                utilization=case.load.utilization,
                budget_gib=found.budget_gib,
                gpu_gib=found.gpu_gib,
                gpu=case.gpu.name,
                free=free,
            ),
            _("gpu_memory_utilization: {highest:.2f} at most", highest=highest),
            where="gpu_memory_utilization",
        )


def tight(case: Case) -> Iterator[Finding]:
    """Within the estimator's error it may go either way."""
    found = case.memory
    if found is None:
        return
    spare = found.kv_gib - found.need_gib * (case.request.concurrency or 1)
    if 0 <= spare < case.engine.spending.error_gib:
        yield Finding(
            "fit.tight",
            _(
                "only {spare:.2f} GiB per GPU is left over, and the estimate may well be off by {error_gib:g} GiB",
                spare=spare,
                error_gib=case.engine.spending.error_gib,
            ),
            _("a somewhat shorter context or fewer max_num_seqs"),
            severity="warning",
            where="context_length",
        )


def vision_is_not_counted(case: Case) -> Iterator[Finding]:
    """A config.json gives the shape of the text part; what reads images comes on top."""
    if case.request.from_config and case.model.other_parts and case.load.sees:
        named = f" ({case.model.architecture})" if case.model.architecture else ""
        yield Finding(
            "fit.vision-not-counted",
            _(
                "{model}{named} has more parts than its text model, and these are not in the estimate",
                model=case.model.id,
                named=named,
            ),
            _("leave room for them: compare the weights above with the size of the model's files"),
            severity="warning",
            where="model",
        )


def what_flags_add_is_not_counted(case: Case) -> Iterator[Finding]:
    """Adapters and guessing ahead come on top of the model; what they take is not known for every model and draft."""
    load, adding = case.load, {}
    if load.adapters is not None and adapters.slots_gib(case.model, load.adapters, load.gpu_count) is None:
        adding[adapters.FLAG] = _("slots for LoRA adapters (max_loras x max_lora_rank in every layer)")
    if load.draft is not None and drafts.held(case.model, load.draft) is None:
        adding["--speculative-config"] = _("a draft model or heads that guess ahead, and their KV cache")
    for flag, what in adding.items():
        yield Finding(
            "fit.flag-not-counted",
            _(
                "{flag} makes vLLM {version} hold {adding}, which is not in the estimate",
                flag=flag,
                version=case.engine.version,
                adding=what,
            ),
            _("leave room for it: a lower gpu_memory_utilization does not, a shorter context does"),
            severity="warning",
            where="adapters" if flag == adapters.FLAG and case.request.adapters else "extra_args",
        )


def _what(case: Case) -> str:
    stored = case.quantization or _("16 bit")
    count = case.request.gpu_count * case.request.nodes
    split = _(" over {count} GPUs", count=count) if count > 1 else ""
    return _("{model} in {stored}{split}{slots}", model=case.model.id, stored=stored, split=split, slots=_slots(case))


def _slots(case: Case) -> str:
    asked, found = case.load.adapters, case.memory
    if asked is None or found is None or not found.adapters_gib:
        return ""
    row = {"count": asked.slots, "rank": asked.rank, "gib": found.adapters_gib}
    return _(" with slots for {count} adapters of rank {rank} ({gib:.2f} GiB)", **row)


def _budget(case: Case, found: Memory) -> str:
    return _(
        "{utilization:g} of the {gpu_gib:.2f} GiB that the driver reports for {gpu} is {budget_gib:.2f} GiB",
        utilization=case.load.utilization,
        gpu_gib=found.gpu_gib,
        gpu=case.gpu.name,
        budget_gib=found.budget_gib,
    )
