"""Raw configuration into parts of the spec, with every mistake told at once."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pulumi_llm import catalog
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import SHOWN, Finding, Refusal, nearest
from pulumi_llm.spec import wording
from pulumi_llm.spec.moderation import MODERATOR_SECRETS, secrets_named
from pulumi_llm.spec.upstreams import needs_key
from pulumi_llm.spec.vendors import (
    BACKUP_SECRETS,
    HOST_KEY,
    HUB,
    KUBECONFIG,
    NAME,
    VENDORS,
    WEIGHTS_SECRETS,
    upstream_key,
)

Kind = TypeVar("Kind", bound=BaseModel)

_SECRET_NAME = re.compile(r"api_?key|secret|password|^((hf|hub|access|auth|bearer)_?)?token$", re.IGNORECASE)
"""What a key is called whose value is a secret."""


def parse(kind: type[Kind], raw: object, *, where: str = "") -> Kind:
    """``raw`` as a ``kind``. Raises :class:`Refusal` with every mistake in it at once."""
    if not isinstance(raw, Mapping):
        raise Refusal(
            [
                Finding(
                    "spec.wrong-type",
                    _("{where} must be a mapping, not {name}", where=where or kind.__name__, name=type(raw).__name__),
                )
            ]
        )
    try:
        return kind.model_validate(dict(raw))
    except ValidationError as wrong:
        raise Refusal(_findings(kind, wrong, where)) from None


def parse_each(kind: type[Kind], raw: Mapping[str, object], *, where: str) -> dict[str, Kind]:
    """Every value of ``raw`` as a ``kind``. Raises :class:`Refusal` with every mistake in all of them."""
    parsed: dict[str, Kind] = {}
    findings: list[Finding] = []
    for name, value in raw.items():
        try:
            parsed[name] = parse(kind, value, where=f"{where}.{name}")
        except Refusal as refusal:
            findings += refusal.findings
    if findings:
        raise Refusal(findings)
    return parsed


def upstreams_of(gateway: object) -> list[str]:
    """The names of the upstreams of a raw ``server`` or ``proxy`` that need keys, as far as they can be names."""
    upstreams = gateway.get("upstreams") if isinstance(gateway, Mapping) else None
    if not isinstance(upstreams, Mapping):
        return []
    # A name without a vendor or an address is no upstream's, and is refused as that.
    return [
        name
        for name, each in upstreams.items()
        if isinstance(name, str)
        and NAME.fullmatch(name)
        and needs_key(each)
        and (name in VENDORS or (isinstance(each, Mapping) and (each.get("vendor") or each.get("base_url"))))
    ]


def secret_keys_of(platform: object) -> list[str]:
    """The secret config keys that a stack's ``platform`` value calls for, whether or not the rest of it is valid."""
    keys: list[str] = []
    if isinstance(platform, Mapping):
        proxy, server = platform.get("proxy"), platform.get("server")
        for gateway in (proxy, server):
            vendors = upstreams_of(gateway)
            keys += [upstream_key(name).config_key for name in vendors]
            content = gateway.get("content") if isinstance(gateway, Mapping) else None
            moderators = content.get("moderators") if isinstance(content, Mapping) else None
            names = [name for __, __, name in secrets_named(moderators, vendors)]
            keys += [MODERATOR_SECRETS[name].config_key for name in names if name in MODERATOR_SECRETS]
        model = server.get("model") if isinstance(server, Mapping) else None
        if isinstance(model, str) and _gated(model):
            keys.append(HUB.config_key)
        vectors = platform.get("vectors")
        backup = vectors.get("backup") if isinstance(vectors, Mapping) else None
        if isinstance(backup, Mapping) and backup.get("every") is not None:
            keys += [each.config_key for each in BACKUP_SECRETS]
        if isinstance(server, Mapping) and isinstance(server.get("weights"), Mapping):
            keys += [each.config_key for each in WEIGHTS_SECRETS]
        host = server.get("host") if isinstance(server, Mapping) else None
        if isinstance(host, Mapping) and not host.get("private_key_file") and not host.get("agent"):
            keys.append(HOST_KEY.config_key)
    return list(dict.fromkeys(keys))


def secret_keys_of_fleet(fleet: object) -> list[str]:
    """The secret config keys that a stack's ``fleet`` value calls for, whether or not the rest of it is valid."""
    if not isinstance(fleet, Mapping):
        return []
    cluster, models = fleet.get("cluster"), fleet.get("models")
    made = isinstance(cluster, Mapping) and cluster.get("managed") is not None
    rows = [each for each in models.values() if isinstance(each, Mapping)] if isinstance(models, Mapping) else []
    gated = any(isinstance(name := each.get("model"), str) and _gated(name) for each in rows)
    return [*([] if made else [KUBECONFIG.config_key]), *([HUB.config_key] if gated else [])]


def own_upstreams_of(platform: object) -> dict[str, str]:
    """The upstreams of a raw ``platform`` with names of the user's own: the config key of each to its name."""
    parts = [platform.get(each) for each in ("proxy", "server")] if isinstance(platform, Mapping) else []
    names = [name for part in parts for name in upstreams_of(part) if name not in VENDORS]
    return {upstream_key(name).config_key: name for name in names}


def _gated(model: str) -> bool:
    """Whether a model, by any name that the spec takes, is one that its hub asks a token for."""
    try:
        return catalog.load().model(model).gated
    except Refusal:
        return False


def _findings(kind: type[BaseModel], wrong: ValidationError, where: str) -> list[Finding]:
    found = []
    for error in wrong.errors(include_url=False):
        place = ".".join([*([where] if where else []), *(str(step) for step in error["loc"])])
        context = error.get("ctx", {})
        if error["type"] == "extra_forbidden" and _SECRET_NAME.search(str(error["loc"][-1])):
            found.append(_misplaced_secret(tuple(map(str, error["loc"])), place))
        elif error["type"] == "extra_forbidden":
            key = str(error["loc"][-1])
            near = nearest(key, _fields_at(kind, error["loc"][:-1]))
            hint = (
                _("did you mean {names}?", names=either(near))
                if near
                else _("see docs/user-guide.md for the keys that exist")
            )
            found.append(Finding("spec.unknown-key", _("there is no key {key!r} here", key=key), hint, where=place))
        elif error["type"] == "missing":
            found.append(Finding("spec.missing-key", _("this key is required"), _what_to_give(error), where=place))
        elif "findings" in context:
            found += [each.placed(place) for each in context["findings"]]
        elif "text" in context:
            found.append(Finding(error["type"], context["text"], context.get("hint", ""), where=place))
        else:
            found.append(wording.finding(error, place))
    return found


def _misplaced_secret(steps: tuple[str, ...], place: str) -> Finding:
    """A key or a token in the clear, where no secret belongs. What it is, is not said."""
    name = steps[steps.index("upstreams") + 1] if "upstreams" in steps[:-1] else ""
    vendor = upstream_key(name).config_key if NAME.fullmatch(name) else "NAME"
    return Finding(
        "spec.unknown-key",
        _("there is no key {key!r} here: a stack's file is no place for secrets", key=steps[-1]),
        _("`pulumi config set --secret {key}`, and take it out here", key=vendor),
        where=place,
    )


def _what_to_give(error: Any) -> str:
    """What to write where a key is missing, as far as what stands beside it tells."""
    key, beside = error["loc"][-1], error.get("input")
    if key == "allowed_cidrs":
        return _("allowed_cidrs: [the ranges that may call, e.g. 203.0.113.0/24]")
    if key == "region" and isinstance(beside, Mapping):
        return regions_hint(beside)
    return ""


def regions_hint(place: Mapping[str, Any]) -> str:
    """The regions in which the ``cloud`` of a place sells its ``gpu``, or any machine; "" where that is not known."""
    cloud, gpu = place.get("cloud"), place.get("gpu")
    rows = [row for row in catalog.load().instances if row.cloud == cloud]
    fit = [row for row in rows if isinstance(gpu, str) and row.gpu == gpu] or rows
    names = sorted({region for row in fit for region in row.regions})
    return (
        _("one of {names}{note}", names=listed(names[:SHOWN]), note=", …" if len(names) > SHOWN else "")
        if names
        else ""
    )


def _fields_at(kind: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The field names that exist at ``path`` within ``kind``; empty where that is not a part of ours."""
    here: Any = kind
    for step in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(step))
            here = _bare(field.annotation) if field else None
        else:  # an index, or a name that is free: what is inside
            inner = typing.get_args(here)
            here = _bare(inner[1] if typing.get_origin(here) is dict else inner[0]) if inner else None
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _bare(annotation: Any) -> Any:
    """A type without ``| None`` and ``Annotated``."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _bare(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return _bare(next(each for each in typing.get_args(annotation) if each is not type(None)))
    return annotation
