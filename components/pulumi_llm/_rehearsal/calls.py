"""What goes over the wire: a call, a refusal, and the record of calls, in which nothing secret is kept."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import field
from typing import Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._provider_facts.values import Props

_HIDDEN = re.compile(
    r"userdata|publickey|password|passwd|secret|token|signature|accesskey|credential|zipfile", re.IGNORECASE
)


@dataclass(frozen=True)
class WireCall:
    """One call of an API: ``service`` as policies name it (``ecs``), ``parameters`` as nested plain values."""

    service: str
    version: str
    action: str
    region: str
    parameters: Props = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As policies name it: ``ecs:RunInstances``."""
        return f"{self.service}:{self.action}"

    def given(self, **names: str) -> Props:
        """Those of the parameters that the call has, by our names (``names``: a parameter's to ours)."""
        return {ours: self.parameters[theirs] for theirs, ours in names.items() if theirs in self.parameters}


class WireError(Exception):
    """The cloud refuses: its code, its words, and the HTTP status where its protocol has one."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Recorded:
    """A call as it is kept: secrets masked, and the code it was refused with (empty: it was answered)."""

    name: str
    region: str
    parameters: Props
    refused: str = ""
    package: str = ""
    """The Pulumi package of the cloud that was called: two clouds have a ``vpc:CreateVpc``."""


class Record:
    """The calls in the order in which they came. Safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Recorded] = []
        self._unknown: dict[tuple[str, str], None] = {}

    def add(self, call: WireCall, refused: str = "", *, package: str = "", unknown: bool = False) -> None:
        """Keep a call. ``unknown``: it is one that we do not answer."""
        kept = Recorded(call.name, call.region, masked(call.parameters), refused, package)
        with self._lock:
            self._calls.append(kept)
            if unknown:
                self._unknown[package, call.name] = None

    @property
    def calls(self) -> tuple[Recorded, ...]:
        """All of them, in order."""
        with self._lock:
            return tuple(self._calls)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The actions that we do not answer, each once."""
        with self._lock:
            return tuple(name for _, name in self._unknown)


def masked(value: Any, name: str = "") -> Any:
    """``value`` with what must not be kept (user data, keys, passwords, signatures) replaced by its length.

    So is the code of a function, which is no secret, but long.
    """
    if isinstance(value, dict):
        return {key: masked(each, str(key)) for key, each in value.items()}
    if isinstance(value, list):
        return [masked(each, name) for each in value]
    if _HIDDEN.search(name) and isinstance(value, str):
        return f"({len(value)} characters, not kept)"
    return value


Action = Callable[[Any, WireCall], Props]
"""Takes the face and the call; gives the answer's body or raises :class:`WireError` or ``CloudError``."""


class Actions(dict[str, Action]):
    """The actions that a cloud's face answers, by name (``ecs:RunInstances``)."""

    def on(self, *names: str) -> Callable[[Action], Action]:
        """Register an answer."""

        def add(action: Action) -> Action:
            self.update(dict.fromkeys(names, action))
            return action

        return add
