"""How a call that fails is told: denied, throttled, not reached, or refused for another reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeVar

from pulumi_llm import _extras as extras
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

Result = TypeVar("Result")
Kind = Literal["denied", "throttled", "unreachable", "failed"]

NO_SDK, NO_CREDENTIALS = "refresh.no-sdk", "refresh.no-credentials"
"""What is told where an account cannot be asked at all."""

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between the tries of a call that is throttled."""


class Failure(Exception):  # noqa: N818 - it is told, not thrown at the user
    """A call that failed: what kind, the vendor's own code, and its message."""

    def __init__(self, kind: Kind, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.kind: Kind = kind
        self.code = code
        self.message = message

    def finding(self, cloud: str, where: str, operation: str) -> Finding:
        """The failure as a finding, with what would help."""
        what = _(
            "{cloud} {where}: {operation} answered {code}: {short}",
            cloud=cloud,
            where=where,
            operation=operation,
            code=self.code,
            short=_short(self.message),
        )
        if self.kind == "denied":
            return Finding(
                "refresh.denied",
                what,
                _(
                    "check the credentials, and let them call {operation}; a region may have to be enabled first",
                    operation=operation,
                ),
            )
        if self.kind == "throttled":
            return Finding(
                "refresh.throttled",
                _("{what}, {count} times", what=what, count=len(PAUSES) + 1),
                _("ask again later, or for fewer regions and GPUs (--region, --gpu)"),
            )
        if self.kind == "unreachable":
            return Finding(
                "refresh.unreachable",
                _(
                    "{cloud} {where}: {operation} was not reached: {short}",
                    cloud=cloud,
                    where=where,
                    operation=operation,
                    short=_short(self.message),
                ),
                _("check the network and the proxy settings of this machine"),
            )
        return Finding("refresh.failed", what, _("what was fetched before it is kept; ask again for the rest"))


def patiently(call: Callable[[], Result], pause: Callable[[float], None] = time.sleep) -> Result:
    """The call's result; it is tried again while it is throttled. Raises Failure."""
    for seconds in PAUSES:
        try:
            return call()
        except Failure as failure:
            if failure.kind != "throttled":
                raise
        pause(seconds)
    return call()


def no_sdk(cloud: str, module: str, code: str) -> Refusal:
    """The refusal where the vendor's SDK is not installed."""
    return Refusal(
        [
            Finding(
                code,
                _(
                    "{cloud}: the vendor's SDK is not installed (there is no module {module})",
                    cloud=cloud,
                    module=module,
                ),
                extras.advice("refresh"),
            )
        ]
    )


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= 200 else f"{line[:197]}..."
