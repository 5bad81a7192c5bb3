"""What the gateway's pod would run, run here: the same archive, settings, secrets and arguments, and a fake router."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pulumi_llm._cluster import gate, names
from pulumi_llm._fleet import _digests
from tests.cluster.fleets import FLEET, named, planned, spec_of
from tests.gateway.fake import Fake

KEY, ENGINE_KEY = "sk-caller-planted", "engine-planted"
ARGS: dict[str, Any] = {
    **FLEET,
    "models": {"plain": FLEET["models"]["chat"]},
    "keys": {"app": {"requests_per_minute": 2}},
    "routes": {"gpt": {"models": {"plain": 1}}},
}


def unpacked(folder: Path) -> Path:
    """The folders that the pod mounts, written as the planned objects have them."""
    plan = planned(ARGS)
    code = named(plan, "x-llm-gateway-code-configmap").inputs
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(code["binaryData"][gate.ARCHIVE]))) as packed:
        packed.extractall(folder / "app", filter="data")
    for part in ("settings", "secrets", "state"):
        (folder / part).mkdir()
    for name, text in named(plan, "x-llm-gateway-settings-configmap").inputs["data"].items():
        (folder / "settings" / name).write_text(text)
    (folder / "secrets" / "gateway-keys.json").write_text(_digests({"app": KEY}))
    (folder / "secrets" / "upstream.env").write_text(f"UPSTREAM_ENGINES={ENGINE_KEY}\n")
    return folder


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[str]:
    pod = named(planned(ARGS), "x-llm-gateway-deployment").inputs["spec"]["template"]["spec"]
    (container,) = [each for each in pod["containers"] if each["name"] == "gateway"]
    here = {gate.CONFIG: "settings", gate.SECRETS: "secrets", gate.STATE: "state"}
    command = [str(folder / here[each]) if each in here else each for each in container["command"]]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command[1:], "--port", "0", "--metrics-port", "0", stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "app")},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        yield f"http://{line.split()[1]}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.fixture(autouse=True, scope="module")
def _planned_before_a_loop_runs() -> None:
    planned(ARGS)


async def test_the_pods_gateway_answers_by_the_router_with_the_engines_key_and_keeps_limits(tmp_path: Path) -> None:
    folder = unpacked(tmp_path)
    async with Fake() as router:
        # In the cluster the router's Service has this name.
        routes = (folder / "settings/routes.json").read_text()
        address = "http://llm-router-service.llm.svc:80/v1"
        assert address in routes
        (folder / "settings/routes.json").write_text(routes.replace(address, router.url))
        async with running(folder) as url, aiohttp.ClientSession() as session:
            body = {"model": "gpt", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 8}
            told = []
            for key in ("wrong", KEY, KEY, KEY):
                headers = {"Authorization": f"Bearer {key}"}
                async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
                    told.append(answer.status)
            assert told == [401, 200, 200, 429]
            assert router.last.headers["authorization"] == f"Bearer {ENGINE_KEY}"
            assert router.last.body["model"] == "plain"


def test_keys_are_in_the_pod_by_their_digests_alone() -> None:
    assert json.loads(_digests({"app": KEY})) == {hashlib.sha256(KEY.encode()).hexdigest(): "app"}


def test_pip_installs_nothing_that_is_not_locked_by_its_hash() -> None:
    assert "--require-hashes" in gate.INSTALL
    assert "--only-binary :all:" in gate.INSTALL
    lock = named(planned(ARGS), "x-llm-gateway-code-configmap").inputs["data"][gate.LOCK]
    assert all("--hash=sha256:" in line for line in lock.splitlines() if line.strip() and not line.startswith("#"))


@pytest.mark.artefact
def test_caddy_takes_the_pods_configuration_and_passes_what_a_machine_would(tmp_path: Path) -> None:
    made = gate.caddyfile(spec_of(FLEET))
    for own in ("/srv/llm/secrets", "/var/lib/llm-caddy"):
        (tmp_path / own.strip("/").replace("/", "-")).mkdir()
        made = made.replace(own, str(tmp_path / own.strip("/").replace("/", "-")))
    secrets = tmp_path / "srv-llm-secrets"
    _self_signed(secrets)
    (tmp_path / "Caddyfile").write_text(made)
    command = ["caddy", "validate", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f":{names.GATEWAY_PORT}" in made
    assert "/v1/chat/completions" in made


def _self_signed(folder: Path) -> None:
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=x")
    command = ["openssl", "req", *kind, "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
