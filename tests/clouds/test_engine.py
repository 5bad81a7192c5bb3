"""The adapters under the real engine, against the simulated clouds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import clouds
from pulumi_llm._simcloud import left_over
from tests.clouds import harness
from tests.clouds.test_adapters import MACHINES
from tests.engine.sim import ROOT, Sim

pytestmark = pytest.mark.engine

PROGRAM = """\
import json, os
from pulumi_llm import clouds
from tests.clouds.harness import everything

wishes = json.loads(os.environ["WISHES"])
everything(clouds.get(wishes.pop("cloud")), **wishes)()
"""

OTHER_USER_DATA = "#cloud-config\nwrite_files:\n- path: /etc/other\n"
NEWER = "image-date:20991231"
OTHER_TYPES = {
    "aliyun": "ecs.gn6i-c8g1.2xlarge",
    "aws": "g4dn.2xlarge",
    "azure": "Standard_B4s_v2",
    "digitalocean": "s-4vcpu-8gb",
    "gcp": "g2-standard-8",
    "tencent": "GN7.5XLARGE80",
    "volcengine": "ecs.pni2.7xlarge",
    "vultr": "vcg-a100-12c-120g-80vram",
}
OTHER_ZONES = {
    "aliyun": "cn-hangzhou-j",
    "aws": "us-west-2b",
    "gcp": "us-west1-b",
    "tencent": "ap-guangzhou-4",
    "volcengine": "cn-beijing-b",
}


CHANGED_WITH_MACHINE = {"azure": {"machine"}, "vultr": {"machine", "disk"}}
"""What another machine brings along where that is not an attachment: a volume of Vultr's names its machine, and a
machine of Azure's names its disk."""


class Account:
    """A small project of one cloud, in a simulated account of its own."""

    def __init__(self, folder: Path, cloud: str) -> None:
        project = folder / "project"
        project.mkdir()
        (project / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
        (project / "Pulumi.dev.yaml").write_text("{}\n")
        (project / "__main__.py").write_text(PROGRAM)
        self.cloud = cloud
        path = os.pathsep.join([str(ROOT), str(ROOT / "components")])
        self.sim = Sim(project, folder / "home", "dev", environment={"PYTHONPATH": path})
        self.wish()

    def wish(self, *faults: str, **wishes: Any) -> Account:
        self.sim.environment["WISHES"] = json.dumps({"cloud": self.cloud, **wishes})
        self.sim.faults = list(faults)
        return self

    def machine(self) -> dict[str, Any]:
        (found,) = [
            each
            for each in self.sim.state().values()
            if each["type"] == MACHINES[self.cloud] and not each.get("delete")
        ]
        return found


@pytest.fixture(params=clouds.names())
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Account:
    return Account(tmp_path, request.param)


def changes_by_role(changes: dict[str, str]) -> dict[str, set[str]]:
    """The operations by what they are done to: machine, disk, address, …"""
    roles: dict[str, set[str]] = {}
    for name, operation in changes.items():
        role = next((each for each in ("attachment", "machine", "network", "disk", "address") if each in name), name)
        roles.setdefault(role, set()).add(operation)
    return roles


def test_a_newer_image_and_other_user_data_change_nothing(account: Account) -> None:
    account.sim.up()
    assert account.sim.up() == {}

    account.wish(NEWER, user_data=OTHER_USER_DATA)

    assert account.sim.preview().summary == {}
    assert account.sim.up() == {}


def test_destroying_leaves_nothing(account: Account) -> None:
    account.sim.up()
    assert left_over(account.sim.home)
    account.sim.destroy()
    assert left_over(account.sim.home) == []


def test_another_type_is_the_same_machine(account: Account) -> None:
    account.sim.up()
    before = account.machine()

    account.wish(instance_type=OTHER_TYPES[account.cloud])
    planned = account.sim.preview().changes
    done = account.sim.up()

    assert planned == {before["urn"].rsplit("::", 1)[-1]: "update"}
    assert done == {"update": 1}
    assert account.machine()["id"] == before["id"]


@pytest.mark.parametrize("account", harness.WITH_ZONES, indirect=True)
def test_another_zone_moves_everything_but_the_address(account: Account) -> None:
    account.sim.up()
    before = account.machine()

    account.wish(NEWER, zone=OTHER_ZONES[account.cloud], user_data=OTHER_USER_DATA)
    preview = account.sim.preview()
    done = account.sim.up()

    assert preview.summary == done
    assert "address" not in changes_by_role(preview.changes)
    after = account.machine()
    assert after["id"] != before["id"]
    account.sim.destroy()
    assert left_over(account.sim.home) == []
    key, image = {
        "aliyun": ("userData", "imageId"),
        "aws": ("userData", "ami"),
        # The same resource, deleted first for its address.
        "gcp": ("metadata.user-data", "bootDisk.initializeParams.image"),
        "tencent": ("userDataRaw", "imageId"),
        "volcengine": ("userData", "imageId"),
    }[account.cloud]
    assert harness.value_at(after["inputs"], key) == OTHER_USER_DATA
    assert harness.value_at(after["inputs"], image) != harness.value_at(before["inputs"], image)


@pytest.mark.parametrize("account", ["aws"], indirect=True)
def test_a_type_of_another_architecture_is_another_machine_with_its_own_image(account: Account) -> None:
    account.sim.up()
    before = account.machine()

    account.wish(instance_type="g5g.xlarge")
    preview = account.sim.preview()
    done = account.sim.up()

    assert preview.summary == done
    assert set(changes_by_role(preview.changes)) == {"machine", "attachment"}
    after = account.machine()
    assert after["id"] != before["id"]
    assert after["inputs"]["ami"] != before["inputs"]["ami"]


@pytest.mark.parametrize("account", [each for each in clouds.names() if each not in ("azure", "vultr")], indirect=True)
def test_with_renew_a_newer_image_makes_another_machine_that_keeps_disk_and_address(account: Account) -> None:
    account.wish(renew=True).sim.up()
    before = account.machine()

    account.wish(NEWER, renew=True)
    preview = account.sim.preview()
    done = account.sim.up()

    assert preview.changes[before["urn"].rsplit("::", 1)[-1]].endswith("replace")
    assert preview.summary == done
    assert set(changes_by_role(preview.changes)) == {"machine", "attachment"}
    assert account.sim.up() == {}
    assert account.machine()["id"] != before["id"]


def test_with_renew_other_user_data_makes_another_machine_that_keeps_disk_and_address(account: Account) -> None:
    account.wish(renew=True).sim.up()
    before = account.machine()

    account.wish(renew=True, user_data=OTHER_USER_DATA)
    preview = account.sim.preview()
    done = account.sim.up()

    assert preview.summary == done
    brought = CHANGED_WITH_MACHINE.get(account.cloud, {"machine", "attachment"})
    assert set(changes_by_role(preview.changes)) == brought
    assert account.machine()["id"] != before["id"]
    assert account.sim.up() == {}


@pytest.mark.parametrize(("account", "part"), [("aliyun", "EcsKeyPair"), ("aws", "KeyPair")], indirect=["account"])
def test_an_up_that_is_killed_while_the_key_pair_is_made_does_not_collide_with_itself(
    account: Account, part: str
) -> None:
    """Not so on Tencent Cloud, which takes a public key once, under whatever name."""
    account.wish(f"slow-create:200:{part}")
    process = subprocess.Popen(
        account.sim.command("up", "-s", "dev", "--yes", "--skip-preview"),
        cwd=account.sim.project,
        env={**os.environ, **account.sim.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        account.sim.wait_until_only(part)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    account.wish()
    done = account.sim.run("up", "-s", "dev", "--yes", "--skip-preview", check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert account.machine()["id"]
