"""Open WebUI from its locked wheels, run as its unit runs it, between the real Caddy and the real gateway."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import aiohttp
import pytest

from tests.apps.page import ADMIN, DIMENSIONS, KEY, PASSWORD, Page, node, page
from tests.gateway.fake import ANSWER
from tests.vectors.noble import ROOT, cluster
from tests.vectors.weaviate import SERVER, STORE_KEY, running
from tests.vectors.wheels import is_installed

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not is_installed("open-webui"), reason="Open WebUI is not installed: make test-clients"),
]

MODEL = "Qwen2.5-7B-Instruct-AWQ"
STORE_PASSWORD = "v" * 40
MANUAL = """The blue heron of pump station Lindau is switched off by turning the brass valve to the left, twice.

The lighthouse of Warnemuende opens for visitors at nine in the morning, except on Mondays.
"""
QUESTION = "How is the blue heron of pump station Lindau switched off?"


async def test_the_page_answers_whom_the_stack_let_in_and_nobody_else(tmp_path: Path) -> None:
    async with page(tmp_path, node()) as it:
        await _is_closed(it)
        async with it.admin() as admin:
            await _chats(it, admin)
            await _takes_a_whole_document(it, admin)
            assert "Traceback" not in it.log.read_text()
            assert "blue heron" not in it.log.read_text()
            await _runs_nobodys_code(admin)


async def _is_closed(it: Page) -> None:
    async with it.visitor() as stranger:
        for path in ("/api/models", "/api/v1/chats/", "/api/v1/users/", "/api/v1/files/", "/openai/models"):
            async with stranger.get(path) as answer:
                assert answer.status in (401, 403), path
        somebody = {"name": "x", "email": "x@example.com", "password": "a long password 1!"}
        async with stranger.post("/api/v1/auths/signup", json=somebody) as answer:
            assert answer.status == 403
        async with stranger.post("/api/v1/auths/signin", json={"email": ADMIN, "password": "w" * 40}) as answer:
            assert answer.status == 400
        async with stranger.get("/api/config") as answer:
            features = (await answer.json())["features"]
            assert not features["enable_signup"]
        async with stranger.get("/") as answer:
            assert answer.status == 200
            assert answer.headers["X-Frame-Options"] == "DENY"
    whole = {"email": ADMIN, "password": PASSWORD}
    async with (
        it.visitor(Origin="https://elsewhere.example") as lured,
        lured.post("/api/v1/auths/signin", json=whole) as answer,
    ):
        assert answer.status == 403
    async with it.visitor(Origin=it.base) as at_home, at_home.get("/api/config") as answer:
        assert answer.status == 200


async def _chats(it: Page, admin: aiohttp.ClientSession) -> None:
    async with admin.get("/api/models") as answer:
        assert {each["id"] for each in (await answer.json())["data"]} >= {MODEL}
    it.models.seen.clear()
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Say hello"}]}
    async with admin.post("/api/chat/completions", json=asked) as answer:
        assert (await answer.json())["choices"][0]["message"]["content"] == ANSWER
    async with admin.post("/api/chat/completions", json={**asked, "stream": True}) as answer:
        assert '"content": " there"' in await answer.text()
    # One question is one request, without tools, and it was counted on the page's own key.
    assert [each.path for each in it.models.seen] == ["/v1/chat/completions"] * 2
    assert not any("tools" in each.body for each in it.models.seen)
    assert {who for (who,) in await it.gate.settled("key")} == {"chat"}
    # Caddy writes where a caller is; from anywhere but the machine itself that key is none.
    for client, status in (("203.0.113.9", 403), ("127.0.0.1", 200)):
        headers = {"Authorization": f"Bearer {KEY}", "X-Llm-Client": client}
        async with aiohttp.ClientSession(headers=headers) as other, other.get(f"{it.gate.url}/v1/models") as answer:
            assert answer.status == status


async def _runs_nobodys_code(admin: aiohttp.ClientSession) -> None:
    async with admin.get("/api/config") as answer:
        told = (await answer.json())["features"]
        off = ("code_execution", "code_interpreter", "community_sharing", "web_search", "image_generation", "api_keys")
        assert {name: told[f"enable_{name}"] for name in off if told.get(f"enable_{name}")} == {}
        assert {told[f"enable_{name}"] for name in ("plugins", "tools", "functions") if f"enable_{name}" in told} <= {
            False
        }
    code = {"id": "mine", "name": "mine", "content": "class Tools: pass", "meta": {"description": ""}}
    for kind in ("functions", "tools"):
        async with admin.post(f"/api/v1/{kind}/create", json=code) as answer:
            assert answer.status >= 400, kind


async def _takes_a_whole_document(it: Page, admin: aiohttp.ClientSession) -> None:
    file = await _put(admin)
    it.models.seen.clear()
    await _ask_about(admin, file)
    assert "brass valve" in str(it.models.last.body)
    assert "/v1/embeddings" not in {each.path for each in it.models.seen}


async def test_its_folder_has_all_that_a_backup_has_to_keep(tmp_path: Path) -> None:
    said = {"id": "m1", "role": "user", "content": "about herons", "parentId": None, "childrenIds": []}
    chat = {"title": "Herons", "models": [MODEL], "history": {"messages": {"m1": said}, "currentId": "m1"}}
    async with page(tmp_path / "first", node()) as it, it.admin() as admin:
        file = await _put(admin)
        async with admin.post("/api/v1/chats/new", json={"chat": chat}) as answer:
            made = (await answer.json())["id"]
    shutil.copytree(it.home, tmp_path / "second" / it.home.name, symlinks=True)
    async with page(tmp_path / "second", node()) as it, it.admin() as admin:
        async with admin.get(f"/api/v1/chats/{made}") as answer:
            assert (await answer.json())["chat"]["history"]["messages"]["m1"]["content"] == "about herons"
        async with admin.get(f"/api/v1/files/{file}/content") as answer:
            assert await answer.text() == MANUAL
        assert "Traceback" not in it.log.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="PostgreSQL runs in a root of its own, which root alone can make")
@pytest.mark.skipif(not (ROOT / "stamp").exists(), reason="PostgreSQL is not here: tools/fetch pgvector")
@pytest.mark.parametrize("reranker", [None, "bge-reranker"], ids=["by nearness", "put in order"])
async def test_a_document_is_found_again_and_cited(tmp_path: Path, reranker: str | None) -> None:
    rag = {"embeddings": "text-embedding-v4", "dimensions": DIMENSIONS, "reranker": reranker}
    asked = node(apps={"rag": rag}, vectors={"engine": "pgvector"})
    (tmp_path / "store").mkdir()
    with cluster(tmp_path / "store") as store:
        store.password(STORE_PASSWORD)
        await asyncio.to_thread(store.start)
        moves = {"127.0.0.1:18446": f"127.0.0.1:{store.port}"}
        async with page(tmp_path, asked, store=moves, pgvector_password=STORE_PASSWORD) as it, it.admin() as admin:
            file = await _put(admin)
            kept = await asyncio.to_thread(
                store.sql, "SELECT count(*), max(vector_dims(vector)) FROM document_chunk", password=STORE_PASSWORD
            )
            assert kept[1].strip().endswith(f"|{DIMENSIONS}")
            await _cites(it, admin, file, reranker)


@pytest.mark.skipif(not SERVER.exists(), reason="Weaviate's server is not here: tools/fetch boot")
@pytest.mark.parametrize("reranker", [None, "bge-reranker"], ids=["by nearness", "put in order"])
async def test_a_document_is_found_again_in_weaviate_and_cited(tmp_path: Path, reranker: str | None) -> None:
    rag = {"embeddings": "text-embedding-v4", "dimensions": DIMENSIONS, "reranker": reranker}
    asked = node(apps={"rag": rag}, vectors={"engine": "weaviate"})
    with running(tmp_path / "store", asked, "") as store:
        moves = {
            "WEAVIATE_HTTP_PORT=8080": f"WEAVIATE_HTTP_PORT={store.port}",
            "WEAVIATE_GRPC_PORT=50051": f"WEAVIATE_GRPC_PORT={store.grpc}",
        }
        async with page(tmp_path, asked, store=moves, weaviate_api_key=STORE_KEY) as it, it.admin() as admin:
            assert "torch" not in Path(f"/proc/{it.pid}/maps").read_text()
            file = await _put(admin)
            # A collection of its own for each document.
            made = await asyncio.to_thread(store.call, "/schema")
            assert f"File_{file.replace('-', '_')}" in {each["class"] for each in made["classes"]}
            await _cites(it, admin, file, reranker)
            # What would empty the store of others' vectors too is refused on the way to the page.
            for method, path in (("DELETE", "/api/v1/files/all"), ("POST", "/api/v1/retrieval/reset/db")):
                async with admin.request(method, path) as answer:
                    assert answer.status == 403, path
            # What `apps.rag-keeps-deleted` warns of: who deletes a document deletes none of its pieces.
            async with admin.delete(f"/api/v1/files/{file}") as answer:
                assert answer.status == 200
            left = await asyncio.to_thread(store.call, "/objects")
            assert any("brass valve" in each["properties"]["text"] for each in left["objects"])


async def _cites(it: Page, admin: aiohttp.ClientSession, file: str, reranker: str | None) -> None:
    """A question is answered out of the document, which is named, by the models that the stack names."""
    it.models.seen.clear()
    sources = await _ask_about(admin, file)
    assert "brass valve" in sources
    assert "manual.txt" in sources
    paths = {each.path for each in it.models.seen}
    assert "brass valve" in str(it.models.last.body)
    assert {"/v1/embeddings", "/v1/chat/completions"} <= paths
    assert ("/v1/rerank" in paths) is (reranker is not None)
    assert {who for (who,) in await it.gate.settled("key")} == {"chat"}
    assert KEY not in it.log.read_text()
    assert "Traceback" not in it.log.read_text()


async def _put(admin: aiohttp.ClientSession) -> str:
    """Put the manual in, and wait until it was read. Its id."""
    form = aiohttp.FormData()
    form.add_field("file", MANUAL, filename="manual.txt", content_type="text/plain")
    async with admin.post("/api/v1/files/", data=form) as answer:
        told = await answer.json()
        assert answer.status == 200, told
    async with asyncio.timeout(60):
        while True:
            async with admin.get(f"/api/v1/files/{told['id']}/process/status") as answer:
                state = await answer.json()
            assert state["status"] != "failed", state
            if state["status"] == "completed":
                return str(told["id"])
            await asyncio.sleep(0.2)


async def _ask_about(admin: aiohttp.ClientSession, file: str) -> str:
    """What is answered to a question with that document, sources and all."""
    asked = {
        "model": MODEL,
        "stream": True,
        "messages": [{"role": "user", "content": QUESTION}],
        "files": [{"type": "file", "id": file, "name": "manual.txt"}],
    }
    async with admin.post("/api/chat/completions", json=asked) as answer:
        text = await answer.text()
        assert answer.status == 200, text
        return text
