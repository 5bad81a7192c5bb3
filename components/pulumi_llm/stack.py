"""The program that `stacks/` runs: the stack's configuration in, one platform and its outputs out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

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

_SECRET_ARGS = {each.config_key: each.argument for each in spec.SECRETS}
"""Secret config key to the argument that it becomes."""

_OWN_KEY = re.compile(r"[a-z][A-Za-z0-9]*ApiKey")
"""The config key of an upstream that has a name of the user's own."""

_OUTPUTS = tuple(name for name in Platform.__annotations__ if not name.endswith("ssh_private_key"))


def run(name: str = "llm") -> Platform:
    """Read the stack's ``platform`` value and secrets, make the platform, and export what its users need."""
    config = pulumi.Config()
    with support.refusing(f"stack {pulumi.get_stack()}"):
        raw: Any = _given_platform(config)
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


def _given_platform(config: pulumi.Config) -> object:
    """The value ``platform``, which may be any JSON. A text is one too, and `spec` says what it should have been."""
    try:
        return config.get_object("platform")
    except pulumi.ConfigTypeError:
        return config.get("platform")


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
    unknown = [key for key in given if key not in known]
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
    findings = [
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
    if findings:
        raise Refusal(findings)
    return {**found, spec.OWN_KEYS: of_own} if of_own else found
