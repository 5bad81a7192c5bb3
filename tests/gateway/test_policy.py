"""What a key may do is what its row says, all of it, whoever made the key."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from llm_gate.policy import Policy, Reread, Rules, rules_of

ROW: dict[str, Any] = {
    "ask_twice": True,
    "models": ["yi*"],
    "endpoints": ["/v1/chat/completions"],
    "requests_per_minute": 1,
    "tokens_per_minute": 2,
    "max_concurrency": 3,
    "daily_budget_usd": 4.5,
    "monthly_budget_usd": 5.5,
    "daily_tokens": 6,
    "monthly_tokens": 7,
    "expires": 4_000_000_000,
    "source_cidrs": ["203.0.113.0/24"],
}
"""A row with every limit that there is, each with a value of its own."""
NUMBERS = sorted(
    key for key, value in ROW.items() if isinstance(value, int | float) and key not in ("expires", "ask_twice")
)


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def policy_of(root: Path, now: float = 0.0, **files: Any) -> Policy:
    read = []
    for name in ("policy", "hashes", "own"):
        if name in files:
            (root / name).write_text(json.dumps(files[name]))
        read.append(Reread(root / name))
    return Policy(*read, clock=lambda: now)


def shown(rules: Rules | None) -> dict[str, Any]:
    """The rules as a row of a file would have them."""
    assert rules is not None
    found = {each.name: getattr(rules, each.name) for each in dataclasses.fields(rules)}
    del found["name"], found["managed"]
    found["source_cidrs"] = [str(each) for each in found.pop("cidrs")]
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


def test_a_key_of_the_command_line_has_every_limit_of_its_row(tmp_path: Path) -> None:
    own = {"keys": {"team": {**ROW, "hashes": {digest("sk-1"): None}, "made": 5}}, "revoked": []}
    rules = policy_of(tmp_path, own=own).find("sk-1")
    assert shown(rules) == ROW
    assert rules is not None
    assert (rules.name, rules.managed) == ("team", "cli")


def test_a_key_of_pulumi_has_every_limit_of_its_row(tmp_path: Path) -> None:
    rules = policy_of(tmp_path, policy={"keys": {"app": ROW}}, hashes={digest("sk-1"): "app"}).find("sk-1")
    assert shown(rules) == ROW
    assert rules is not None
    assert (rules.name, rules.managed) == ("app", "pulumi")


def test_a_row_of_the_command_line_cannot_say_that_pulumi_made_it(tmp_path: Path) -> None:
    own = {"keys": {"team": {"managed": "pulumi", "hashes": {digest("sk-1"): None}}}}
    rules = policy_of(tmp_path, own=own).find("sk-1")
    assert rules is not None
    assert rules.managed == "cli"


@pytest.mark.parametrize("limit", NUMBERS)
@pytest.mark.parametrize("value", [-1, True, "9", [], float("-inf")])
def test_a_limit_that_is_no_number_from_nought_on_is_refused(limit: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        rules_of("app", {limit: value})


@pytest.mark.parametrize("limit", NUMBERS)
def test_a_limit_of_nought_is_a_limit_and_none_is_none(limit: str) -> None:
    assert getattr(rules_of("app", {limit: 0}), limit) == 0
    assert getattr(rules_of("app", {limit: None}), limit) is None
    assert shown(rules_of("app", {})) == shown(Rules("app"))


@pytest.mark.parametrize("limit", [each for each in NUMBERS if "tokens" in each or "budget" in each])
def test_a_key_whose_limit_is_in_tokens_or_money_counts_them(limit: str) -> None:
    assert rules_of("app", {limit: 0}).counts_tokens
    assert not rules_of("app", {"requests_per_minute": 1, "max_concurrency": 1}).counts_tokens


def test_a_key_without_readable_rules_may_do_nothing_and_disturbs_no_other(tmp_path: Path) -> None:
    bad: dict[str, Any] = {"requests_per_minute": "many"}
    policy = policy_of(
        tmp_path,
        policy={"keys": {"bad": bad, "good": {}, "unhashed": {}}},
        hashes={digest("sk-bad"): "bad", digest("sk-stray"): "nobody", digest("sk-good"): "good"},
        own={
            "keys": {"a": {**bad, "hashes": {digest("sk-a"): None}}, "b": {}, "c": {"hashes": {digest("sk-c"): None}}}
        },
    )
    assert [key for key in ("sk-bad", "sk-stray", "sk-good", "sk-a", "sk-c") if policy.find(key)] == ["sk-good", "sk-c"]
    assert policy.names() == {"good", "c"}


def test_a_key_works_until_its_time_is_over_and_not_a_moment_longer(tmp_path: Path) -> None:
    files: dict[str, Any] = {
        "policy": {"keys": {"app": {"expires": 100}}},
        "hashes": {digest("sk-app"): "app"},
        "own": {"keys": {"team": {"hashes": {digest("sk-old"): 100, digest("sk-new"): None}}}},
    }
    keys = ("sk-app", "sk-old", "sk-new")
    for now, works in ((99.9, list(keys)), (100.0, ["sk-new"])):
        policy = policy_of(tmp_path, now, **files)
        assert [key for key in keys if policy.find(key)] == works


def test_a_revoked_key_does_nothing_whoever_made_it(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        policy={"keys": {"app": {}}},
        hashes={digest("sk-app"): "app", digest("sk-next"): "app"},
        own={"keys": {"team": {"hashes": {digest("sk-team"): None}}}, "revoked": [digest("sk-app"), digest("sk-team")]},
    )
    assert [key for key in ("sk-app", "sk-next", "sk-team") if policy.find(key)] == ["sk-next"]


def test_a_key_that_both_know_is_pulumis(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        policy={"keys": {"app": {"daily_tokens": 5}}},
        hashes={digest("sk-1"): "app"},
        own={"keys": {"team": {"hashes": {digest("sk-1"): 1}}}},
    )
    rules = policy.find("sk-1")
    assert rules is not None
    assert (rules.name, rules.daily_tokens) == ("app", 5)


def test_a_file_that_cannot_be_read_for_a_moment_takes_nobodys_key_away(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, policy={"keys": {"app": {}}}, hashes={digest("sk-1"): "app"})
    assert policy.find("sk-1")
    for half in ('{"keys": {"a', '["app"]'):
        (tmp_path / "policy").write_text(half)
        assert policy.find("sk-1")
    (tmp_path / "policy").unlink()
    assert policy.find("sk-1") is None
    assert policy.names() == set()


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("203.0.113.7", True),
        ("203.0.114.7", False),
        ("::ffff:203.0.113.7", True),
        ("::ffff:203.0.114.7", False),
        ("2001:db8::1", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_a_key_is_good_from_its_own_addresses_alone(address: str, inside: bool) -> None:
    assert rules_of("app", {"source_cidrs": ["198.51.100.0/24", "203.0.113.0/24"]}).allows_address(address) is inside
    assert rules_of("app", {}).allows_address(address)


@pytest.mark.parametrize(
    ("pattern", "model", "allowed"),
    [
        ("yi-6b", "yi-6b", True),
        ("yi-6b", "yi-6b-chat", False),
        ("yi*", "yi-6b-chat", True),
        ("*", "anything", True),
        ("a[bc]", "a[bc]", True),
        ("a[bc]", "ab", False),
        ("a?", "a?", True),
        ("a?", "ab", False),
    ],
)
def test_in_a_models_name_only_the_star_is_special(pattern: str, model: str, allowed: bool) -> None:
    assert rules_of("app", {"models": ["other", pattern]}).allows_model(model) is allowed


@pytest.mark.parametrize(
    ("limit", "value"),
    [(name, value) for name in [*NUMBERS, "expires"] for value in (float("nan"), float("inf"), float("-inf"))]
    + [(name, 2.5) for name in NUMBERS if not name.endswith("_usd")],
)
def test_a_limit_that_could_be_none_is_no_rule(limit: str, value: float) -> None:
    """Python reads NaN and Infinity in JSON, and nothing is more than NaN; no request is the last of two and a half."""
    with pytest.raises(ValueError, match=limit):
        rules_of("team", {limit: value})
