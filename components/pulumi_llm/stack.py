"""The program that `stacks/` runs: the stack's configuration in, one platform or fleet and its outputs out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.runtime import config as runtime_config

from pulumi_llm import _component as support
from pulumi_llm import _sparse_sdk as sparse_sdk
from pulumi_llm import spec
from pulumi_llm._findings import gather, refuse
from pulumi_llm._platform import Platform
from pulumi_llm._resolve import ResolvedPlatform, resolve_platform
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import Finding, Refusal, nearest

if TYPE_CHECKING:
    from pulumi_llm._fleet import Fleet

_SECRET_ARGS = {each.config_key: each.argument for each in spec.SECRETS}
"""Secret config key to the argument that it becomes."""

_OWN_KEY = re.compile(r"[a-z][A-Za-z0-9]*ApiKey")
"""The config key of an upstream that has a name of the user's own."""

_OUTPUTS = tuple(name for name in Platform.__annotations__ if not name.endswith("ssh_private_key"))


_FLEET_SECRETS = {each.config_key: each.argument for each in (spec.KUBECONFIG, spec.HUB)}
"""Secrets of a fleet; the kubeconfig only where the cluster is there already."""
CARRIED = "carriedKeys"
"""The config key of a fleet's secret mapping of keys that callers have already."""


def run(name: str = "llm") -> Platform | Fleet:
    """Read the stack's ``platform`` or ``fleet`` value and secrets, make it, and export what its users need."""
    config = pulumi.Config()
    given = _given_value(config, "fleet")
    if given is not None:
        return _run_fleet(name, config, given)
    with support.refusing(_("stack {name}", name=pulumi.get_stack())):
        raw: Any = _given_value(config, "platform")
        __, resolved, secrets = gather(
            lambda: _known_keys(config.name, raw), lambda: _platform(config, raw), lambda: _secrets(config, raw)
        )
    args: Any = {**dict(raw or {}), **secrets}
    with sparse_sdk.sparse():
        platform = Platform(name, args, _resolved=resolved)
    for output in _OUTPUTS:
        value = getattr(platform, output, None)
        if value is not None:
            pulumi.export(output, value)
    for key in (name for name in Platform.__annotations__ if name.endswith("ssh_private_key")):
        if getattr(platform, key, None) is not None:
            pulumi.export(key, pulumi.Output.secret(getattr(platform, key)))
    return platform


def _run_fleet(name: str, config: pulumi.Config, raw: Any) -> Fleet:
    """A stack whose kind is a fleet."""
    with support.refusing(_("stack {name}", name=pulumi.get_stack())):
        if _given_value(config, "platform") is not None:
            refuse(
                "stack.two-kinds",
                _("the stack has both {config}:platform and {config}:fleet", config=config.name),
                _("two stacks: each is one or the other"),
            )
        if not isinstance(raw, Mapping):
            refuse("spec.wrong-type", _("fleet is {value!r}, and not a mapping", value=raw), "fleet: {models: …}")
        __, secrets = gather(lambda: _known_fleet_keys(config.name), lambda: _fleet_secrets(config, raw))
    from pulumi_llm._fleet import Fleet  # a platform needs none of it

    fleet = Fleet(name, {**dict(raw), **secrets})  # type: ignore[typeddict-item]
    for output in Fleet.__annotations__:
        if getattr(fleet, output, None) is not None:
            pulumi.export(output, getattr(fleet, output))
    return fleet


def _known_fleet_keys(namespace: str) -> None:
    known = ("fleet", *_FLEET_SECRETS, CARRIED)
    # Secrets of a platform are declared for all stacks, with an empty text.
    unknown = [
        each for each in _given(namespace)
        if each not in known and not (each in (*_SECRET_ARGS, "platform") and not _value_of(namespace, each))
    ]  # fmt: skip
    if unknown:
        raise Refusal(
            Finding(
                "stack.unknown-key",
                _("nothing reads the value {namespace}:{key}", namespace=namespace, key=each),
                _meant(namespace, each, known),
            )
            for each in unknown
        )


def _value_of(namespace: str, key: str) -> str | None:
    found: str | None = runtime_config.get_config(f"{namespace}:{key}")
    return found


def _fleet_secrets(config: pulumi.Config, raw: object) -> dict[str, Any]:
    """The fleet's secrets that are set. Refuses where one is needed and not set, or set in the clear."""
    found: dict[str, Any] = {}
    in_the_clear = []
    for key in (*_FLEET_SECRETS, CARRIED):
        value = _value_of(config.name, key)
        if not value:
            continue
        if not _is_secret(config.name, key):
            in_the_clear.append(key)
        elif key == CARRIED:
            found[spec.CARRIED_KEYS] = config.require_secret_object(key)
        else:
            found[_FLEET_SECRETS[key]] = pulumi.Output.secret(value)
    wanted = spec.secret_keys_of_fleet(raw)
    missing = [key for key in wanted if _FLEET_SECRETS[key] not in found and key not in in_the_clear]
    if findings := _of_secrets(missing, in_the_clear):
        raise Refusal(findings)
    return found


def _given_value(config: pulumi.Config, key: str) -> object:
    """The value ``platform`` or ``fleet``, which may be any JSON. A text is one too, and `spec` says what it should
    have been. The empty one is what is declared for stacks of the other kind."""
    try:
        return config.get_object(key)
    except pulumi.ConfigTypeError:
        return config.get(key) or None


def _platform(config: pulumi.Config, raw: object) -> ResolvedPlatform:
    if raw is None:
        refuse(
            "stack.no-platform",
            _(
                "the stack {get_stack!r} has no value {config}:platform",
                get_stack=pulumi.get_stack(),
                config=config.name,
            ),
            _("copy one of the shipped stacks/Pulumi.<cloud>-<gpu>.yaml and edit it"),
        )
    return resolve_platform(raw, where="platform")


def _known_keys(namespace: str, raw: object) -> None:
    """Refuse keys of the project's own namespace that nothing reads; those of other namespaces are others' affair."""
    known = ("platform", *_SECRET_ARGS, *spec.own_upstreams_of(raw))
    given = list(_given(namespace))
    # Values of the other kind of stack are declared for all, with an empty text.
    others = {"fleet", *_FLEET_SECRETS}
    unknown = [key for key in given if key not in known and not (key in others and not _value_of(namespace, key))]
    if set(spec.secret_keys_of(raw)) <= set(given):
        # Nobody misspelt a key, as none is missing: these are of upstreams of the user's own that are gone.
        unknown = [key for key in unknown if not (_OWN_KEY.fullmatch(key) and _is_secret(namespace, key))]
    if unknown:
        raise Refusal(
            Finding(
                "stack.unknown-key",
                _("nothing reads the value {namespace}:{key}", namespace=namespace, key=key),
                _meant(namespace, key, known),
            )
            for key in unknown
        )


def _is_secret(namespace: str, key: str) -> bool:
    return runtime_config.is_config_secret(f"{namespace}:{key}")


def _meant(namespace: str, key: str, known: tuple[str, ...]) -> str:
    near = nearest(key, known)
    if near:
        return _("did you mean {names}?", names=either(f"{namespace}:{each}" for each in near))
    return _("there are: {names}; a program's own values go under a namespace of its own", names=listed(known))


def _given(namespace: str) -> Iterator[str]:
    """The keys that are set in the project's namespace."""
    given = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    for full in sorted(given):
        owner, __, key = full.partition(":")
        if owner == namespace:
            yield key


def _secrets(config: pulumi.Config, raw: object) -> dict[str, Any]:
    """The secrets that are set, as arguments. Refuses where one is needed and not set, or set in the clear."""
    found: dict[str, Any] = {}
    own = spec.own_upstreams_of(raw)
    of_own: dict[str, pulumi.Output[str]] = {}
    in_the_clear = []
    for key in (*_SECRET_ARGS, *own):
        full = f"{config.name}:{key}"
        value = runtime_config.get_config(full)
        if not value:  # the empty text is the default that Pulumi.yaml declares
            continue
        if not _is_secret(config.name, key):
            in_the_clear.append(key)
        if key in own:
            of_own[own[key]] = pulumi.Output.secret(value)
        else:
            found[_SECRET_ARGS[key]] = pulumi.Output.secret(value)
    missing = [
        key
        for key in spec.secret_keys_of(raw)
        if (own[key] not in of_own if key in own else _SECRET_ARGS[key] not in found)
    ]
    findings = _of_secrets(missing, in_the_clear)
    if findings:
        raise Refusal(findings)
    return {**found, spec.OWN_KEYS: of_own} if of_own else found


def _of_secrets(missing: list[str], in_the_clear: list[str]) -> list[Finding]:
    return [
        Finding(code, message.format(key=key), _("`pulumi config set --secret {key}`", key=key))
        for code, message, keys in (
            ("secret.missing", _("the stack needs {key}, which is not set"), missing),
            (
                "secret.in-the-clear",
                _("{key} is set in plain text, where everybody who sees the stack can read it"),
                in_the_clear,
            ),
        )
        for key in keys
    ]
