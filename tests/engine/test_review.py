"""What the comment says beforehand is what the engine then does: in place keeps the machine, replaced makes another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import catalog
from pulumi_llm._plan import preview
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.exchange import standing
from pulumi_llm._plan.forecast import Forecast
from pulumi_llm._plan.model import Plan
from pulumi_llm._review.stack_review import review
from pulumi_llm._simcloud.faults import VARIABLE
from pulumi_llm._simcloud.store import FILE, Store
from tests.engine.sim import Sim, said
from tests.review.cases import CASES, CLOUDS, OTHER_REGION, SERVERS, SHRINKS_TO_ANOTHER, Platform, setting, stack_of

pytestmark = pytest.mark.engine

KEPT_IN_PLACE = ("context-length", "key", "model", "cidr", "disk-grow")
"""Changes that are made in one `up`, as each of them is said to keep the machine and its disk."""


@dataclass
class Stand:
    """A stack that was brought up, and the plan of what stands."""

    cloud: str
    sim: Sim
    plan: Plan

    def wish(self, *edits: Callable[[Platform, str], None], faults: str = "") -> Comparison:
        """Edit the stack's file; gives what our own comparison says of it."""
        file = self.sim.project / "stacks" / f"Pulumi.{self.sim.stack}.yaml"
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        for edit in edits:
            edit(content["config"]["pulumi-llm:platform"], self.cloud)
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        self.sim.faults = [faults] if faults else []
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, faults)
            forecast = Forecast(self.plan)
            return forecast.comparison(capture_stack(self.sim.project, self.sim.stack, forecast))

    def settle(self) -> None:
        """What stands now is what the file says."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, ";".join(self.sim.faults))
            self.plan = standing(self.sim.project, self.sim.stack)

    def ids(self) -> dict[str, str]:
        """The ids of the server's machine and disk at the cloud."""
        found = {}
        for urn, each in self.sim.state().items():
            name = urn.rsplit("::", 1)[-1]
            if name.startswith("llm-server-machine-"):
                found["machine"] = each["id"]
            elif name == "llm-server-disk":
                found["disk"] = each["id"]
        return found

    def regions(self) -> set[str]:
        """The regions of the server's cloud in which the simulated account has anything of the server."""
        store = Store(self.sim.home / FILE)
        package = {"aliyun": "alicloud", "tencent": "tencentcloud"}.get(self.cloud, self.cloud)
        found = [each for each in store.everything() if each.package == package and "llm-proxy" not in each.urn]
        return {each.region for each in found}

    def everything(self) -> dict[str, Any]:
        """What the simulated accounts have, by URN."""
        return {each.urn: (each.id, each.properties) for each in Store(self.sim.home / FILE).everything()}

    def done(self) -> dict[str, str]:
        """Carry it out; what the engine did to each resource, by name."""
        run = self.sim.run("up", "-s", self.sim.stack, "--yes", "--skip-preview", "--json")
        return operations(run.stdout)


def operations(stream: str) -> dict[str, str]:
    """The operation on each resource, from the engine's events. Both halves of a replacement are one."""
    found: dict[str, str] = {}
    for line in stream.splitlines():
        event = json.loads(line).get("resourcePreEvent") if line.startswith('{"sequence"') else None
        if event:
            meta = event["metadata"]
            operation = preview.OPERATIONS[meta["op"]]
            if operation != "same":
                found[meta["urn"].rsplit("::", 1)[-1]] = operation
    return found


def said_beforehand(comparison: Comparison) -> dict[str, str]:
    return {each.resource.name: each.operation for each in comparison.changes}


def codes(comparison: Comparison) -> set[str]:
    found = review(comparison, catalog.load(), today=date(2026, 11, 25), environment={})
    return {row.impact.code for row in found.changes.rows}


@pytest.fixture(scope="module", params=CLOUDS)
def stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stand:
    """A model server with Weaviate; with its proxy on one cloud only, as every resource costs time."""
    sim = Sim.of_stack(tmp_path_factory.mktemp(request.param), stack_of(request.param))
    made = Stand(request.param, sim, Plan("", ""))
    made.wish(
        setting("server.model_disk_gib", 200),
        lambda platform, cloud: platform["server"].update(SERVERS.get(cloud, {})),
        *([] if request.param == "tencent" else [lambda platform, cloud: platform.pop("proxy")]),
    )
    assert set(made.done().values()) == {"create"}
    made.settle()
    return made


def test_each_change_does_what_the_comment_says(stand: Stand, tmp_path: Path) -> None:
    made = stand.ids()

    # A newer image, asked for before anything else: the boot instructions are still those of the first boot.
    case = CASES["image"]
    comparison = stand.wish(case.edit, faults=case.faults)
    assert case.worst_on(stand.cloud) in codes(comparison)
    assert stand.done() == said_beforehand(comparison)
    first = stand.ids()
    assert (first["machine"] == made["machine"]) is case.keeps_machine_on(stand.cloud)
    assert first["disk"] == made["disk"]
    stand.settle()

    # What is said to happen in place keeps machine and disk.
    edits = [setting("server.renew", False), *(CASES[name].edit for name in KEPT_IN_PLACE)]
    comparison = stand.wish(*edits, faults=case.faults)
    assert not codes(comparison) & {"replaces-machine", "deletes-data", "replaces-system-disk", "refused"}
    check_preview(stand, comparison, tmp_path)
    assert stand.done() == said_beforehand(comparison)
    assert stand.ids() == first
    stand.settle()

    # A smaller disk is said to be refused, and is: in the preview too, before anything at the cloud is touched.
    # Google's provider would replace the disk, which is told as an error, and which `protect` refuses.
    comparison = stand.wish(CASES["disk-shrink"].edit, CASES["vectors-removed"].edit, faults=case.faults)
    assert ("deletes-data" if stand.cloud in SHRINKS_TO_ANOTHER else "refused") in codes(comparison)
    had = stand.everything()
    for how in (["preview"], ["up", "--yes", "--skip-preview"]):
        if stand.cloud in SHRINKS_TO_ANOTHER:
            break
        failed = stand.sim.run(*how, "-s", stand.sim.stack, check=False)
        assert failed.returncode != 0
        assert "[cloud.disk-cannot-shrink]" in said(failed), said(failed)
        assert "`server.model_disk_gib: 300` keeps it" in said(failed), said(failed)
    assert stand.everything() == had

    # Without Weaviate, and with other upstreams where there is a proxy: in place.
    edits = [CASES["disk-grow"].edit, CASES["vectors-removed"].edit]
    edits += [CASES["upstream"].edit] if stand.cloud == "tencent" else []
    comparison = stand.wish(*edits, faults=case.faults)
    assert "stops-service" in codes(comparison)
    # What the failed `up` did before it failed is done already.
    assert stand.done().items() <= said_beforehand(comparison).items()
    assert stand.ids() == first
    stand.settle()

    # The boot instructions changed meanwhile, without effect. To ask for them is said to be dangerous, and is.
    if stand.cloud == "aliyun":
        comparison = stand.wish(setting("server.renew", True), faults=case.faults)
        assert "may-take-effect" in codes(comparison)
        assert "replace" in {op for name, op in stand.sim.preview().changes.items() if "-machine-" in name}
        stand.wish(setting("server.renew", False), faults=case.faults)

    # Another GPU: the same machine where its zone sells it.
    case = CASES["gpu"]
    comparison = stand.wish(case.edit, faults=CASES["image"].faults)
    assert case.worst_on(stand.cloud) in codes(comparison)
    assert stand.done() == said_beforehand(comparison)
    last = stand.ids()
    assert (last["machine"] == first["machine"]) is case.keeps_machine_on(stand.cloud)
    assert (last["disk"] == first["disk"]) is ("deletes-data" not in codes(comparison))


def check_preview(stand: Stand, comparison: Comparison, folder: Path) -> None:
    """The engine's own preview, read by us, tells the same operations."""
    file = folder / "preview.json"
    run = stand.sim.run("preview", "-s", stand.sim.stack, "--json", "--show-sames")
    file.write_text(run.stdout, encoding="utf-8")
    told = preview.read(file)
    assert said_beforehand(told) == said_beforehand(comparison)
    assert codes(told) >= codes(comparison) - {"on-recreate"}


def test_another_region_makes_all_anew_there_and_leaves_nothing_behind(stand: Stand) -> None:
    before, (was,) = stand.ids(), stand.regions()
    stand.settle()
    first = setting("server.gpu", lambda cloud: SERVERS.get(cloud, {"gpu": "T4"})["gpu"])
    comparison = stand.wish(CASES["region"].edit, first, faults=CASES["image"].faults)
    told = codes(comparison)
    assert {"replaces-machine", "deletes-data", "changes-address"} <= told
    assert "refused" not in told
    assert stand.done() == said_beforehand(comparison)
    after = stand.ids()
    assert after["machine"] != before["machine"]
    assert after["disk"] != before["disk"]
    # What is left in a region that no provider of the stack is for would be paid for, and known to nobody.
    assert stand.regions() == {OTHER_REGION[stand.cloud]} - {was}


def test_a_newer_engine_is_installed_on_the_same_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import shutil

    from tests.engine.sim import ROOT

    library = tmp_path / "library"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("components", "templates"):
        shutil.copytree(ROOT / name, library / name, ignore=ignored)
    sim = Sim.of_stack(tmp_path, "aws-t4")
    sim.environment = {"PYTHONPATH": os.fspath(library / "components")}
    stand = Stand("aws", sim, Plan("", ""))
    stand.wish(lambda platform, cloud: platform.pop("proxy"))
    stand.done()
    before = stand.ids()
    pins = library / "templates/vllm/role.yaml"
    pins.write_text(pins.read_text(encoding="utf-8").replace("0.32.0", "0.33.0"), encoding="utf-8")
    assert stand.done() == {"llm-server-settings": "update", "llm-server-apply": "update"}
    assert stand.ids() == before
