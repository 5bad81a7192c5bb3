"""Proxies in the regions of Aliyun and Tencent Cloud that lie abroad: which there are, and which are refused."""

from __future__ import annotations

import pytest

from pulumi_llm import catalog
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import placement

NOT_HOSTED = {
    ("tencent", "ap-jakarta"): "placement.host-not-offered",
    ("tencent", "sa-saopaulo"): "placement.host-not-offered",
    ("tencent", "na-toronto"): "placement.no-zone",
}
"""Where the catalogue has no machine for a proxy, or no zone."""

ABROAD = sorted(
    (row.cloud, row.name)
    for row in catalog.load().regions.values()
    if row.cloud in ("aliyun", "tencent") and not row.in_china
)


def test_both_have_regions_that_some_vendor_serves() -> None:
    data = catalog.load()
    for cloud in ("aliyun", "tencent"):
        served = {
            name
            for owner, name in ABROAD
            if owner == cloud and (owner, name) not in NOT_HOSTED
            for vendor in ("openai", "anthropic")
            if data.upstreams[vendor].serves(data.regions[owner, name].country)
        }
        assert len(served) >= 8, cloud
        assert not {"cn-hongkong", "ap-hongkong"} & served


@pytest.mark.parametrize(("cloud", "region"), [each for each in ABROAD if each not in NOT_HOSTED])
def test_a_proxy_is_placed_there_and_its_price_is_known(cloud: str, region: str) -> None:
    placed = placement.place_host(cloud, region, None, min_vcpu=2, min_memory_gib=2)
    assert placed.zone in catalog.load().regions[cloud, region].zones
    assert catalog.load().price(cloud, placed.instance_type, region) is not None


@pytest.mark.parametrize(("cloud", "region"), NOT_HOSTED)
def test_elsewhere_it_is_refused_with_what_is_lacking(cloud: str, region: str) -> None:
    with pytest.raises(Refusal) as refused:
        placement.place_host(cloud, region, None, min_vcpu=2, min_memory_gib=2)
    assert [each.code for each in refused.value.findings] == [NOT_HOSTED[cloud, region]]
