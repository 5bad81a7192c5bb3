"""The policies of the guide and the actions of the wire are about the same calls."""

from __future__ import annotations

import json
import os
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from pulumi_llm._rehearsal import policy
from pulumi_llm._rehearsal.calls import Recorded
from pulumi_llm.clouds.aliyun.wire import FACE as ALIYUN
from pulumi_llm.clouds.tencent.wire import FACE as TENCENT
from tests.rehearsal import policies
from tests.rehearsal.changes import ADDITIONS, Addition
from tests.rehearsal.record import ADDED

GUIDE = Path(__file__).parents[2] / "docs" / "real-account.md"
USERS = GUIDE.with_name("user-guide.md")
GUIDE_ZH = GUIDE.with_suffix(".zh.md")
ANSWERED = {"aliyun": ("ecs", "vpc"), "tencent": ("cvm", "cbs", "vpc", "tag")}
FACES = {"aliyun": ALIYUN, "tencent": TENCENT}
BLOCK = {"aliyun": "ecs:RunInstances", "tencent": "cvm:RunInstances"}

REFUSED = {"bssopenapi:QueryAvailableInstances"}
"""What is answered by denying it: the provider asks to learn on which site the account is, and goes on without."""

NOT_ANSWERED = {
    # Of a change that our programs do not make: another private address, another charge type, another group, a name.
    "aliyun": {
        *("ecs:AttachKeyPair", "ecs:DetachKeyPair", "ecs:JoinSecurityGroup", "ecs:LeaveSecurityGroup"),
        *("ecs:ModifyDiskSpec", "ecs:ModifyInstanceVpcAttribute"),
        *("ecs:ModifySecurityGroupRule", "ecs:ModifySecurityGroupEgressRule"),
    },
    "tencent": {
        *("cvm:ModifyInstancesChargeType", "cvm:ModifyInstancesVpcAttribute", "cvm:ModifyKeyPairAttribute"),
        *("vpc:CreateSecurityGroupPolicies", "vpc:DeleteSecurityGroupPolicies", "vpc:ReplaceRouteTableAssociation"),
    },
}


def _policy(cloud: str) -> list[str]:
    blocks = re.findall(r"```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    block = next(each for each in blocks if BLOCK[cloud] in each)
    return [name for name in re.findall(r'"([a-z]+:[A-Za-z*]+)"', block) if name.split(":")[0] in ANSWERED[cloud]]


@pytest.mark.parametrize("cloud", FACES)
def test_what_the_policy_allows_by_name_is_answered_or_known_not_to_be(cloud: str) -> None:
    named = {each for each in _policy(cloud) if "*" not in each}
    assert len(named) > 25
    assert named - FACES[cloud].actions.keys() == NOT_ANSWERED[cloud]


def _for_names(page: Path) -> set[str]:
    """What the user guide says of the credentials that a record needs besides: its first name has the service."""
    found: set[str] = set()
    for first, rest in re.findall(r"`((?:alidns|dnspod|route53):\w+)`((?:[、, \n]*`\w+`)*)", page.read_text("utf-8")):
        service = first.partition(":")[0]
        found |= {first, *(f"{service}:{name}" for name in re.findall(r"`(\w+)`", rest))}
    return found


@pytest.mark.parametrize("page", [USERS, USERS.with_suffix(".zh.md")], ids=["en", "zh"])
def test_the_user_guide_names_what_a_record_calls(page: Path) -> None:
    ours = {name for face in FACES.values() for name in face.actions if name.startswith(("alidns:", "dnspod:"))}
    named = _for_names(page)
    assert {each for each in named if not each.startswith("route53:")} == ours
    # Those that test_aws_rehearsal's stand-in is answered.
    assert {each for each in named if each.startswith("route53:")} == {
        f"route53:{name}"
        for name in ("ChangeResourceRecordSets", "GetChange", "GetHostedZone", "ListResourceRecordSets")
    }


ROLES: dict[str, tuple[str, ...]] = {"aliyun": ("ram", "ecs:AttachInstanceRamRole", "ecs:DetachInstanceRamRole")}
ROLES |= {"tencent": ("cam", "cvm:ModifyInstancesAttribute")}
"""The service that keeps a cloud's roles, and what else is called to give one to a machine."""


def _for_roles(page: Path, cloud: str) -> set[str]:
    """What the guide says of a machine that stops by itself."""
    service = ROLES[cloud][0]
    (line,) = re.findall(rf"^- \*\*[^*]+\*\*[:：] ?(`{service}:(?:.|\n  )*)$", page.read_text("utf-8"), re.MULTILINE)
    return set(re.findall(r"`(\w+:\w+)`", line))


@pytest.mark.parametrize("cloud", FACES)
@pytest.mark.parametrize("page", [GUIDE, GUIDE_ZH], ids=["en", "zh"])
def test_the_guide_names_what_a_role_calls_and_the_right_to_hand_it_over(page: Path, cloud: str) -> None:
    service, *more = ROLES[cloud]
    ours = {name for name in FACES[cloud].actions if name.startswith(f"{service}:")}
    assert len(ours) > 10
    assert set(more) <= FACES[cloud].actions.keys()
    assert _for_roles(page, cloud) == {*ours, *more, f"{service}:PassRole"}


def _for_snapshots(page: Path, cloud: str) -> set[str]:
    """What the guide says of schedules of snapshots, besides the policy."""
    service = {"aliyun": "ecs", "tencent": "cbs"}[cloud]
    text = page.read_text("utf-8")
    (line,) = re.findall(rf"^- \*\*[^*]+\*\*[:：] ?(`{service}:CreateAutoSnapshotPolicy`.*)$", text, re.MULTILINE)
    return set(re.findall(r"`(\w+:\w+)`", line))


@pytest.mark.parametrize("cloud", FACES)
@pytest.mark.parametrize("page", [GUIDE, GUIDE_ZH], ids=["en", "zh"])
def test_the_guide_names_what_a_schedule_of_snapshots_calls(page: Path, cloud: str) -> None:
    ours = {name for name in FACES[cloud].actions if "AutoSnapshotPolic" in name and ":Describe" not in name}
    assert len(ours) == 5
    assert _for_snapshots(page, cloud) == ours


def _for_functions(page: Path) -> set[str]:
    """What the guide says of a machine that a function of Tencent Cloud starts."""
    (line,) = re.findall(r"^- \*\*[^*]+\*\*[:：] ?(`scf:(?:.|\n  )*)$", page.read_text("utf-8"), re.MULTILINE)
    return set(re.findall(r"`(\w+:\w+)`", line))


@pytest.mark.parametrize("page", [GUIDE, GUIDE_ZH], ids=["en", "zh"])
def test_the_guide_names_what_a_function_calls_and_the_right_to_hand_it_a_role(page: Path) -> None:
    ours = {name for name in TENCENT.actions if name.startswith("scf:")}
    assert len(ours) == 7
    assert _for_functions(page) == {*ours, "tag:ModifyResourceTags", "cam:PassRole"}


def _allowed(cloud: str) -> list[str]:
    """All that the guide names for a cloud."""
    more = [*_for_names(USERS), *_for_roles(GUIDE, cloud), *_for_snapshots(GUIDE, cloud)]
    return [*_policy(cloud), *more, *(_for_functions(GUIDE) if cloud == "tencent" else ())]


SERVICES = {"": {"cam", "cbs", "dnspod"}, "hours": {"scf", "cam", "tag"}, "replicas": {"scf", "cvm", "cbs", "vpc"}}
SERVICES |= {"nodes": {"cvm", "vpc"}, "near": {"cvm", "cbs"}, "buckets": set()}
"""What Tencent Cloud's plugin changed something at for the additions, among others."""


@pytest.mark.parametrize("each", ADDITIONS, ids=lambda each: each.file)
def test_what_the_official_plugin_called_for_an_addition_is_allowed(each: Addition) -> None:
    file = ADDED / f"{each.file}.json"
    if not file.is_file():
        assert each.stack.startswith("aliyun")
        pytest.skip("Aliyun's plugin was not built with what is added")
    found = json.loads(file.read_text(encoding="utf-8"))
    changes = [call for phase in found["phases"] if phase["name"].startswith("change") for call in phase["calls"]]
    services = {call["action"].partition(":")[0] for call in changes if ":Describe" not in call["action"]}
    assert services >= SERVICES[each.name]
    called = {call["action"] for phase in found["phases"] for call in phase["calls"]}
    cloud = each.stack.partition("-")[0]
    assert {name for name in called if not any(fnmatchcase(name, one) for one in _allowed(cloud))} == set()


HANDING = [
    ("alicloud", "ecs:AttachInstanceRamRole", {"RamRoleName": "stops"}, "ram:PassRole"),
    ("tencentcloud", "cvm:RunInstances", {"CamRoleName": "stops"}, "cam:PassRole"),
    ("tencentcloud", "cvm:ModifyInstancesAttribute", {"CamRoleName": "stops"}, "cam:PassRole"),
    ("tencentcloud", "scf:CreateFunction", {"Role": "starts"}, "cam:PassRole"),
    ("aws", "ec2:RunInstances", {"IamInstanceProfile.Name": "stops"}, "iam:PassRole"),
    ("aws", "ec2:AssociateIamInstanceProfile", {"IamInstanceProfile.Name": "stops"}, "iam:PassRole"),
]


@pytest.mark.parametrize(("package", "call", "given", "needs"), HANDING)
def test_the_printed_policy_lets_one_hand_a_role_over(
    package: str, call: str, given: dict[str, str], needs: str
) -> None:
    """No call is named so: the clouds ask for it where a call gives a machine or a function a role."""
    (rows,) = (each for each in policy.least(package, [Recorded(call, "", given)]).values() if isinstance(each, list))
    assert rows[0].get("Action", rows[0].get("action")) == sorted([call, needs])
    (rows,) = (each for each in policy.least(package, [Recorded(call, "", {})]).values() if isinstance(each, list))
    assert rows[0].get("Action", rows[0].get("action")) == [call]


@pytest.mark.parametrize("cloud", FACES)
def test_what_the_wire_answers_is_allowed_by_the_policy(cloud: str) -> None:
    allowed = _allowed(cloud)
    not_allowed = {name for name in FACES[cloud].actions if not any(fnmatchcase(name, each) for each in allowed)}
    assert not_allowed - REFUSED == set()


@pytest.mark.parametrize("package", policies.READS)
@pytest.mark.parametrize("page", [GUIDE, GUIDE_ZH], ids=["en", "zh"])
def test_the_guides_policy_is_made_from_the_recorded_rehearsals(page: Path, package: str) -> None:
    """UPDATE_GOLDEN=1 writes it."""
    text = page.read_text(encoding="utf-8")
    found, wanted = policies.block(text, package), policies.written(policies.policy(package).actions)
    if os.environ.get("UPDATE_GOLDEN"):
        page.write_text(text[: found.start(2)] + wanted + text[found.end(2) :], encoding="utf-8")
    else:
        assert found[2] == wanted


@pytest.mark.parametrize("package", policies.READS)
def test_what_is_kept_in_reserve_is_what_no_rehearsal_called(package: str) -> None:
    made = policies.policy(package)
    assert len(made.recorded) > 20
    assert len(set(made.reserve)) == len(made.reserve)
    assert set(made.reserve) & set(made.recorded) == set()
    assert not [each for each in made.reserve if any(fnmatchcase(each, one) for one in made.reads)]
