"""Whether a paid request goes out twice is said by a key of the stack file, and holds up to the vendor."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import spec
from pulumi_llm._nodes import proxy_node, server_node
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.roles import gateway
from pulumi_llm.roles.requests import GatewayRole, NodeRequest
from tests.gateway.harness import KEY, Home, Running, chat, client_of
from tests.gateway.upstreams import answered, read, upstream
from tests.test_upstreams import ACCESS, SERVER

CHAT = "/v1/chat/completions"
PROXY_KEY, PROXYS_OWN = "sk-planted-of-the-server", "sk-planted-of-the-proxy"
BOUND = 50


class Vendor:
    """Closes each connection at its second request, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def says(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            await read(reader)
            self.asked += 1
            if _ == 0:
                writer.write(answered())


def nodes(server: dict[str, Any], proxy: dict[str, Any]) -> tuple[NodeRequest, NodeRequest]:
    """The nodes of a stack file with these keys: the server's with DeepSeek, the proxy's with OpenAI."""
    stack = {
        "server": {**SERVER, "keys": {"app": server}, "upstreams": {"deepseek": {"models": ["deepseek-chat"]}}},
        "proxy": {
            "cloud": "aws",
            "region": "ap-southeast-1",
            "keys": {"app": proxy},
            "upstreams": {"openai": {"models": ["gpt-6-luna"]}},
        },
        "access": ACCESS,
    }
    found = resolve_platform(json.loads(json.dumps(stack)))
    assert found.proxy is not None
    return server_node("x", found.server, "https://203.0.113.7:18443/v1"), proxy_node("x", found.proxy)


def home(root: Path, node: NodeRequest, keys: dict[str, str], addresses: dict[str, str]) -> Home:
    """A gateway's folders as its node has them, but for where its upstreams are."""
    role = node.of(GatewayRole)
    assert role is not None
    made = Home(root)
    made.write(
        "secrets/gateway-keys.json", {hashlib.sha256(key.encode()).hexdigest(): who for key, who in keys.items()}
    )
    made.write("settings/policy.json", json.loads(gateway.policy(role)))
    routes = json.loads(gateway.routes(role))
    for name, address in addresses.items():
        routes["upstreams"][name] |= {"base_url": address, "private_ca": False}
    made.write("settings/routes.json", routes)
    lines = [f"UPSTREAM_{each.upper()}=planted" for each in ("openai", "deepseek")]
    (root / "secrets/upstream.env").write_text("\n".join([*lines, f"UPSTREAM_PROXY={PROXY_KEY}"]))
    return made


@asynccontextmanager
async def platform(
    root: Path, vendor: Vendor, server: dict[str, Any], proxy: dict[str, Any]
) -> AsyncIterator[tuple[Running, Running]]:
    near, far = nodes(server, proxy)
    async with upstream(vendor.says) as url:
        there = home(root / "far", far, {PROXY_KEY: "server", PROXYS_OWN: "app"}, {"openai": url})
        async with there.here() as away:
            here = home(root / "near", near, {KEY: "app"}, {"deepseek": url, "proxy": f"{away.url}/v1"})
            async with here.here() as gate:
                yield gate, away


async def statuses(gate: Running, model: str, key: str = KEY) -> list[int]:
    found = []
    async with client_of(gate, key) as client:
        for _ in range(2):
            async with client.post(CHAT, json=chat(model, max_tokens=BOUND)) as reply:
                found.append(reply.status)
    return found


@pytest.mark.parametrize("said", [{}, {"ask_twice": False}, {"ask_twice": True}])
async def test_a_key_of_the_stack_file_says_whether_a_paid_request_goes_out_twice(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    vendor, twice = Vendor(), said.get("ask_twice", False)
    async with platform(tmp_path, vendor, said, {}) as (gate, _):
        assert await statuses(gate, "deepseek-chat") == [200, 200 if twice else 502]
        assert vendor.asked == (3 if twice else 2)
        assert [out for _, out in await gate.settled()] == [2, BOUND + 2 if twice else BOUND]


@pytest.mark.parametrize("twice", [False, True])
async def test_a_key_of_the_server_says_so_for_what_goes_through_the_proxy(tmp_path: Path, twice: bool) -> None:
    vendor = Vendor()
    async with platform(tmp_path, vendor, {"ask_twice": twice}, {}) as (gate, away):
        assert await statuses(gate, "gpt-6-luna") == [200, 200 if twice else 502]
        assert vendor.asked == (3 if twice else 2)
        # What the proxy counts for the vendor, the server counts for its caller.
        counted = await gate.settled()
        assert counted == await away.settled()
        assert [out for _, out in counted] == [2, BOUND + 2 if twice else BOUND]


@pytest.mark.parametrize("twice", [False, True])
async def test_a_key_of_the_proxy_says_so_for_its_own_callers(tmp_path: Path, twice: bool) -> None:
    vendor = Vendor()
    async with platform(tmp_path, vendor, {}, {"ask_twice": twice}) as (_, away):
        assert await statuses(away, "gpt-6-luna", PROXYS_OWN) == [200, 200 if twice else 502]
        assert vendor.asked == (3 if twice else 2)


def test_a_key_that_says_nothing_is_recorded_as_it_always_was() -> None:
    assert "ask_twice" not in spec.KeySpec().model_dump()
    assert spec.KeySpec(ask_twice=True).model_dump()["ask_twice"] is True


@pytest.mark.parametrize("value", ["true", 1, "yes", None])
def test_it_is_true_or_false(value: object) -> None:
    from pulumi_llm.errors import Refusal

    with pytest.raises(Refusal) as told:
        spec.parse(spec.KeySpec, {"ask_twice": value})
    assert told.value.findings[0].code == "spec.wrong-type"
