"""Settings, secrets and moderators that change while calls are under way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.content.fakes import BAD, Vendors, vendors
from tests.gateway.content.test_moderators import Own
from tests.gateway.fake import ANSWER, Fake
from tests.gateway.harness import Home, Running, chat, client_of

MADE: list[Own] = []


class Slow(Own):
    """A moderator that judges when it is told to."""

    def __init__(self, refuses: str) -> None:
        super().__init__(refuses)
        self.asked, self.go_on, self.closed = asyncio.Event(), asyncio.Event(), False

    async def judge(self, text: str, direction: str) -> Any:
        self.asked.set()
        await self.go_on.wait()
        if self.closed:
            raise RuntimeError("asked after it was closed")
        return await super().judge(text, direction)

    async def close(self) -> None:
        self.closed = True


def factory(options: dict[str, Any], secret: Any) -> Own:
    MADE.append(Slow(BAD))
    return MADE[-1]


def yidun(url: str) -> dict[str, Any]:
    options = {"url": url, "business_id": "b1"}
    names = {"secret_id": "moderation_yidun_id", "secret": "moderation_yidun_key"}
    row = {"name": "yidun", "kind": "yidun", "action": "block", "on_error": "block", "options": options}
    return {"moderators": [row | names]}


def secrets(home: Home, key: str) -> None:
    path = home.root / "secrets" / "upstream.env"
    rest = [line for line in path.read_text().splitlines() if not line.startswith("MODERATION_")]
    new = path.with_suffix(".new")
    new.write_text("\n".join([*rest, "MODERATION_YIDUN_ID=the-key-id", f"MODERATION_YIDUN_KEY={key}"]) + "\n")
    new.replace(path)


@asynccontextmanager
async def moderated(root: Path) -> AsyncIterator[tuple[Home, Running, Vendors, Any]]:
    async with Fake() as fake, vendors() as vendor:
        home = Home(root).key().policy(yidun(vendor.url)).routes(fake.url)
        async with home.here() as gate, client_of(gate) as client:
            yield home, gate, vendor, client


async def answered(client: Any, **more: Any) -> tuple[int, str]:
    async with client.post("/v1/chat/completions", json=chat(**more)) as reply:
        document = await reply.json()
        return reply.status, (document.get("error") or {}).get("code", "")


async def test_a_moderators_key_that_comes_after_the_policy_is_waited_for(tmp_path: Path) -> None:
    async with moderated(tmp_path) as (home, gate, _, client):
        assert await answered(client) == (503, "content_check_unavailable")
        secrets(home, "the-secret-key")
        await gate.gateway.content.load()
        assert await answered(client) == (200, "")


async def test_a_moderator_is_asked_no_more_often_than_it_must(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": each} for each in ("one", "two")]
    async with moderated(tmp_path) as (home, gate, vendor, client):
        secrets(home, "the-secret-key")
        await gate.gateway.content.load()
        assert await answered(client, messages=[{"role": "user", "content": parts}]) == (200, "")
        assert vendor.seen == ["onetwo", ANSWER]
        vendor.seen.clear()
        body = {"model": "plain", "input": "x", "stream": True}
        async with client.post("/v1/responses", json=body) as reply:
            assert "response.completed" in await reply.text()
        # What is asked, the batch that was held back, and the whole text, which four events say once more.
        assert vendor.seen == ["x", ANSWER, ANSWER]


async def test_a_moderators_new_key_is_used_without_a_restart(tmp_path: Path, capsys: Any) -> None:
    async with moderated(tmp_path) as (home, gate, _, client):
        secrets(home, "an-old-key")
        await gate.gateway.content.load()
        # The vendor refuses the signature: that is the moderator's failure, and no verdict on the text.
        assert await answered(client) == (503, "content_check_unavailable")
        assert await answered(client) == (503, "content_check_unavailable")
        assert capsys.readouterr().err.count("[gate.moderator] yidun: code-410") == 1
        secrets(home, "the-secret-key")
        await gate.gateway.content.load()
        assert await answered(client) == (200, "")


async def test_a_change_elsewhere_in_the_policy_builds_no_new_check(tmp_path: Path) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key().policy({"lists": [{"name": "a", "words": ["x"], "action": "block"}]})
        async with home.routes(fake.url).here() as gate:
            before = gate.gateway.content.checker
            home.key("more", "sk-other", requests_per_minute=3)
            await gate.gateway.content.load()
            assert gate.gateway.content.checker is before
            home.policy({"lists": [{"name": "a", "words": ["y"], "action": "block"}]})
            await gate.gateway.content.load()
            assert gate.gateway.content.checker is not before


@pytest.mark.parametrize("stream", [True, False])
async def test_a_check_that_is_replaced_goes_on_for_the_calls_that_it_has(tmp_path: Path, stream: bool) -> None:
    MADE.clear()
    entry = {"entry": "tests.gateway.test_reload:factory"}
    row = {"name": "own", "kind": "hook", "action": "block", "on_error": "block", "options": entry, "on": ["output"]}
    async with Fake() as fake:
        home = Home(tmp_path).key().policy({"moderators": [row]}).routes(fake.url)
        async with home.here() as gate, client_of(gate) as client:
            asked = asyncio.create_task(client.post("/v1/chat/completions", json=chat(stream=stream)))
            (old,) = MADE
            await old.asked.wait()
            home.policy({"lists": [{"name": "a", "words": ["x"], "action": "block"}]})
            await gate.gateway.content.load()
            await gate.gateway.content.load()
            assert not old.closed
            old.go_on.set()
            reply = await asked
            text = await reply.text()
            assert "error" not in text
            assert "you" in text
            await gate.settled()
            await gate.gateway.content.load()
            assert old.closed


async def test_a_word_file_that_comes_after_the_policy_is_waited_for(tmp_path: Path, capsys: Any) -> None:
    async with Fake() as fake:
        home = Home(tmp_path).key().policy({"lists": [{"name": "a", "words": ["herons"], "action": "block"}]})
        async with home.routes(fake.url).here() as gate, client_of(gate) as client:
            home.policy({"lists": [{"name": "a", "file": "words/0.txt", "action": "block"}]})
            for _ in range(3):
                await gate.gateway.content.load()
            assert capsys.readouterr().err.count("[gate.content]") == 1
            assert await answered(client, messages=[{"role": "user", "content": "two herons"}]) == (
                400,
                "content_policy_violation",
            )
            (tmp_path / "settings" / "words").mkdir()
            (tmp_path / "settings" / "words" / "0.txt").write_text("egrets\n")
            await gate.gateway.content.load()
            for word, status in (("herons", 200), ("egrets", 400)):
                code, _ = await answered(client, messages=[{"role": "user", "content": word}])
                assert (word, code) == (word, status)
