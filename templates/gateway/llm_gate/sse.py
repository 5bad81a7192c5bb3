"""Server-sent events, cut out of the pieces in which they arrive."""

from __future__ import annotations

import json
from typing import Any

LONGEST = 8 * 2**20
"""Bytes of one event; more than that is not an answer."""


class Splitter:
    """Bytes in, whole events out. An event keeps its own line ends; comments are events without data."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that are complete with this piece. Raises ValueError for one without an end."""
        whole = self._rest + piece if self._rest else piece
        if b"\r" in whole:
            # A lone CR at the end may be half of a line end.
            tail = b"\r" if whole.endswith(b"\r") else b""
            whole = whole[: len(whole) - len(tail)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + tail
        *events, self._rest = whole.split(b"\n\n")
        if len(self._rest) > LONGEST:
            raise ValueError("an event without an end")
        return [event for event in events if event]

    @property
    def waiting(self) -> bool:
        """Whether part of an event is here already."""
        return bool(self._rest)

    def rest(self) -> bytes:
        """What came without its end."""
        rest, self._rest = self._rest.strip(), b""
        return rest


def data_of(event: bytes) -> bytes:
    """The data of an event, its lines joined; empty for a comment."""
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def document_of(data: bytes) -> dict[str, Any] | None:
    """The data as an object, if it is one."""
    if not data.startswith(b"{"):
        return None
    try:
        # As json.loads reads bytes, which would first look for other encodings than JSON has.
        found = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def written(document: dict[str, Any]) -> bytes:
    """An object as JSON in UTF-8. Half a character of a pair stays escaped: some servers cut there, and the other half
    comes with the next event."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def with_data(event: bytes, document: dict[str, Any]) -> bytes:
    """The event with another object as its data."""
    others = [line for line in event.split(b"\n") if line and not line.startswith(b"data:")]
    return b"\n".join([*others, b"data: " + written(document)])
