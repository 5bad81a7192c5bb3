"""What a key for monitoring reads: the gateway's numbers, the machine's, and those of the vLLM beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from llm_gate.metrics import Labels
from llm_gate.paths import Paths
from llm_gate.policy import Reread
from llm_gate.routes import Upstream

PATH = "/metrics"
"""Closed to every key that does not name it among its endpoints: one that may use all of them may not use this."""
DISKS = ("/", "/srv/llm")
LONGEST = 8 * 2**20
"""Bytes of an engine's numbers that are read; vLLM's have some hundred thousand."""
SECONDS = 3.0
"""How long an engine, and the machine's own port, may take to answer."""
CERTIFICATE_SECONDS = 600.0
"""How long the end of the certificate is remembered: a new one comes with a restart of Caddy and not of the gateway."""

Gauges = dict[tuple[str, Labels], float]


class Machine:
    """The numbers of the machine itself."""

    def __init__(self, disks: Iterable[str] = DISKS, leave: Path = Paths.run / "leave.json") -> None:
        """``leave``: what llm-leave.service is at; the file is not there where nothing of the kind runs."""
        self._disks = tuple(disks)
        self._leave = Reread(leave)
        self._certificate: tuple[float, float | None] = (-1e9, None)

    async def gauges(self, port: int | None) -> Gauges:
        """Room on the disks, whether the machine leaves, and the end of the certificate that the port shows.

        What cannot be told is left out.
        """
        found: Gauges = self._leaving()
        for path in self._disks:
            try:
                disk = os.statvfs(path)
            except OSError:
                continue
            labels = (("path", path),)
            found["llm_node_disk_bytes", labels] = float(disk.f_blocks * disk.f_frsize)
            found["llm_node_disk_free_bytes", labels] = float(disk.f_bavail * disk.f_frsize)
        end = await self._end(port) if port else None
        if end is not None:
            found["llm_node_certificate_end_timestamp_seconds", ()] = end
        return found

    def _leaving(self) -> Gauges:
        self._leave.fresh()
        state, code = (self._leave.content.get(each) for each in ("state", "code"))
        if not isinstance(state, str):
            return {}
        labels = (("state", state), *([("code", code)] if isinstance(code, str) else []))
        return {("llm_node_leaving", labels): float(state != "watching")}

    async def _end(self, port: int) -> float | None:
        asked, end = self._certificate
        if time.monotonic() - asked > CERTIFICATE_SECONDS:
            end = await shown_end(port)
            self._certificate = time.monotonic(), end
        return end


async def shown_end(port: int) -> float | None:
    """When the certificate that a port of this machine shows ends, in seconds since 1970. Nothing is believed by it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(SECONDS):
            __, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            try:
                shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        return not_after(shown)
    except (OSError, ValueError, TypeError, IndexError):  # ssl.SSLError and TimeoutError are OSErrors
        return None


def not_after(der: bytes) -> float:
    """The end of a certificate (X.509, RFC 5280 section 4.1), by its place: Python reads it only of one it believes.

    Raises ValueError or IndexError where it is no certificate.
    """
    __, at, __ = _part(der, 0)
    __, at, __ = _part(der, at)
    if der[at] == 0xA0:  # the version, which the oldest certificates leave out
        at = _part(der, at)[2]
    for __ in range(3):  # serial number, algorithm, issuer
        at = _part(der, at)[2]
    __, start_of_validity, __ = _part(der, at)
    tag, start, after = _part(der, _part(der, start_of_validity)[2])
    text = der[start:after].decode("ascii")
    # UTCTime has two digits of the year, and means 1950 to 2049.
    long = text if tag == 0x18 else f"{'19' if text >= '50' else '20'}{text}"
    return datetime.strptime(long, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _part(der: bytes, at: int) -> tuple[int, int, int]:
    """The tag of what begins there, where its content begins, and where it ends."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count], "big"), start + count
    if start + length > len(der):
        raise ValueError("it is cut off")
    return tag, start, start + length


def engines(upstreams: Iterable[Upstream]) -> list[Upstream]:
    """Every vLLM on this machine, the main model's first."""
    local = ("127.0.0.1", "localhost")
    found = [each for each in upstreams if each.kind == "vllm" and urlsplit(each.base_url).hostname in local]
    return sorted(found, key=lambda each: "/" in each.name)


def labels_of(engine: Upstream) -> Labels:
    """What tells an engine's row from the others': nothing, of the main model's."""
    return (("engine", engine.name),) if "/" in engine.name else ()


def merged(texts: Iterable[str]) -> str:
    """What several engines say as one text: each name's rows stand together, as the format has it, and none twice.

    Of the second on only what they say of their models, by the label `model_name`: the rest is of their processes, and
    has no such label. One text alone stays as it is.
    """
    first, *others = [*texts] or [""]
    if not others:
        return first
    families = _families(first)
    for text in others:
        for name, lines in _families(text).items():
            if name.startswith("vllm:"):
                rows = families.setdefault(name, [])
                # What is told of a name is told once.
                rows += [line for line in lines if line not in rows and not (rows and line.startswith("#"))]
    return "".join(line for lines in families.values() for line in lines)


def _families(text: str) -> dict[str, list[str]]:
    """The lines of each name with those that tell of it, in their order."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        words = line.split(" ", 3)
        if line.startswith(("# HELP ", "# TYPE ")) and len(words) > 2:
            name = words[2]
        found.setdefault(name, []).append(line)
    return found


async def numbers_of(upstream: Upstream) -> str | None:
    """What the engine says at its own `/metrics`; None where it does not answer as it should."""
    where = urlsplit(upstream.base_url)
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(where.hostname, where.port or 80)
            try:
                # Of HTTP 1.0, so that the answer comes in one piece and ends with the connection.
                writer.write(f"GET {PATH} HTTP/1.0\r\nHost: {where.netloc}\r\nAccept: text/plain\r\n\r\n".encode())
                answer = bytearray()
                while block := await reader.read(1 << 16):
                    answer += block
                    if len(answer) > LONGEST:
                        return None
            finally:
                writer.close()
        head, __, body = bytes(answer).partition(b"\r\n\r\n")
        said = body.decode()
    except (OSError, ValueError):
        return None
    if head.split(b" ", 2)[1:2] != [b"200"] or not said.strip():
        return None
    return said if said.endswith("\n") else f"{said}\n"
