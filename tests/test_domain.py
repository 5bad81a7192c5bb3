"""A gateway with a name of its own: what is made for it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm._plan.model import Plan
from tests.test_components import PLATFORM, PROXY, SERVER, codes, plan_of, settings

NAME = {"name": "llm.example.com"}
ACME = {**NAME, "acme": {"email": "ops@example.com"}}
RECORDS = {
    "aliyun": ("alicloud:dns/alidnsRecord:AlidnsRecord", {"domainName": "example.com", "rr": "llm", "type": "A"}),
    "tencent": ("tencentcloud:Dnspod/record:Record", {"domain": "example.com", "subDomain": "llm", "recordType": "A"}),
    "aws": ("aws:route53/record:Record", {"zoneId": "Z1", "name": "llm.example.com", "type": "A"}),
}


def named(domain: dict[str, Any], **more: Any) -> Plan:
    return plan_of(llm.ModelServer, {**SERVER, "domain": domain, **more})


def signed_names(plan: Plan) -> object:
    asked = next(plan.of_type("tls:index/certRequest:CertRequest"))
    return asked.inputs.get("dnsNames")


def open_to_the_world(plan: Plan) -> set[int]:
    rules = [each for each in plan.resources if each.name.startswith("x-firewall-in")]
    return {int(each.inputs["fromPort"]) for each in rules if each.inputs["cidrIpv4"] == "0.0.0.0/0"}


def caddyfile(plan: Plan) -> str:
    files = {each["path"]: each["content"] for each in settings(plan)["files"]}
    return str(files["/opt/llm/gateway/Caddyfile"])


def test_a_name_without_another_authority_is_in_our_certificate_and_opens_nothing() -> None:
    plan = named(NAME)
    assert signed_names(plan) == ["llm.example.com"]
    assert open_to_the_world(plan) == set()
    assert "llm.example.com" not in caddyfile(plan)


def test_a_name_that_another_authority_signs_for_is_not_in_our_certificate() -> None:
    plan = named(ACME)
    assert signed_names(plan) is None
    assert "llm.example.com:443 {\n\timport acme\n" in caddyfile(plan)
    assert "dir https://acme-v02.api.letsencrypt.org/directory" in caddyfile(plan)


@pytest.mark.parametrize(
    ("acme", "access", "opened"),
    [
        ({"challenge": "http"}, {}, {80}),
        (
            {"challenge": "tls-alpn"},
            {"allowed_cidrs": ["0.0.0.0/0"], "public": True, "ssh_cidrs": ["203.0.113.7/32"]},
            {443},
        ),
    ],
)
def test_a_challenge_opens_the_port_that_the_authority_asks_and_no_other(
    acme: dict[str, Any], access: dict[str, Any], opened: set[int]
) -> None:
    plan = named({**ACME, "acme": {**ACME["acme"], **acme}}, **access)  # type: ignore[dict-item]
    assert open_to_the_world(plan) == opened


@pytest.mark.parametrize("cloud", RECORDS)
def test_the_record_is_made_at_the_cloud_that_keeps_the_zone(cloud: str) -> None:
    kind, inputs = RECORDS[cloud]
    record = {"cloud": cloud, "zone": "example.com", **({"zone_id": "Z1"} if cloud == "aws" else {})}
    made = next(named({**NAME, "record": record}).of_type(kind))
    assert {key: made.inputs[key] for key in inputs} == inputs
    assert f"pulumi:providers:{kind.partition(':')[0]}::" in str(made.provider)


def test_the_zones_own_name_has_a_record_too() -> None:
    domain = {"name": "example.com", "record": {"cloud": "tencent", "zone": "example.com"}}
    assert next(named(domain).of_type(RECORDS["tencent"][0])).inputs["subDomain"] == "@"


def test_nothing_of_a_name_is_in_the_user_data() -> None:
    machine = next(named(ACME).of_type("aws:ec2/instance:Instance"))
    assert (
        machine.inputs["userData"]
        == next(plan_of(llm.ModelServer, SERVER).of_type("aws:ec2/instance:Instance")).inputs["userData"]
    )


def test_a_proxy_and_a_platform_take_a_name_too() -> None:
    assert "import acme" in caddyfile(plan_of(llm.OverseasProxy, {**PROXY, "domain": ACME}))
    platform = {**PLATFORM, "server": {**PLATFORM["server"], "domain": ACME}}
    plan = plan_of(llm.Platform, platform)
    files = {each["path"]: each["content"] for each in settings(plan, "x-server-settings")["files"]}
    assert "import acme" in files["/opt/llm/gateway/Caddyfile"]


CHINA = {"cloud": "aliyun", "region": "cn-hangzhou"}


@pytest.mark.parametrize(
    ("domain", "access", "code"),
    [
        ({"name": "https://llm.example.com"}, {}, "spec.bad-domain"),
        ({"name": "*.example.com"}, {}, "spec.bad-domain"),
        ({"name": "203.0.113.7"}, {}, "spec.bad-domain"),
        ({"name": "localhost"}, {}, "spec.bad-domain"),
        ({"name": "llm.example.com {\nrespond"}, {}, "spec.bad-text"),
        ({**NAME, "acme": {"email": "ops"}}, {}, "spec.bad-email"),
        ({**NAME, "acme": {"email": "ops@example.com", "directory": "letsencript"}}, {}, "spec.bad-acme-directory"),
        (
            {**NAME, "acme": {"email": "ops@example.com", "directory": "http://a.example"}},
            {},
            "spec.bad-acme-directory",
        ),
        (
            {**NAME, "acme": {"email": "o@example.com", "directory": "https://a.example/{x}"}},
            {},
            "spec.bad-acme-directory",
        ),
        ({**NAME, "acme": {"email": "ops@example.com", "challenge": "dns"}}, {}, "spec.challenge-dns"),
        ({**NAME, "acme": {"email": "ops@example.com", "challenge": "dns-01"}}, {}, "spec.challenge-dns"),
        ({**NAME, "acme": {"email": "ops@example.com", "challenge": "email"}}, {}, "spec.wrong-value"),
        ({**NAME, "acme": {"email": "ops@example.com", "challenge": ["dns"]}}, {}, "spec.wrong-value"),
        ({**NAME, "record": {"cloud": "aliyun", "zone": "example.org"}}, {}, "spec.domain-not-in-zone"),
        ({**NAME, "record": {"cloud": "aliyun", "zone": "le.com"}}, {}, "spec.domain-not-in-zone"),
        ({**NAME, "record": {"cloud": "aws", "zone": "example.com"}}, {}, "spec.record-zone-id"),
        ({**NAME, "record": {"cloud": "aliyun", "zone": "example.com", "zone_id": "Z"}}, {}, "spec.record-zone-id"),
        ({**NAME, "record": {"cloud": "azure", "zone": "example.com"}}, {}, "spec.no-dns"),
        (ACME, CHINA, "spec.domain-needs-filing"),
        (ACME, {"https_port": 80}, "spec.challenge-port"),
        ({**ACME, "acme": {**ACME["acme"], "challenge": "tls-alpn"}}, {}, "spec.challenge-closed"),  # type: ignore[dict-item]
    ],
)
def test_a_name_that_nobody_could_sign_for_is_refused(
    domain: dict[str, Any], access: dict[str, Any], code: str
) -> None:
    assert codes(llm.ModelServer, {**SERVER, **access, "domain": domain}) == [code]


def test_a_filed_name_is_taken_in_the_mainland() -> None:
    plan = plan_of(llm.ModelServer, {**SERVER, **CHINA, "domain": {**ACME, "filed": True}})
    assert "llm.example.com:18443 {\n\timport acme\n" in caddyfile(plan)


def test_a_platform_tells_every_mistake_of_its_names_at_once() -> None:
    server = {**PLATFORM["server"], **CHINA, "domain": {**ACME, "acme": {**ACME["acme"], "challenge": "tls-alpn"}}}  # type: ignore[dict-item]
    found = codes(llm.Platform, {**PLATFORM, "server": server})
    assert found == ["spec.challenge-closed", "spec.challenge-port", "spec.domain-needs-filing"]
