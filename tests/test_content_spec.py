"""Content safety in the spec, and what of it reaches the node: the policy is one that the gateway reads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_llm import spec
from pulumi_llm._bootstrap import GatewayRole, Upstream
from pulumi_llm._gateway import content_role
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import gateway
from pulumi_llm.roles.files import templates

sys.path.insert(0, str(templates() / "gateway"))

from llm_gate.content import Content, ContentError

LIST = {"action": "mask", "words": ["代开发票"]}
OPENAI = Upstream(name="openai", kind="openai", base_url="https://api.openai.com/v1", secret="upstream_openai")
PROXY = Upstream(name="proxy", kind="gateway", base_url="https://203.0.113.9/v1", secret="upstream_proxy")
MODERATOR = {"kind": "openai", "action": "block", "on_error": "pass", "secret": "upstream_openai"}


def parsed(**content: Any) -> spec.ContentSpec:
    return spec.parse(spec.ContentSpec, content)


def codes(refused: pytest.ExceptionInfo[Refusal]) -> list[str]:
    return [each.code for each in refused.value.findings]


def test_the_policy_that_is_rendered_is_one_that_the_gateway_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adverts.txt").write_text("# ours\n加微信\n办假证\n", encoding="utf-8")
    lists = {
        "names": LIST | {"separators": "any"},
        "adverts": {"action": "block", "file": "adverts.txt", "on": ["output"]},
    }
    role = content_role(parsed(lists=lists, moderators={"openai": MODERATOR}), [OPENAI])
    whole = GatewayRole(https_port=443, blocked_words=("project-x",), content=role)
    for name, text in gateway.word_files(whole).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    config = json.loads(gateway.policy(whole))["content"]
    content = Content.from_policy(config, tmp_path, secret={"upstream_openai": "sk-x"}.__getitem__)
    assert content.sizes == {"blocked_words": 1, "names": 1, "adverts": 2}
    assert [each.config.name for each in content.remotes("input", "k", "m")] == ["openai"]


@pytest.mark.parametrize("mask", ["x", "7", "汉", " ", '"', "\\", "-", ",", "*", "█", "#", "•", "😀"])
def test_a_mask_is_a_sign_that_the_gateway_takes_too(mask: str) -> None:
    """What one refuses and the other takes would stand in the way of all requests once it is on the node."""
    try:
        Content.from_policy({"mask": mask, "lists": []}, Path())
    except ContentError:
        with pytest.raises(Refusal) as refused:
            parsed(mask=mask)
        assert codes(refused) == ["spec.bad-word-list"]
    else:
        assert parsed(mask=mask).mask == mask
        assert not mask.isalnum()


def test_blocked_words_alone_still_work() -> None:
    config = json.loads(gateway.policy(GatewayRole(https_port=443, blocked_words=("project-x",))))["content"]
    assert Content.from_policy(config, Path()).sizes == {"blocked_words": 1}


@pytest.mark.parametrize(
    "row",
    [
        {"action": "block"},
        {"action": "block", "words": ["x"], "file": "y"},
        {"action": "block", "words": ["!!!"]},
        {"action": "block", "words": ["x" * 65]},
    ],
)
def test_a_list_that_cannot_work_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        parsed(lists={"a": row})
    assert codes(refused) == ["spec.bad-word-list"]


def test_whether_a_moderators_failure_blocks_must_be_said() -> None:
    with pytest.raises(Refusal) as refused:
        parsed(moderators={"m": {"kind": "openai", "action": "block"}})
    assert codes(refused) == ["spec.missing-key"]


def test_a_name_is_given_once() -> None:
    with pytest.raises(Refusal, match="two parts are called 'a'"):
        parsed(lists={"a": LIST}, moderators={"a": MODERATOR})


def test_missing_files_bad_lines_and_unknown_secrets_are_told_together_and_no_word_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.txt").write_text("秘密\n???\n", encoding="utf-8")
    (tmp_path / "gbk.txt").write_bytes("秘密".encode("gb18030"))
    lists = {each: {"action": "block", "file": each} for each in ("gone.txt", "bad.txt", "gbk.txt")}
    with pytest.raises(Refusal) as refused:
        content_role(parsed(lists=lists, moderators={"m": MODERATOR}), [PROXY])
    assert sorted(codes(refused)) == [
        "content.bad-word-file",
        "content.bad-word-file",
        "content.no-word-file",
        "content.unknown-secret",
    ]
    assert "秘密" not in str(refused.value)


UNFIT = ["!!!", "x" * 65, "\ufb00" * 33, "\u0640", "\u3164"]
"""Nothing that counts, too long, too long once ligatures are two letters, and letters that nobody sees."""
FIT = ["x" * 64, "\ufb00" * 32, "x" + "\u200b" * 100, "\u093f", "①"]


@pytest.mark.parametrize("word", [*UNFIT, *FIT])
def test_a_word_that_a_plan_takes_is_one_that_the_gateway_takes(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text(f"fine\n{word}\n", encoding="utf-8")
    parts: dict[str, Callable[[], object]] = {
        "a list": lambda: parsed(lists={"a": {"action": "block", "words": [word]}}),
        "a file": lambda: content_role(parsed(lists={"a": {"action": "block", "file": "words.txt"}}), []),
        "the server": lambda: spec.parse(spec.ServerSpec, {"gpu": "T4", "model": "a/b", "blocked_words": ["ok", word]}),
    }
    try:
        Content.from_policy({"lists": [{"name": "a", "action": "block", "words": [word]}]}, Path())
        taken = True
    except ContentError:
        taken = False
    assert taken == (word in FIT)
    for part, ask in parts.items():
        found: list[str] = []
        try:
            ask()
        except Refusal as refusal:
            found = [each.code for each in refusal.findings if each.code.endswith(("word-list", "word-file"))]
        assert found == ([] if taken else ["content.bad-word-file" if part == "a file" else "spec.bad-word-list"]), part


def test_what_a_plan_asks_of_the_gateways_code_loads_no_server() -> None:
    code = "import sys; from pulumi_llm import _gate; _gate.is_word('x'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {each for each in done.stdout.split() if each.startswith(("llm_gate", "aiohttp", "asyncio"))} == set()


BOUNDS = {"timeout_seconds": (0.05, 60), "batch_chars": (1, 10_000), "longest_chars": (100, 10_000_000)}


@pytest.mark.parametrize("name", BOUNDS)
def test_a_moderators_figures_have_the_bounds_that_the_gateway_has(name: str) -> None:
    low, high = BOUNDS[name]
    for value, fits in ((low, True), (high, True), (low - 0.01 if low < 1 else low - 1, False), (high + 1, False)):
        row = {"kind": "openai", "action": "block", "on_error": "pass", name: value}
        theirs = {"moderators": [row | {"name": "m", "secret": "s"}]}
        assert answers(lambda given=row: parsed(moderators={"m": given}), Refusal) == fits, value
        assert answers(lambda given=theirs: Content.from_policy(given, Path(), secret=str), ContentError) == fits, value


def answers(ask: Callable[[], object], refused: type[Exception]) -> bool:
    try:
        ask()
    except refused:
        return False
    return True


VALUES = {
    "action": ["block", "mask", "log", "drop", None],
    "on_error": ["block", "pass", "maybe", None],
    "on": [["input"], ["output", "input"], [], ["both"], None],
    "separators": ["guarded", "any", "none", "some", None],
    "leet": [True, False, "yes", None],
    "words": [["x"], ["x", "代开发票"], [], ["!"], None],
    "keys": [["*"], ["a", "b*"], [""], None],
    "output": ["batches", "end", "never", None],
    "review": ["block", "log", "pass", None],
    "kind": ["openai", "baidu", "nobody", None],
    "colour": ["red", None],
}
"""Good and bad values of each key; None leaves the key out."""


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({key: st.sampled_from(values) for key, values in VALUES.items()}), st.booleans())
def test_whatever_content_a_plan_takes_the_gateway_takes(row: dict[str, Any], is_list: bool) -> None:
    keys = ("action", "on", "keys", "colour", *(("separators", "leet", "words") if is_list else ()))
    keys += () if is_list else ("on_error", "output", "review", "kind")
    given_row = {key: row[key] for key in keys if row[key] is not None}
    try:
        role = content_role(parsed(**{"lists" if is_list else "moderators": {"part": given_row}}), [])
    except Refusal:
        return
    assert role is not None
    Content.from_policy(dict(role.document), Path(), secret=str)


def moderator(kind: str, **more: Any) -> dict[str, Any]:
    options = {"yidun": {"business_id": "b1"}, "hook": {"entry": "mine:make"}}
    row = {"kind": kind, "action": "block", "on_error": "block", "options": options.get(kind, {})}
    return row | ({"file": "mine.py"} if kind == "hook" else {}) | more


def named(row: dict[str, Any], *upstreams: Upstream) -> dict[str, str]:
    """The secrets of one moderator, as the policy on the node names them."""
    role = content_role(parsed(moderators={"m": row}), upstreams)
    assert role is not None
    (found,) = role.document["moderators"]
    return {field: found[field] for field in ("secret_id", "secret") if field in found}


@pytest.mark.parametrize("kind", ["yidun", "baidu", "aliyun", "tencent"])
def test_a_moderators_secrets_are_its_kinds_own_where_none_are_named(kind: str) -> None:
    found = named(moderator(kind))
    assert found == {"secret_id": f"moderation_{kind}_id", "secret": f"moderation_{kind}_key"}
    platform = {"server": {"content": {"moderators": {"m": moderator(kind)}}}}
    assert spec.secret_keys_of(platform) == [f"{kind}ModerationId", f"{kind}ModerationKey"]
    assert set(found.values()) <= set(spec.MODERATOR_SECRETS)


def test_openais_moderator_takes_the_upstreams_key_where_there_is_one_and_its_own_elsewhere() -> None:
    assert named(moderator("openai"), OPENAI) == {"secret": "upstream_openai"}
    assert named(moderator("openai"), PROXY) == {"secret": "moderation_openai_key"}
    content = {"moderators": {"m": moderator("openai")}}
    there = {"proxy": {"upstreams": {"openai": {"models": ["m"]}}, "content": content}}
    assert spec.secret_keys_of(there) == ["openaiApiKey"]
    assert spec.secret_keys_of({"server": {"content": content}}) == ["openaiModerationKey"]


def test_a_hook_gets_a_secret_only_where_it_names_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def make(options, secret): ...\n")
    assert named(moderator("hook")) == {}
    row = moderator("hook", secret="moderation_hook_key")
    assert named(row) == {"secret": "moderation_hook_key"}
    assert spec.secret_keys_of({"server": {"content": {"moderators": {"m": row}}}}) == ["hookModerationKey"]


def test_a_misspelt_secret_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(Refusal) as refused:
        named(moderator("yidun", secret="moderation_yidn_key"))
    assert codes(refused) == ["content.unknown-secret"]
    assert "did you mean moderation_yidun_key" in refused.value.findings[0].hint


@pytest.mark.parametrize(
    "wrong", [None, 3, "x", [], {"m": 3}, {"m": {"kind": []}}, {"m": {"kind": "yidun", "secret": 3}}]
)
def test_moderators_that_make_no_sense_do_not_keep_other_secrets_from_being_named(wrong: Any) -> None:
    platform = {
        "server": {"content": {"moderators": wrong}},
        "proxy": {"upstreams": {"groq": {}}, "content": {"moderators": {"b": {"kind": "baidu"}}}},
    }
    assert {"groqApiKey", "baiduModerationId", "baiduModerationKey"} <= set(spec.secret_keys_of(platform))


@pytest.mark.parametrize(
    ("row", "hint"),
    [
        (moderator("yidun", options={}), "business_id"),
        (moderator("hook", options={}), "entry"),
        (moderator("hook", file=None), "file: mine.py"),
        (moderator("baidu", file="mine.py"), "file: mine.py"),
        (moderator("hook", file="my-own.py"), "mine.py"),
        (moderator("hook", file="mine.txt"), "mine.py"),
        (moderator("hook", file="sub/other.py"), "entry: other:make"),
        (moderator("aliyun", options={"regoin": "cn-beijing"}), "did you mean region?"),
        (moderator("baidu", options={"region": "cn"}), "there are: url"),
    ],
)
def test_options_that_the_kind_does_not_take_are_refused_before_anything_is_made(
    row: dict[str, Any], hint: str
) -> None:
    with pytest.raises(Refusal) as refused:
        parsed(moderators={"m": row})
    assert codes(refused) == ["spec.bad-moderator"]
    assert hint in refused.value.findings[0].hint


@pytest.mark.parametrize("kind", ["openai", "yidun", "baidu", "aliyun", "tencent"])
def test_the_options_and_secrets_that_the_spec_knows_are_those_that_the_gateway_reads(kind: str) -> None:
    from llm_gate.content import ContentError

    from pulumi_llm.spec.moderation import NEEDED

    fit: dict[str, Any] = {"url": "https://a.example", "endpoint": "https://a.example", "thresholds": {"violence": 0.5}}
    row = moderator(kind, options={each: fit.get(each, "x") for each in spec.MODERATORS[kind].options or ()})
    role = content_role(parsed(moderators={"m": row}), [])
    assert role is not None
    asked: list[str] = []
    Content.from_policy(dict(role.document), Path(), secret=lambda name: asked.append(name) or name)
    assert len(asked) == len(NEEDED[kind])
    (made,) = role.document["moderators"]
    for option in spec.MODERATORS[kind].options or ():
        more = {**made, "options": {**made["options"], option + "x": "y"}}
        with pytest.raises(ContentError, match="unknown options"):
            Content.from_policy({"moderators": [more]}, Path(), secret=str)


def test_a_hooks_file_goes_to_the_node_in_a_package_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("def make(options, secret): ...\n")
    row = moderator("hook", file="json.py", options={"entry": "json:make", "mine": 1})
    role = content_role(parsed(moderators={"m": row}), [])
    assert role is not None
    assert dict(role.hooks) == {"hooks/json.py": "def make(options, secret): ...\n"}
    assert role.document["moderators"][0]["options"] == {"entry": "hooks.json:make", "mine": 1}
    assert "file" not in role.document["moderators"][0]


@pytest.mark.parametrize("content", [None, b"def make(:\n", b"\xff\xfe", b"a\x00b"])
def test_a_hook_that_cannot_be_read_or_is_not_python_is_refused(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "mine.py").write_bytes(content)
    with pytest.raises(Refusal) as refused:
        content_role(parsed(moderators={"m": moderator("hook")}), [])
    assert codes(refused) == ["content.bad-hook"]
