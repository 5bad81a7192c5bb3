"""What breaks callers is told in one place, in both languages, and each time in the same order."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm._plan.model import Plan
from pulumi_llm._review import output, policy
from pulumi_llm._review.comment import render
from pulumi_llm._review.policy_settings import Exemption
from pulumi_llm._review.stack_review import StackReview, review
from tests.review.cases import CASES, Platform, base, compared, setting

TODAY = date(2026, 11, 25)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    found: Plan = base(tmp_path_factory.mktemp("before"), "aws")
    return found


@pytest.fixture
def changed(before: Plan, tmp_path: Path) -> Callable[..., StackReview]:
    def run(edit: Callable[[Platform, str], None], settings: policy.Settings | None = None) -> StackReview:
        comparison = compared(tmp_path, "aws", before, edit)
        return review(comparison, catalog.load(), policy=settings, today=TODAY, environment={})

    return run


def without_proxy(platform: Platform, cloud: str) -> None:
    platform.pop("proxy")


def other_keys(platform: Platform, cloud: str) -> None:
    platform["server"]["keys"] = {"team": {"requests_per_minute": 60}}


def renamed(*also: tuple[str, Any]) -> Callable[[Platform, str], None]:
    def edit(platform: Platform, cloud: str) -> None:
        for path, value in also:
            setting(path, value)(platform, cloud)

    return edit


BROKEN: dict[str, tuple[Callable[[Platform, str], None], list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]]] = {
    "another model": (
        setting("server.model", "Qwen/Qwen2.5-3B-Instruct"),
        [("llm-server", "model-renamed", ("Yi-6B-Chat",), ("Qwen2.5-3B-Instruct",))],
    ),
    "another model under the old name": (
        renamed(("server.model", "Qwen/Qwen2.5-3B-Instruct"), ("server.served_name", "Yi-6B-Chat")),
        [],
    ),
    "another name": (
        setting("server.served_name", "chat"),
        [("llm-server", "model-renamed", ("Yi-6B-Chat",), ("chat",))],
    ),
    "one foreign model for another": (
        setting("proxy.upstreams.openai.models", ["gpt-4o"]),
        [("llm-proxy", "model-gone", ("gpt-6-luna",), ()), ("llm-server", "model-gone", ("gpt-6-luna",), ())],
    ),
    "one more foreign model": (setting("proxy.upstreams.openai.models", ["gpt-6-luna", "gpt-4o"]), []),
    "no proxy": (
        without_proxy,
        [("llm-proxy", "node-gone", (), ()), ("llm-server", "model-gone", ("gpt-6-luna",), ())],
    ),
    "no vectors": (CASES["vectors-removed"].edit, [("llm-server", "port-gone", ("18444", "18445"), ())]),
    "another port": (
        setting("access.https_port", 8443),
        [("llm-proxy", "port-moved", ("443",), ("8443",)), ("llm-server", "port-moved", ("443",), ("8443",))],
    ),
    "other keys": (other_keys, [("llm-server", "key-gone", ("default",), ())]),
    "a key made anew": (setting("server.keys.default.generation", 2), [("llm-server", "key-new", ("default",), ())]),
    "fewer requests": (
        setting("server.keys.default.requests_per_minute", 30),
        [("llm-server", "key-narrower", ("default",), ("requests_per_minute",))],
    ),
    "more requests": (setting("server.keys.default.requests_per_minute", 90), []),
    "other ranges": (
        CASES["cidr"].edit,
        [("llm-proxy", "shut-out", ("203.0.113.0/24",), ()), ("llm-server", "shut-out", ("203.0.113.0/24",), ())],
    ),
    "a shorter context": (CASES["context-length"].edit, []),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_caller_is_told_and_nothing_else(name: str, changed: Callable[..., StackReview]) -> None:
    edit, wanted = BROKEN[name]
    found = changed(edit)
    assert [(each.node, each.kind, each.what, each.now) for each in found.broken] == wanted
    english, chinese = render([found]), render([found], "zh")
    assert ("For callers" in english, "对调用方的影响" in chinese) == (bool(wanted), bool(wanted))
    assert (output.failed([found], ["callers"]) == ["callers"]) is bool(wanted)


def test_an_authority_that_is_made_anew_is_told_to_callers(tmp_path: Path, before: Plan) -> None:
    """No key of a stack asks for it; the engine does, when its end is near."""
    comparison = compared(tmp_path, "aws", before, setting("server.context_length", 2048))
    steps = [
        dataclasses.replace(each, operation="replace") if each.resource.name == "llm-server-ca" else each
        for each in comparison.steps
    ]
    comparison = dataclasses.replace(comparison, steps=steps)
    found = review(comparison, catalog.load(), today=TODAY, environment={})
    assert [(each.node, each.kind) for each in found.broken] == [("llm-server", "authority")]
    assert "authority" in render([found]).partition("**For callers**")[2].splitlines()[2]


def test_the_room_before_and_after_is_told_with_what_is_downloaded_again(changed: Callable[..., StackReview]) -> None:
    (shorter,) = changed(setting("server.context_length", 2048)).capacities
    assert shorter.before is not None
    assert shorter.after is not None
    assert (shorter.before.context, shorter.after.context) == (4096, 2048)
    assert shorter.after.at_once > shorter.before.at_once
    assert not shorter.downloads

    found = changed(setting("server.model", "Qwen/Qwen2.5-3B-Instruct"))
    (other,) = found.capacities
    assert other.downloads
    assert other.download_gib == pytest.approx(5.8, abs=0.2)  # 6.17 GB of safetensors at the hub
    assert "5.8 GiB of weights are downloaded again" in render([found])
    assert "重新下载权重 5.8 GiB" in render([found], "zh")


def test_a_machine_without_a_gpu_is_never_said_to_be_sold_out(changed: Callable[..., StackReview]) -> None:
    text = render([changed(without_proxy)])
    assert "sold out" not in text
    assert "another public address" not in text
    assert "the public address is given back" in text


def test_the_keys_of_a_node_that_goes_are_not_told_to_be_other_keys(changed: Callable[..., StackReview]) -> None:
    text = render([changed(without_proxy)])
    assert "llm-proxy-key-default" in text
    assert "another key" not in text
    assert "clients with the old one" not in text


def test_the_bill_before_is_at_least_what_it_was_when_what_goes_had_no_known_price(
    changed: Callable[..., StackReview],
) -> None:
    review = changed(without_proxy)
    assert review.bill is not None
    assert review.difference is not None
    went = [each.before for each in review.difference.changes if each.before is not None]
    assert any(line.per_month is None for line in went)
    known = review.bill.per_month.cny + sum(line.per_month.cny for line in went if line.per_month is not None)
    whole = dataclasses.replace(review, bill=dataclasses.replace(review.bill, lines=[]))
    known_of_what_went = known - review.bill.per_month.cny
    assert f"at least {known_of_what_went:,.2f} → 0.00" in render([whole])


def test_destroying_data_needs_a_yes_that_reviewers_see(changed: Callable[..., StackReview]) -> None:
    """The gate is that of the CI files in docs/ci, and the default."""
    found = changed(without_proxy)
    (lost,) = [each for each in found.findings if each.code == "diff.deletes-data"]
    assert (lost.severity, lost.where) == ("error", "llm-proxy-disk")
    for name in ("github-plan.yml", "gitlab-ci.yml"):
        assert "--fail-on errors" in (ROOT / "docs/ci" / name).read_text(encoding="utf-8")
    assert output.failed([found], ["errors"]) == ["errors"]

    yes = Exemption(rule="diff.deletes-data", resource="llm-proxy-disk", reason="no longer used", expires=TODAY)
    agreed = changed(without_proxy, policy.Settings(exceptions=(yes,)))
    assert output.failed([agreed], ["errors"]) == []
    assert "no longer used" in render([agreed])

    late = yes.model_copy(update={"expires": date(2026, 11, 24)})
    assert output.failed([changed(without_proxy, policy.Settings(exceptions=(late,)))], ["errors"]) == ["errors"]


def test_destroying_vectors_that_are_backed_up_says_how_to_see_the_newest_backup(
    before: Plan, changed: Callable[..., StackReview], tmp_path: Path
) -> None:
    def backed_up(platform: Platform, cloud: str) -> None:
        platform["vectors"]["backup"] = {}

    def without(platform: Platform, cloud: str) -> None:
        backed_up(platform, cloud)
        platform["server"]["region"] = "us-west-2"
        platform["server"].pop("zone", None)

    first = compared(tmp_path / "first", "aws", before, backed_up).after
    found = review(
        compared(tmp_path / "second", "aws", first, without), catalog.load(), today=TODAY, environment={}
    ).findings
    hints = {each.hint for each in found if each.code == "diff.deletes-data"}
    assert hints
    assert all(f"`pulumi-llm vectors list -s {first.stack}`" in each for each in hints)
    plain = changed(without_proxy).findings
    assert all("vectors list" not in each.hint for each in plain if each.code == "diff.deletes-data")


def test_a_comment_is_the_same_whatever_the_hash_seed() -> None:
    """In processes of their own, as the seed is settled at a process's start."""
    texts = {
        subprocess.run(
            [sys.executable, "-m", "tests.review.seeded", "region", "cidr", "vectors-removed"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
            timeout=300,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(texts) == 1
