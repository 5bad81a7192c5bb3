"""The only way out of a rehearsal, and it leads nowhere: a proxy that hands calls to the clouds' servers on loopback.

Engine and plugins are started with this as their proxy. A name below ``rehearsal.invalid`` (which no resolver knows,
RFC 2606) is one of ours; every other address is refused and kept.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from pulumi_llm._rehearsal.face import Face
from pulumi_llm._rehearsal.server import Handler, Protocol, listening
from pulumi_llm._simcloud.faults import Faults

DOMAIN = "rehearsal.invalid"

Cloud = tuple[Face, Protocol]


def domain_of(cloud: str) -> str:
    """The domain whose names all lead to a cloud's server."""
    return f"{cloud}.{DOMAIN}"


class Gate:
    """Where calls that are sent to a name or address go, and what was asked for besides.

    ``addresses`` are the clouds' own servers (``127.0.0.1:PORT``), which some clients reach by their proxy too.
    """

    def __init__(self, clouds: Mapping[str, Cloud], addresses: Mapping[str, Cloud]) -> None:
        self._clouds, self._addresses = dict(clouds), dict(addresses)
        self._lock = threading.Lock()
        self._refused: dict[str, None] = {}

    def find(self, address: str) -> Cloud | None:
        """The cloud behind ``HOST`` or ``HOST:PORT``; None, and kept, where there is none."""
        if address in self._addresses:
            return self._addresses[address]
        host = address.rpartition(":")[0] or address
        for name, cloud in self._clouds.items():
            if host.endswith(f".{domain_of(name)}"):
                return cloud
        with self._lock:
            self._refused[address] = None
        return None

    def suffer(self, faults: Faults) -> None:
        """From now on all clouds have these faults."""
        for face, __ in self._clouds.values():
            face.faults = faults

    @property
    def refused(self) -> tuple[str, ...]:
        """The addresses that were asked for and led nowhere, each once, in order."""
        with self._lock:
            return tuple(self._refused)


@contextmanager
def opened(gate: Gate, port: int = 0) -> Iterator[int]:
    """Serve a gate until the block ends; gives the port. Raises ``OSError`` where the port is taken."""

    class AtTheGate(Handler):
        def asked(self) -> Cloud | None:
            return gate.find(urlsplit(self.path).netloc or self.headers.get("Host", ""))

        def do_CONNECT(self) -> None:  # noqa: N802 - the base class's way
            gate.find(self.path)
            self.close_connection = True
            self.write(403, {})

    with listening(AtTheGate, port) as found:
        yield found
