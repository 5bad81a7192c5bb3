"""Whether the release of vLLM knows the model's class at all: ``data/architectures.json``, with source and date."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, either
from pulumi_llm.catalog.pooling import RERANKER
from pulumi_llm.errors import Finding, nearest
from pulumi_llm.preflight.objections import when
from pulumi_llm.preflight.request import Case

DATA = Path(__file__).parent / "data" / "architectures.json"


@dataclass(frozen=True, slots=True)
class Newer:
    """What a release after the pinned one (``vllm``) serves and that does not.

    ``text`` and ``no_text`` are classes; ``models`` are ids, in small letters, whose own recipe asks for that release.
    """

    vllm: str
    text: frozenset[str]
    no_text: frozenset[str]
    models: frozenset[str]


@dataclass(frozen=True, slots=True)
class Architectures:
    """Names of model classes, as a config.json's ``architectures`` gives them.

    ``generic`` are written in transformers only and run through vLLM's backend for those; ``removed`` gives the last
    release that had them, ``plugins`` where the plugin is that has them now; ``newer`` is None while there is no
    newer release than the pinned one. ``no_stages`` cannot be cut into stages for several machines. ``own_code`` start
    only with the code that comes with the weights. ``in_blocks`` write a block of words at a time, and are started with
    few requests at once.
    """

    text: frozenset[str]
    no_text: frozenset[str]
    generic: frozenset[str]
    removed: Mapping[str, str]
    plugins: Mapping[str, str]
    newer: Newer | None = None
    no_stages: frozenset[str] = frozenset()
    own_code: frozenset[str] = frozenset()
    in_blocks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@cache
def architectures() -> Architectures:
    """What the release that nodes install knows."""
    raw = json.loads(DATA.read_text(encoding="utf-8"))
    return Architectures(
        text=frozenset(raw["text"]),
        no_text=frozenset(raw["no_text"]),
        generic=frozenset(raw["generic"]),
        removed=raw["removed"],
        plugins=raw["plugins"],
        newer=_newer(raw.get("newer")),
        no_stages=frozenset(raw["no_stages"]),
        own_code=frozenset(raw["own_code"]),
        in_blocks=raw["in_blocks"],
    )


def _newer(raw: Mapping[str, Any] | None) -> Newer | None:
    if raw is None:
        return None
    return Newer(
        vllm=raw["vllm"],
        text=frozenset(raw["text"]),
        no_text=frozenset(raw["no_text"]),
        models=frozenset(each.casefold() for each in raw["models"]),
    )


def needs_newer_vllm(case: Case) -> Iterator[Finding]:
    """What a newer release serves and the pinned one does not is told as that, and not as a class that nobody knows."""
    newer, model = architectures().newer, case.model
    if newer is None:
        return
    by_class, name = model.architecture in newer.text, case.request.hub_id or model.base_model or model.id
    if not by_class and name.casefold() not in newer.models:
        return
    what = model.architecture if by_class else name
    yield Finding(
        "fit.needs-newer-vllm",
        _(
            "{what} needs vLLM {newer}; our nodes install vLLM {release}, which does not serve it",
            what=what,
            newer=newer.vllm,
            release=case.engine.version,
        ),
        _(
            "a model that vLLM {release} serves, most often an older one of the same family",
            release=case.engine.version,
        ),
        where="model",
    )


def own_row_differs(case: Case) -> Iterator[Finding]:
    """A row of the project's own is used in place of the catalogue's, and its owner may have forgotten it."""
    if not case.request.from_config:
        told = catalog.load().taken_over(case.model.id)
        yield from (replace(each, where="model") for each in told)


def unknown_architecture(case: Case) -> Iterator[Finding]:
    """A class that vLLM does not have is refused when it starts, after everything was paid for and fetched."""
    name = case.model.architecture
    if name is None:  # nothing to judge; vLLM takes the class from the model's type
        return
    known, release = architectures(), case.engine.version
    newer = known.newer
    if (
        name in known.text
        or (newer is not None and name in newer.text)
        or (case.task is not None and name in known.no_text)
        or (case.task == RERANKER and name.replace("ForSequenceClassification", "ForCausalLM") in known.text)
    ):
        return
    if name in known.generic:
        yield Finding(
            "fit.generic-architecture",
            _(
                "vLLM {release} has no {name} of its own and runs it through its backend for "
                "transformers: it may be slower, and its memory was not compared with a real server's",
                release=release,
                name=name,
            ),
            _("try it on one machine first"),
            severity="warning",
            where="model",
        )
        return
    if name in known.no_text:
        message, hint = (
            _("vLLM {release} serves {name}, but not as a model that writes text", release=release, name=name),
            "",
        )
    elif newer is not None and name in newer.no_text:
        message = _(
            "vLLM {release} does not know {name}; {newer} does, but not as a model that writes text",
            release=release,
            name=name,
            newer=newer.vllm,
        )
        hint = ""
    elif name in known.removed:
        message = _(
            "vLLM {release} no longer has {name}: {removed} was the last to have it",
            release=release,
            name=name,
            removed=known.removed[name],
        )
        hint = _("a newer model of the same family")
    elif name in known.plugins:
        message = _(
            "vLLM {release} has {name} only with a plugin ({plugins}), which our nodes do not install",
            release=release,
            name=name,
            plugins=known.plugins[name],
        )
        hint = ""
    else:
        near = nearest(name, known.text)
        message = _("vLLM {release} does not know the architecture {name!r}", release=release, name=name)
        hint = _("did you mean {names}? Else ", names=either(near)) if near else ""
    yield Finding(
        "fit.unknown-architecture",
        message,
        _(
            "{hint}{note}a model whose config.json names one of those that preflight/data/architectures.json lists",
            hint=hint,
            note=_("; or ") if hint and not hint.endswith(" ") else "",
        ),
        where="model",
    )


@when(lambda case: case.model.unserved_part is not None)
def part_without_class(case: Case) -> Iterator[Finding]:
    """A model that sees or hears may name a text part that vLLM has no class for."""
    yield Finding(
        "fit.unknown-architecture",
        _(
            "the text part of {model} is of the type {kind}, and vLLM {release} has no class for that inside {whole}: "
            "it would stop at the start",
            model=case.model.id,
            kind=case.model.unserved_part,
            release=case.engine.version,
            whole=case.model.architecture,
        ),
        _("a model whose text part is of an older type, or the text part's own config.json"),
        where="model",
    )


def needs_own_code(case: Case) -> Iterator[Finding]:
    """transformers may know a model otherwise than vLLM takes it, and only the code beside the weights helps."""
    if case.model.architecture not in architectures().own_code:
        return
    asked = case.request
    # What a user adds comes after what the spec says, and of two such flags the last one counts.
    last = [each for each in asked.extra_args if each in ("--trust-remote-code", "--no-trust-remote-code")]
    if last[-1] == "--trust-remote-code" if last else asked.trust_remote_code:
        return
    yield Finding(
        "fit.needs-own-code",
        _(
            "vLLM {release} reads the configuration of {model} only by the code that comes with its weights: without "
            "it the server stops at the start",
            release=case.engine.version,
            model=case.model.id,
        ),
        _("trust_remote_code: true, which lets that code run on the machine"),
        severity="warning" if asked.trust_remote_code is None and not last else "error",
        where="extra_args" if last and asked.trust_remote_code else "trust_remote_code",
    )


def quantization_needs_package(case: Case) -> Iterator[Finding]:
    """A method may run in a package that vLLM does not bring, and that nodes do not install."""
    method = case.method
    if method is not None and method.package is not None:
        yield Finding(
            "fit.quantization-needs-package",
            _(
                "for weights in {method} vLLM {version} imports {package}, which it does not bring and nodes do not "
                "install: it would stop at the start",
                method=method.name,
                version=case.engine.version,
                package=method.package,
            ),
            _("weights in another form, such as compressed-tensors or fp8"),
            where="model",
        )
