"""What a picture, a sound or a file takes at most: a picture by its size, as the vendors say (`pictures.json`)."""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

_HEAD = 2**18
"""Characters of Base64 in which a picture's size is looked for; a photograph's own notes may come first."""
_MOST_SIDE = 2**16


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind of upstream counts pictures; see the data file."""

    kind: str
    model: str
    unit: float
    base: int
    each: float
    least: int
    most: int
    crops: bool = False

    def of(self, width: int, height: int) -> int:
        """Tokens of a picture of so many pixels."""
        unit = min(self.unit, max(256, min(width, height) / 1.5)) if self.crops else self.unit
        found = self.base + math.ceil(self.each * math.ceil(width / unit) * math.ceil(height / unit))
        return min(self.most, max(self.least, found))


def _read() -> tuple[Row, ...]:
    document = json.loads((Path(__file__).parent / "pictures.json").read_text())
    return tuple(Row(**{name: value for name, value in row.items() if name != "source"}) for row in document["rows"])


ROWS = _read()


@lru_cache(1024)
def _row(kind: str, model: str) -> Row:
    return next(each for each in ROWS if each.kind in (kind, "*") and fnmatchcase(model, each.model))


def rows(targets: Iterable[tuple[str, str]]) -> list[Row]:
    """The rows for these kinds of upstream and models."""
    return list(dict.fromkeys(_row(kind, model) for kind, model in targets)) or [_row("", "")]


def unseen(among: list[Row]) -> int:
    """Tokens of a picture that only the vendor gets to see."""
    return max(each.most for each in among)


def of_bytes(value: str, among: list[Row]) -> int:
    """Tokens of what stands in a request as Base64: a picture by its size; anything else one for each byte."""
    content = value.partition(",")[2] if value.startswith("data:") else value
    size = size_of(content)
    if size is None:
        return max(unseen(among) if value.startswith("data:image/") else 0, len(content) * 3 // 4 + 1)
    return max(each.of(*size) for each in among)


def size_of(content: str) -> tuple[int, int] | None:
    """Width and height of a picture in Base64; None where it is none that is known."""
    try:
        some = content[:_HEAD].translate(_STANDARD)
        head = base64.b64decode(some[: len(some) // 4 * 4])
        found = _size(head)
    except (binascii.Error, ValueError, struct.error, IndexError):
        return None
    return found if found is not None and 0 < min(found) <= max(found) <= _MOST_SIDE else None


_STANDARD = str.maketrans("-_", "+/", "\r\n\t =")


def _size(head: bytes) -> tuple[int, int] | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", head[16:24])
    elif head[:6] in (b"GIF87a", b"GIF89a"):
        width, height = struct.unpack("<HH", head[6:10])
    elif head.startswith(b"\xff\xd8"):
        return _of_jpeg(head)
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _of_webp(head)
    else:
        return None
    return width, height


def _of_jpeg(head: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(head):
        if head[place] != 0xFF:
            return None
        marker = head[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            place += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[place + 5 : place + 9])
            return width, height
        else:
            place += 2 + int.from_bytes(head[place + 2 : place + 4])
    return None


def _of_webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    return None
