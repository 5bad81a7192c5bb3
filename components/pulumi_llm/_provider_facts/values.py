"""Property values as the engine sends them: plain data with markers for unknowns, secrets and assets.

The marker strings are fixed by Pulumi's wire format (sdk/go/common/resource, checked 2026-11-23).
"""

from __future__ import annotations

from typing import Any

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a value that is known only after an update."""

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the marker, not a secret
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"

# The engine's other spellings of unknown (an unknown bool, number, list, asset, archive, object).
UNKNOWNS = frozenset(
    {
        UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)

Props = dict[str, Any]


def is_unknown(value: object) -> bool:
    """Whether ``value`` is known only after an update."""
    return isinstance(value, str) and value in UNKNOWNS


def is_secret(value: object) -> bool:
    """Whether ``value`` is wrapped in a secret marker."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def is_asset(value: object) -> bool:
    """Whether ``value`` is an asset or an archive."""
    return isinstance(value, dict) and value.get(SIGNATURE) in (ASSET, ARCHIVE)


def secret(value: object) -> object:
    """``value`` wrapped in a secret marker, once."""
    return value if is_secret(value) or is_unknown(value) else {SIGNATURE: SECRET, "value": value}


def reveal(value: Any) -> Any:
    """A copy of ``value`` without secret markers."""
    if isinstance(value, dict):
        if is_secret(value):
            return reveal(value.get("value"))
        if value.get(SIGNATURE) == RESOURCE:
            return value.get("id") or value.get("urn")
        return {key: reveal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [reveal(each) for each in value]
    return value


REDACTED = "[secret]"
"""What is kept in the place of a secret."""


def redact(value: Any) -> Any:
    """A copy of ``value`` with every secret replaced; for what is kept on disk."""
    if isinstance(value, dict):
        if is_secret(value):
            return REDACTED
        return {key: redact(each) for key, each in value.items()}
    if isinstance(value, list):
        return [redact(each) for each in value]
    return value


def has_secret(value: object) -> bool:
    """Whether a secret marker is anywhere in ``value``."""
    if isinstance(value, dict):
        return is_secret(value) or any(has_secret(each) for each in value.values())
    return isinstance(value, list) and any(has_secret(each) for each in value)


def has_unknown(value: object) -> bool:
    """Whether an unknown is anywhere in ``value``."""
    if isinstance(value, dict):
        return any(has_unknown(each) for each in value.values())
    if isinstance(value, list):
        return any(has_unknown(each) for each in value)
    return is_unknown(value)


def normal(value: Any) -> Any:
    """``value`` with whole floats as ints: the wire format knows only floating-point numbers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: normal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [normal(each) for each in value]
    return value


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal, secret markers and the int/float spelling aside."""
    return bool(normal(reveal(left)) == normal(reveal(right)))
