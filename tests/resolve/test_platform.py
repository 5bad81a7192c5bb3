"""A platform is told all that is wrong with it in one go, each with its place."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm.errors import Refusal
from pulumi_llm.resolve import resolve_platform

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
