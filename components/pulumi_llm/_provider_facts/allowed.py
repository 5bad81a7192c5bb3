"""Does a value satisfy what the table allows? Messages are worded as the Terraform-based providers word them."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

ARN_ACCOUNT = r"aws|aws-managed|third-party|aws-marketplace|\d{12}|cw.{10}"
"""As the provider has it (hashicorp/terraform-provider-aws, internal/verify; its message as others' tests quote it,
2026-11-29): an account's number, or one of the names that stand for AWS itself and for its partners."""


def problems(value: Any, allowed: dict[str, Any], name: str, *, ignore_case: bool = False) -> list[str]:
    """Why ``value`` of the input ``name`` is not allowed; nothing where it is."""
    found: list[str] = []
    if "one_of" in allowed:
        known = allowed["one_of"]
        fits = value in known or (ignore_case and str(value).upper() in {str(each).upper() for each in known})
        if not fits:
            shown = " ".join(json.dumps(each) for each in known)
            found.append(f"expected {name} to be one of [{shown}], got {value}")
    found += _numbers(value, allowed, name)
    found += _text(value, allowed, name)
    if "each" in allowed and isinstance(value, list):
        for index, each in enumerate(value):
            found += problems(each, allowed["each"], f"{name}[{index}]")
    if "any_of" in allowed and all(problems(value, each, name) for each in allowed["any_of"]):
        found.append(f"expected {name} to satisfy one of {json.dumps(allowed['any_of'])}, got {value}")
    for each in allowed.get("all_of", ()):
        found += problems(value, each, name)
    if (check := FORMATS.get(allowed.get("format", ""))) and isinstance(value, str) and (wrong := check(value)):
        found.append(f"{name}: {wrong}")
    return found


def _numbers(value: Any, allowed: dict[str, Any], name: str) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    low, high = allowed.get("min"), allowed.get("max")
    if low is not None and high is not None and not low <= value <= high:
        return [f"expected {name} to be in the range ({low} - {high}), got {value}"]
    if low is not None and value < low:
        return [f"expected {name} to be at least ({low}), got {value}"]
    if high is not None and value > high:
        return [f"expected {name} to be at most ({high}), got {value}"]
    if (above := allowed.get("greater_than")) is not None and value <= above:
        return [f"expected {name} to be greater than ({above}), got {value}"]
    if (step := allowed.get("divisible_by")) and value % step:
        return [f"expected {name} to be divisible by {step}, got {value}"]
    return []


def _text(value: Any, allowed: dict[str, Any], name: str) -> list[str]:
    if not isinstance(value, str):
        return []
    found: list[str] = []
    low, high = allowed.get("min_len", 0), allowed.get("max_len")
    if len(value) < low or (high is not None and len(value) > high):
        limit = f"({low} - {high})" if high is not None else f"(at least {low})"
        shown = value if len(value) <= 60 else f"{value[:57]}... ({len(value)} characters)"
        found.append(f"expected length of {name} to be in the range {limit}, got {shown}")
    if (pattern := allowed.get("regex")) and not re.search(pattern, value):
        found.append(f"invalid value for {name}: {value!r} does not match {pattern}")
    if (pattern := allowed.get("not_regex")) and re.search(pattern, value):
        found.append(f"invalid value for {name}: {value!r} must not match {pattern}")
    if (prefix := allowed.get("prefix")) and not value.startswith(prefix):
        found.append(f"invalid value for {name}: {value!r} must start with {prefix}")
    return found


def _cidr(version: int, low: int = 0, high: int = 128) -> Callable[[str], str]:
    def check(value: str) -> str:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            return f"{value!r} is not a valid CIDR block: invalid CIDR address: {value}"
        if network.version != version or "/" not in value:
            return f"{value!r} is not a valid IPv{version} CIDR block"
        if str(network) != value and value.split("/")[0] != str(network.network_address):
            return f"{value!r} is not a valid IPv{version} CIDR block; did you mean {str(network)!r}?"
        if not low <= network.prefixlen <= high:
            return f"expected {value!r} to contain a network Value with between {low} and {high} significant bits"
        return ""

    return check


def _address(version: int) -> Callable[[str], str]:
    def check(value: str) -> str:
        try:
            fits = ipaddress.ip_address(value).version == version
        except ValueError:
            fits = False
        return "" if fits else f"expected to contain a valid IPv{version} address, got: {value}"

    return check


def _arn(value: str) -> str:
    # A policy of AWS's own (managed_policy_arns, policy_arn) belongs to the account "aws".
    fits = re.fullmatch(r"arn:[\w-]+:[\w-]+:[\w-]*:([^:]*):.+", value)
    if fits is None:
        return f"({value}) is an invalid ARN: arn: invalid prefix"
    if fits[1] and not re.fullmatch(ARN_ACCOUNT, fits[1]):
        expected = f"expecting to match regular expression: ^({ARN_ACCOUNT})$"
        return f"({value}) is an invalid ARN: invalid account ID value ({expected})"
    return ""


def _json(value: str) -> str:
    try:
        json.loads(value)
    except ValueError as error:
        return f"contains an invalid JSON: {error}"
    return ""


def _base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return "must be base64-encoded"
    return ""


def _date(value: str) -> str:
    try:
        datetime.strptime(value, "%Y-%m-%d")
    except ValueError:
        return f"expected a date as YYYY-MM-DD, got {value}"
    return ""


def _time(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return f"expected a RFC 3339 time, got {value}"
    return ""


def _numeric(value: str) -> str:
    try:
        float(value)
    except ValueError:
        return f"expected a number in a string, got {value}"
    return ""


FORMATS: dict[str, Callable[[str], str]] = {
    "cidr": _cidr(4),
    "cidr-16-28": _cidr(4, 16, 28),
    "cidr6": _cidr(6),
    "ipv4": _address(4),
    "ipv6": _address(6),
    "arn": _arn,
    "json": _json,
    "base64": _base64,
    "date": _date,
    "rfc3339": _time,
    "numeric": _numeric,
    "not-empty": lambda value: "" if value else "must not be empty",
    "dotted": lambda value: "" if "." in value else f'must contain ".", got {value}',
}
