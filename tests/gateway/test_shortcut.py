"""A chunk that goes on as it came: however an upstream frames and sends its stream, the caller reads the same."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gate.asking import Line, Pool
from llm_gate.events import Events
from llm_gate.flow import Flow
from llm_gate.inspection import Inspection
from llm_gate.listening import Server
from llm_gate.messages import Outgoing, Request
from llm_gate.requests import Call
from llm_gate.serving import Connection
from llm_gate.usage import Count

from tests.gateway.test_pieces import CHAT, KEY, STREAMS, chunk, told

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
FRAMINGS = (b"%x\r\n%b\r\n", b"%X\r\n%b\r\n", b"00%x\r\n%b\r\n", b"%x;of=it\r\n%b\r\n")


class Wire:
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, content: bytes) -> None:
        self.written.append(content)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> Any:
        return SimpleNamespace(setsockopt=lambda *_: None)

    def nothing(self) -> None: ...

    pause_reading = resume_reading = abort = close = nothing


class Read:
    """What a caller reads of an answer."""

    def __init__(self, wire: bytes) -> None:
        self.content, self.whole = b"", False
        httptools.HttpResponseParser(self).feed_data(wire)

    def on_body(self, content: bytes) -> None:
        self.content += content

    def on_message_complete(self) -> None:
        self.whole = True


async def relayed(endpoint: str, pieces: list[bytes], *, old: bool = False) -> tuple[bytes, int, list[bytes], Count]:
    """What the caller gets over its connection, how many pieces went on as they came, each write, and the count."""
    loop, to_caller = asyncio.get_running_loop(), Wire()
    pool = SimpleNamespace(loop=loop, put=lambda _: None, lost=lambda _: None)
    line = Line(cast("Pool", pool))
    line.connection_made(cast("asyncio.Transport", Wire()))
    connection = Connection(Server(lambda _: cast("Any", None), lambda *_: cast("Any", None), 1))
    connection.transport = cast("asyncio.Transport", to_caller)
    request = Request(connection)
    request.old = old
    call = Call(endpoint, "m", {}, stream=True, wants_usage=False, tokens_in=1, tokens_out=0, bound=None)
    count = Count(endpoint, 1)
    reply = line.ask(b"", 60)
    line.data_received(HEAD)
    await reply.begun()
    events = Events(call, KEY, Inspection(None, endpoint, "k", "m"), count)
    flow = Flow(reply, Outgoing(request, {}), events, 60, 60, lambda: None)
    streaming = asyncio.create_task(flow.straight())
    await asyncio.sleep(0)
    short = 0
    for piece in pieces:
        taken = line.shortcut

        def counted(wire: bytes, take: Any = taken) -> bool:
            nonlocal short
            short += (went := take(wire))
            return cast("bool", went)

        if taken is not None:
            line.shortcut = counted
        line.data_received(piece)
        if line.shortcut is counted:
            line.shortcut = taken
        if streaming.done() or events.over:
            break
    await asyncio.wait_for(asyncio.gather(streaming, return_exceptions=True), 5)
    reply.close()
    return b"".join(to_caller.written), short, to_caller.written, count


@pytest.mark.parametrize("endpoint", STREAMS)
@given(data=st.data())
def test_however_a_stream_is_framed_and_sent_the_caller_reads_the_same(endpoint: str, data: st.DataObject) -> None:
    events = [*data.draw(st.lists(st.sampled_from(STREAMS[endpoint][:-1]), max_size=8)), STREAMS[endpoint][-1]]
    whole = b"".join(events)
    cuts = sorted(data.draw(st.lists(st.integers(1, len(whole) - 1), max_size=4)))
    if data.draw(st.booleans()):  # most servers write an event a chunk
        chunks = events
    else:
        chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]
    framed = [data.draw(st.sampled_from(FRAMINGS)) % (len(each), each) for each in chunks] + [END]
    wire = b"".join(framed)
    if data.draw(st.booleans()):
        pieces = framed
    else:
        at = sorted(data.draw(st.lists(st.integers(1, len(wire) - 1), max_size=12)))
        pieces = [wire[a:b] for a, b in zip([0, *at], [*at, len(wire)], strict=True) if a < b]
    sent, _, _, count = asyncio.run(relayed(endpoint, pieces))
    read = Read(sent)
    assert read.whole
    content, heard, said, reported, _ = told(endpoint, events)
    assert read.content == content
    assert (count.heard_out, count.pieces, count.reported_out) == (heard, said, reported)
    assert KEY.encode() not in sent


async def test_a_chunk_about_which_nothing_is_to_be_done_goes_on_as_it_came() -> None:
    plain = [b"%x\r\n%b\r\n" % (len(each), each) for each in (chunk("one"), chunk("two"), chunk("three"))]
    _, short, written, count = await relayed(CHAT, plain + [b"e\r\ndata: [DONE]\n\n\r\n", END])
    assert short == 2  # the first goes with the head
    assert written[1:3] == plain[1:]
    assert (count.heard_out, count.pieces) == (len("onetwothree"), 3)


async def test_the_end_of_a_body_never_goes_on_as_it_came() -> None:
    """Without the last event an error is still to be told: behind an end it would be read as the next answer."""
    plain = [b"%x\r\n%b\r\n" % (len(each), each) for each in (chunk("one"), chunk("two"))]
    sent, short, _, _ = await relayed(CHAT, [*plain, END])
    assert short == 1
    assert not sent.endswith(END)
    assert not Read(sent).whole


async def test_a_caller_of_the_older_http_gets_no_chunks() -> None:
    plain = [b"%x\r\n%b\r\n" % (len(each), each) for each in (chunk("one"), chunk("two"), chunk("three"))]
    sent, short, _, _ = await relayed(CHAT, plain + [b"e\r\ndata: [DONE]\n\n\r\n", END], old=True)
    assert short == 0
    assert sent.endswith(chunk("one") + chunk("two") + chunk("three") + b"data: [DONE]\n\n")


async def test_what_looks_like_a_chunk_in_the_middle_of_one_is_not_taken_for_it() -> None:
    """The size of a chunk may come in two pieces, and the second alone may be that of another."""
    inner = chunk("three")
    looks = b"%x\r\n%b\r\n" % (len(inner), inner)
    outer = chunk("one") + looks
    begins = b"%x\r\n" % len(outer)
    pieces = [begins + chunk("one"), looks, b"\r\n" + b"e\r\ndata: [DONE]\n\n\r\n", END]
    first = b"%x\r\n%b\r\n" % (len(chunk("zero")), chunk("zero"))
    _, short, _, _ = await relayed(CHAT, [first, *pieces])
    assert short == 0
    digits = b"1%x" % len(inner)  # a size that begins with the piece before it
    more = inner + b"x" * (int(digits, 16) - len(inner))
    sent, short, _, _ = await relayed(CHAT, [first + b"1", looks, more[len(inner) + 2 :] + b"\r\n", END])
    assert short == 0
    assert chunk("zero") in sent


async def test_a_chunk_without_its_line_end_breaks_the_stream_off_as_any_other_does() -> None:
    plain = [b"%x\r\n%b\r\n" % (len(each), each) for each in (chunk("one"), chunk("two"))]
    sent, short, _, _ = await relayed(CHAT, [*plain, plain[1][:-2] + b"xx", END])
    assert short == 1
    assert not Read(sent).whole
    assert not sent.endswith(b"xx")


async def test_a_fault_of_our_own_at_such_a_chunk_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: object) -> None:
        raise RuntimeError("ours")

    plain = [b"%x\r\n%b\r\n" % (len(each), each) for each in (chunk("one"), chunk("two"), chunk("three"))]
    with monkeypatch.context() as patch:
        patch.setattr(Events, "pass_by", faulty)
        sent, short, written, _ = await relayed(CHAT, plain)
    assert short == 1
    assert len(written) == 1
    assert not Read(sent).whole
