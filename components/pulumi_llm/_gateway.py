"""What a gateway is told: routes, prices, upstreams and word lists, from the spec and the catalogue."""

import ast
import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pulumi_llm import _gate
from pulumi_llm._bootstrap import GatewayKey, Route, Target, Upstream
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import Finding, Refusal, nearest
from pulumi_llm.roles.requests import ContentRole
from pulumi_llm.spec import (
    MODERATOR_SECRETS,
    ContentSpec,
    KeySpec,
    PriceSpec,
    RouteSpec,
    UpstreamSpec,
    authority_secret,
    key_limits,
    needs_key,
    secrets_named,
    upstream_key,
    url_of,
    vendor_of,
)

MOST = 10**15
"""The gateway takes no limit above it (`llm_gate.policy.MOST`), and nobody comes to it."""


def vendor_upstreams(upstreams: Mapping[str, UpstreamSpec], country: str) -> tuple[Upstream, ...]:
    """The vendors as a gateway in that country reaches them, each with the name of the secret that holds its key."""
    return tuple(
        Upstream(
            name=name,
            kind=vendor_of(name, each),
            base_url=url_of(name, each, country),
            secret=upstream_key(name).name if needs_key(each) else None,
            ca_secret=authority_secret(name) if each.certificate_authority else None,
        )
        for name, each in sorted(upstreams.items())
    )


def vendor_targets(upstreams: Mapping[str, UpstreamSpec], prices: Mapping[str, PriceSpec]) -> dict[str, Target]:
    """Every model of the vendors by what callers ask for, where its requests go, and what they cost."""
    return {
        served: Target(upstream=name, model=model, **priced(prices.get(served)))
        for name, each in sorted(upstreams.items())
        for served, model in each.served.items()
    }


def priced(price: PriceSpec | None) -> dict[str, Any]:
    """A price as a target holds it; nothing where it is not known."""
    if price is None:
        return {}
    return {"price_in": price.input, **({} if price.output is None else {"price_out": price.output})}


def routes_of(
    targets: Mapping[str, Target],
    wanted: Mapping[str, RouteSpec],
    replicas: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> tuple[Route, ...]:
    """A route for every model by its own name, and the routes that the spec asks for, which go before them.

    ``replicas``: the upstreams on other machines that serve a model too.
    """

    def every(model: str, weight: float | None = None) -> tuple[Target, ...]:
        own, upstreams = targets[model], (targets[model].upstream, *replicas.get(model, ()))
        if weight is not None:
            # A model's share does not grow with its machines.
            share = weight / len(upstreams) if len(upstreams) > 1 else weight
            own = dataclasses.replace(own, weight=share)
        return tuple(dataclasses.replace(own, upstream=each) for each in upstreams)

    plain = {model: Route(name=model, targets=every(model)) for model in targets}
    asked = {
        name: Route(
            name=name,
            targets=tuple(each for model, weight in spec.models.items() for each in every(model, weight)),
            fallback=tuple(each for model in spec.fallback for each in every(model)),
        )
        for name, spec in wanted.items()
    }
    return tuple({**plain, **asked}.values())


def key_rows(keys: Mapping[str, KeySpec]) -> tuple[GatewayKey, ...]:
    """The keys and their limits as the node's gateway reads them (without the keys themselves)."""
    return tuple(
        GatewayKey(
            name=name,
            models=spec.models,
            endpoints=spec.endpoints,
            limits={each: min(value, MOST) for each in key_limits() if (value := getattr(spec, each)) is not None},
            expires=_end_of(spec.expires) if spec.expires else None,
            source_cidrs=spec.source_cidrs,
            ask_twice=spec.ask_twice,
        )
        for name, spec in sorted(keys.items())
    )


def _end_of(day: str) -> int:
    """The end of a day (UTC), in seconds since 1970."""
    midnight = datetime.datetime.combine(datetime.date.fromisoformat(day), datetime.time(), datetime.UTC)
    return int(midnight.timestamp()) + 86400


def content_role(content: ContentSpec | None, upstreams: Iterable[Upstream]) -> ContentRole | None:
    """Content safety for a gateway with these upstreams, whose keys its moderators may use too.

    Word files are read here, relative to the project's folder.

    Raises:
        Refusal: ``content.no-word-file``, ``content.bad-word-file``, ``content.bad-hook``, ``content.unknown-secret``;
            all at once.
    """
    if content is None:
        return None
    findings: list[Finding] = []
    files: dict[str, str] = {}
    lists: list[dict[str, Any]] = []
    for name, row in content.lists.items():
        document = {"name": name, **row.model_dump(mode="json", exclude_defaults=True)}
        if row.file is not None:
            document["file"] = f"words/{len(files)}.txt"
            files[document["file"]] = _words_in(Path(row.file), name, findings)
        lists.append(document)
    moderators = {
        name: {"name": name, **each.model_dump(mode="json", exclude_defaults=True, exclude={"file"})}
        for name, each in content.moderators.items()
    }
    hooks: dict[str, str] = {}
    for name, each in content.moderators.items():
        if each.file is not None:
            # In a package of their own: a hook called json.py must not be taken for Python's json.
            hooks[f"hooks/{Path(each.file).name}"] = _hook_in(Path(each.file), name, findings)
            moderators[name]["options"] = {**each.options, "entry": f"hooks.{each.options['entry']}"}
    theirs = {each.name: each.secret for each in upstreams if each.secret}
    known = sorted({*theirs.values(), *MODERATOR_SECRETS})
    for name, field, secret in secrets_named(moderators, theirs):
        moderators[name][field] = secret
        if secret not in known:
            near = nearest(secret, known)
            message = _(
                "moderator {name!r} names the secret {secret!r}, which this gateway does not have",
                name=name,
                secret=secret,
            )
            hint = (
                _("did you mean {names}?", names=either(near)) if near else _("there are: {names}", names=listed(known))
            )
            findings.append(Finding("content.unknown-secret", message, hint))
    if findings:
        raise Refusal(findings)
    document = {"mask": content.mask, "lists": lists, "moderators": [*moderators.values()]}
    return ContentRole(document=document, files=files, hooks=hooks)


def _hook_in(path: Path, name: str, findings: list[Finding]) -> str:
    try:
        source = path.read_text(encoding="utf-8-sig")
        ast.parse(source, filename=path.name, feature_version=(3, 12))
    except (OSError, ValueError) as wrong:
        message = _(
            "the file of the hook {name!r}, {path}, cannot be read: {problem}",
            name=name,
            path=path,
            problem=getattr(wrong, "strerror", None) or wrong,
        )
        findings.append(Finding("content.bad-hook", message, _("a path relative to the project's folder, in UTF-8")))
        return ""
    except SyntaxError as wrong:
        message = _("{path}, line {lineno}, is not Python: {msg}", path=path, lineno=wrong.lineno, msg=wrong.msg)
        findings.append(Finding("content.bad-hook", message, f"python3 {path}"))
        return ""
    return source


def _words_in(path: Path, name: str, findings: list[Finding]) -> str:
    try:
        words = path.read_text(encoding="utf-8-sig")
    except OSError as wrong:
        message = _(
            "the file of word list {name!r}, {path}, cannot be read: {problem}",
            name=name,
            path=path,
            problem=wrong.strerror,
        )
        findings.append(Finding("content.no-word-file", message, _("a path relative to the project's folder")))
        return ""
    except UnicodeDecodeError:
        message = _("the file of word list {name!r}, {path}, is not UTF-8", name=name, path=path)
        findings.append(Finding("content.bad-word-file", message, f"iconv -f GB18030 -t UTF-8 {path}"))
        return ""
    for number in _gate.lines_without_a_word(words):
        message = _(
            "{path}, line {number}: a word needs 1 to {longest_word} letters or digits",
            path=path,
            number=number,
            longest_word=_gate.longest_word(),
        )
        findings.append(Finding("content.bad-word-file", message, _("one word a line; comments begin with '# '")))
    return words
