"""Where a model's requests go: targets by weight, then the fallbacks in order, the healthy ones first."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from llm_gate.errors import no_model
from llm_gate.use import PROBE

_ALL = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/rerank",
    "/v1/score",
    "/v1/audio/transcriptions",
    "/tokenize",
    "/detokenize",
)
KINDS: dict[str, tuple[str, ...]] = {
    "vllm": _ALL,
    "gateway": _ALL,
    "openai": (
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/responses",
        "/v1/audio/transcriptions",
    ),
    "anthropic": ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens"),
    "gemini": ("/v1/chat/completions", "/v1/embeddings"),
    "groq": ("/v1/chat/completions", "/v1/responses", "/v1/audio/transcriptions"),
    "deepseek": ("/v1/chat/completions",),
    "qwen": ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"),
    "qianfan": ("/v1/chat/completions", "/v1/embeddings"),
    "ark": ("/v1/chat/completions", "/v1/embeddings"),
    "pai-eas": ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"),
    "hai": ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"),
    "custom": ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"),
}
"""Kinds of upstream, and the endpoints that each has (the vendors' own documentation, 2026-11; vLLM 0.32's routes)."""

BY_THE_TOKENIZER = frozenset({"/v1/messages/count_tokens", "/tokenize", "/detokenize"})
"""Endpoints where the tokenizer answers and no model: they take requests of a key's limits, and no tokens or money."""
MODELS = "/v1/models"
"""The path that lists the models; a model's own is below it."""


def asked(method: str, target: str) -> tuple[str, str | None] | None:
    """The endpoint that a request's method and target name, and the model where the path does; None for no endpoint.

    Queries say nothing here: Anthropic's clients write ``?beta=true`` and ``?limit=20``, others version numbers, and
    upstreams are asked by the endpoint's name alone.
    """
    path = target.partition("?")[0]
    if method == "POST" and path in _ALL:
        return path, None
    if method == "GET" and path == MODELS:
        return MODELS, None
    if method == "GET" and path.startswith(f"{MODELS}/"):
        # A hub's name has a slash, which some clients write as it is.
        return MODELS, unquote(path.removeprefix(f"{MODELS}/"))
    return None


HERE = ("http://127.0.0.1:", "http://localhost:")
FAILURES = 3
"""Failures in a row after which an upstream is left alone for a while."""
COOL_DOWN = 30.0
"""Seconds that it is left alone; it is asked all the same where nobody else is there."""
LONGEST_COOL_DOWN = 300.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server to send requests to. ``secret`` names its key in the environment file."""

    name: str
    kind: str
    base_url: str
    secret: str | None = None
    private_ca: bool = False
    """Its certificate is by an authority of its own."""
    ca: str = "upstream-ca.pem"
    """The file with that authority, among the secrets."""
    replica: bool = False
    """One of several machines that serve the same; see `replicas`."""
    fill: int = 0
    """Calls at once that it gets before the next one of them gets any, as they stop when they stand idle; 0: calls are
    spread, and it does not stop."""

    @property
    def here(self) -> bool:
        """Whether it is on this machine."""
        return self.base_url.startswith(HERE)


@dataclass(frozen=True, slots=True)
class Target:
    """An upstream, and what the model is called there. Prices are USD per million tokens; None: not known."""

    upstream: Upstream
    model: str
    weight: float = 1.0
    price_in: float | None = None
    price_out: float | None = None
    window: int | None = None
    """Tokens that prompt and answer may have together; None: not known."""
    wakes: int | None = None
    """Seconds that an engine takes to start, where engines follow the load and there may be none at all; 0: they follow
    it, and some are always there. None: they do not."""

    def nanos(self, tokens_in: int, tokens_out: int, dearer: float = 0.0) -> int:
        """Cost in billionths of a dollar; what has no price costs nothing here. ``dearer``: see `money`."""
        return round(1000 * ((self.price_in or 0) * (tokens_in + dearer) + (self.price_out or 0) * tokens_out))


@dataclass(frozen=True, slots=True)
class Route:
    """A name that callers ask for. ``most_out``: the bound of an answer where neither caller nor key sets one."""

    name: str
    targets: tuple[Target, ...]
    fallback: tuple[Target, ...] = ()
    most_out: int = 4096

    @property
    def all(self) -> tuple[Target, ...]:
        """Every target, fallbacks last."""
        return self.targets + self.fallback


@dataclass(slots=True)
class _Health:
    failures: int = 0
    until: float = 0.0
    callers: set[str] = field(default_factory=set)
    """Whose requests have failed in a row."""
    own: dict[str, list[float]] = field(default_factory=dict)
    """Failures in a row of one caller's requests, and until when the target is left alone for that caller."""


@dataclass(slots=True)
class Routes:
    """The routing table and what is known of each target's health."""

    table: dict[str, Route] = field(default_factory=dict)
    number: int = 0
    """How often another table was taken."""
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random
    resting: frozenset[str] = frozenset()
    """Upstreams that are about to be changed: they get nothing new."""
    _health: dict[tuple[str, str], _Health] = field(default_factory=dict)

    def load(self, document: dict[str, Any]) -> None:
        """Take a new table; what is known of targets' health stays. Raises ValueError, KeyError for a bad one."""
        upstreams = {name: Upstream(name=name, **row) for name, row in document.get("upstreams", {}).items()}
        for each in upstreams.values():
            if each.kind not in KINDS:
                raise ValueError(f"there is no kind of upstream {each.kind!r}")

        def target(row: dict[str, Any]) -> Target:
            return Target(upstreams[row["upstream"]], **{key: row[key] for key in row if key != "upstream"})

        self.table = {
            name: Route(
                name=name,
                targets=tuple(map(target, row["targets"])),
                fallback=tuple(map(target, row.get("fallback", ()))),
                most_out=int(row.get("most_out", 4096)),
            )
            for name, row in document.get("routes", {}).items()
        }
        self.number += 1

    def models(self, allowed: Callable[[str], bool], one: str | None = None) -> dict[str, Any]:
        """The models that a key may ask, or the row of ``one``, as OpenAI and Anthropic write it, in one.

        Raises `Refused` for one that is not there.
        """
        rows = [
            {
                "id": name,
                "object": "model",
                "created": 0,
                "owned_by": route.targets[0].upstream.name,
                "type": "model",
                "display_name": name,
                "created_at": "1970-01-01T00:00:00Z",
            }
            for name, route in sorted(self.table.items())
            if allowed(name)
        ]
        if one is None:
            ends = {"first_id": rows[0]["id"] if rows else None, "last_id": rows[-1]["id"] if rows else None}
            return {"object": "list", "data": rows, "has_more": False, **ends}
        found = next((row for row in rows if row["id"] == one), None)
        if found is None:
            raise no_model(one)
        return found

    def order(self, route: Route, endpoint: str, caller: str = "") -> list[Target]:
        """The targets that have this endpoint, in the order in which to try them; empty if none has."""
        able = [each for each in route.targets if self._serves(each, endpoint, caller)]
        if caller == PROBE:
            # What the node asks about is the server on it, and not another machine's.
            able = [each for each in able if each.upstream.here] or able
        drawn = []
        while able:
            point = self.chance() * sum(each.weight for each in able)
            for each in able:
                point -= each.weight
                if point < 0:
                    break
            able.remove(each)
            drawn.append(each)
        drawn += [each for each in route.fallback if self._serves(each, endpoint, caller) and each not in drawn]
        # Stable: those that cool down come last, each group in its order.
        return sorted(drawn, key=lambda each: self.cooling(each, caller))

    def _serves(self, target: Target, endpoint: str, caller: str) -> bool:
        """Whether a target has an endpoint, and may get something new: while it is changed, the node alone asks it."""
        return endpoint in KINDS[target.upstream.kind] and (target.upstream.name not in self.resting or caller == PROBE)

    def cooling(self, target: Target, caller: str = "") -> bool:
        """Whether a target is left alone at the moment, by all or by this caller."""
        known = self._health.get((target.upstream.name, target.model))
        if known is None:
            return False
        now = self.clock()
        return now < known.until or (caller in known.own and now < known.own[caller][1])

    def worked(self, target: Target, caller: str = "") -> None:
        """A target has answered."""
        known = self._health.get((target.upstream.name, target.model))
        if known is not None:
            known.own.pop(caller, None)
            known.failures, known.until = 0, 0.0
            known.callers.clear()
            if not known.own:
                del self._health[target.upstream.name, target.model]

    def failed(self, target: Target, wait: float | None = None, caller: str | None = None) -> None:
        """A target has not. ``wait``: it is to be left alone for so many seconds.

        ``caller``: the failure may be the fault of what this caller asked. Then the target is left alone for this
        caller; for all others only once the requests of a second caller fail too.
        """
        known = self._health.setdefault((target.upstream.name, target.model), _Health())
        known.failures += 1
        now = self.clock()
        if wait is not None:
            known.until = now + min(wait, LONGEST_COOL_DOWN)
            return
        if caller is not None:
            known.callers.add(caller)
            row = known.own.setdefault(caller, [0, 0.0])
            row[0] += 1
            if row[0] >= FAILURES:
                row[1] = now + COOL_DOWN
        if known.failures >= FAILURES and (caller is None or len(known.callers) > 1):
            known.until = now + COOL_DOWN

    def upstreams(self) -> list[Upstream]:
        """Every upstream that a route leads to, each once."""
        return list(dict.fromkeys(each.upstream for route in self.table.values() for each in route.all))

    def following(self) -> list[str]:
        """The models whose engines follow the load, each once."""
        rows = [each for route in self.table.values() for each in route.all]
        return list(dict.fromkeys(each.model for each in rows if each.wakes is not None))

    def state(self) -> dict[tuple[str, str], bool]:
        """Upstream and model to whether it is well, for the metrics."""
        return {
            (each.upstream.name, each.model): not self.cooling(each)
            for route in self.table.values()
            for each in route.all
        }
