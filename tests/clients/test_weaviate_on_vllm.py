"""Texts put into a real Weaviate by its own client, turned into vectors by a real vLLM behind the real gateway, and
found again by a text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from pulumi_llm.roles.requests import VllmRole
from pulumi_llm.roles.vllm_flags import vllm_arguments
from tests.clients.engine import can_start, engine, guessed
from tests.gateway.harness import Running
from tests.vectors.weaviate import GATEWAY_KEY, MODEL, SERVER, Store, gateway, node, running

pytestmark = [
    pytest.mark.clients,
    pytest.mark.on_vllm,
    pytest.mark.xdist_group("vllm"),
    pytest.mark.skipif(not SERVER.exists(), reason="tools/fetch weaviate builds the server"),
]
WINDOW = 512
SUBJECTS = ("pump", "valve", "heron", "meadow", "harbour", "lantern", "ferry", "orchard", "granite", "violin")
TEXTS = tuple(f"{one} {other} number {number}" for number in range(6) for one in SUBJECTS for other in SUBJECTS)


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A model for vectors, with what a node says of one on its command line; its address."""
    if not can_start():
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    told = vllm_arguments(VllmRole(model_id="acme/tiny", served_name=MODEL, task="embedding", name=MODEL))
    place = told.index("--runner")
    flags = ("--served-model-name", MODEL, "--max-model-len", str(WINDOW), "--enforce-eager", *told[place : place + 2])
    with engine(tmp_path_factory.mktemp("embedder"), flags, guessed()) as url:
        yield url


def vector(address: str, text: str, key: str | None = None) -> list[float]:
    """What the model itself makes of a text."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    body = json.dumps({"model": MODEL, "input": [text]}).encode()
    with urlopen(Request(f"{address}/v1/embeddings", body, headers), timeout=120) as reply:
        return list(json.loads(reply.read())["data"][0]["embedding"])


def put(store: Store, name: str, texts: tuple[str, ...]) -> list[Any]:
    """Texts into a new collection; those that could not be."""
    from weaviate.classes.config import Configure, DataType, Property

    with store.client() as client:
        made = client.collections.create(
            name,
            properties=[Property(name="text", data_type=DataType.TEXT)],
            vector_config=Configure.Vectors.text2vec_openai(
                model=MODEL, base_url=store.base_url, vectorize_collection_name=False
            ),
        )
        with made.batch.fixed_size(batch_size=200, concurrent_requests=2) as batch:
            for each in texts:
                batch.add_object(properties={"text": each})
        return list(made.batch.failed_objects)


def found(store: Store, name: str, text: str) -> list[tuple[str, list[float]]]:
    """The texts that are nearest to one, with their vectors."""
    with store.client() as client:
        answer = client.collections.get(name).query.near_text(text, limit=3, include_vector=True)
        return [(str(each.properties["text"]), list(each.vector["default"])) for each in answer.objects]


async def with_store(folder: Path, embedder: str, work: Any, **more: Any) -> tuple[Any, list[tuple[Any, ...]]]:
    """What ``work`` makes of a store before a gateway before the model, and what the gateway charged."""
    request = node(**more)
    async with gateway(folder / "gateway", request, f"{embedder}/v1") as gate:
        gate: Running
        with running(folder / "store", request, gate.url) as store:
            result = await asyncio.to_thread(work, store)
        return result, await gate.settled("tokens_in, verdict")


async def test_texts_are_found_by_a_text_and_have_the_vectors_that_the_model_makes(
    tmp_path: Path, embedder: str
) -> None:
    def work(store: Store) -> Any:
        assert put(store, "Texts", TEXTS) == []
        return {text: found(store, "Texts", text) for text in (TEXTS[7], TEXTS[321])}

    answers, charged = await with_store(tmp_path, embedder, work)
    for text, rows in answers.items():
        assert rows[0][0] == text
        assert rows[0][1] == pytest.approx(vector(embedder, text), abs=1e-2)
    # 600 texts are a few calls and not 600, and each byte of them is a token of this model's.
    assert len(charged) < 20
    assert sum(each[0] for each in charged) >= sum(len(each.encode()) for each in TEXTS)


async def test_its_key_asks_that_model_for_vectors_and_nothing_else(tmp_path: Path, embedder: str) -> None:
    async with gateway(tmp_path, node(), f"{embedder}/v1") as gate:

        def status(path: str, **body: Any) -> int:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {GATEWAY_KEY}"}
            try:
                with urlopen(Request(f"{gate.url}{path}", json.dumps(body).encode(), headers), timeout=60) as reply:
                    return int(reply.status)
            except HTTPError as refused:
                return refused.code

        asked = {
            "its own": ("/v1/embeddings", {"model": MODEL, "input": ["x"]}),
            "another model": ("/v1/embeddings", {"model": "plain", "input": ["x"]}),
            "another path": ("/v1/completions", {"model": MODEL, "prompt": "x"}),
        }
        told = {what: await asyncio.to_thread(lambda it=it: status(it[0], **it[1])) for what, it in asked.items()}
        assert told["its own"] == 200
        assert {told["another model"], told["another path"]} <= {403, 404}


async def test_one_text_longer_than_the_models_window_fails_those_that_were_sent_with_it(
    tmp_path: Path, embedder: str
) -> None:
    def work(store: Store) -> Any:
        assert put(store, "First", TEXTS[:1]) == []  # what the rates are is known from here on
        return [str(each.message) for each in put(store, "Long", (*TEXTS[:9], "long " * WINDOW))]

    failed, __ = await with_store(tmp_path, embedder, work)
    assert len(failed) == 10
    assert all("400" in each for each in failed)


async def test_a_store_over_its_rate_is_told_and_keeps_what_it_could(tmp_path: Path, embedder: str) -> None:
    def work(store: Store) -> Any:
        failed = put(store, "Texts", TEXTS[:40])
        with store.client() as client:
            return failed, client.collections.get("Texts").aggregate.over_all(total_count=True).total_count

    key = {"model": MODEL, "key": {"requests_per_minute": 1}}
    (failed, kept), charged = await with_store(tmp_path, embedder, work, vectorizer=key)
    assert kept == 40 - len(failed)
    assert len(failed) > 0
    assert all("429" in str(each.message) or "rate limit" in str(each.message) for each in failed), failed[:1]
    assert charged
