"""Field types of the spec, and how a field says what is wrong with it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, AllowInfNan, BaseModel, BeforeValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from pulumi_llm._texts import _
from pulumi_llm.errors import Refusal

WIDEST_PREFIX = 8
"""A CIDR wider than a /8 counts as the world: no organisation owns more."""


def invalid(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """An error of one field, for pydantic to collect with the others."""
    # A message may hold braces that pydantic would read as placeholders, so it travels as a value.
    return PydanticCustomError(code, "{text}", {"text": message, "hint": hint})


def known(look_up: Callable[[], object]) -> None:
    """Turn the catalogue's refusal into an error of this one field, so that pydantic goes on with the others."""
    try:
        look_up()
    except Refusal as refusal:
        code = refusal.findings[0].code
        raise PydanticCustomError(code, "{findings}", {"findings": refusal.findings}) from None


def _cidr(value: str) -> str:
    try:
        network = ipaddress.ip_network(value.strip(), strict=True)
    except ValueError as wrong:
        problem = str(wrong)
        try:
            repaired = str(ipaddress.ip_network(value.strip(), strict=False))
            if problem == f"{value.strip()} has host bits set":  # the library's own words, and so for the next
                problem = _("{network} has host bits set", network=value.strip())
        except ValueError:
            repaired = "203.0.113.0/24"
            if problem == f"{value.strip()!r} does not appear to be an IPv4 or IPv6 network":
                problem = _("{network!r} does not appear to be an IPv4 or IPv6 network", network=value.strip())
        raise invalid(
            "spec.bad-cidr", _("{value!r} is not a CIDR block: {problem}", value=value, problem=problem), f"{repaired}"
        ) from None
    if network.version == 6:
        if network.prefixlen == 0:
            raise invalid(
                "spec.open-to-world", _("{value!r} is the whole IPv6 internet", value=value), _("your own IPv4 ranges")
            )
        raise invalid(
            "spec.ipv6",
            _("{value!r} is an IPv6 range, and the machines only get IPv4 addresses", value=value),
            _("an IPv4 range"),
        )
    return str(network)


Cidr = Annotated[str, AfterValidator(_cidr)]


def at_least_one(cidrs: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse an empty list of ranges."""
    # Not `min_length`: that counts the valid ones only, and complains a second time about a bad one.
    if not cidrs:
        raise invalid("spec.nobody-allowed", _("an empty list lets nobody in"), _("[the ranges that may call]"))
    return cidrs


def covers_world(cidrs: Iterable[str]) -> str | None:
    """The first range that is as good as the whole internet (also when only the ranges together are), else None."""
    networks = [ipaddress.IPv4Network(each) for each in cidrs]
    for network in [*networks, *ipaddress.collapse_addresses(networks)]:
        if network.prefixlen < WIDEST_PREFIX:
            return str(network)
    return None


def _plain_text(value: str) -> str:
    if not value or any(ord(character) < 32 for character in value) or value != value.strip():
        raise invalid(
            "spec.bad-text", _("{value!r} is empty, or has blanks around it or control characters in it", value=value)
        )
    return value


Text = Annotated[str, AfterValidator(_plain_text), Field(max_length=256)]


def _email(value: str) -> str:
    if not re.fullmatch(r"[\w.+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", value, re.ASCII):
        raise invalid("spec.bad-email", _("{value!r} is not an e-mail address", value=value), "ops@example.com")
    return value


Email = Annotated[Text, AfterValidator(_email)]


Flag = Annotated[bool, Strict()]
"""``true`` or ``false``, and no text that looks like it."""

Number = Annotated[float, Strict(), AllowInfNan(False)]
"""A number, whole or not, with an end, and no text that looks like it."""


def _whole(value: object) -> object:
    # Component hosts of other languages send every number as a float; neither `true` nor "3" is a number.
    if isinstance(value, bool | str):
        raise invalid("spec.wrong-type", _("{value!r} is not a whole number", value=value))
    return value


def tokens(value: object) -> object:
    """A number of tokens; also as vLLM reads a text: 8K (of 1024) or 8k (of 1000). Anything else as it is."""
    found = re.fullmatch(r"([0-9]{1,9})([kK])", value) if isinstance(value, str) else None
    return int(found[1]) * {"k": 1000, "K": 1024}[found[2]] if found else value


def also(**names: str) -> BeforeValidator:
    """Other names of what a choice holds, in any case, each with the one that is used."""
    return BeforeValidator(lambda value: names.get(value.lower(), value) if isinstance(value, str) else value)


Count = Annotated[int, BeforeValidator(_whole)]


MIDNIGHT = " 00:00:00 +0000 UTC"
"""What the engine puts behind a day that stands without quotes in a stack's file: pulumi 3.259, by its YAML reader."""


def without_midnight(value: object) -> object:
    """A day as it was written, without quotes or with them; anything else as it is."""
    return value.removesuffix(MIDNIGHT) if isinstance(value, str) else value


def _calendar(value: object) -> object:
    if isinstance(value, date):  # as YAML 1.1 reads one
        return str(value)
    if not isinstance(value, str):
        raise invalid("spec.bad-day", _("{value!r} is not a day", value=value), "2027-12-31")
    return without_midnight(value)


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise invalid("spec.bad-day", _("{value!r} is not a day", value=value), "2027-12-31") from None
    return value


Day = Annotated[str, BeforeValidator(_calendar), AfterValidator(_day)]
"""A day of the calendar, ``2027-12-31``."""


class Part(BaseModel):
    """A part of the spec: unknown keys are refused, and nothing is changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), defer_build=True)
