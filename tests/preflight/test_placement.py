"""Which machine is bought, and how large a disk: the cheapest that does, or the one that is named."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm import catalog, spec
from pulumi_llm.errors import Refusal, UnknownName
from pulumi_llm.preflight import placement
from pulumi_llm.preflight.beside import Beside

DATA = catalog.load()
REGIONS = sorted(DATA.regions)
MODELS = sorted(DATA.models)


def server(**changes: Any) -> spec.ServerSpec:
    usual = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"}
    return spec.ServerSpec.model_validate({**usual, **changes})


def refused(function: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(Refusal) as caught:
        function(*args, **options)
    (finding,) = caught.value.findings
    return f"{finding.code}: {finding.message}; {finding.hint}"


@pytest.mark.parametrize(("vcpu", "gib"), [(1, 1), (2, 2), (2, 4), (4, 8), (8, 32)])
def test_a_host_is_the_cheapest_of_its_region_that_has_so_much(vcpu: int, gib: float) -> None:
    for cloud, region in REGIONS:
        fit = [
            offer
            for offer in DATA.hosts(cloud=cloud, region=region, min_vcpu=1, min_memory_gib=0.5)
            if offer.instance.vcpu >= vcpu and offer.instance.memory_gib >= gib
        ]
        if not fit:
            continue
        named = None if fit[0].zones else f"{region}-1"
        found = placement.place_host(cloud, region, named, min_vcpu=vcpu, min_memory_gib=gib)
        prices = [offer.price.amount for offer in fit if offer.price is not None]
        assert found.instance_type in {offer.instance.instance_type for offer in fit}
        assert (found.cloud, found.region) == (cloud, region)
        if prices:
            assert found.price is not None
            assert found.price.amount == min(prices)


def test_where_the_catalogue_knows_no_zone_one_has_to_be_named_and_is_believed() -> None:
    size = {"min_vcpu": 2, "min_memory_gib": 2}
    unknown = [
        place for place in REGIONS if any(not offer.zones for offer in DATA.hosts(cloud=place[0], region=place[1]))
    ]
    assert ("tencent", "na-toronto") in unknown
    for cloud, region in unknown:
        told = refused(placement.place_host, cloud, region, None, **size)
        assert told.startswith("placement.no-zone: the catalogue knows no zone of")
        assert placement.place_host(cloud, region, f"{region}-1", **size).zone == f"{region}-1"


def test_a_proxy_gets_two_processors_and_two_gib_and_nothing_dearer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(placement, "place_host", lambda *args, **options: asked.update(options))
    given = {"cloud": "aws", "region": "ap-southeast-1", "upstreams": {"openai": {"models": ["gpt-4o-mini"]}}}
    placement.place_proxy(spec.ProxySpec.model_validate(given))
    assert asked == {"min_vcpu": 2, "min_memory_gib": 2, "instance_type": None}


STORE = Beside("vectors", "Vectors", 4, 35, disk_percent=90)


@pytest.mark.parametrize("model", MODELS)
def test_the_disk_holds_the_weights_twice_as_a_model_is_changed_in_place(model: str) -> None:
    weights = placement.download_gib(catalog.load().models[model])
    disk = placement.model_disk_gib(weights)
    if weights is None:
        assert disk == 200
    else:
        assert 2 * weights + 10 <= disk <= max(60, 2.1 * weights + 30)
        assert disk >= 60
        # Weaviate takes no more writes from nine tenths on, whatever fills the disk.
        assert 0.9 * placement.model_disk_gib(weights, [STORE]) >= 2 * weights + 35
    assert placement.model_disk_gib(weights, [STORE]) >= disk + 35


def test_a_model_of_unknown_size_gets_a_disk_that_holds_most_and_vectors_beside_it() -> None:
    assert (placement.model_disk_gib(None), placement.model_disk_gib(None, [STORE])) == (200, 235)


def test_a_server_is_the_cheapest_type_that_carries_its_gpus_or_the_one_that_is_named() -> None:
    for gpu, count in (("T4", 1), ("T4", 4), ("L4", 1)):
        found = placement.place_server(server(gpu=gpu, gpu_count=count))
        offers = DATA.offers(gpu=gpu, gpu_count=count, cloud="aws", region="us-east-1")
        sold = {offer.instance.instance_type: offer for offer in offers if not offer.instance.bare_metal}
        prices = [offer.price.amount for offer in sold.values() if offer.price is not None]
        assert found.instance_type in sold
        assert found.price is not None
        assert found.price.amount == min(prices)
        for name in sold:
            assert placement.place_server(server(gpu=gpu, gpu_count=count, instance_type=name)).instance_type == name


def test_a_type_that_carries_something_else_is_refused() -> None:
    told = refused(placement.place_server, server(instance_type="p4d.24xlarge"))
    assert told.startswith("placement.type-mismatch")
    assert "1 x T4" in told


def test_a_zone_must_offer_the_type_and_is_else_the_first_that_does() -> None:
    free = placement.place_server(server())
    offer = next(each for each in DATA.offers(gpu="T4", gpu_count=1, cloud="aws", region="us-east-1") if each.zones)
    assert free.zone in offer.zones
    last = offer.zones[-1]
    assert placement.place_server(server(zone=last)).zone == last
    with pytest.raises(UnknownName) as caught:
        placement.place_server(server(zone="us-east-1z"))
    assert caught.value.findings[0].code == "placement.zone-not-offered"


def test_what_is_not_sold_is_told_with_what_is() -> None:
    count = refused(placement.place_server, server(gpu_count=7))
    assert count.startswith("placement.gpu-not-offered: aws has no type with 7 x T4 in us-east-1")
    assert "gpu_count: 1 or 4" in count
    region = next(each for each in sorted({r for c, r in DATA.regions if c == "tencent"}) if not DATA.offers(
        gpu="T4", gpu_count=1, cloud="tencent", region=each))  # fmt: skip
    told = refused(placement.place_server, server(cloud="tencent", region=region))
    sold = {offer.region for offer in DATA.offers(gpu="T4", gpu_count=1, cloud="tencent")}
    assert any(each in told for each in sold)
    host = refused(placement.place_host, "aws", "us-east-1", None, min_vcpu=10_000, min_memory_gib=1)
    assert host.startswith("placement.host-not-offered")
    assert host.endswith("another cloud")
    named = refused(
        placement.place_host, "aws", "us-east-1", None, min_vcpu=2, min_memory_gib=2, instance_type="no.such"
    )
    assert named.startswith("catalog.unknown-instance-type")
