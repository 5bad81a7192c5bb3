"""gRPC through the real Caddy with the configuration that a node gets: messages pass at once, a caller may leave."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.gateway.front import nodes_caddy
from tests.roles.sample import installed, node_with_ledger
from tests.vectors.front import fronted

pytestmark = pytest.mark.artefact
LISTENS = 18501
MANY = 1_000_000


class Ledger(grpc.GenericRpcHandler):
    """A service of bytes: one answer, a stream that goes on until told, and one that answers as it is asked."""

    def __init__(self) -> None:
        self.go_on, self.left, self.begun = threading.Semaphore(0), threading.Event(), threading.Event()

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """The handler of a path."""
        return {
            "/ledger.Ledger/Once": grpc.unary_unary_rpc_method_handler(lambda asked, _: asked + b"!"),
            "/ledger.Ledger/Stream": grpc.unary_stream_rpc_method_handler(self.stream),
            "/ledger.Ledger/Talk": grpc.stream_stream_rpc_method_handler(self.talk),
        }.get(details.method)

    def stream(self, asked: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(self.left.set)
        self.begun.set()
        for number in range(MANY):
            self.go_on.acquire()
            if self.left.is_set():
                return
            yield asked + str(number).encode()

    def talk(self, asked: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for each in asked:
            yield each + b"!"


@pytest.fixture(params=["the newest", "the node's"])
def caddy(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Caddy as the tools fetch it, and as nodes have it."""
    return nodes_caddy(tmp_path) if request.param == "the node's" else None


@pytest.fixture
def ledger(tmp_path: Path, caddy: str | None) -> Iterator[tuple[Ledger, grpc.Channel]]:
    """The service, and a channel to it through Caddy."""
    service = Ledger()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[service])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with (
            installed(tmp_path / "site"),
            fronted(tmp_path, node_with_ledger(), {7301: port}, {}, with_caddy=caddy) as front,
        ):
            trust = grpc.ssl_channel_credentials(front.authority.read_bytes())
            with grpc.secure_channel(f"127.0.0.1:{front.ports[LISTENS]}", trust) as channel:
                yield service, channel
    finally:
        service.left.set()
        service.go_on.release(10)
        server.stop(1).wait(10)


def test_one_answer_and_talk_in_turns_pass(ledger: tuple[Ledger, grpc.Channel]) -> None:
    _, channel = ledger
    assert channel.unary_unary("/ledger.Ledger/Once")(b"asked", timeout=20) == b"asked!"
    words: queue.Queue[bytes] = queue.Queue()
    answers = channel.stream_stream("/ledger.Ledger/Talk")(iter(words.get, b""), timeout=20)
    for word in (b"one", b"two", b"three"):
        words.put(word)
        assert next(answers) == word + b"!"
    words.put(b"")
    assert list(answers) == []


def test_each_message_of_a_stream_passes_at_once(ledger: tuple[Ledger, grpc.Channel]) -> None:
    service, channel = ledger
    messages = channel.unary_stream("/ledger.Ledger/Stream")(b"n", timeout=20)
    for number in range(5):
        service.go_on.release()
        assert next(messages) == b"n%d" % number
    messages.cancel()


@pytest.mark.parametrize("messages", [0, 3], ids=["before the first message", "between two messages"])
def test_the_service_is_told_of_a_caller_who_leaves(ledger: tuple[Ledger, grpc.Channel], messages: int) -> None:
    service, channel = ledger
    stream = channel.unary_stream("/ledger.Ledger/Stream")(b"n", timeout=60)
    assert service.begun.wait(20)
    for _ in range(messages):
        service.go_on.release()
        next(stream)
    assert not service.left.is_set()
    stream.cancel()
    assert service.left.wait(10)
