"""Flags of a user's own that vLLM refuses at the start, each by its source in release 0.32.0 (read 2026-11-29)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pulumi_llm._flags import flags_of, number_of
from pulumi_llm._texts import _
from pulumi_llm.catalog.state_types import kept_in
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import adapters, rules_guesses
from pulumi_llm.preflight.cache import RECURRENT
from pulumi_llm.preflight.request import Case
from pulumi_llm.preflight.rules_model import architectures


def flags_refused(case: Case) -> Iterable[Finding]:
    """What a user adds is refused before anything is bought, where vLLM would refuse it at the start."""
    asked = case.request.extra_args or case.request.adapters
    return (*_adapters(case), *_guesses(case), *_batch(case), *_states(case), *_blocks(case)) if asked else ()


def _adapters(case: Case) -> Iterator[Finding]:
    """Slots for adapters come in a few ranks, and not for every class (config/lora.py, lora/layers, v1/worker)."""
    asked = case.load.adapters
    if asked is None:
        return
    limits, name = adapters.limits(), case.model.architecture or ""
    if asked.rank not in limits.ranks:
        yield _refused(
            case,
            "--max-lora-rank",
            _("the largest rank is one of a few, and {rank} is none of them", rank=asked.rank),
            f"--max-lora-rank {min((each for each in limits.ranks if each > asked.rank), default=limits.ranks[-1])}",
        )
    if name in limits.without:
        yield _refused(
            case,
            adapters.FLAG,
            _("its class {name} takes no adapters", name=name),
            _("a model with the adapter merged into its weights"),
        )
    elif adapters.has_words(case.model) and (case.model.vocab or 0) > limits.vocab:
        yield _refused(
            case,
            adapters.FLAG,
            _(
                "{name} has slots for its output head too, and a vocabulary of {vocab} where {most} are the most",
                name=name,
                vocab=case.model.vocab,
                most=limits.vocab,
            ),
            _("a model with the adapter merged into its weights"),
        )
    most, slots = _number(flags_of(case.request.extra_args), "--max-cpu-loras"), asked.slots
    if most is not None and most < slots:
        yield _refused(
            case,
            "--max-cpu-loras",
            _(
                "{most} adapters are kept in the host's memory, fewer than the {slots} on the GPU",
                most=most,
                slots=slots,
            ),
            f"--max-cpu-loras {slots}",
        )


def _guesses(case: Case) -> Iterator[Finding]:
    """Who guesses ahead, and how many tokens at a time (rules_guesses)."""
    found = rules_guesses.wrong(case, case.load.draft) if case.load.draft is not None else None
    if found is not None:
        yield _refused(case, "--speculative-config", *found)


def _batch(case: Case) -> Iterator[Finding]:
    """A batch holds each request's token, and a whole text where the model sees all of it (config/scheduler.py)."""
    flags, load = flags_of(case.request.extra_args), case.load
    tokens = _number(flags, "--max-num-batched-tokens")
    if tokens is None:
        return
    if tokens < load.max_num_seqs:
        yield _refused(
            case,
            "--max-num-batched-tokens",
            _(
                "a batch of {tokens} tokens is smaller than the {requests} requests at once (max_num_seqs)",
                tokens=tokens,
                requests=load.max_num_seqs,
            ),
            f"--max-num-batched-tokens {load.max_num_seqs}",
        )
    whole = case.model.attention_layers == 0 < (case.model.heads or 0) or "--no-enable-chunked-prefill" in flags
    if whole and tokens < case.max_model_len:
        yield _refused(
            case,
            "--max-num-batched-tokens",
            _(
                "a text is read in one piece, and one of {context} tokens is longer than a batch of {tokens}",
                context=case.max_model_len,
                tokens=tokens,
            ),
            f"--max-num-batched-tokens {case.max_model_len}",
        )


def _states(case: Case) -> Iterator[Finding]:
    """States of Kimi's delta attention are not kept in float16 (model_executor/layers/mamba/mamba_utils.py)."""
    flags, name = flags_of(case.request.extra_args), case.model.architecture or ""
    if flags.get(RECURRENT) == "float16" and name in kept_in()["without_float16"]:
        why = _("its class {name} keeps its states in float32 or bfloat16, never in float16", name=name)
        yield _refused(case, RECURRENT, why, f"{RECURRENT} bfloat16")


def _blocks(case: Case) -> Iterator[Finding]:
    """A model that writes in blocks lets words see those after them, which FlashInfer cannot (models/config.py)."""
    backend = flags_of(case.request.extra_args).get("--attention-backend", "")
    if backend.upper() == "FLASHINFER" and (case.model.architecture or "") in architectures().in_blocks:
        why = _("it writes in blocks, whose words see those after them too, and FlashInfer has no kernel for that")
        yield _refused(case, "--attention-backend", why, "--attention-backend TRITON_ATTN")


def _refused(case: Case, flag: str, why: str, hint: str) -> Finding:
    return Finding(
        "fit.flag-refused",
        _(
            "vLLM {version} does not start {model} with this {flag}: {why}",
            version=case.engine.version,
            model=case.model.id,
            flag=flag,
            why=why,
        ),
        hint,
        where="adapters" if flag == adapters.FLAG and case.request.adapters else "extra_args",
    )


def _number(flags: Mapping[str, str], name: str) -> int | None:
    return number_of(flags.get(name, ""))
