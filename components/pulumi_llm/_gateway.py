"""What a gateway is told: routes, prices, upstreams and word lists, from the spec and the catalogue."""

import ast
import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pulumi_llm import _gate, catalog
from pulumi_llm.bootstrap import Route, Target, Upstream
from pulumi_llm.bootstrap.roles import ContentRole
from pulumi_llm.errors import Finding, Refusal, nearest
from pulumi_llm.spec import MODERATOR_SECRETS, VENDORS, ContentSpec, PriceSpec, RouteSpec, UpstreamSpec, secrets_named


def foreign_models(upstreams: Mapping[str, UpstreamSpec]) -> tuple[str, ...]:
    """Every model that the upstreams name, in order."""
    return tuple(model for vendor in sorted(upstreams) for model in upstreams[vendor].models)


def vendor_upstreams(upstreams: Mapping[str, UpstreamSpec]) -> tuple[Upstream, ...]:
    """The vendors as the gateway reaches them, each with the name of the secret that holds its key."""
    urls = catalog.load().upstream_urls
    return tuple(
        Upstream(
            name=vendor,
            kind=vendor,
            base_url=upstreams[vendor].base_url or urls[vendor] or "",
            secret=VENDORS[vendor].secret.name,
        )
        for vendor in sorted(upstreams)
    )


def prices_of(upstreams: Mapping[str, UpstreamSpec]) -> dict[str, PriceSpec]:
    """What each model costs: as the spec says, else as the catalogue has it; a model without a price is left out."""
    found: dict[str, PriceSpec] = {}
    known = catalog.load().token_prices
    for vendor, spec in upstreams.items():
        for model in spec.models:
            row = known.get((vendor, model))
            if model in spec.prices:
                found[model] = spec.prices[model]
            elif row is not None:
                found[model] = PriceSpec(input=row.input, output=row.output)
    return found


def vendor_targets(upstreams: Mapping[str, UpstreamSpec]) -> dict[str, Target]:
    """Every model of the vendors, and where its requests go."""
    prices = prices_of(upstreams)
    return {
        model: Target(upstream=vendor, model=model, **priced(prices.get(model)))
        for vendor in sorted(upstreams)
        for model in upstreams[vendor].models
    }


def priced(price: PriceSpec | None) -> dict[str, float]:
    """A price as a target holds it; nothing where it is not known."""
    return {} if price is None else {"price_in": price.input, "price_out": price.output}


def routes_of(targets: Mapping[str, Target], wanted: Mapping[str, RouteSpec]) -> tuple[Route, ...]:
    """A route for every model by its own name, and the routes that the spec asks for, which go before them."""
    plain = {model: Route(name=model, targets=(target,)) for model, target in targets.items()}
    asked = {
        name: Route(
            name=name,
            targets=tuple(dataclasses.replace(targets[model], weight=weight) for model, weight in spec.models.items()),
            fallback=tuple(targets[model] for model in spec.fallback),
        )
        for name, spec in wanted.items()
    }
    return tuple({**plain, **asked}.values())


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
            message = f"moderator {name!r} names the secret {secret!r}, which this gateway does not have"
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"
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
        message = f"the file of the hook {name!r}, {path}, cannot be read: {getattr(wrong, 'strerror', None) or wrong}"
        findings.append(Finding("content.bad-hook", message, "a path relative to the project's folder, in UTF-8"))
        return ""
    except SyntaxError as wrong:
        message = f"{path}, line {wrong.lineno}, is not Python: {wrong.msg}"
        findings.append(Finding("content.bad-hook", message, f"python3 {path}"))
        return ""
    return source


def _words_in(path: Path, name: str, findings: list[Finding]) -> str:
    try:
        words = path.read_text(encoding="utf-8-sig")
    except OSError as wrong:
        message = f"the file of word list {name!r}, {path}, cannot be read: {wrong.strerror}"
        findings.append(Finding("content.no-word-file", message, "a path relative to the project's folder"))
        return ""
    except UnicodeDecodeError:
        message = f"the file of word list {name!r}, {path}, is not UTF-8"
        findings.append(Finding("content.bad-word-file", message, f"iconv -f GB18030 -t UTF-8 {path}"))
        return ""
    for number in _gate.lines_without_a_word(words):
        message = f"{path}, line {number}: a word needs 1 to {_gate.longest_word()} letters or digits"
        findings.append(Finding("content.bad-word-file", message, "one word a line; comments begin with '# '"))
    return words
