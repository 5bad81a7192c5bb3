"""Remote moderators: what one is, the OpenAI one, and the hook for one's own.

A moderator is an object with

- ``limit``: the most characters it takes in one call;
- ``async judge(text, direction) -> Verdict``, which raises whatever goes wrong (timeouts are the caller's business);
- ``async close()``.

**The hook**: a moderator of kind ``hook`` has ``options: {"entry": "package.module:factory", ...}``.
``factory(options, secret)`` gives such an object; ``options`` are the remaining ones, ``secret(name)`` reads a secret.
The module must be importable in the gateway's environment. It must log nothing of the text.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import aiohttp

from llm_gate.content.config import ModeratorConfig

LARGEST_ANSWER = 1024 * 1024
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_/.:-]{0,47}")

Secret = Callable[[str], str]


class ModeratorError(Exception):
    """A moderator could not judge. ``kind`` is a short name for why, and holds nothing of text or secrets."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class UnfitError(Exception):
    """A moderator's configuration is unfit; the message says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a moderator says: ``pass``, ``review`` (somebody should look at it) or ``block``, and the labels it gave."""

    outcome: Literal["pass", "review", "block"]
    labels: tuple[str, ...] = ()


def verdict(outcome: Literal["pass", "review", "block"], labels: list[Any]) -> Verdict:
    """A verdict with those labels that look like labels, so that no text gets into logs by way of an answer."""
    kept = [str(each) for each in labels if each is not None and LABEL.fullmatch(str(each))]
    return Verdict(outcome, tuple(dict.fromkeys(kept))[:8])


class Moderator(Protocol):
    """See the module."""

    limit: int

    async def judge(self, text: str, direction: str) -> Verdict:
        """Judge a text of at most ``limit`` characters."""

    async def close(self) -> None:
        """End connections."""


class Options:
    """A moderator's options, taken one by one, so that one with a typing error in its name is refused."""

    def __init__(self, config: ModeratorConfig) -> None:
        self._left: dict[str, Any] = dict(config.options)
        self.config = config

    def text(self, key: str, default: str | None = None) -> str:
        """A text. Raises `UnfitError` if it is missing and has no default."""
        value = self._left.pop(key, default)
        if not isinstance(value, str) or not value:
            raise UnfitError(f"needs the option {key!r}, a text")
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        """A mapping; default: empty."""
        value = self._left.pop(key, {})
        if not isinstance(value, Mapping):
            raise UnfitError(f"has an option {key!r} that is not a mapping")
        return value

    def url(self, key: str, default: str) -> str:
        """An ``https`` address; ``http`` on loopback only."""
        value = self.text(key, default).rstrip("/")
        parts = urlsplit(value)
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))
        ):
            raise UnfitError(f"has an option {key!r} that is not an https address (http is for loopback only)")
        return value

    def rest(self) -> dict[str, Any]:
        """All that was not taken."""
        left, self._left = self._left, {}
        return left

    def end(self) -> None:
        """Raises `UnfitError` if something was not taken."""
        if self._left:
            raise UnfitError(f"has unknown options: {', '.join(sorted(map(str, self._left)))}")

    def secret(self, read: Secret, key: Literal["secret", "secret_id"]) -> str:
        """The secret that the configuration names. Raises `UnfitError` if it names none or it is not there."""
        name = self.config.secret if key == "secret" else self.config.secret_id
        if name is None:
            raise UnfitError(f"needs {key!r}, the name of a secret")
        try:
            value = read(name)
        except Exception:  # what a reader raises may quote the secret
            value = ""
        if not value:
            raise UnfitError(f"names the secret {name!r}, which is not there")
        return value


class Http:
    """What moderators that are asked over HTTP share. Redirects are not followed, and no proxy is taken from
    outside."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, **given: Any) -> Any:
        """The JSON that a request is answered with."""
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        async with self._session.post(url, allow_redirects=False, **given) as answer:
            if answer.status != 200:
                raise ModeratorError(f"http-{answer.status}")
            if len(body := await answer.content.read(LARGEST_ANSWER)) == LARGEST_ANSWER:
                raise ModeratorError("bad-answer")
            while piece := await answer.content.read(LARGEST_ANSWER):
                body += piece
                if len(body) >= LARGEST_ANSWER:
                    raise ModeratorError("bad-answer")
        try:
            return json.loads(body)
        except ValueError:
            raise ModeratorError("bad-answer") from None

    async def close(self) -> None:
        """End connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class OpenAI(Http):
    """``POST /v1/moderations`` of OpenAI, or of any upstream that speaks it (the overseas proxy among them).

    Options: ``url`` (default ``https://api.openai.com/v1``), ``model`` (default ``omni-moderation-latest``),
    ``thresholds``: least score at which a category blocks, by category; without it the service's own ``flagged``
    decides.
    """

    limit = 8000

    def __init__(self, options: Options, secret: Secret) -> None:
        super().__init__()
        self._url = options.url("url", "https://api.openai.com/v1") + "/moderations"
        self._model = options.text("model", "omni-moderation-latest")
        self._thresholds = {str(key): value for key, value in options.mapping("thresholds").items()}
        if not all(isinstance(each, int | float) and 0 <= each <= 1 for each in self._thresholds.values()):
            raise UnfitError("has an option 'thresholds' with a value that is not between 0 and 1")
        self._headers = {"Authorization": f"Bearer {options.secret(secret, 'secret')}"}
        options.end()

    async def judge(self, text: str, direction: str) -> Verdict:
        """Ask. ``direction`` does not matter to this service."""
        answer = await self.post(self._url, headers=self._headers, json={"model": self._model, "input": text})
        try:
            results = list(answer["results"])
            if not results:
                raise ModeratorError("bad-answer")
            if self._thresholds:
                scores = [each["category_scores"] for each in results]
                # A category that the service does not give is an error of the configuration, not a score of 0.
                over = [name for name, least in self._thresholds.items() for row in scores if row[name] >= least]
                return verdict("block" if over else "pass", list(over))
            flagged = [each for each in results if each["flagged"] is not False]
            labels = [name for each in flagged for name, is_so in each.get("categories", {}).items() if is_so]
            return verdict("block" if flagged else "pass", labels)
        except (KeyError, TypeError, AttributeError):
            raise ModeratorError("bad-answer") from None


def hook(options: Options, secret: Secret) -> Moderator:
    """One's own moderator; see the module."""
    entry = options.text("entry")
    module, _, name = entry.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise UnfitError(f"names the entry {entry!r}, which cannot be imported") from None
    made: Moderator = factory(options.rest(), secret)
    return made
