"""Forms with a file, for speech: read strictly and written anew, so that both sides read the same.

RFC 7578 forms as openai 3.57 and curl write them: parts between boundaries, each with a name, one of them a file.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

from llm_gate.errors import Refused, bad

_BOUNDARY = re.compile(
    r'multipart/form-data\s*;\s*boundary=(?:"([^"]{1,70})"|([A-Za-z0-9\'()+_,./:=?-]{1,70}))\s*', re.I
)
_NAME = re.compile(r'form-data; name="([A-Za-z0-9_]{1,64}(?:\[\])?)"(?:; filename="([^"\r\n]{0,200})")?')
_LONGEST_VALUE = 100_000
_NUMBERS = frozenset({"temperature", "top_p", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty"})
_WHOLE = frozenset({"seed", "top_k", "max_completion_tokens"})
_SAFE_TYPE = re.compile(r"(audio|video)/[a-z0-9.+-]{1,40}|application/octet-stream")

BYTES_PER_SECOND = 750
"""The least that a second of speech takes in any format that is packed: Opus at 6 kbit/s (RFC 6716, section 2.1.1)."""
TOKENS_PER_SECOND = 50
"""Whisper's own: 1,500 positions for 30 seconds. A price for sound is per million of them: 3,000 a minute."""
SAID_PER_SECOND = 8
"""Tokens of text that a second of speech becomes, on the high side: people say two to four words in it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The file of a form."""

    name: str
    kind: str
    content: bytes

    @property
    def seconds(self) -> int:
        """How long it is at most."""
        head = self.content[:36]
        if len(head) == 36 and (head[:4], head[8:16], head[20:22]) == (b"RIFF", b"WAVEfmt ", b"\x01\x00"):
            # Plain samples: what a decoder goes by is what is counted by.
            channels, rate, bits = (int.from_bytes(head[a:b], "little") for a, b in ((22, 24), (24, 28), (34, 36)))
            return 1 + len(self.content) // max(1, channels * rate * bits // 8)
        return 1 + len(self.content) // BYTES_PER_SECOND


def read(raw: bytes, content_type: str) -> dict[str, Any]:
    """The form's fields, and its file as an `Upload` under ``file``. Raises `Refused`."""
    found = _BOUNDARY.fullmatch(content_type)
    if found is None:
        message = "send Content-Type: multipart/form-data with its boundary"
        raise Refused(415, "invalid_request_error", "unsupported_media_type", message)
    line = b"--" + (found[1] or found[2]).encode("ascii", "replace")
    first, *parts = (b"\r\n" + raw).split(b"\r\n" + line)
    if first not in (b"", b"\r\n") or len(parts) < 2 or parts[-1] not in (b"--", b"--\r\n") or len(parts) > 100:
        raise _unreadable()
    body: dict[str, Any] = {}
    for part in parts[:-1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if not blank or not head.startswith(b"\r\n"):
            raise _unreadable()
        _take(body, _headers(head[2:]), content)
    if not isinstance(body.get("file"), Upload):
        raise bad("the form has no file", param="file")
    return body


def _headers(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in head.split(b"\r\n"):
        name, colon, value = row.partition(b":")
        key = name.decode("latin-1").lower()
        if not colon or key in found or key not in ("content-disposition", "content-type", "content-length"):
            raise _unreadable()
        try:
            found[key] = value.decode().strip()
        except UnicodeDecodeError:
            raise _unreadable() from None
    return found


def _take(body: dict[str, Any], headers: dict[str, str], content: bytes) -> None:
    said = _NAME.fullmatch(headers.get("content-disposition", ""))
    if said is None:
        raise _unreadable()
    name, filename = said[1], said[2]
    if (filename is not None) != (name == "file") or (name in body and not name.endswith("[]")):
        raise _unreadable()
    if filename is not None:
        kind = headers.get("content-type", "")
        body[name] = Upload(
            # Servers tell formats by the ending; a path is nobody's business.
            name=re.sub(r"[^A-Za-z0-9._-]", "_", filename)[-60:] or "sound",
            kind=kind if _SAFE_TYPE.fullmatch(kind) else "application/octet-stream",
            content=content,
        )
        return
    if len(content) > _LONGEST_VALUE:
        raise bad(f"{name} is longer than {_LONGEST_VALUE} bytes", param=name)
    try:
        value = content.decode()
    except UnicodeDecodeError:
        raise _unreadable() from None
    if name.endswith("[]"):
        body.setdefault(name.removesuffix("[]"), []).append(value)
    else:
        body[name] = _typed(name, value)


def _typed(name: str, value: str) -> Any:
    """A field's value as JSON would have it."""
    try:
        if name in _NUMBERS:
            return float(value)
        if name in _WHOLE:
            return int(value)
    except ValueError:
        raise bad(f"{name} has to be a number", param=name) from None
    if name == "stream":
        return {"true": True, "false": False}.get(value.lower(), value)
    return value


def written(fields: dict[str, Any], upload: Upload) -> tuple[bytes, str]:
    """The form for an upstream, and its Content-Type."""
    boundary = secrets.token_hex(16)
    rows = bytearray()
    for name, value in fields.items():
        many = isinstance(value, list)
        for each in value if many else [value]:
            label = f"{name}[]" if many else name
            rows += f'--{boundary}\r\nContent-Disposition: form-data; name="{label}"\r\n\r\n{each}\r\n'.encode()
    head = f'Content-Disposition: form-data; name="file"; filename="{upload.name}"\r\nContent-Type: {upload.kind}'
    rows += f"--{boundary}\r\n{head}\r\n\r\n".encode() + upload.content + f"\r\n--{boundary}--\r\n".encode()
    return bytes(rows), f"multipart/form-data; boundary={boundary}"


def _unreadable() -> Refused:
    return bad("the form cannot be read: RFC 7578, each field once, and one file", "invalid_form")
