"""A real Weaviate whose way to the real gateway leads over two real Caddys, as it does from a machine of its own."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.gateway.fake import Fake
from tests.gateway.front import certificate, free_port, program
from tests.gateway.harness import Home, Running
from tests.vectors.test_vectorizer_apart import server, store, written
from tests.vectors.weaviate import GATEWAY_KEY, MODEL, NAME, SERVER, Store, rules, running

CADDYFILE = "/opt/llm/gateway/Caddyfile"
HERE = "127.0.0.1"


@asynccontextmanager
async def caddy(root: Path, text: str, port: int) -> AsyncIterator[None]:
    """The program with a node's configuration, whose paths are moved."""
    root.mkdir(exist_ok=True)
    config = root / "Caddyfile"
    config.write_text(text.replace("/srv/llm/secrets", str(root)).replace("/var/lib/llm-caddy", str(root / "state")))
    log = (root / "caddy.log").open("wb")
    argv = [program("caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]
    process = await asyncio.create_subprocess_exec(*argv, stdout=log, stderr=log, env={**os.environ, "HOME": str(root)})
    try:
        while True:
            try:
                __, writer = await asyncio.open_connection(HERE, port)
                writer.close()
                break
            except ConnectionRefusedError:
                assert process.returncode is None, (root / "caddy.log").read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()
        log.close()


@asynccontextmanager
async def apart(root: Path, upstream: str, address: str = HERE, authority: Path | None = None) -> AsyncIterator[Any]:
    """The gateway behind its machine's Caddy, and the way there from the store's: where that begins.

    ``address``: where the gateway's key is good from; ``authority``: whom the store's Caddy trusts.
    """
    at_server, at_store = free_port(), free_port()
    (root / "server").mkdir(parents=True)
    (root / "store").mkdir()
    certificate(root / "server")
    certificate(root / "store")
    node = server(address)
    home = Home(root / "gate").key(NAME, GATEWAY_KEY, **rules(node))
    home.routes(upstream, kind="vllm", routes={MODEL: {"targets": [{"upstream": "fake", "model": MODEL}]}})
    async with home.running() as gate:
        gate: Running
        front = written(node)[CADDYFILE].replace(f"{HERE}:4000", gate.url.removeprefix("http://"))
        front = front.replace(":18443 {", f":{at_server} {{\n\tbind {HERE}")
        trusted = (authority or root / "server" / "ca.crt").read_bytes()
        (root / "store" / "gateway-authority.pem").write_bytes(trusted)
        way = written(store(f"https://{HERE}:{at_server}"))[CADDYFILE].replace("http://:4000 {", f"http://:{at_store} {{")
        for port in (18444, 18445):
            way = way.replace(f":{port} {{", f":{free_port()} {{\n\tbind {HERE}")
        async with caddy(root / "server", front, at_server), caddy(root / "store", way, at_store):
            yield gate, f"http://{HERE}:{at_store}", f"https://{HERE}:{at_server}"


def status(url: str, body: Any, key: str = GATEWAY_KEY, tls: ssl.SSLContext | None = None) -> int:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    try:
        with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=60, context=tls) as reply:
            return int(reply.status)
    except HTTPError as refused:
        return refused.code


ASKED = {"model": MODEL, "input": ["x"]}


async def test_the_way_leads_to_one_path_with_the_stores_key(tmp_path: Path) -> None:
    async with Fake() as fake, apart(tmp_path, fake.url) as (__, way, ___):
        told = await asyncio.to_thread(
            lambda: {
                "its own": status(f"{way}/v1/embeddings", ASKED),
                "another path": status(f"{way}/v1/chat/completions", {"model": MODEL, "messages": []}),
                "the status": status(f"{way}/status", {}),
                "another model": status(f"{way}/v1/embeddings", {**ASKED, "model": "plain"}),
                "another key": status(f"{way}/v1/embeddings", ASKED, "sk-of-nobody"),
            }
        )
        # 404 is Caddy's own; the others are the gateway's.
        assert told == {"its own": 200, "another path": 404, "the status": 404, "another model": 403, "another key": 401}


async def test_its_key_is_good_from_no_other_machine(tmp_path: Path) -> None:
    async with Fake() as fake, apart(tmp_path, fake.url, address="10.60.1.9") as (__, way, ___):
        assert await asyncio.to_thread(status, f"{way}/v1/embeddings", ASKED) == 403


async def test_a_gateway_that_another_authority_signed_for_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "other")
    other = tmp_path / "other" / "ca.crt"
    async with Fake() as fake, apart(tmp_path / "x", fake.url, authority=other) as (__, way, ___):
        assert await asyncio.to_thread(status, f"{way}/v1/embeddings", ASKED) == 502
        assert not fake.seen


@pytest.mark.skipif(not SERVER.exists(), reason="tools/fetch weaviate builds the server")
async def test_texts_come_in_over_the_way_and_are_found_by_a_text(tmp_path: Path) -> None:
    from weaviate.classes.config import Configure, DataType, Property

    texts = [f"the pump of station {number}" for number in range(300)]

    def work(there: Store) -> Any:
        with there.client() as client:
            made = client.collections.create(
                "Texts",
                properties=[Property(name="text", data_type=DataType.TEXT)],
                vector_config=Configure.Vectors.text2vec_openai(
                    model=MODEL, base_url=there.base_url, vectorize_collection_name=False
                ),
            )
            with made.batch.fixed_size(batch_size=100, concurrent_requests=2) as batch:
                for each in texts:
                    batch.add_object(properties={"text": each})
            failed = list(made.batch.failed_objects)
            near = made.query.near_text(texts[7], limit=1)
            return failed, made.aggregate.over_all(total_count=True).total_count, near.objects[0].properties["text"]

    argv = [program_of_python(), "-m", "bench._embedder", "2000", "64"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = f"http://{HERE}:{int(process.stdout.readline())}/v1"
        async with apart(tmp_path / "way", url) as (gate, way, __):
            with running(tmp_path / "weaviate", store(), way) as there:
                failed, count, __ = await asyncio.to_thread(work, there)
            charged = await gate.settled("tokens_in, verdict")
    finally:
        process.terminate()
        process.wait()
    assert (failed, count) == ([], len(texts))
    assert 3 <= len(charged) < 20


def program_of_python() -> str:
    import sys

    return sys.executable
