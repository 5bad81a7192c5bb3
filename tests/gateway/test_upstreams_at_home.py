"""A model server's gateway, as its node gets it, before the vendors that it calls itself."""

import json
import ssl
from pathlib import Path

from aiohttp import web

from pulumi_llm._nodes import server_node
from pulumi_llm.roles import gateway
from tests.gateway.fake import Fake
from tests.gateway.harness import Home, chat, client_of
from tests.test_upstreams import authority, resolved


async def test_a_call_reaches_the_vendor_with_its_key_and_the_vendors_own_name_of_the_model(tmp_path: Path) -> None:
    routes = json.loads(gateway.routes(server_node("x", resolved()).of(gateway.GatewayRole)))
    async with Fake() as vendor:
        for row in routes["upstreams"].values():
            row["base_url"] = vendor.url  # as if each of them were this one
        routes["routes"]["plain-by-ark"] = {"targets": [{"upstream": "ark", "model": "plain"}]}
        routes["routes"]["plain-by-lab"] = {"targets": [{"upstream": "lab", "model": "plain"}]}
        home = Home(tmp_path).key()
        (tmp_path / "secrets/upstream.env").write_text("UPSTREAM_ARK=planted-ark\nUPSTREAM_QWEN=planted-qwen\n")
        home.write("settings/routes.json", routes)
        async with home.here() as gate, client_of(gate) as client:
            async with client.post("/v1/chat/completions", json=chat("plain-by-ark")) as reply:
                assert reply.status == 200
            assert vendor.last.headers["authorization"] == "Bearer planted-ark"
            assert vendor.last.body["model"] == "plain"
            async with client.post("/v1/chat/completions", json=chat("plain-by-lab", top_k=5)) as reply:
                assert reply.status == 200
            assert "authorization" not in vendor.last.headers
            assert vendor.last.body["top_k"] == 5  # another vLLM gets vLLM's own fields
            async with client.post("/v1/chat/completions", json=chat("plain-by-ark", top_k=5)) as reply:
                assert reply.headers["x-llm-left-out"] == "top_k"
            assert "top_k" not in vendor.last.body
            async with client.get("/v1/models") as reply:
                names = {each["id"] for each in (await reply.json())["data"]}
            assert {"doubao", "qwen3.8-max", "Qwen3-8B", "theirs", "Yi-6B-Chat"} <= names


async def test_an_upstream_is_believed_by_its_own_authority_and_not_by_anothers(tmp_path: Path) -> None:
    __, certificate, key = authority(tmp_path, "second")
    other, *_ = authority(tmp_path, "third")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    fake = Fake()
    runner = web.ServerRunner(web.Server(fake.handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}/v1"
    home = Home(tmp_path).key()
    (tmp_path / "secrets/upstream.env").write_text("UPSTREAM_SECOND=planted-second\nUPSTREAM_THIRD=planted-third\n")
    for name, text in (("second", certificate.read_text()), ("third", other)):
        (tmp_path / f"secrets/upstream-ca-{name}.pem").write_text(text)
    home.write(
        "settings/routes.json",
        {
            "upstreams": {
                name: {
                    "kind": "vllm",
                    "base_url": url,
                    "secret": f"upstream_{name}",
                    "private_ca": True,
                    "ca": f"upstream-ca-{name}.pem",
                }
                for name in ("second", "third")
            },
            "routes": {name: {"targets": [{"upstream": name, "model": "plain"}]} for name in ("second", "third")},
        },
    )
    try:
        async with home.here() as gate, client_of(gate) as client:
            async with client.post("/v1/chat/completions", json=chat("third")) as reply:
                assert reply.status in (502, 503)
            assert fake.seen == []  # the key never left
            async with client.post("/v1/chat/completions", json=chat("second")) as reply:
                assert reply.status == 200
            assert fake.last.headers["authorization"] == "Bearer planted-second"
    finally:
        await runner.cleanup()
