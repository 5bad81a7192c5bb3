"""The content check that calls get: made anew when its configuration, its word files or its secrets are other ones."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_gate.content import Content, ContentError
from llm_gate.policy import Reread
from llm_gate.upstream import Secrets


class ContentInForce:
    """The check, and those before it that calls under way still use."""

    def __init__(self, settings: Path, secrets: Secrets) -> None:
        self.checker: Content | None = None
        """The check, where the policy asks for one."""
        self.missing = ""
        """Why nothing may be served: the check that is asked for cannot be made."""
        self._settings, self._secrets = settings, secrets
        self._content: Content | None = None
        self._replaced: list[Content] = []
        self._policy = Reread(settings / "policy.json")
        self._made_of: Any = None
        self._failed: list[Any] | None = None
        """The word files as they were when the check could not be made."""
        self._secrets_seen: dict[str, str] = {}
        """SHA-256 of each secret that the check has asked for."""

    @property
    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """How often something was found, by direction, source and action."""
        return self._content.counts if self._content is not None else {}

    async def close(self) -> None:
        """Let go of all checks."""
        for each in (*self._replaced, self._content):
            if each is not None:
                await each.close()

    async def load(self) -> None:
        """Bring the check up to date: its part of the policy file, and the word files that it names.

        One that cannot be used is not put in force: the last good one stays, and at the start nothing is served. It is
        tried again once a secret or a word file is another: they and the policy come one after the other.
        """
        for each in [each for each in self._replaced if not each.users]:
            self._replaced.remove(each)
            await each.close()
        self._policy.fresh()
        config = self._policy.content.get("content") or {}
        other_files = self._failed is not None and self._failed != self._word_files(config)
        if config != self._made_of or other_files or self._secrets_have_changed():
            await self._make(config)
        elif self._content is not None:
            try:
                await self._content.reload()
            except ContentError as error:
                sys.stderr.write(f"[gate.content] {'; '.join(error.problems)}\n")

    async def _make(self, config: dict[str, Any]) -> None:
        self._made_of, self._secrets_seen = config, {}
        try:
            # A hundred thousand words take a while, and callers do not wait for them.
            new = await asyncio.to_thread(Content.from_policy, config, self._settings, secret=self._secret)
        except ContentError as error:
            for problem in error.problems:
                sys.stderr.write(f"[gate.content] {problem}\n")
            if self._content is None:
                self.missing = "the content check cannot be made as it is configured"
            self._failed = self._word_files(config)
            return
        old, self._content = self._content, new
        self._failed, self.missing = None, ""
        self.checker = new if config.get("lists") or config.get("moderators") else None
        if old is not None:
            self._replaced.append(old)

    def _word_files(self, config: dict[str, Any]) -> list[Any]:
        """What there is to tell a word file by that changes, for each that is named."""
        found: list[Any] = []
        for row in config.get("lists") or ():
            try:
                stat = (self._settings / str(row["file"])).stat()
                found.append((stat.st_mtime_ns, stat.st_ino, stat.st_size))
            except (OSError, KeyError, TypeError, ValueError):
                found.append(None)
        return found

    def _secret(self, name: str) -> str:
        value = self._secrets.get(name) or ""
        self._secrets_seen[name] = hashlib.sha256(value.encode()).hexdigest()
        return value

    def _secrets_have_changed(self) -> bool:
        return any(
            hashlib.sha256((self._secrets.get(name) or "").encode()).hexdigest() != digest
            for name, digest in self._secrets_seen.items()
        )
