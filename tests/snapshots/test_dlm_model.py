"""AWS's lifecycle policy, as it is planned, against the model of the service that botocore itself carries."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

import pulumi_llm as llm
from tests.leave.test_stack import server
from tests.snapshots.test_stack import only
from tests.test_components import plan_of

boto = pytest.importorskip("botocore.session")
from botocore.model import ListShape, MapShape, StructureShape  # noqa: E402
from botocore.validate import ParamValidator  # noqa: E402

POLICY = "aws:dlm/lifecyclePolicy:LifecyclePolicy"
WEEKS = ({"at": "03:00 Asia/Shanghai"}, {"every": "Mon,Thu", "at": "02:30 Europe/Berlin", "keep_days": 30})
ROLE = "arn:aws:iam::123456789012:role/made"


def shape() -> Any:
    return boto.get_session().get_service_model("dlm").operation_model("CreateLifecyclePolicy").input_shape


def as_asked(value: Any, of: Any) -> Any:
    """An input of the provider as the API takes it: the same names with a capital, and tags as a list where it has one.

    The provider writes a block that may be there once as one, where the API has a structure.
    """
    if isinstance(of, StructureShape):
        assert isinstance(value, dict), f"{of.name}: {value!r}"
        value = {key: each for key, each in value.items() if not key.startswith("__")}  # the engine's own
        members = {name[0].lower() + name[1:]: (name, each) for name, each in of.members.items()}
        assert value.keys() <= members.keys(), f"{of.name} has no {sorted(value.keys() - members.keys())}"
        return {members[key][0]: as_asked(each, members[key][1]) for key, each in value.items()}
    if isinstance(of, ListShape):
        if isinstance(value, dict):
            assert of.member.members.keys() == {"Key", "Value"}, of.name
            return [{"Key": key, "Value": each} for key, each in value.items()]
        # The provider knows one time of a day as a text.
        rows = [value] if isinstance(value, str) else value
        return [as_asked(each, of.member) for each in rows]
    if isinstance(of, MapShape):
        return {key: as_asked(each, of.value) for key, each in value.items()}
    return int(value) if of.type_name in ("integer", "long") else value


def mistakes(value: Any, of: Any, where: str = "") -> Iterator[str]:
    """What botocore leaves to the service: values that are not of a list, and texts that do not match a pattern."""
    if isinstance(of, StructureShape):
        for key, each in value.items():
            yield from mistakes(each, of.members[key], f"{where}.{key}")
    elif isinstance(of, ListShape):
        for each in value:
            yield from mistakes(each, of.member, f"{where}[]")
    elif of.type_name == "string":
        if of.enum and value not in of.enum:
            yield f"{where}: {value!r} is none of {of.enum}"
        pattern = of.metadata.get("pattern")
        if pattern and not re.fullmatch(pattern.replace(r"\p{all}", r"\s\S"), value):
            yield f"{where}: {value!r} does not match {pattern}"


def asked(snapshots: dict[str, Any]) -> Any:
    plan = plan_of(llm.ModelServer, server("aws", disk={"snapshots": snapshots}))
    return as_asked({**only(plan, POLICY).inputs, "executionRoleArn": ROLE}, shape())


def refused(request: Any) -> str:
    report = ParamValidator().validate(request, shape()).generate_report()
    return "\n".join(filter(None, [report, *mistakes(request, shape())]))


@pytest.mark.parametrize("snapshots", WEEKS)
def test_the_policy_is_one_that_the_service_takes(snapshots: dict[str, Any]) -> None:
    request = asked(snapshots)
    assert not refused(request)
    details = request["PolicyDetails"]
    assert details["ResourceTypes"] == ["VOLUME"]
    assert details["TargetTags"]
    assert [each["RetainRule"]["IntervalUnit"] for each in details["Schedules"]] == ["DAYS"]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("State",), "ON"),
        (("Description",), "a\nline"),
        (("PolicyDetails", "ResourceTypes"), ["DISK"]),
        (("PolicyDetails", "Schedules", 0, "CreateRule", "CronExpression"), "0 3 * * *"),
        (("PolicyDetails", "Schedules", 0, "RetainRule", "IntervalUnit"), "DAY"),
        (("PolicyDetails", "Schedules", 0, "RetainRule", "Interval"), -1),
        (("ExecutionRoleArn",), "made"),
    ],
)
def test_a_policy_with_a_mistake_is_not(where: tuple[str | int, ...], value: Any) -> None:
    request = copy.deepcopy(asked(WEEKS[1]))
    inner = request
    for each in where[:-1]:
        inner = inner[each]
    assert where[-1] in inner or isinstance(where[-1], int)
    inner[where[-1]] = value
    assert refused(request), f"nothing was found at {where}"
