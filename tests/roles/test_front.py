"""A service without a key of its own, behind the real Caddy and the real gateway: who gets through, and with what."""

from __future__ import annotations

import asyncio
import os
import ssl
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from pulumi_llm.roles import ServiceRole, caddy
from tests.bootstrap.samples import proxy_node, serve
from tests.bootstrap.test_artefacts import check, composed, tool
from tests.gateway.fake import Fake
from tests.gateway.front import certificate, free_port, program
from tests.gateway.harness import KEY, Home
from tests.roles.sample import installed, node_with_ledger

pytestmark = pytest.mark.artefact


class Ledger(BaseHTTPRequestHandler):
    seen: list[dict[str, str]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.seen.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"the books")


def test_the_gateway_says_who_may_ask_a_service_without_a_key_of_its_own(tmp_path: Path) -> None:
    Ledger.seen.clear()
    asyncio.run(_through_the_gateway(tmp_path))
    assert len(Ledger.seen) == 2
    for each in Ledger.seen:
        assert KEY not in str(each)
        assert each["path"].startswith("/api/")


async def _through_the_gateway(tmp_path: Path) -> None:
    certificate(tmp_path)
    port = free_port()
    with installed(tmp_path / "site"):
        node = proxy_node().having(ServiceRole(role="ledger"))
        text = caddy.caddyfile(node)
    async with Fake() as fake:
        home = Home(tmp_path / "gate").key(requests_per_minute=3).routes(fake.url)
        async with home.running() as gate:
            with serve(Ledger) as backend:
                moved = text.replace("/srv/llm/secrets", str(tmp_path)).replace(
                    "/var/lib/llm-caddy", str(tmp_path / "c")
                )
                moved = moved.replace("127.0.0.1:4000", gate.url.removeprefix("http://"))
                moved = moved.replace("127.0.0.1:7300", backend.removeprefix("http://"))
                for old, new in ((18500, port), (18501, free_port()), (443, free_port())):
                    moved = moved.replace(f":{old} {{", f":{new} {{\n\tbind 127.0.0.1")
                (tmp_path / "Caddyfile").write_text(moved)
                await asked(tmp_path, port)


async def asked(folder: Path, port: int) -> None:
    log = (folder / "caddy.log").open("wb")
    running = await asyncio.create_subprocess_exec(
        program("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile",
        stdout=log, stderr=log, env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    mine = {"Authorization": f"Bearer {KEY}"}
    try:
        async with aiohttp.ClientSession(f"https://127.0.0.1:{port}") as client:

            async def status(path: str, **headers: str) -> int:
                async with client.get(path, ssl=tls, headers=headers) as answer:
                    return answer.status

            for _ in range(100):
                try:
                    await status("/nothing")
                    break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.1)
            assert await status("/api/books") == 401
            assert await status("/api/books", Authorization="Bearer sk-of-somebody-else") == 401
            assert await status("/admin", **mine) == 404
            for odd in ("/api/../admin", "/api/%2e%2e/admin", "/api//books"):
                async with client.get(
                    URL(f"https://127.0.0.1:{port}{odd}", encoded=True), ssl=tls, headers=mine
                ) as answer:
                    assert answer.status == 404, odd
            assert await status("/api/books", **mine) == 200
            assert await status("/api/books?year=2026", **mine) == 200
    finally:
        running.terminate()
        await running.wait()
        assert b"panic" not in (folder / "caddy.log").read_bytes()


def test_caddy_and_docker_compose_accept_what_is_made_of_a_strangers_role(tmp_path: Path) -> None:
    certificate(tmp_path)
    with installed(tmp_path / "site"):
        from pulumi_llm.roles import registry

        node, role = node_with_ledger(), registry.role("ledger")
        config = tmp_path / "Caddyfile"
        text = caddy.caddyfile(node).replace("/srv/llm/secrets", str(tmp_path))
        config.write_text(text.replace("/var/lib/llm-caddy", str(tmp_path / "caddy")))
        check(tool("caddy"), "validate", "--config", config, "--adapter", "caddyfile", HOME=str(tmp_path))
        rows = {each["path"]: each["content"] for each in role.files(node)}
        path = tmp_path / "compose.yaml"
        path.write_text(rows["/opt/llm/ledger/compose.yaml"])
        assert composed(tmp_path, path, role)["ledger"]["environment"] == {"LEDGER_PASSWORD": "key"}
