"""A proxy on a cloud that has proxies alone: its whole life beside a server elsewhere, by the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_llm import _simcloud as simcloud
from tests.engine.sim import Sim, said

pytestmark = pytest.mark.engine

SIZES = {
    "azure": "Standard_B4ls_v2",
    "digitalocean": "s-4vcpu-8gb",
    "gcp": "e2-standard-4",
    "volcengine": "ecs.c3i.xlarge",
    "vultr": "vc2-4c-8gb",
}
PLACES = {
    "azure": ("southeastasia", "japaneast"),
    "digitalocean": ("sgp1", "nyc3"),
    "gcp": ("us-west1", "asia-northeast1"),
    "volcengine": ("ap-southeast-1", "ap-southeast-3"),
    "vultr": ("sgp", "nrt"),
}
MACHINES = {
    "azure": "azure-native:compute:VirtualMachine",
    "digitalocean": "digitalocean:index/droplet:Droplet",
    "gcp": "gcp:compute/instance:Instance",
    "volcengine": "volcengine:ecs/instance:Instance",
    "vultr": "vultr:index/instance:Instance",
}
PLACE_OF = {"azure": "location", "digitalocean": "region", "gcp": "zone", "volcengine": "zoneId", "vultr": "region"}
"""The input of a machine that says where it is; a zone's name begins with its region's."""
SOLD_OUT = {
    "azure": "SkuNotAvailable",
    "digitalocean": "is not available in region sgp1",
    "gcp": "does not have enough resources available",
    "volcengine": "OperationDenied.NoStock",
    "vultr": "The selected plan is not available in the selected region.",
}


@pytest.fixture(params=PLACES)
def cloud(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sim(cloud: str, tmp_path: Path) -> Sim:
    made = Sim.of_stack(tmp_path, "aliyun-t4")
    made.edit("proxy.cloud", cloud)
    made.edit("proxy.region", PLACES[cloud][0])
    return made


def machine(sim: Sim, cloud: str) -> dict[str, object]:
    (found,) = [each for each in sim.state().values() if each["type"] == MACHINES[cloud]]
    return {"id": found["id"], **found["inputs"]}


def test_a_proxy_comes_up_changes_moves_and_goes_and_nothing_is_left(sim: Sim, cloud: str) -> None:
    # No stock: `up` fails in the cloud's words, and the next one goes on from there.
    sim.faults = ["no-stock:*"]
    failed = sim.run("up", "-s", sim.stack, "--yes", "--skip-preview", check=False)
    assert failed.returncode != 0
    assert SOLD_OUT[cloud] in said(failed)
    sim.faults = []
    previewed = sim.preview()
    assert sim.up() == previewed.summary, "preview and up disagree"
    outputs = sim.outputs()
    assert outputs["proxy_endpoint"] == f"https://{outputs['proxy_address']}:443/v1"
    assert "gpt-6-luna" in outputs["models"]
    assert sim.up() == {}, "a second up changes something"
    first = machine(sim, cloud)

    # Other upstreams reach the machine that is there, and a newer image does nothing unasked.
    sim.edit("proxy.upstreams.openai.models", ["gpt-6-luna", "gpt-6-sol"])
    assert {"llm-proxy-settings", "llm-proxy-apply"} <= sim.preview().changes.keys()
    sim.up()
    assert machine(sim, cloud) == first
    sim.faults = ["image-date:20271231"]
    assert sim.preview().changes == {}, "a newer image changes something without being asked for"
    sim.faults = []

    sim.edit("proxy.instance_type", SIZES[cloud])
    previewed = sim.preview()
    assert sim.up() == previewed.summary
    assert machine(sim, cloud)["id"] == first["id"]

    # Another region is another machine, disk and address; the network's range is another part of what was asked for.
    sim.edit("proxy.region", PLACES[cloud][1])
    previewed = sim.preview()
    assert sim.up() == previewed.summary, "preview and up disagree about the move"
    moved = machine(sim, cloud)
    assert moved["id"] != first["id"]
    assert str(moved[PLACE_OF[cloud]]).startswith(PLACES[cloud][1])
    assert sim.outputs()["proxy_address"] != outputs["proxy_address"]
    assert sim.up() == {}

    # A delete that fails once is finished by a second destroy.
    sim.faults = [f"fail-delete:{MACHINES[cloud].split(':', 1)[1]}:once"]
    failed = sim.run("destroy", "-s", sim.stack, "--yes", "--skip-preview", check=False)
    assert failed.returncode != 0
    sim.faults = []
    sim.destroy()
    assert sim.state() == {}
    assert simcloud.left_over(sim.home) == []
