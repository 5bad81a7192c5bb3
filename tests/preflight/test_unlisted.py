"""Machines of which no public source tells where they are sold: asked for by type and zone, and told as unverified."""

from typing import Any

import pytest

from pulumi_llm import catalog, preflight, spec
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import placement
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

DATA = catalog.load()
H20: dict[str, Any] = {"cloud": "tencent", "region": "ap-shanghai", "gpu": "H20", "instance_type": "PNV6.4XLARGE160"}
L20: dict[str, Any] = {
    "cloud": "aliyun",
    "region": "ap-southeast-1",
    "gpu": "L20",
    "instance_type": "ecs.gn8is.4xlarge",
}


def server(**changes: Any) -> spec.ServerSpec:
    return spec.ServerSpec.model_validate({"model": "Qwen/Qwen2.5-7B-Instruct", **changes})


def refused(**changes: Any) -> Finding:
    with pytest.raises(Refusal) as caught:
        placement.place_server(server(**changes))
    (found,) = caught.value.findings
    return found


def told(**changes: Any) -> list[Finding]:
    return [each for each in preflight.check_server(server(**changes)) if each.code.startswith("placement.")]


def test_a_type_without_a_known_region_is_placed_in_the_zone_that_is_named_and_told_as_unverified() -> None:
    assert DATA.instance("tencent", "PNV6.4XLARGE160").regions == {}
    placed = placement.place_server(server(**H20, zone="ap-shanghai-5"))
    assert (placed.region, placed.zone) == ("ap-shanghai", "ap-shanghai-5")
    assert (placed.instance_type, placed.price) == ("PNV6.4XLARGE160", None)
    (warning,) = told(**H20, zone="ap-shanghai-5")
    assert (warning.code, warning.severity) == ("placement.not-verified", "warning")
    assert "ap-shanghai-5" in warning.message
    assert "PNV6.4XLARGE160" in warning.message


def test_such_a_type_needs_its_zone() -> None:
    found = refused(**H20)
    assert (found.code, found.where) == ("placement.no-zone", "zone")
    assert found.message == "no public source tells in which zone of ap-shanghai PNV6.4XLARGE160 is sold"


def test_a_zone_of_another_region_is_refused_with_those_of_the_region() -> None:
    asked = FitRequest(model="Qwen/Qwen2.5-7B-Instruct", zone="ap-beijing-5", **H20)
    (found,) = [each for each in check(asked).findings if each.code.startswith("placement.")]
    assert (found.code, found.severity) == ("placement.zone-not-offered", "error")
    assert "ap-shanghai-2" in found.hint


def test_it_must_carry_the_gpus_that_are_asked_for() -> None:
    assert refused(**{**H20, "gpu": "T4"}, zone="ap-shanghai-5").code == "placement.type-mismatch"
    assert refused(**H20, gpu_count=2, zone="ap-shanghai-5").code == "placement.type-mismatch"


def test_a_zone_that_a_source_tells_is_taken_without_a_word() -> None:
    assert placement.place_server(server(**L20)).zone == "ap-southeast-1a"
    assert told(**L20) == []
    assert told(**L20, zone="ap-southeast-1a") == []


def test_what_is_sold_on_request_may_be_sold_in_another_zone_or_region_than_the_known_one() -> None:
    assert placement.place_server(server(**L20, zone="ap-southeast-1c")).zone == "ap-southeast-1c"
    assert [each.code for each in told(**L20, zone="ap-southeast-1c")] == ["placement.not-verified"]
    elsewhere = {**L20, "region": "eu-central-1", "zone": "eu-central-1a"}
    assert placement.place_server(server(**elsewhere)).zone == "eu-central-1a"
    assert [each.code for each in told(**elsewhere)] == ["placement.not-verified"]


def test_what_is_sold_to_everybody_is_sold_where_it_is_listed_and_nowhere_else() -> None:
    p5 = {"cloud": "aws", "gpu": "H100-80GB", "instance_type": "p5.4xlarge"}
    assert refused(**p5, region="eu-west-3", zone="eu-west-3a").code == "placement.type-mismatch"
    assert refused(**p5, region="us-east-1", zone="us-east-1z").code == "placement.zone-not-offered"


def test_a_known_region_without_a_zone_is_an_offer_whose_zone_has_to_be_named() -> None:
    asked = {"cloud": "aliyun", "region": "cn-shanghai", "gpu": "L20"}
    (offer,) = DATA.offers(gpu="L20", gpu_count=1, cloud="aliyun", region="cn-shanghai")
    assert (offer.zones, offer.price.amount if offer.price else None) == ((), 14.42)
    assert refused(**asked).code == "placement.no-zone"
    assert placement.place_server(server(**asked, zone="cn-shanghai-l")).instance_type == "ecs.gn8is.2xlarge"
    assert [each.code for each in told(**asked, zone="cn-shanghai-l")] == ["placement.not-verified"]


def test_bare_metal_is_never_chosen_and_told_when_it_is_named() -> None:
    eight = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "gpu_count": 8, "instance_type": "g4dn.metal"}
    assert placement.place_server(server(**eight)).instance_type == "g4dn.metal"
    assert [(each.code, each.severity) for each in told(**eight)] == [("placement.bare-metal", "warning")]
    for row in DATA.instances:
        if row.role != "gpu" or not row.bare_metal or row.gpu_count > 16:
            continue
        for region in row.regions:
            asked = {"cloud": row.cloud, "region": region, "gpu": row.gpu, "gpu_count": row.gpu_count}
            try:
                chosen = placement.place_server(server(**asked)).instance_type
            except Refusal:
                continue
            assert not DATA.instance(row.cloud, chosen).bare_metal
