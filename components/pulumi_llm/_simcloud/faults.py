"""Faults on request: what goes wrong in the simulated clouds, in that cloud's own words.

``$PULUMI_LLM_SIM_FAULTS`` holds specs joined by ``;``::

    no-stock:<zone, instance type or *>           creating such an instance finds no stock
    quota:<instance type or *>                    creating such an instance exceeds the account's quota
    slow-create:<seconds>[:<part of a type>]      creating takes this long (after the cloud has accepted it)
    fail-delete:<part of a type>[:once]           deleting fails, always or the first time
    denied:<part of a look-up>                    such a look-up is denied, as the account's policy does not allow it
    image-date:<YYYYMMDD>                         the newest images are of this date
"""

from __future__ import annotations

import os
import re

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, either
from pulumi_llm.errors import Finding, Refusal, nearest

VARIABLE = "PULUMI_LLM_SIM_FAULTS"

SHAPES = {
    "no-stock": _("no-stock:<zone, instance type or *>"),
    "quota": _("quota:<instance type or *>"),
    "slow-create": _("slow-create:<seconds>[:<part of a type>]"),
    "fail-delete": _("fail-delete:<part of a type>[:once]"),
    "denied": _("denied:<part of a look-up>"),
    "image-date": "image-date:<YYYYMMDD>",
}


@dataclass(frozen=True)
class Fault:
    """One fault: its kind, what it is about, seconds for ``slow-create``, and whether it happens once."""

    spec: str
    kind: str
    subject: str
    seconds: float = 0.0
    once: bool = False


@dataclass(frozen=True)
class Faults:
    """The faults that are switched on."""

    faults: tuple[Fault, ...] = ()

    def _of(self, kind: str) -> list[Fault]:
        return [each for each in self.faults if each.kind == kind]

    def no_stock(self, instance_type: str, zone: str) -> bool:
        """Whether an instance of this type in this zone finds no stock."""
        return any(each.subject in ("*", instance_type, zone) for each in self._of("no-stock"))

    def over_quota(self, instance_type: str) -> bool:
        """Whether one more instance of this type exceeds the quota."""
        return any(each.subject in ("*", instance_type) for each in self._of("quota"))

    def slowness(self, token: str) -> float:
        """How many seconds creating a resource of type ``token`` takes."""
        return max((each.seconds for each in self._of("slow-create") if each.subject in token), default=0.0)

    def failing_delete(self, token: str) -> Fault | None:
        """The fault that makes deleting a resource of type ``token`` fail."""
        return next((each for each in self._of("fail-delete") if each.subject in token), None)

    def denied(self, token: str) -> bool:
        """Whether the look-up ``token`` is one that the account may not make."""
        return any(each.subject in token for each in self._of("denied"))

    @property
    def image_date(self) -> str | None:
        """The date of the newest images as ``YYYYMMDD``, where one was asked for."""
        return next((each.subject for each in self._of("image-date")), None)


def parse(text: str) -> Faults:
    """Read specs joined by ``;``. Raises :class:`Refusal` (``sim.unknown-fault``) with every malformed one."""
    faults: list[Fault] = []
    findings: list[Finding] = []
    for spec in (each.strip() for each in text.split(";")):
        if spec:
            made = _one(spec)
            if isinstance(made, Fault):
                faults.append(made)
            else:
                findings.append(made)
    if findings:
        raise Refusal(findings)
    return Faults(tuple(faults))


def from_environment() -> Faults:
    """The faults that ``$PULUMI_LLM_SIM_FAULTS`` asks for. Raises :class:`Refusal`."""
    return parse(os.environ.get(VARIABLE, ""))


def _one(spec: str) -> Fault | Finding:
    kind, __, rest = spec.partition(":")
    if kind not in SHAPES:
        near = nearest(kind, SHAPES)
        hint = _("did you mean {names}? ", names=either(near)) if near else ""
        return _refuse(
            spec,
            _("there is no fault called {kind!r}", kind=kind),
            _("{hint}known: {shapes}", hint=hint, shapes="; ".join(SHAPES.values())),
        )
    once, subject, seconds = False, rest, 0.0
    if kind == "fail-delete" and rest.endswith(":once"):
        once, subject = True, rest.removesuffix(":once")
    if kind == "slow-create":
        number, __, subject = rest.partition(":")
        if not re.fullmatch(r"\d+(\.\d+)?", number):
            return _refuse(spec, _("{number!r} is not a number of seconds", number=number), SHAPES[kind])
        seconds = float(number)
    elif not subject:
        return _refuse(spec, _("it does not say what it is about"), SHAPES[kind])
    if kind == "image-date" and not re.fullmatch(r"20\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", subject):
        return _refuse(spec, _("{subject!r} is not a date", subject=subject), SHAPES[kind])
    return Fault(spec, kind, subject, seconds, once)


def _refuse(spec: str, why: str, hint: str) -> Finding:
    return Finding(
        "sim.unknown-fault", _("the fault {spec!r} cannot be made: {why}", spec=spec, why=why), hint, where=VARIABLE
    )
