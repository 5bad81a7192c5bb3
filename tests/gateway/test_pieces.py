"""A stream's pieces: how they are cut changes nothing, and what is over is let go of at once."""

import asyncio
import gc
import json
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gate.asking import Pool, Reply
from llm_gate.events import Events
from llm_gate.inspection import Inspection
from llm_gate.messages import Request
from llm_gate.requests import Call
from llm_gate.serving import Connection, Server
from llm_gate.usage import Count

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
KEY = "sk-upstream"


def chunk(text: str, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


def delta(text: str) -> bytes:
    document = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    return b"event: content_block_delta\ndata: " + json.dumps(document).encode() + b"\n\n"


STREAMS = {
    CHAT: [
        chunk("one"),
        chunk("two", usage=None),
        chunk("three", usage={"prompt_tokens": 3, "completion_tokens": 9}),
        chunk(f"said {KEY} aloud"),
        chunk('he wrote "usage": {'),
        b": still here\n\n",
        b"data: [1]\n\n",
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\r\n\r\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":7}}\n\n',
        b"data: [DONE]\n\n",
    ],
    MESSAGES: [
        delta("one"),
        delta(f"said {KEY} aloud"),
        delta('he wrote "usage"'),
        b'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"output_tokens":7}}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ],
}


def told(endpoint: str, pieces: list[bytes]) -> tuple[bytes, int, int, int | None, bool]:
    """What goes on of these pieces, and what is counted."""
    call = Call(endpoint, "m", {}, stream=True, wants_usage=False, tokens_in=1, tokens_out=0, bound=None)
    count = Count(endpoint, 1)
    events = Events(call, KEY, Inspection(None, endpoint, "k", "m"), count)
    sent = b"".join(events.take(each) for each in pieces) + events.end()
    return sent, count.heard_out, count.pieces, count.reported_out, events.finished


@pytest.mark.parametrize("endpoint", STREAMS)
@given(data=st.data())
def test_however_a_stream_is_cut_the_same_goes_on_and_is_counted(endpoint: str, data: st.DataObject) -> None:
    events = data.draw(st.lists(st.sampled_from(STREAMS[endpoint]), max_size=12))
    whole = b"".join(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    found = told(endpoint, pieces)
    assert found == told(endpoint, events)
    assert KEY.encode() not in found[0]


@pytest.mark.parametrize("value", ["plain", "two\r\nX-Other: 1", "nul\0", "tab\there", "漢字"])
def test_no_value_of_an_answer_s_header_begins_another(value: str) -> None:
    async def head() -> bytes:
        async def nobody(request: Request) -> None: ...

        server = Server(nobody, lambda *_: None, 1)  # type: ignore[arg-type]
        server.loop = asyncio.get_running_loop()
        connection = Connection(server)
        return connection.head(Request(connection), 200, {"X-A": value}, "")

    lines = asyncio.run(head()).split(b"\r\n")
    clean = value.replace("\r", " ").replace("\n", " ").replace("\0", " ")
    assert f"X-A: {clean}".encode() in lines
    assert not [each for each in lines if each.startswith(b"X-Other")]


class Holder:
    """Who gets an answer's pieces, and holds the answer."""

    def __init__(self, reply: Reply) -> None:
        self.reply, self.content = reply, b""
        self.ended = asyncio.Event()

    def came(self, piece: bytes, ended: bool) -> None:
        self.content += piece
        if ended:
            self.ended.set()

    def broke(self, error: Exception) -> None:
        raise AssertionError(error)


async def test_what_an_answer_was_poured_into_goes_with_it_and_waits_for_no_collector() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as upstream:
        pool = Pool(f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}", None, 5)
        gc.disable()
        try:
            reply = await pool.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 5)
            holder = Holder(reply)
            reply.pour(holder.came, holder.broke)
            await holder.ended.wait()
            assert holder.content == b"ok"
            reply.release()
            gone = weakref.ref(holder)
            del reply, holder
            assert gone() is None
        finally:
            gc.enable()
            pool.close()
