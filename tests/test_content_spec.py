"""Content safety in the spec, and what of it reaches the node: the policy is one that the gateway reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import spec
from pulumi_llm._gateway import content_role
from pulumi_llm.bootstrap import GatewayRole, gateway
from pulumi_llm.bootstrap.files import templates
from pulumi_llm.errors import Refusal

sys.path.insert(0, str(templates() / "gateway"))

from llm_gate.content import Content

LIST = {"action": "mask", "words": ["代开发票"]}
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
    role = content_role(parsed(lists=lists, moderators={"openai": MODERATOR}), {"upstream_openai"})
    whole = GatewayRole(https_port=443, blocked_words=("project-x",), content=role)
    for name, text in gateway.word_files(whole).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    config = json.loads(gateway.policy(whole))["content"]
    content = Content.from_policy(config, tmp_path, secret={"upstream_openai": "sk-x"}.__getitem__)
    assert content.sizes == {"blocked_words": 1, "names": 1, "adverts": 2}
    assert [each.config.name for each in content.remotes("input", "k", "m")] == ["openai"]


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
        content_role(parsed(lists=lists, moderators={"m": MODERATOR}), {"upstream_proxy"})
    assert sorted(codes(refused)) == [
        "content.bad-word-file",
        "content.bad-word-file",
        "content.no-word-file",
        "content.unknown-secret",
    ]
    assert "秘密" not in str(refused.value)
