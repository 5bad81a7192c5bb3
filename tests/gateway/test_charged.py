"""An upstream that had a request may have worked for it, whatever became of the answer: it counts, once for each."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.fake import Fake
from tests.gateway.harness import UPSTREAM_KEY, Home, chat, client_of
from tests.gateway.upstreams import STREAM, answered, read, upstream, whole

CHAT = "/v1/chat/completions"
PRICE = {"price_in": 1.0, "price_out": 10.0}
BOUND = 50


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Has the request, and says nothing."""
    await read(reader)
    await asyncio.Event().wait()


async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Has the request, and hangs up."""
    await read(reader)


async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begins to answer, and breaks off."""
    await read(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")


async def nothing_of_a_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begins a stream in which nothing comes."""
    await read(reader)
    writer.write(STREAM)
    await asyncio.Event().wait()


async def no_json(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with half of an object."""
    await read(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1\r\n\r\n{")


def saying(status: int, headers: bytes = b"") -> Any:
    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read(reader)
        writer.write(whole({"error": {"message": "no"}}, status=status).replace(b"\r\n", b"\r\n" + headers, 1))

    return says


MAY_HAVE_WORKED = {
    "timeout": silent,
    "disconnected": gone,
    "cut": broken,
    "not-json": no_json,
    "status-504": saying(504),
    "status-524": saying(524),
}
HAS_NOT = {"status-500": saying(500), "status-503": saying(503), "busy": saying(429), "status-403": saying(403)}


def home_of(root: Path, first: str, second: str | None = None, *, kind: str = "custom", **limits: Any) -> Home:
    row = {"targets": [{"upstream": "fake", "model": "a", **PRICE}]}
    more: dict[str, Any] = {"routes": {"m": row}}
    if second is not None:
        more["upstreams"] = {"second": {"kind": "custom", "base_url": second}}
        more["routes"]["m"] = {**row, "fallback": [{"upstream": "second", "model": "plain", **PRICE}]}
    return Home(root).key(**limits).routes(first, kind=kind, **more)


COLUMNS = "tokens_in, tokens_out, nanos, upstream, status"


@pytest.mark.parametrize(
    ("kind", "stream"),
    [(each, stream) for each in (*MAY_HAVE_WORKED, *HAS_NOT) for stream in (False, True)] + [("empty stream", True)],
)
async def test_a_call_that_nobody_answered_counts_in_full_where_its_upstream_may_have_worked(
    tmp_path: Path, kind: str, stream: bool
) -> None:
    says = nothing_of_a_stream if kind == "empty stream" else MAY_HAVE_WORKED.get(kind) or HAS_NOT[kind]
    async with upstream(says) as url:
        home = home_of(tmp_path, url, daily_tokens=10_000)
        async with home.here(patience={"first_byte": 0.3, "between": 0.3}) as gate, client_of(gate) as client:
            async with client.post(CHAT, json=chat("m", max_tokens=BOUND, stream=stream)) as reply:
                assert reply.status >= 429
                assert (await reply.json())["error"]["code"].startswith("upstream_")
                counted = "x-llm-counted" in reply.headers
            ((tokens_in, tokens_out, nanos, named, status),) = await gate.settled(COLUMNS)
        assert status == reply.status
        assert counted == (kind not in HAS_NOT)
        if kind in HAS_NOT:
            assert (tokens_in, tokens_out, nanos, named) == (0, 0, 0, "")
        else:
            assert tokens_out == BOUND
            assert (nanos, named) == (1000 * tokens_in + 10_000 * tokens_out, "fake")
            assert tokens_in > len("the planted prompt")


async def test_an_upstream_that_nobody_reached_takes_nothing(tmp_path: Path) -> None:
    async with home_of(tmp_path, "http://127.0.0.1:9/v1").here() as gate, client_of(gate) as client:
        async with client.post(CHAT, json=chat("m", max_tokens=BOUND)) as reply:
            assert reply.status == 502
            assert "x-llm-counted" not in reply.headers
        assert await gate.settled(COLUMNS) == [(0, 0, 0, "", 502)]


@pytest.mark.parametrize("kind", [*MAY_HAVE_WORKED, *HAS_NOT])
async def test_the_one_that_may_have_worked_counts_beside_the_one_that_answered(tmp_path: Path, kind: str) -> None:
    says = MAY_HAVE_WORKED.get(kind) or HAS_NOT[kind]
    async with Fake() as fake, upstream(says) as url:
        home = home_of(tmp_path, url, fake.url, daily_tokens=10_000)
        # Time enough for the second one to answer on a busy machine.
        async with home.here(patience={"first_byte": 1.5, "between": 1.5}) as gate, client_of(gate) as client:
            async with client.post(CHAT, json=chat("m", max_tokens=BOUND)) as reply:
                assert reply.status == 200
            ((tokens_in, tokens_out, nanos, named, _),) = await gate.settled(COLUMNS)
        lost = 0 if kind in HAS_NOT else BOUND
        assert (tokens_out, named) == (7 + lost, "second")
        assert (tokens_in > 10) == bool(lost)
        assert nanos == 1000 * tokens_in + 10_000 * tokens_out


@pytest.mark.parametrize(("limit", "status"), [(500, 504), (1000, 200)])
async def test_another_upstream_is_asked_only_where_the_limit_has_room_for_both(
    tmp_path: Path, limit: int, status: int
) -> None:
    """A call reserves some 300 tokens."""
    async with Fake() as fake, upstream(silent) as url:
        home = home_of(tmp_path, url, fake.url, daily_tokens=limit)
        async with home.here(patience={"first_byte": 0.2}) as gate, client_of(gate) as client:
            async with client.post(CHAT, json=chat("m", max_tokens=100)) as reply:
                assert reply.status == status
            ((tokens_in, tokens_out),) = await gate.settled()
            assert tokens_in + tokens_out <= limit
        assert len(fake.seen) == (status == 200)


@pytest.mark.parametrize(("limit", "asked"), [(10_000, 3), (300, 2)])
async def test_a_request_that_goes_out_twice_counts_twice(tmp_path: Path, limit: int, asked: int) -> None:
    seen = 0

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        while True:
            await read(reader)
            seen += 1
            if seen == 2:
                return
            writer.write(answered())

    async with upstream(says) as url:
        home = home_of(tmp_path, url, ask_twice=True, daily_tokens=limit)
        async with home.here() as gate, client_of(gate) as client:
            for _ in range(2):
                async with client.post(CHAT, json=chat("m", max_tokens=BOUND)) as reply:
                    await reply.read()
            (first, second) = await gate.settled()
        assert seen == asked
        assert first == (1, 2)
        assert second[1] == BOUND + (2 if asked == 3 else 0)


async def test_a_proxy_of_ours_says_that_it_has_counted_a_call(tmp_path: Path) -> None:
    """What the far gateway charges to this one, this one charges to its caller."""
    async with upstream(silent) as url:
        far = home_of(tmp_path / "far", url, daily_tokens=10_000).key(key=UPSTREAM_KEY, daily_tokens=10_000)
        async with far.here(patience={"first_byte": 0.2}) as there:
            near = Home(tmp_path / "near").key(daily_tokens=10_000)
            row = {"targets": [{"upstream": "fake", "model": "m", **PRICE}]}
            near.routes(f"{there.url}/v1", kind="gateway", routes={"m": row})
            async with near.here() as here, client_of(here) as client:
                async with client.post(CHAT, json=chat("m", max_tokens=BOUND)) as reply:
                    assert reply.status == 502
                    told = reply.headers["x-llm-counted"]
                (counted,) = await here.settled()
            assert await there.settled() == [counted]
            assert told == f"{counted[0]}, {BOUND}"


async def test_what_an_audit_record_has_of_an_answer_is_of_the_one_that_came(tmp_path: Path) -> None:
    async with Fake() as fake, upstream(no_json) as url:
        async with (
            home_of(tmp_path, url, fake.url).here() as gate,
            client_of(gate) as client,
            client.post(CHAT, json=chat("m")) as reply,
        ):
            assert reply.status == 200
            (first,) = await gate.settled("output_sha256")
        async with (
            home_of(tmp_path / "b", fake.url).routes(fake.url).here() as gate,
            client_of(gate) as client,
            client.post(CHAT, json=chat("plain")) as reply,
        ):
            assert await gate.settled("output_sha256") == [first]
