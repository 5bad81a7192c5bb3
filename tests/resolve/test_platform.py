"""A platform is told all that is wrong with it in one go, each with its place."""

from __future__ import annotations

from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm._plan.capture import capture
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.errors import Refusal

SERVER: dict[str, Any] = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"}
PROXY: dict[str, Any] = {
    "cloud": "aws",
    "region": "ap-southeast-1",
    "upstreams": {"openai": {"models": ["gpt-4o-mini"]}},
}
ACCESS: dict[str, Any] = {"allowed_cidrs": ["203.0.113.0/24"]}
NOWHERE = {"cloud": "tencent", "region": "na-toronto"}
"""Where the catalogue knows no zone."""


def told(raw: Any, where: str = "") -> list[tuple[str, str]]:
    with pytest.raises(Refusal) as refused:
        resolve_platform(raw, where=where)
    return [(finding.code, finding.where) for finding in refused.value.findings]


def test_a_sound_platform_is_given_back() -> None:
    whole = resolve_platform({"server": SERVER, "access": ACCESS, "proxy": PROXY})
    assert (whole.spec.server.gpu, whole.proxy and whole.proxy.site.region.name) == ("T4", "ap-southeast-1")
    assert resolve_platform({"server": SERVER, "access": ACCESS}).proxy is None


@pytest.mark.parametrize(("where", "before"), [("", ""), ("platform", "platform.")])
def test_placement_and_fit_of_every_part_are_told_at_once(where: str, before: str) -> None:
    raw = {
        "server": {**SERVER, "model": "Qwen/Qwen2.5-14B-Instruct", "gpu_count": 7},
        "access": ACCESS,
        "proxy": {**PROXY, **NOWHERE},
    }
    found = told(raw, where)
    assert ("placement.gpu-not-offered", f"{before}server.gpu_count") in found
    assert ("placement.no-zone", f"{before}proxy.zone") in found
    assert [each for each in found if each[0].startswith("fit.")]
    assert all(place.startswith((f"{before}server", f"{before}proxy")) for _, place in found)
    assert len(set(found)) == len(found)


def test_what_is_wrong_in_one_part_does_not_hide_what_is_wrong_in_another() -> None:
    # A server that is no server, and a proxy that is one and cannot be placed; and the other way round.
    found = told({"server": {**SERVER, "gpuu": "T4"}, "access": ACCESS, "proxy": {**PROXY, **NOWHERE}})
    assert found == [("spec.unknown-key", "server.gpuu"), ("placement.no-zone", "proxy.zone")]
    found = told({"server": {**SERVER, "gpu_count": 7}, "access": ACCESS, "proxy": {**PROXY, "regionn": "x"}})
    assert ("spec.unknown-key", "proxy.regionn") in found
    assert ("placement.gpu-not-offered", "server.gpu_count") in found


@pytest.mark.parametrize("raw", [None, "server", ["server"], 5, {}])
def test_what_is_no_platform_is_refused(raw: Any) -> None:
    assert all(code.startswith("spec.") for code, _ in told(raw))


ACTS = {"action": "block", "on_error": "block"}
HOOK = {"moderators": {"own": {"kind": "hook", "file": "nowhere/hook.py", "options": {"entry": "hook:judge"}, **ACTS}}}
MODERATED = {"moderators": {"m": {"kind": "yidun", "options": {"business_id": "b"}, **ACTS}}}
NETWORK = {"vpc_id": "vpc-1", "subnet_id": "subnet-1"}
LARGE = {"disk_gib": 16000}
"""More vectors than fit on the largest disk of AWS (16384 GiB), as Weaviate stops at nine tenths."""


def test_a_disk_that_the_cloud_does_not_sell_is_told_with_the_rest() -> None:
    raw = {"server": SERVER, "access": ACCESS, "vectors": LARGE}
    assert told(raw, "platform") == [("cloud.disk-too-large", "platform.server")]
    assert told({**raw, "server": {**SERVER, "gpu_count": 7}, "proxy": {**PROXY, **NOWHERE}})[-2:] == [
        ("cloud.disk-too-large", "server"),
        ("placement.no-zone", "proxy.zone"),
    ]
    large = {"cloud": "aliyun", "region": "cn-hangzhou"}  # whose disks go to 65536 GiB
    assert resolve_platform({**raw, "server": {**SERVER, **large}}).server.data_disk_gib > 16384


def test_a_subnet_whose_zone_is_not_named_is_told_with_the_rest() -> None:
    raw = {"server": SERVER, "access": ACCESS, "network": NETWORK, "proxy": {**PROXY, "network": NETWORK}}
    both = [("spec.zone-needed", "platform.server"), ("spec.zone-needed", "platform.proxy")]
    assert told(raw, "platform") == both
    assert set(told({**raw, "vectors": LARGE}, "platform")) == {*both, ("cloud.disk-too-large", "platform.server")}
    zones = {"network": NETWORK, "server": {**SERVER, "zone": "us-east-1a"}}
    proxy = {**PROXY, "network": NETWORK, "zone": "ap-southeast-1a"}
    assert resolve_platform({**raw, **zones, "proxy": proxy}).spec.network.exists


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({}, ""),
        ({"vectors": LARGE}, "cloud.disk-too-large"),
        ({"proxy": {**PROXY, "network": NETWORK}, "openai_api_key": "sk-planted"}, "spec.zone-needed"),
        ({"proxy": PROXY}, "secret.missing"),
        ({"server": {**SERVER, "content": HOOK}}, "content.bad-hook"),
        ({"proxy": {**PROXY, "content": MODERATED}, "openai_api_key": "sk-planted"}, "secret.missing"),
    ],
    ids=["nothing", "disk", "zone", "vendor's key", "hook", "moderator's key"],
)
def test_what_is_wrong_with_a_part_ends_a_program_before_anything_is_registered(wrong: Any, code: str) -> None:
    made: list[str] = []

    class Watched(llm.Platform):
        def get_provider(self, module_member: str) -> Any:  # asked for right after the platform is registered
            made.append(module_member)
            return super().get_provider(module_member)

    args: Any = {"server": SERVER, "access": ACCESS, **wrong}
    told: set[str] = set()
    try:
        capture(lambda: Watched("x", args))
    except Refusal as refusal:
        told = {each.code for each in refusal.findings}
    assert told == ({code} if code else set())
    assert bool(made) is (not code)


def test_what_is_wrong_with_the_gateways_of_a_platform_is_told_at_once() -> None:
    args: Any = {
        "server": {**SERVER, "content": HOOK},
        "access": ACCESS,
        "proxy": {**PROXY, "content": HOOK},
    }
    with pytest.raises(Refusal) as refused:
        capture(lambda: llm.Platform("x", args))
    assert [(each.code, each.where) for each in refused.value.findings] == [
        ("content.bad-hook", "x-server"),
        ("secret.missing", "x-proxy"),
        ("content.bad-hook", "x-proxy"),
    ]
