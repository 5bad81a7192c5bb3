"""What the official plugins did when their rehearsals were recorded, and that `sim` and the wire say the same."""

from __future__ import annotations

import importlib
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pytest

from pulumi_llm import clouds
from pulumi_llm._rehearsal.server import wire_of
from pulumi_llm._review.comment import DATA as WORDS
from pulumi_llm._review.impact import impact_table
from tests.rehearsal.changes import ADDITIONS, STACKS, Addition, edits
from tests.rehearsal.record import ADDED, GOLDEN, run, run_with

RECORDED = tuple(stack for stack in STACKS if (GOLDEN / f"{stack}.json").is_file())
MORE = tuple(each for each in ADDITIONS if (ADDED / f"{each.file}.json").is_file())
AT_ONCE = tuple(each.file for each in MORE if not each.name)
DOCS = GOLDEN.parents[2] / "docs"
PACKAGES = tuple(each.package for each in clouds.folders().values())


@cache
def record(stack: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{stack}.json").read_text(encoding="utf-8"))
    return found


@cache
def added(file: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ADDED / f"{file}.json").read_text(encoding="utf-8"))
    return found


def by_file(each: Addition) -> str:
    return each.file


def phase(stack: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in record(stack)["phases"] if each["name"] == name)
    return dict(found)


def steps(phase: dict[str, Any]) -> Counter[tuple[str, str, str]]:
    return Counter((each["op"], each["type"], each["name"]) for each in phase["steps"])


def of(phase: dict[str, Any], part: str) -> set[str]:
    """What is done to resources whose type holds ``part``."""
    return {each["op"] for each in phase["steps"] if part in each["type"]}


def calls(phase: dict[str, Any]) -> Counter[str]:
    return Counter(each["action"] for each in phase["calls"] if not each["refused"])


def test_both_clouds_were_recorded() -> None:
    assert {package for stack in RECORDED for package in record(stack)["plugins"]} == {"alicloud", "tencentcloud"}


@pytest.mark.parametrize("stack", RECORDED)
def test_every_run_of_the_engine_succeeded_and_nothing_was_left(stack: str) -> None:
    found = record(stack)
    names = [each["name"] for each in found["phases"]]
    middle = [name for edit in edits(stack) for name in (f"change {edit.name}", f"preview {edit.name}")]
    assert names == ["up", "preview", "preview newer image", *middle, "destroy"]
    assert all(each["succeeded"] and not each["errors"] for each in found["phases"])
    assert (found["left"], found["unknown_actions"], found["asked_outside"]) == ([], [], [])


@pytest.mark.parametrize("stack", RECORDED)
def test_every_preview_was_clean_even_after_a_newer_image(stack: str) -> None:
    previews = [each for each in record(stack)["phases"] if each["name"].startswith("preview")]
    assert len(previews) == 2 + len(edits(stack))
    assert [each["steps"] for each in previews] == [[]] * len(previews)


@pytest.mark.parametrize("stack", RECORDED)
def test_context_length_and_keys_touch_no_cloud(stack: str) -> None:
    for name in ("change context", "change key"):
        found = phase(stack, name)
        assert found["steps"]
        assert [each for each in calls(found) if not re.search(r":(Describe|Query)", each)] == []


@pytest.mark.parametrize("stack", RECORDED)
def test_a_newer_image_is_taken_by_another_machine_and_the_disk_stays(stack: str) -> None:
    found = phase(stack, "change renew")
    assert {"create-replacement", "delete-replaced"} <= of(found, "nstance:Instance")
    assert [each for each in found["steps"] if each["name"] == "llm-server-disk"] == []
    made = calls(found)
    assert sum(count for name, count in made.items() if name.endswith(":RunInstances")) == 1
    assert not [name for name in made if re.search("ReplaceSystemDisk|ResetInstance$|DeleteDisk|TerminateDisks", name)]


@pytest.mark.parametrize("stack", RECORDED)
def test_a_larger_disk_grows_in_place(stack: str) -> None:
    found = phase(stack, "change disk")
    assert {each["op"] for each in found["steps"] if each["name"] == "llm-server-disk"} == {"update"}
    assert {"ecs:ResizeDisk", "cbs:ResizeDisk"} & calls(found).keys()


@pytest.mark.parametrize("stack", RECORDED)
def test_another_range_changes_rules_and_no_machine(stack: str) -> None:
    found = phase(stack, "change cidr")
    assert of(found, "nstance:Instance") == set()
    assert of(found, "ecurity")


@pytest.mark.parametrize("stack", [each for each in RECORDED if each != "aliyun-t4"])
def test_another_type_of_the_same_family_is_a_change_in_place(stack: str) -> None:
    found = phase(stack, "change gpu")
    assert of(found, "nstance:Instance") == {"update"}
    assert {"ecs:ModifyInstanceSpec", "cvm:ResetInstancesType"} & calls(found).keys()


def test_tencents_change_of_type_cuts_the_power() -> None:
    """As the comment and the guide say."""
    sent = [
        each["parameters"] for each in phase("tencent-t4", "change gpu")["calls"] if "ResetInstances" in each["action"]
    ]
    assert [each["ForceStop"] for each in sent] == [True]


def test_comment_and_guide_say_that_tencents_change_of_type_cuts_the_power() -> None:
    row = impact_table().properties["tencentcloud:Instance/instance:Instance", "instanceType"]
    assert row.impact == "stops-and-starts"
    words = json.loads(WORDS.read_text(encoding="utf-8"))["notes"]
    assert "forced, like a power cut: stop what writes first" in words[row.note]
    for page in ("user-guide.md", "user-guide.zh.md"):
        assert re.search(r"ForceStop: true`(.|\n){0,120}systemctl stop llm-weaviate", (DOCS / page).read_text("utf-8"))


@pytest.mark.parametrize("page", ["troubleshooting.md", "troubleshooting.zh.md"])
def test_the_guide_says_how_a_stack_goes_whose_tencent_machine_is_gone(page: str) -> None:
    (row,) = (each for each in (DOCS / page).read_text("utf-8").splitlines() if "`InvalidInstanceId.NotFound`" in each)
    assert "`destroy`" in row
    assert "`pulumi refresh`" in row


def test_aliyuns_stop_before_a_change_of_type_carries_the_mode_that_was_read() -> None:
    sent = [
        each["parameters"] for each in phase("aliyun-a100", "change gpu")["calls"] if "StopInstance" in each["action"]
    ]
    assert [each["StoppedMode"] for each in sent] == ["Not-applicable"]


@pytest.mark.parametrize("stack", RECORDED)
def test_another_zone_makes_another_network_machine_and_disk(stack: str) -> None:
    found = phase(stack, "change zone")
    kinds = {"llm-server-disk": {"create-replacement", "replace", "delete-replaced"}}
    for name, wanted in kinds.items():
        assert {each["op"] for each in found["steps"] if each["name"] == name} == wanted
    assert of(found, "nstance:Instance") >= {"create", "delete"}


@pytest.mark.parametrize("stack", RECORDED)
def test_all_that_was_called_is_answered_by_the_wire(stack: str) -> None:
    known = {each: wire_of(each) for each in ("aliyun", "tencent")}
    actions = {wire[0].package: wire[0].actions for wire in known.values() if wire}
    for each in record(stack)["phases"]:
        for call in each["calls"]:
            assert call["action"] in actions[call["package"]]


CAME_LATER = {
    # A record: Aliyun's own SDK calls the actions, in test_aliyun_wire.
    "alicloud:dns/alidnsRecord:AlidnsRecord",
    # The role by which a machine stops itself: that SDK calls RAM, in test_roles_wire.
    "alicloud:ecs/ramRoleAttachment:RamRoleAttachment",
    "alicloud:ram/policy:Policy",
    "alicloud:ram/role:Role",
    "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment",
    # Schedules of snapshots: that SDK calls the actions, in test_snapshots_wire.
    "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy",
    "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment",
    # The function that begins hours: no wire of ours speaks Function Compute's.
    "alicloud:fc/v3Function:V3Function",
    "alicloud:fc/v3Trigger:V3Trigger",
    # Machines near each other: that SDK calls the actions, in test_near_wires.
    "alicloud:ecs/ecsDeploymentSet:EcsDeploymentSet",
}
"""What adapters make since their clouds' rehearsals were recorded."""


@pytest.mark.parametrize("cloud", ["aliyun", "tencent"])
def test_each_resource_that_an_adapter_makes_was_rehearsed_or_came_later(cloud: str) -> None:
    folder = clouds.folders()[cloud]
    sdk = importlib.import_module(folder.sdk)
    alias = folder.sdk.removeprefix("pulumi_").removesuffix("_iac_pulumi")
    # A managed cluster has not been rehearsed on any cloud: see docs/decisions/rehearsal.md.
    files = [each for each in sorted(folder.path.glob("*.py")) if each.name != "cluster.py"]
    source = "".join(each.read_text(encoding="utf-8") for each in files)
    made: set[str] = set()
    for module, name in re.findall(rf"\b{alias}\.(\w+)\.([A-Z]\w+)\(", source):
        found = getattr(getattr(sdk, module), name)
        if issubclass(found, pulumi.Resource):
            made.add(found.pulumi_type)
    assert len(made) > 8
    records = [*map(record, RECORDED), *(added(each.file) for each in MORE)]
    seen = {step["type"] for found in records for each in found["phases"] for step in each["steps"]}
    assert made - seen == CAME_LATER & {each for each in CAME_LATER if each.startswith(f"{folder.package}:")}


@pytest.mark.parametrize("stack", AT_ONCE)
def test_a_role_a_record_and_snapshots_are_added_in_place_and_leave_nothing(stack: str) -> None:
    found = added(stack)
    assert [each["name"] for each in found["phases"]] == [
        *("up", "preview", "change additions", "preview additions", "destroy")
    ]
    assert all(each["succeeded"] and not each["errors"] for each in found["phases"])
    assert (found["left"], found["unknown_actions"], found["asked_outside"]) == ([], [], [])
    change = found["phases"][2]
    assert of(change, "nstance:Instance") == {"update"}
    assert not [each for each in change["steps"] if "delete" in each["op"] and not each["type"].startswith("tls:")]
    assert [each["steps"] for each in found["phases"] if each["name"].startswith("preview")] == [[], []]


@pytest.mark.parametrize("stack", RECORDED)
def test_no_credentials_keys_or_user_data_were_kept(stack: str) -> None:
    hold_no_secret(GOLDEN / f"{stack}.json")


@pytest.mark.parametrize("each", MORE, ids=by_file)
def test_none_were_kept_of_what_was_added(each: Addition) -> None:
    hold_no_secret(ADDED / f"{each.file}.json")


def hold_no_secret(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(
        r"-----BEGIN|ssh-(rsa|ed25519)|#cloud-config|I2Nsb3VkLWNvbmZpZ|AKID|\bsk-|signature\"", text, re.IGNORECASE
    )
    for call in (each for found in json.loads(text)["phases"] for each in found["calls"]):
        for name, value in call["parameters"].items():
            if re.search("userdata|publickey|zipfile", name, re.IGNORECASE):
                assert re.fullmatch(r"\(\d+ characters, not kept\)", value)


@pytest.mark.parametrize("stack", RECORDED)
def test_a_record_says_what_code_it_was_recorded_with_and_when(stack: str) -> None:
    found = record(stack)
    assert re.fullmatch(r"2\d{3}-\d\d-\d\d", found["recorded"])
    assert found["sources"].keys() == found["plugins"].keys() != set()


TOLD_SINCE = {
    # What all models may take of a machine's memory is told it since 2026-11-29, and another type has another memory.
    ("tencent-t4", "change gpu"): Counter(
        ("update", "command:remote:Command", name) for name in ("llm-server-settings", "llm-server-apply")
    )
}
"""What is told a machine in a phase now, and was not when that was recorded: no call to a cloud is among it."""


@pytest.mark.engine
@pytest.mark.parametrize("stack", RECORDED)
def test_the_simulated_plugins_do_what_the_official_ones_did(stack: str) -> None:
    simulated = run(stack, PACKAGES)
    assert [each.name for each in simulated.phases] == [each["name"] for each in record(stack)["phases"]]
    for each in simulated.phases:
        assert each.succeeded, each.errors
        ours = Counter((step.operation, step.type, step.name) for step in each.steps)
        since = TOLD_SINCE.get((stack, each.name), Counter())
        assert ours == steps(phase(stack, each.name)) + since, each.name
    assert simulated.left == ()


@pytest.mark.engine
@pytest.mark.parametrize("each", MORE, ids=by_file)
def test_the_simulated_plugins_add_what_the_official_ones_did(each: Addition) -> None:
    simulated = run_with(each, PACKAGES)
    for ours, recorded in zip(simulated.phases, added(each.file)["phases"], strict=True):
        assert ours.succeeded, ours.errors
        taken = Counter((step.operation, step.type, step.name) for step in ours.steps)
        assert (ours.name, taken) == (recorded["name"], steps(recorded))
    assert simulated.left == ()
