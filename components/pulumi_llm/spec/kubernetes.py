"""What Kubernetes takes as a name, a label or an image's place, asked before an `up` that would stop half-way.

The rules are Kubernetes' own (k8s.io/apimachinery 0.34.4, pkg/util/validation) and those of image references
(github.com/distribution/reference 0.6.0, regexp.go), read 2026-11-29. A test holds them against a real API server.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Text, invalid

_PART = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
_DNS = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN = rf"{_DNS}(\.{_DNS})*"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]{1,5})?"
_PATH = r"[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*"
LONGEST_PART, LONGEST_DOMAIN = 63, 253
"""Characters of a label's name or value, and of a DNS name."""


def _is_domain(value: str) -> bool:
    return len(value) <= LONGEST_DOMAIN and re.fullmatch(_DOMAIN, value) is not None


def _is_part(value: str) -> bool:
    return len(value) <= LONGEST_PART and re.fullmatch(_PART, value) is not None


def _object(value: str) -> str:
    """The name of an object that is there already: a storage class, a runtime class."""
    if not _is_domain(value):
        raise invalid(
            "fleet.bad-name",
            _("{value!r} cannot be a name in Kubernetes", value=value),
            _("small letters, digits, dashes and dots, at most 253: `kubectl get` tells the name"),
        )
    return value


def _key(value: str) -> str:
    """The key of a label, an annotation or a taint: a name, with a domain and a slash before it or without."""
    if not _is_key(value):
        hint = _(
            "a name of at most 63 letters, digits, '-', '_' and '.', with a domain and a slash before it or without"
        )
        if re.search(r"[=:]", value) and _is_key(re.split(r"[=:]", value)[0]):
            hint = _("the key alone: {key}", key=re.split(r"[=:]", value)[0])
        raise invalid("fleet.bad-name", _("{value!r} cannot be a key in Kubernetes", value=value), hint)
    return value


def _is_key(value: str) -> bool:
    domain, slash, name = value.rpartition("/")
    return _is_part(name) and (not slash or _is_domain(domain))


def _keys(value: tuple[str, ...]) -> tuple[str, ...]:
    for each in value:
        _key(each)
    return value


def _annotations(value: dict[str, str]) -> dict[str, str]:
    for each in value:
        if not _is_key(each.lower()):  # Kubernetes looks at them in small letters, and at labels' as they are
            _key(each)
    return value


def _labels(value: dict[str, str]) -> dict[str, str]:
    _keys(tuple(value))
    for name, each in value.items():
        if not _is_part(each):
            raise invalid(
                "fleet.bad-name",
                _("{value!r} cannot be the value of the label {name}", value=each, name=name),
                _("at most 63 letters, digits, '-', '_' and '.', a letter or digit first and last"),
            )
    return value


def _registry(value: str) -> str:
    """Where images are: a host, and a path below it."""
    if not _is_registry(value):
        bare = re.sub(r"^[a-z]+://", "", value).rstrip("/")
        meant = bare if bare != value and _is_registry(bare) else "registry.example.com/mirror"
        raise invalid(
            "fleet.bad-registry",
            _("{value!r} is not where a registry has images", value=value),
            _("a host and a path, without https:// and without a slash at the end: {meant}", meant=meant),
        )
    return value


def _is_registry(value: str) -> bool:
    host, *path = value.split("/")
    # Without a dot or a port the first part is no host to whoever pulls: it would be asked of Docker Hub.
    named = re.fullmatch(_HOST, host) is not None and (re.search(r"[.:]", host) is not None or host == "localhost")
    return named and all(re.fullmatch(_PATH, each) for each in path)


ObjectName = Annotated[Text, AfterValidator(_object)]
Registry = Annotated[Text, AfterValidator(_registry)]
Labels = Annotated[dict[str, Text], AfterValidator(_labels)]
Annotations = Annotated[dict[str, Text], AfterValidator(_annotations)]
TaintKeys = Annotated[tuple[Text, ...], AfterValidator(_keys)]
