"""`WorkerProxy` under the real engine with a simulated Cloudflare: made, changed, and gone; what stands answers."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.sim import Sim, said
from tests.gateway.fake import Fake
from tests.gateway.harness import chat
from tests.worker.harness import client_of, serve

pytestmark = pytest.mark.engine

PROGRAM = """\
import pulumi, pulumi_llm as llm
config = pulumi.Config()
proxy = llm.WorkerProxy("abroad", {{
    "account_id": "0123456789abcdef0123456789abcdef", "zone_id": "fedcba9876543210fedcba9876543210",
    "hostname": "{hostname}", "near": "us-west-2", "allowed_cidrs": ["203.0.113.0/24"],
    "upstreams": {{"openai": {{"models": ["gpt-6-luna"]}}}}, "keys": {{"app": {keys}}},
    "openai_api_key": config.require_secret("openaiApiKey"),
}})
pulumi.export("endpoint", proxy.endpoint)
pulumi.export("models", proxy.models)
pulumi.export("keys", proxy.api_keys)
"""
PLANTED = "sk-planted-openai"
SCRIPT = "cloudflare:index/workersScript:WorkersScript"


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: mine\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text("{}\n")
    made = Sim(project, tmp_path / "home", "dev")
    write(made)
    made.run("stack", "init", "dev")
    made.run("config", "set", "--secret", "openaiApiKey", PLANTED, "-s", "dev")
    return made


def write(sim: Sim, keys: str = '{"requests_per_minute": 2}', hostname: str = "llm.example.com") -> None:
    (sim.project / "__main__.py").write_text(PROGRAM.format(keys=keys, hostname=hostname))


def of_cloudflare(sim: Sim) -> dict[str, Any]:
    rows = sim.state().values()
    return {each["type"].split("/")[-1].split(":")[-1]: each for each in rows if each["type"].startswith("cloudflare:")}


def planned(sim: Sim) -> dict[str, str]:
    """What happens to each resource that is not the component, by its type."""
    steps = [each for each in sim.preview().digest["steps"] if each["op"] != "same"]
    kinds = {each["urn"].split("::")[2].rsplit("$", 1)[-1]: each["op"] for each in steps}
    return {kind.rsplit(":", 1)[-1]: op for kind, op in kinds.items() if not kind.startswith(("llm:", "pulumi:"))}


def uploaded(sim: Sim) -> tuple[dict[str, str], dict[str, str]]:
    """The modules and the secrets that the simulated Cloudflare was given."""
    told = json.loads(sim.run("stack", "export", "-s", "dev", "--show-secrets").stdout)
    (script,) = [each for each in told["deployment"]["resources"] if each["type"] == SCRIPT]
    inputs = script["inputs"]
    others = {name: base64.b64decode(each["contentBase64"]).decode() for name, each in inputs["files"].items()}
    # A secret of the export is {its mark: …, "plaintext": JSON}.
    rows = inputs["bindings"] if isinstance(inputs["bindings"], list) else json.loads(inputs["bindings"]["plaintext"])
    texts = {}
    for each in (row for row in rows if row["type"] == "secret_text"):
        text = each["text"]
        texts[each["name"]] = json.loads(text["plaintext"]) if isinstance(text, dict) else text
    return {inputs["mainModule"]: inputs["content"], **others}, texts


async def asked(folder: Path, modules: dict[str, str], secrets: dict[str, str], key: str) -> tuple[list[int], str]:
    """What three calls are answered where Cloudflare's runtime has these, and with which key the vendor is asked."""
    async with Fake() as fake:
        own = modules | {"settings.js": modules["settings.js"].replace("https://api.openai.com/v1", fake.url)}
        (folder / "workerd").mkdir()
        statuses = []
        async with serve(folder / "workerd", own, secrets) as gate, client_of(gate, key) as client:
            for _ in range(3):
                caller = {"CF-Connecting-IP": "203.0.113.9"}
                async with client.post("/v1/chat/completions", json=chat("gpt-6-luna"), headers=caller) as reply:
                    statuses.append(reply.status)
        return statuses, fake.last.headers["authorization"]


def test_a_worker_is_made_changed_and_taken_away_and_what_stands_answers(sim: Sim, tmp_path: Path) -> None:
    sim.up()
    assert of_cloudflare(sim).keys() == {"WorkersScript", "WorkersScriptSubdomain", "WorkersCustomDomain"}
    assert sim.preview().changes == {}
    told = sim.outputs()
    assert (told["endpoint"], told["models"]) == ("https://llm.example.com/v1", ["gpt-6-luna"])
    plain = sim.run("stack", "export", "-s", "dev").stdout
    assert PLANTED not in plain
    assert told["keys"]["app"] not in plain

    assert asyncio.run(asked(tmp_path, *uploaded(sim), told["keys"]["app"])) == ([200, 200, 429], f"Bearer {PLANTED}")

    write(sim, '{"requests_per_minute": 3}')
    assert planned(sim) == {"WorkersScript": "update"}
    # Another key and another name at once: the script and its ledgers stay, and the name is made anew.
    write(sim, '{"requests_per_minute": 3, "generation": 2}', "gpt.example.com")
    assert planned(sim) == {"RandomPassword": "replace", "WorkersScript": "update", "WorkersCustomDomain": "replace"}
    sim.up()
    after = sim.outputs()
    assert after["endpoint"] == "https://gpt.example.com/v1"
    assert after["keys"]["app"] != told["keys"]["app"]

    # A name that cannot be given up keeps the script that it leads to; the next `destroy` takes both.
    sim.faults = ["fail-delete:WorkersCustomDomain:once"]
    done = sim.run("destroy", "-s", "dev", "--yes", "--skip-preview", check=False)
    assert done.returncode != 0, said(done)
    assert of_cloudflare(sim).keys() >= {"WorkersScript", "WorkersCustomDomain"}
    sim.destroy()
    assert sim.state() == {}
