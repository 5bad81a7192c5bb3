"""Nothing is asked of a cloud that it cannot."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pulumi_llm import catalog, clouds
from pulumi_llm.catalog.catalog import Catalog
from pulumi_llm.clouds.capabilities import Capability, capabilities
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import placement
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest
from pulumi_llm.spec import ServerSpec, parse

ROOT = Path(__file__).parents[2]
Without = Callable[[str, Capability], None]
SERVER = {"model": "01-ai/Yi-6B-Chat", "gpu": "T4", "cloud": "aws", "region": "us-west-2"}


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Without:
    """Take a capability from a cloud."""

    def take(cloud: str, capability: Capability) -> None:
        data = Catalog()
        facts = data.clouds[cloud]
        less = dataclasses.replace(facts, can=facts.can - {capability})
        data.__dict__["clouds"] = {**data.clouds, cloud: less}
        monkeypatch.setattr(catalog, "load", lambda directory=None: data)

    return take


def refused(run: Callable[[], object]) -> list[Finding]:
    with pytest.raises(Refusal) as caught:
        run()
    return list(caught.value.findings)


UNBUILT = {
    *(Capability.SNAPSHOTS, Capability.STARTS, Capability.WAKES),
    *(Capability.NODES, Capability.ZONES, Capability.CLOSED),
}
UNSEEN = {Capability.NOTICE, Capability.RECOVER}
"""What their APIs say in such a case, no source was found of."""
LACKED = {
    "azure": {Capability.DNS, Capability.SPOT, *UNSEEN, *UNBUILT},
    "digitalocean": {Capability.SPOT, *UNSEEN, *UNBUILT},
    "gcp": {Capability.DNS, *UNBUILT},
    "volcengine": {Capability.DNS, *UNSEEN, *UNBUILT},
    "vultr": {Capability.SPOT, *UNSEEN, *UNBUILT},
}
"""What a cloud of ours cannot: DigitalOcean sells no spot machines, and copies volumes on no schedule; nor
does Vultr; Azure sells them, and neither they nor its names are built;
Google's names and schedules, and Volcengine's names and schedules, are not built. None of the four has
a firewall between machines alone, as far as is built here. Nor are
zones for replicas, nor a firewall that lets nothing out but to a bucket: they have no bucket here. AWS has a scheduler
that calls any API by itself; Aliyun and Tencent Cloud run a function of ours. A role by which one machine starts others
is built for these three.
"""


def test_every_cloud_of_ours_can_what_the_components_ask_for_but_what_is_told() -> None:
    for name in clouds.names():  # a machine that exists is sold by nobody
        assert set(Capability) - catalog.load().clouds[name].can == LACKED.get(name, set())


def test_a_spot_machine_on_a_cloud_that_sells_none_is_refused_with_what_would_work(without: Without) -> None:
    without("aws", Capability.SPOT)
    server = parse(ServerSpec, {**SERVER, "spot": True})
    (finding,) = refused(lambda: placement.place_server(server))
    assert (finding.code, finding.where) == ("cloud.cannot", "spot")
    assert "Amazon Web Services sells none" in finding.message
    assert finding.hint == "spot: false; or a cloud that can: aliyun, gcp, tencent, volcengine"
    assert placement.place_server(parse(ServerSpec, SERVER)).cloud == "aws"


def test_a_cloud_that_sells_no_spot_machines_is_not_offered_for_one(without: Without) -> None:
    assert "aws" in {each.instance.cloud for each in catalog.load().offers(gpu="T4", spot=True)}
    without("aws", Capability.SPOT)
    assert "aws" not in {each.instance.cloud for each in catalog.load().offers(gpu="T4", spot=True)}
    assert "aws" in {each.instance.cloud for each in catalog.load().offers(gpu="T4")}


def test_the_fit_check_says_it_in_the_same_words(without: Without) -> None:
    without("aws", Capability.SPOT)
    report = check(FitRequest(model="01-ai/Yi-6B-Chat", gpu="T4", cloud="aws", region="us-west-2", spot=True))
    assert [each.code for each in report.findings if each.severity == "error"] == ["cloud.cannot"]


@pytest.mark.parametrize("lacked", [Capability.DISK, Capability.FIREWALL])
def test_no_host_is_placed_where_its_data_or_its_ports_would_not_be_kept(without: Without, lacked: Capability) -> None:
    without("aws", lacked)
    (finding,) = refused(lambda: placement.place_server(parse(ServerSpec, SERVER)))
    assert (finding.code, finding.where) == ("cloud.cannot", "cloud")
    assert finding.hint == "a cloud that can: aliyun, azure, digitalocean, gcp, tencent, volcengine, vultr"
    (finding,) = refused(lambda: placement.place_host("aws", "us-west-2", None, min_vcpu=2, min_memory_gib=2))
    assert finding.code == "cloud.cannot"


def test_all_that_a_cloud_lacks_is_told_at_once(without: Without) -> None:
    without("aws", Capability.DISK)
    server = parse(ServerSpec, {**SERVER, "spot": True})
    first = catalog.load()
    first.__dict__["clouds"]["aws"] = dataclasses.replace(first.clouds["aws"], can=frozenset())
    findings = refused(lambda: placement.place_server(server))
    assert [each.where for each in findings] == ["cloud", "cloud", "spot"]


@pytest.mark.parametrize("page", ["clouds.md", "clouds.zh.md"])
def test_the_page_for_those_who_add_a_cloud_names_each_capability_once(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    (paragraph,) = (each for each in text.split("\n\n") if "`can`" in each and "`clouds.json`" in each)
    listed = re.split(r"[:：]", paragraph, maxsplit=1)[1]
    assert re.findall(r"(?<!\[)`([a-z-]+)`", listed) == [str(each) for each in Capability]


def test_a_word_in_a_row_that_is_no_capability_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="'disc' is nothing that a cloud can be asked for; did you mean disk"):
        capabilities(["firewall", "disc"])


@pytest.mark.parametrize("cloud", sorted({row.cloud for row in catalog.load().instances if row.gpu}))
def test_a_cloud_with_gpus_sells_the_system_disk_that_a_server_has_by_default(cloud: str) -> None:
    default = ServerSpec.model_fields["system_disk_gib"].default
    assert placement.sold_size(cloud, "system", default) >= default
