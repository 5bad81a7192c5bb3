"""What vLLM refuses of guesses ahead (``--speculative-config``): config/speculative.py of release 0.32.0.

Each rule was seen on that release's CPU build (2026-11-29), but for `mlp_speculator`, which stands in its registry alone.
"""

from __future__ import annotations

from typing import Any

from pulumi_llm._texts import _, either
from pulumi_llm.errors import nearest
from pulumi_llm.preflight import drafts, extras
from pulumi_llm.preflight.drafts import Draft
from pulumi_llm.preflight.request import Case
from pulumi_llm.preflight.rules_model import architectures

Wrong = tuple[str, str]
"""Why vLLM does not start, and what it would start with."""


def wrong(case: Case, draft: Draft) -> Wrong | None:
    """The first of what vLLM would end for; None: nothing that is known."""
    if draft.method == drafts.UNREAD:
        return None
    known = extras.rows("guessing")
    return _method(draft, known) or _model(case, draft, known) or _count(case, draft, known)


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
    if count < 1:
        return _("num_speculative_tokens is {count}", count=count), '"num_speculative_tokens": 1'
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
