"""The content check in its place: before anything goes out, and on every byte that comes back."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.harness import KEY, Home, chat, client_of, stand

CHAT = "/v1/chat/completions"
WORDS = ["The ", "secret", " plan", " is ", "Blue", " He", "ron", ".", " Go", "!"]


def rule(action: str, *words: str, **more: Any) -> dict[str, Any]:
    return {"lists": [{"name": "house", "words": list(words), "action": action, **more}]}


def asked(text: str, path: str = CHAT, **more: Any) -> dict[str, Any]:
    if path == "/v1/completions":
        return {"model": "plain", "prompt": text, **more}
    if path == "/v1/responses":
        return {"model": "plain", "input": text, **more}
    return {"model": "plain", "max_tokens": 50, "messages": [{"role": "user", "content": text}], **more}


PATHS = [CHAT, "/v1/completions", "/v1/responses", "/v1/messages"]


@pytest.mark.parametrize("path", [*PATHS, "/v1/embeddings"])
async def test_a_blocked_word_in_a_request_never_reaches_an_upstream(tmp_path: Path, path: str) -> None:
    async with stand(tmp_path, content=rule("block", "blue heron"), kind="gateway") as (gate, fake, client):
        body = asked("tell me of ＢＬＵＥ-he\u200brOn", path) | ({"input": "BLUE HERON"} if "emb" in path else {})
        if "emb" in path:
            body = {"model": "plain", "input": ["x", "blue heron"]}
        async with client.post(path, json=body) as reply:
            assert reply.status == 400
            assert "heron" not in (await reply.text()).lower()
        assert not fake.seen
        ((verdict, tokens, digest),) = await gate.settled("verdict, tokens, input_sha256")
        assert verdict.startswith("input:house:block:")
        assert (tokens, len(digest)) == (0, 64)


@pytest.mark.parametrize("place", ["system", "tool", "parts", "one part", "name"])
async def test_it_is_found_wherever_it_is_put(tmp_path: Path, place: str) -> None:
    bodies: dict[str, Any] = {
        "system": chat(messages=[{"role": "system", "content": "blue heron"}, {"role": "user", "content": "x"}]),
        "tool": chat(tools=[{"type": "function", "function": {"name": "f", "description": "blue heron"}}]),
        "parts": chat(messages=[{"role": "user", "content": [{"type": "text", "text": "blue h"},
                                                             {"type": "text", "text": "eron"}]}]),
        "one part": chat(messages=[{"role": "user", "content": [{"type": "text", "text": "x"},
                                                                {"type": "text", "text": "blue heron"}]}]),
        "name": chat(messages=[{"role": "user", "name": "blue heron", "content": "x"}]),
    }  # fmt: skip
    async with stand(tmp_path, content=rule("block", "blue heron")) as (_, fake, client):
        async with client.post(CHAT, json=bodies[place]) as reply:
            assert reply.status == 400
        assert not fake.seen


async def test_a_masked_word_reaches_the_upstream_masked(tmp_path: Path) -> None:
    async with stand(tmp_path, content=rule("mask", "heron")) as (_, fake, client):
        async with client.post(CHAT, json=asked("a heron here")) as reply:
            assert reply.status == 200
        assert "heron" not in json.dumps(fake.last.body)
        assert "a *" in fake.last.body["messages"][0]["content"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", PATHS)
async def test_a_blocked_word_in_an_answer_is_not_let_out(tmp_path: Path, path: str, stream: bool) -> None:
    async with stand(tmp_path, content=rule("block", "blue heron"), words=WORDS, kind="gateway") as (gate, _, client):
        async with client.post(path, json=asked("hello", path, stream=stream)) as reply:
            told = await reply.text()
            assert reply.status == (200 if stream else 400)
        assert "content_policy_violation" in told or "not allowed here" in told
        assert "ron" not in told.replace("error", "")
        assert "Go" not in told
        if stream:
            assert "secret" in told  # what came before the word
        ((verdict, tokens),) = await gate.settled("verdict, tokens")
        assert verdict.startswith("output:house:block:")
        assert tokens > 0


@pytest.mark.parametrize("path", PATHS)
async def test_a_masked_word_in_a_stream_is_masked_and_all_else_arrives_whole(tmp_path: Path, path: str) -> None:
    async with stand(tmp_path, content=rule("mask", "heron"), words=WORDS, kind="gateway") as (_, _, client):
        async with client.post(path, json=asked("hello", path, stream=True)) as reply:
            told = await reply.text()
        assert "ron" not in told.replace("error", "")
        said = ""
        for line in told.splitlines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line[6:])
            for choice in event.get("choices", ()):
                said += choice.get("text") or (choice.get("delta") or {}).get("content") or ""
            delta = event.get("delta")
            said += delta if isinstance(delta, str) else (delta or {}).get("text", "")
        assert said == "The secret plan is Blue *****. Go!"
        ends = {"/v1/messages": "message_stop", "/v1/responses": "response.completed"}
        assert ends.get(path, "[DONE]") in told


async def test_a_stream_that_nothing_is_found_in_is_whole(tmp_path: Path) -> None:
    async with stand(tmp_path, content=rule("block", "nightingale"), words=WORDS) as (_, _, client):
        async with client.post(CHAT, json=chat(stream=True)) as reply:
            told = await reply.text()
        events = [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: {")]
        said = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
        assert said == "".join(WORDS)
        assert events[-1]["choices"][0]["finish_reason"] == "stop"
        assert [bool(choice["finish_reason"]) for event in events for choice in event["choices"]].count(True) == 1


async def test_new_words_are_in_force_without_a_restart(tmp_path: Path) -> None:
    async with stand(tmp_path, content=rule("block", "kingfisher")) as (gate, _, client):
        async with client.post(CHAT, json=chat()) as reply:
            assert reply.status == 200
        Home(tmp_path).key().policy(rule("block", "heron"))
        await gate.gateway.content.load()
        async with client.post(CHAT, json=asked("heron")) as reply:
            assert reply.status == 400


async def test_a_check_that_cannot_be_made_serves_nobody(tmp_path: Path) -> None:
    broken = {"lists": [{"name": "lost", "file": "words/lost.txt", "action": "block"}]}
    async with stand(tmp_path, content=broken) as (_, fake, client):
        async with client.post(CHAT, json=chat()) as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (503, "content_check_unavailable")
        assert not fake.seen


async def test_a_bad_change_leaves_the_last_good_check_in_force(tmp_path: Path) -> None:
    async with stand(tmp_path, content=rule("block", "heron")) as (gate, _, client):
        Home(tmp_path).key().policy({"lists": [{"name": "x"}]})
        await gate.gateway.content.load()
        for text, status in (("heron", 400), ("plain", 200)):
            async with client.post(CHAT, json=asked(text)) as reply:
                assert reply.status == status


async def test_the_process_reads_its_words_at_the_start_and_again_when_they_change(tmp_path: Path) -> None:
    from tests.gateway.fake import Fake

    async with Fake() as fake:
        home = Home(tmp_path).key().routes(fake.url)
        folder = tmp_path / "settings" / "words"
        folder.mkdir()
        (folder / "birds.txt").write_text("heron\n", encoding="utf-8")
        home.policy({"lists": [{"name": "birds", "file": "words/birds.txt", "action": "block"}]})
        async with home.running() as gate, client_of(gate, KEY) as client:
            async with client.post(CHAT, json=asked("heron")) as reply:
                assert reply.status == 400
            (folder / "birds.txt").write_text("stork\n", encoding="utf-8")
            while True:
                async with client.post(CHAT, json=asked("heron")) as reply:
                    if reply.status == 200:
                        break
                await asyncio.sleep(0.05)
            async with client.post(CHAT, json=asked("stork")) as reply:
                assert reply.status == 400
