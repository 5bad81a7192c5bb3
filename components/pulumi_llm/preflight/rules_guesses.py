"""What vLLM refuses of guesses ahead (``--speculative-config``): config/speculative.py of release 0.32.0.

Each rule was seen on that release's CPU build (2026-11-29), but for `mlp_speculator`, which stands in its registry
alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pulumi_llm import catalog
from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _, either
from pulumi_llm.errors import nearest
from pulumi_llm.preflight import drafts, extras, guesses
from pulumi_llm.preflight.drafts import Draft
from pulumi_llm.preflight.request import Case
from pulumi_llm.preflight.rules_model import architectures

Wrong = tuple[str, str]
"""Why vLLM does not start, and what it would start with."""


EXAMPLE = '{"method": "ngram", "num_speculative_tokens": 3}'
WORDS = {"true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0"}
"""What pydantic takes for a yes or a no, in any letters."""


def wrong(case: Case, draft: Draft) -> Wrong | None:
    """The first of what vLLM would end for; None: nothing that is known."""
    flags, known = flags_of(case.request.extra_args), extras.rows("guessing")
    given = guesses.given(flags)
    if isinstance(given, str):
        return _("what is given is no JSON object: {text}", text=_short(given)), EXAMPLE
    if (flag := guesses.twice(flags)) is not None:
        return _("{flag} and the configuration both say {key}", flag=flag, key=guesses.SHORT[flag]), _("one of both")
    return (
        _settings(given or {}, known)
        or _method(draft, known)
        or _model(case, draft, known)
        or _count(case, draft, known)
        or _parts(case, draft, given or {})
        or _of_other_methods(draft, given or {})
        or _vocabulary(case, draft)
        or _step(case, draft)
        or _words(given or {})
    )


def _settings(given: Mapping[str, object], known: dict[str, Any]) -> Wrong | None:
    """Each setting is one that vLLM has, and of its kind."""
    kinds = known["settings"]
    for key, value in given.items():
        if key not in kinds:
            near = nearest(key, kinds)
            hint = _("did you mean {names}?", names=either(near)) if near else EXAMPLE
            return _("it has no setting {key!r}", key=key), hint
        if value is None and key not in known["required"]:
            continue
        if (right := _right(kinds[key], value)) is not None:
            return _("{key} is {value}", key=key, value=_short(json.dumps(value, ensure_ascii=False))), right
    return None


def _right(kind: Any, value: object) -> str | None:
    """What would be right in the place of a value that is not; None where it is."""
    if isinstance(kind, list):
        return None if value in kind else either(kind)
    if isinstance(kind, int):
        number = guesses.whole(value)
        return None if number is not None and number >= kind else _("a whole number, {least} at least", least=kind)
    if kind == "text":
        return None if isinstance(value, str) else _("a text, in quotation marks")
    if kind == "bool":
        fine = isinstance(value, bool) or str(value).casefold() in WORDS or value in (0.0, 1.0)
        return None if fine else "true, false"
    if kind == "number":
        return None if _finite(value) else _("a number")
    return None


def _finite(value: object) -> bool:
    try:
        return isinstance(value, int | float | str) and math.isfinite(float(value))
    except (ValueError, OverflowError):
        return False


def _step(case: Case, draft: Draft) -> Wrong | None:
    """A step takes what is guessed of a request and one token more: no more than a batch or the context has room for.

    v1/worker/gpu/model_runner.py asserts it in its first run, v1/worker/gpu/warmup.py has two such steps in the
    context, and config/compilation.py finds no CUDA graph that is so large (read, not run: there was no GPU).
    """
    count = draft.tokens
    if count is None:
        return None
    most = min(case.load.max_num_batched_tokens, case.max_model_len) - 1
    if count <= most:
        return None
    why = _(
        "{count} tokens are guessed at a time, and a step has room for {most}: a batch has {batch} tokens and the "
        "context {context}",
        count=count,
        most=most,
        batch=case.load.max_num_batched_tokens,
        context=case.max_model_len,
    )
    return why, '"num_speculative_tokens": 3'


def _parts(case: Case, draft: Draft, given: Mapping[str, object]) -> Wrong | None:
    """What guesses is on one GPU, or cut into as many parts as the model (_verify_and_get_draft_tp)."""
    parts, gpus = guesses.whole(given.get("draft_tensor_parallel_size")), case.request.gpu_count
    if parts in (None, 1, gpus) or draft.method in drafts.WITHOUT_MODEL:
        return None
    why = _("what guesses is cut into {parts} parts, and the model into {gpus}", parts=parts, gpus=gpus)
    return why, f'"draft_tensor_parallel_size": {gpus}'


def _of_other_methods(draft: Draft, given: Mapping[str, object]) -> Wrong | None:
    """Settings that one method alone takes (_verify_args)."""
    different = given.get("use_heterogeneous_vocab")
    if different in (True, 1) and draft.method not in drafts.SMALL_MODELS:
        return _("use_heterogeneous_vocab is for the method draft_model alone"), '"method": "draft_model"'
    if different in (True, 1) and given.get("draft_sample_method") not in (None, "greedy"):
        return _("use_heterogeneous_vocab samples greedily alone"), '"draft_sample_method": "greedy"'
    synthetic = [key for key in ("synthetic_acceptance_rates", "synthetic_acceptance_length") if given.get(key)]
    if synthetic and given.get("rejection_sample_method") != "synthetic":
        return _("{key} is for synthetic rejection alone", key=synthetic[0]), '"rejection_sample_method": "synthetic"'
    return None


def _vocabulary(case: Case, draft: Draft) -> Wrong | None:
    """A small model has as many words as the large one (verify_equal_vocab_size_if_draft_model)."""
    small = catalog.load().models.get(draft.model or "")
    if draft.method not in drafts.SMALL_MODELS or small is None or None in (small.vocab, case.model.vocab):
        return None
    given = guesses.given(flags_of(case.request.extra_args))
    if small.vocab == case.model.vocab or (isinstance(given, dict) and given.get("use_heterogeneous_vocab")):
        return None
    why = _(
        "{small} has a vocabulary of {words} and {model} one of {others}",
        small=small.id,
        words=small.vocab,
        model=case.model.id,
        others=case.model.vocab,
    )
    return why, _("leave --speculative-config out, or method ngram")


def _words(given: Mapping[str, object]) -> Wrong | None:
    """How many words are looked for, from the least to the most (n-grams)."""
    least, most = (guesses.whole(given.get(f"prompt_lookup_{end}")) for end in ("min", "max"))
    if least is None or most is None or least <= most:
        return None
    why = _("prompt_lookup_min is {least}, above prompt_lookup_max, which is {most}", least=least, most=most)
    return why, f'"prompt_lookup_min": {most}'


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


def _method(draft: Draft, known: dict[str, Any]) -> Wrong | None:
    """A method that this release has, and for which a node has all that it needs."""
    method = draft.method
    if method and method not in known["methods"]:
        near = nearest(method, known["methods"])
        hint = _("did you mean {names}?", names=either(near)) if near else '"method": "ngram"'
        return _("there is no method {method!r}", method=method), hint
    if method in known["packages"]:
        package = known["packages"][method]
        why = _("the method {method} needs the package {package}, which a node has not", method=method, package=package)
        return why, '"method": "ngram"'
    if method in known["off"]:
        return _("this release has switched the method {method} off", method=method), '"method": "eagle3"'
    return None


def _model(case: Case, draft: Draft, known: dict[str, Any]) -> Wrong | None:
    """Somebody has to guess: a model that is named, or heads of the one that is served."""
    if draft.model is None and draft.method in known["needs_model"]:
        method = draft.method or "draft_model"
        why = _("the method {method} needs a model that guesses, and none is named", method=method)
        return why, '"model": "organisation/name"'
    if not draft.method.endswith("mtp") or draft.model not in (None, case.model.id):
        return None
    name, served = case.model.architecture or "", architectures()
    if name in served.text | served.generic and name not in known["classes"]:
        return _("its class {name} has no heads that guess ahead", name=name), '"method": "ngram"'
    if case.model.heads_ahead == 0 and name in extras.rows("heads_ahead"):
        return _("its config.json says that the weights hold no heads that guess ahead"), '"method": "ngram"'
    return None


def _count(case: Case, draft: Draft, known: dict[str, Any]) -> Wrong | None:
    """How many tokens are guessed at a time must be said, and must suit the heads of the checkpoint."""
    count, heads = draft.tokens, drafts.heads_of(case.model) if draft.method.endswith("mtp") else 0
    if count is None:
        if draft.method in known["counts_by_itself"]:
            return None
        return _("num_speculative_tokens is not given"), f'"num_speculative_tokens": {heads or 3}'
    if heads and count > heads and count % heads:
        return (
            _(
                "{count} tokens are guessed by {heads} heads, of which each must be used as often as the others",
                count=count,
                heads=heads,
            ),
            f'"num_speculative_tokens": {count // heads * heads}',
        )
    return None
