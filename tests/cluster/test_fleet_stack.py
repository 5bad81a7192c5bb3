"""A stack whose kind is a fleet: its file, its secrets, its bill, and what is refused of it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import catalog
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.model import Plan, is_secret
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm.errors import Refusal
from tests.cluster.fleets import FLEET, kubeconfig
from tests.cluster.managed import fleet

ROOT = Path(__file__).parents[2]
THERE = {key: value for key, value in FLEET.items() if key != "kubeconfig"}


def planned(folder: Path, **config: Any) -> Plan:
    """The plan of a stack with these values, of a project as the shipped one."""
    (folder / "stacks").mkdir()
    for name in ("Pulumi.yaml", "stacks/__main__.py"):
        (folder / name).write_text((ROOT / name).read_text())
    values = {f"pulumi-llm:{key}": value for key, value in config.items()}
    (folder / "stacks/Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": values}))
    return capture_stack(folder, "dev")


def codes(folder: Path, **config: Any) -> list[str]:
    with pytest.raises(Refusal) as refused:
        planned(folder, **config)
    return [each.code for each in refused.value.findings]


def test_a_stack_of_a_fleet_makes_it_and_exports_what_its_callers_need(tmp_path: Path) -> None:
    plan = planned(tmp_path, fleet=fleet("aws"))
    assert plan.outputs["endpoint"] == "https://llm-gateway.llm/v1"
    assert plan.outputs["served_models"] == ["chat"]
    for secret in ("api_keys", "kubeconfig"):
        assert is_secret(plan.outputs[secret])
    assert plan.notes == [], "a cluster that is made needs no secret"
    lines = make_bill(plan, catalog.load(), Usage(), today=date.today(), default_regions={}).lines
    assert "control-plane" in {each.slot for each in lines}


def test_a_cluster_that_is_there_needs_its_kubeconfig_and_a_plan_goes_on_without(tmp_path: Path) -> None:
    plan = planned(tmp_path, fleet=THERE)
    assert [each.code for each in plan.notes] == ["secret.missing"]
    assert "kubeconfig" not in plan.outputs


def test_a_secret_in_the_clear_is_refused_and_not_told(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        planned(tmp_path, fleet=THERE, kubeconfig=kubeconfig())
    assert [each.code for each in refused.value.findings] == ["secret.in-the-clear"]
    assert "planted" not in str(refused.value)


def test_a_stack_is_a_platform_or_a_fleet(tmp_path: Path) -> None:
    assert codes(tmp_path, fleet=fleet("aws"), platform={"server": {}}) == ["stack.two-kinds"]


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"fleet": "words"}, "spec.wrong-type"),
        ({"fleet": fleet("aws"), "kubconfig": "x"}, "stack.unknown-key"),
        ({"fleet": {**fleet("aws"), "modles": {}}}, "spec.unknown-key"),
        ({"fleet": fleet("aws", api_cidrs=[])}, "cluster.out-of-reach"),
    ],
)
def test_bad_values_are_refused(tmp_path: Path, config: dict[str, Any], code: str) -> None:
    assert code in codes(tmp_path, **config)


def test_what_stands_in_a_file_is_what_the_component_takes() -> None:
    assert json.loads(json.dumps(fleet("tencent"))) == fleet("tencent")
