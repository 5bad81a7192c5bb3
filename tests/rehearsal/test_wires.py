"""Which clouds have a wire."""

import pytest

from pulumi_llm._rehearsal.server import wire_of


@pytest.mark.parametrize(("cloud", "package"), [("aliyun", "alicloud"), ("aws", "aws"), ("tencent", "tencentcloud")])
def test_a_cloud_that_has_a_wire_is_found_by_its_name(cloud: str, package: str) -> None:
    found = wire_of(cloud)
    assert found is not None
    assert found[0].package == package


def test_a_cloud_without_a_wire_has_none() -> None:
    assert wire_of("nowhere") is None
