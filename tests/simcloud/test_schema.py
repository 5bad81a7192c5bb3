from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_llm import clouds
from pulumi_llm._provider_facts import packages, schema, table

# The SDKs warn of deprecated types that stand beside the ones that are read.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("package", packages())
def test_every_type_of_the_table_is_in_the_installed_sdk_with_the_same_inputs(package: str) -> None:
    for token, facts in table.of_package(package).items():
        described = schema.reflect(token)
        assert described is not None, token
        listed = {path for path in facts.inputs if "." not in path and "[]" not in path}
        assert listed == set(described["inputs"]), token
        assert set(facts.outputs) <= set(described["outputs"]), token


def test_nested_types_names_and_required_inputs_are_read_from_the_sdk() -> None:
    described = schema.reflect("aws:ec2/instance:Instance")
    assert described is not None
    root = described["inputs"]["rootBlockDevice"]["object"]
    assert (root["volumeSize"], root["encrypted"], root["volumeType"]) == ("int", "bool", "string")
    assert described["inputs"]["tags"] == {"map": "string"}
    assert described["inputs"]["vpcSecurityGroupIds"] == {"list": "string"}
    assert "publicIp" in described["outputs"]
    rules = schema.reflect("tencentcloud:Security/groupRuleSet:GroupRuleSet")
    assert rules is not None
    assert rules["required"] == ["securityGroupId"]
    assert rules["inputs"]["ingresses"]["list"]["required"] == ["action"]


def test_secret_outputs_are_read_from_the_sdk() -> None:
    described = schema.reflect("tls:index/privateKey:PrivateKey")
    assert described is not None
    assert "privateKeyPem" in described["secrets"]


def test_a_type_that_the_sdk_does_not_have_has_no_schema() -> None:
    assert schema.reflect("aws:ec2/instanse:Instanse") is None


def test_an_unknown_package_is_refused_with_the_ones_that_there_are() -> None:
    with pytest.raises(schema.MissingSdk, match="there are alicloud, aws"):
        schema.sdk_version("nocloud")


def test_a_schema_is_kept_on_disk_and_read_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_LLM_CACHE_DIR", str(tmp_path))
    schema._cached.cache_clear()
    first = schema.describe("random:index/randomId:RandomId")
    files = list(tmp_path.rglob("*.json"))
    assert len(files) == 1
    files[0].write_text(json.dumps({**(first or {}), "required": ["changed"]}))
    schema._cached.cache_clear()
    second = schema.describe("random:index/randomId:RandomId")
    schema._cached.cache_clear()
    assert second is not None
    assert second["required"] == ["changed"]


def test_a_cache_that_is_broken_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_LLM_CACHE_DIR", str(tmp_path))
    schema._cached.cache_clear()
    schema.describe("random:index/randomId:RandomId")
    next(tmp_path.rglob("*.json")).write_text("{")
    schema._cached.cache_clear()
    again = schema.describe("random:index/randomId:RandomId")
    schema._cached.cache_clear()
    assert again is not None
    assert again["required"] == ["byteLength"]


def test_every_row_of_the_table_names_its_source() -> None:
    for package in packages():
        for token, facts in table.of_package(package).items():
            assert facts.source, token


def test_each_pattern_of_what_a_provider_takes_is_one_that_python_reads() -> None:
    """They are copied from providers in Go, whose patterns may be others (``\\p{L}``)."""

    def patterns(value: object) -> Iterator[str]:
        for each in value.values() if isinstance(value, dict) else ():
            yield from patterns(each)
        if isinstance(value, dict):
            yield from (value[name] for name in ("regex", "not_regex") if isinstance(value.get(name), str))

    found = [one for folder in clouds.folders().values() for one in patterns(folder.read("provider.json"))]
    assert len(found) > 20
    assert all(re.compile(each) for each in found)
