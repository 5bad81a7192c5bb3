"""Requests to upstreams: written from scratch, so that nothing of the caller's own headers ever travels on."""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from llm_gate import forms, passing, requests
from llm_gate.asking import Pool
from llm_gate.requests import Call
from llm_gate.routes import Target, Upstream

LONGEST_ANSWER = 64 * 2**20
"""Bytes of an answer that is not streamed."""
SAID_BY_NOBODY = b"[removed]"

_IGNORED_BY_ANTHROPIC = ("logprobs", "top_logprobs", "logit_bias", "prediction", "modalities")
"""Fields that Anthropic's OpenAI-compatible endpoint passes over in silence (docs: OpenAI SDK compatibility)."""


_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Secrets:
    """Upstream keys out of an environment file, read again when it changes; never in this process' environment."""

    def __init__(self, path: Path) -> None:
        self.path, self._name = path, str(path)
        self._stamp: tuple[int, int] | None = None
        self._values: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        """The key by this name, or None."""
        try:
            stat = os.stat(self._name)  # noqa: PTH116 - see `policy.Reread`
            if (stat.st_mtime_ns, stat.st_ino) != self._stamp:
                pairs = (line.split("=", 1) for line in self.path.read_text().splitlines() if "=" in line)
                self._values = {key.strip(): value.strip() for key, value in pairs}
                self._stamp = (stat.st_mtime_ns, stat.st_ino)
        except OSError:
            pass
        return self._values.get(name.upper()) or self._values.get(name)


_Stamp = tuple[int, int, int] | None


class Pools:
    """The connections to each upstream, apart, so that none waits for another's.

    An upstream's own authority is read again when its file changes, or comes later: new connections go by it, and what
    is under way comes to its end on its own.
    """

    def __init__(self, ca: Path | None) -> None:
        self._ca = ca
        self._pools: dict[Upstream, Pool] = {}
        self._stamps: dict[Upstream, _Stamp] = {}
        """What the file with an upstream's authority was like when it was read."""
        self._retired: list[Pool] = []

    def of(self, upstream: Upstream) -> Pool:
        """The connections to an upstream. Raises ValueError for an address that is none, OSError for an authority that
        cannot be read and never could."""
        pool = self._pools.get(upstream)
        if pool is not None and not upstream.private_ca:
            return pool
        own = self._ca.with_name(upstream.ca) if self._ca is not None and upstream.private_ca else None
        stamp = _stamp(own)
        if pool is not None and self._stamps[upstream] == stamp:
            return pool
        local = upstream.base_url.startswith("http:")
        context = None
        if not local:
            try:
                context = ssl.create_default_context(cafile=str(own) if own is not None and stamp is not None else None)
            except OSError:
                if pool is None:
                    raise
                return pool  # half written, say: what it last said is in force
        # vLLM's server hangs up after 5 idle seconds, and a request may cross that on its way.
        keep = 4 if local else 30
        new = self._pools[upstream] = Pool(upstream.base_url, context, keep, near=upstream.replica)
        self._stamps[upstream] = stamp
        if pool is not None:
            pool.retire()
            self._retired = [each for each in (*self._retired, pool) if not each.over]
        return new

    def close(self) -> None:
        """Close all connections."""
        for pool in (*self._pools.values(), *self._retired):
            pool.close()


def _stamp(path: Path | None) -> _Stamp:
    """What tells one content of a file from another; None: it is not there, or empty."""
    try:
        stat = os.stat(path) if path is not None else None  # noqa: PTH116 - see `policy.Reread`
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_ino, stat.st_size) if stat is not None and stat.st_size else None


def request(pool: Pool, address: str, sent: dict[str, str], content: bytes) -> bytes:
    """A request as it goes out. Raises ValueError for a header that would end before its end."""
    parts = urlsplit(address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = "\r\n".join([f"{name}: {value}" for name, value in sent.items()])
    head = f"POST {target} HTTP/1.1\r\nHost: {pool.host}\r\n{lines}\r\nContent-Length: {len(content)}\r\n\r\n"
    if head.count("\n") != len(sent) + 4 or head.count("\r") != len(sent) + 4 or " " in target or "\0" in head:
        raise ValueError("a header holds a line end")
    return head.encode() + content


def able(target: Target, call: Call) -> bool:
    """Whether a target does all that the call asks, and does not pass over some of it in silence."""
    if target.upstream.kind == "anthropic" and call.endpoint == "/v1/chat/completions":
        form = call.body.get("response_format")
        if call.body.get("n") not in (None, 1) or (isinstance(form, dict) and form.get("type") != "text"):
            return False
        return not any(call.body.get(name) for name in _IGNORED_BY_ANTHROPIC)
    return True


def body(target: Target, call: Call) -> tuple[bytes, str]:
    """The body for a target, and its Content-Type."""
    kind = target.upstream.kind
    taken = passing.fields(call.endpoint, kind)
    sent = {**{name: value for name, value in call.body.items() if name in taken}, "model": target.model}
    limit = requests.bound_fields(call.endpoint, kind)
    if limit is not None:
        given = [sent.pop(name) for name in requests.LIMITS.get(call.endpoint, ()) if sent.get(name) is not None]
        if given or call.bound is not None:
            # vLLM refuses a bound above its window, and makes less of one that leaves no room for the prompt. Claude
            # Code asks for 32,000 tokens whatever the model.
            asked = max(given) if given else call.bound
            sent[limit] = asked if target.window is None else min(asked or target.window, target.window)
    if call.endpoint == "/v1/responses":
        # Left out, it is kept at the vendor, where any holder of the same key could read it.
        sent["store"] = False
    if call.stream and call.endpoint in ("/v1/chat/completions", "/v1/completions"):
        sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
    elif not call.stream:
        sent.pop("stream_options", None)
    if call.upload is not None:
        return forms.written({name: value for name, value in sent.items() if name != "file"}, call.upload)
    return _ENCODER.encode(sent).encode(), "application/json"


ONCE = "x-llm-ask-once"
"""The header by which a gateway tells the next one that its caller's key allows no second asking."""


def headers(target: Target, call: Call, key: str | None, *, ask_twice: bool = False) -> dict[str, str]:
    """The headers for a target: these, the body's Content-Type, and no others."""
    found = {
        "Accept": "text/event-stream" if call.stream else "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "pulumi-llm-gateway",
    }
    if target.upstream.kind == "gateway" and not ask_twice:
        found[ONCE] = "true"
    native = call.endpoint.startswith("/v1/messages")
    if native:
        found["anthropic-version"] = "2023-06-01"
        if call.betas and target.upstream.kind in ("anthropic", "gateway"):
            found["anthropic-beta"] = ",".join(call.betas)
    if key:
        if native and target.upstream.kind == "anthropic":
            found["x-api-key"] = key
        else:
            found["Authorization"] = f"Bearer {key}"
    return found


def url(target: Target, endpoint: str) -> str:
    """Where a target answers on an endpoint; ``base_url`` ends where ``/v1`` does, and some endpoints are beside it."""
    base = target.upstream.base_url.rstrip("/")
    if not endpoint.startswith("/v1/"):
        return base.removesuffix("/v1") + endpoint
    return base + endpoint.removeprefix("/v1")


def scrubbed(content: bytes, key: str | None) -> bytes:
    """What an upstream said, without the key that it was asked with."""
    return content.replace(key.encode(), SAID_BY_NOBODY) if key and key.encode() in content else content
