"""Findings in Chinese: everything that the policy can say is translated, and nothing is lost."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_llm.errors import Finding
from pulumi_llm.review import policy
from pulumi_llm.review.policy_table import policy_table
from pulumi_llm.review.translation import DATA, Translator, translator

REVIEW = DATA.parent
CHINESE = re.compile(r"[\u4e00-\u9fff]")
SAMPLES = {
    "_port(rule, opening)": "port 443",
    "kind": "an API key",
    "opening.note": "",
    "note": "",
    "prices": "1 price is",
}
"""What stands in a placeholder of a message, by its expression; the rest is any word."""


def chinese() -> Translator:
    found = translator("zh")
    assert found is not None
    return found


def texts() -> Iterator[tuple[str, str]]:
    """Every message and hint that the policy's modules write out, with samples in the placeholders."""
    for path in sorted(REVIEW.glob("policy*.py")):
        if path.stem in ("policy_pack", "policy_settings", "policy_table"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Breach", "Finding"):
                values = node.args[1:3]
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("message", "what"):
                values = [node.value]
            elif isinstance(node, ast.FunctionDef) and node.name == "_message":
                values = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
            for value in values:
                text = _sample(value)
                if len(text.split()) > 2:
                    yield path.stem, text


def _sample(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    return "".join(str(each.value) if isinstance(each, ast.Constant) else _placed(each) for each in node.values)


def _placed(node: ast.expr) -> str:
    assert isinstance(node, ast.FormattedValue)
    source = ast.unparse(node.value)
    if source in ("others", "said", "least", "until") or source.startswith("'s' *"):
        return ""
    return SAMPLES.get(source, "X1")


@pytest.mark.parametrize(("module", "text"), list(texts()))
def test_what_a_rule_says_is_translated(module: str, text: str) -> None:
    if text.startswith("tags: {"):
        return  # as it is written
    zh = chinese()
    told = {zh.message(code, text) for code in zh.messages} | {zh.hint(text)}
    assert any(CHINESE.search(each) for each in told), f"{module}: {text}"


def test_what_the_table_demands_is_translated() -> None:
    zh, table = chinese(), policy_table()
    for demand in table.demands:
        sentence = f"{demand.what} {table.faults[demand.code]}"
        told = zh.message(demand.code, sentence)
        unsaid = zh.message(demand.code, f"{sentence} (it is not said, and that is the default)")
        undecided = zh.message(demand.code, f"whether {sentence} is not in the plan")
        for text in (told, unsaid, undecided):
            assert CHINESE.search(text), sentence
            assert not re.search(r"\b(the|is|and|not)\b", text), text
        assert not re.search(r", (or|and) ", zh.hint(demand.set)), demand.set
    for row in table.cannot:
        assert CHINESE.search(zh.message("policy.cannot-be-had", row["message"]))
        assert CHINESE.search(zh.hint(row["hint"]))
    for opening in table.openings.values():
        assert not opening.note or CHINESE.search(zh.part(opening.note)), opening.note
    for kind in table.secrets["forms"]:
        assert zh.part(kind) != kind


def test_every_rule_has_its_texts() -> None:
    assert set(policy.RULES) <= set(chinese().messages)


@pytest.mark.parametrize("file", sorted(DATA.glob("*.zh.json")), ids=lambda file: file.stem)
def test_both_sides_of_a_row_have_the_same_names(file: Path) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    rows = [row for key in ("parts", "hints", "anywhere") for row in content[key]]
    rows += [row for each in content["messages"].values() for row in each]
    for english, translation in rows:
        assert sorted(re.findall(r"\{(\w+)\}", english)) == sorted(re.findall(r"\{(\w+)\}", translation)), english


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (
            "policy.open-to-world",
            "port 8000 is open to the whole internet (0.0.0.0/0)",
            "对整个互联网开放：端口 8000（0.0.0.0/0）",
        ),
        (
            "policy.disk-not-protected",
            (
                "nothing keeps a change, or `destroy`, from deleting the disk with its data "
                "(excepted, until 2027-03-31: SEC-12)"
            ),
            "没有什么能阻止某次变更或 `destroy` 连数据一起删除这块盘（例外，到 2027-03-31 为止：SEC-12）",
        ),
        ("policy.plain-secret", "an API key is in plain text", "明文：API 密钥"),
        ("secret.missing", "openaiApiKey is not set; `up` needs it", "没有设置 openaiApiKey，`up` 需要它"),
        ("fit.weights-exceed-vram", "a text that nobody translated", "a text that nobody translated"),
        (
            "diff.base-refused",
            "the program at main refuses (spec.unknown-key: there is no key 'gpuu' here): all of it is shown as new",
            "main 的程序拒绝执行（spec.unknown-key: 这里没有键 'gpuu'）：全部按新建显示",
        ),
        (
            "fit.model-refuses-fp16",
            "overridden: google/gemma-2-9b-it is numerically unstable in float16, and vLLM 0.32.0 refuses it",
            "已用 override 忽略：google/gemma-2-9b-it 在 float16 下数值不稳定，vLLM 0.32.0 拒绝这样运行",
        ),
    ],
)
def test_a_message_keeps_its_names_and_numbers(code: str, message: str, expected: str) -> None:
    assert chinese().finding(Finding(code, message)).message == expected


def test_there_is_nothing_to_translate_into_english() -> None:
    assert translator("en") is None
    assert Path(DATA / "findings.zh.json").is_file()
