"""Whatever is said to people is a template with values: nothing is put together out of pieces of English."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import pulumi_llm
from pulumi_llm import _language as language
from pulumi_llm._texts import Text
from tests import sources
from tests.texts.english import CHINESE, english_in
from tests.texts.test_catalogue import TOOL, TOP

SOURCE = Path(pulumi_llm.__file__).parent
SAYS = {"Finding": 1, "Breach": 1, "UnknownName": 1, "invalid": 1, "UsageError": 0, "ArgumentTypeError": 0, "unfit": 0}
"""Functions, with the place from which on their arguments are what is said."""
KEYWORDS = ("message", "hint")
PHRASE = re.compile(r"(?<![\w/.`'-])[a-z]{2,},? [a-z]{2,}(?![\w/.:(=-])|^(?:an?|the|no) ")
TYPED = re.compile(r"`[^`]*`|apt-get [^']*|pip [^']*|^pulumi [^']*|^openai, anthropic$")
"""What is typed into a shell, and said so."""


def modules() -> Iterator[Path]:
    for path in sorted(SOURCE.rglob("*.py")):
        if path.parent.name not in ("rules", "lookups"):  # the simulated clouds speak as the clouds do
            yield path


def said(nodes: Iterable[ast.AST]) -> Iterator[ast.expr]:
    for node in nodes:
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SAYS:
                yield from node.args[SAYS[name] : SAYS[name] + (1 if name == "UnknownName" else 2)]
            if name in SAYS or name == "replace":
                yield from (each.value for each in node.keywords if each.arg in KEYWORDS)


def english(node: ast.expr) -> str:
    """What a literal, an f-string or a sum of them holds of English; "" for anything else."""
    if isinstance(node, ast.Constant):
        return str(node.value) if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(english(each) if isinstance(each, ast.Constant) else "X" for each in node.values)
    if isinstance(node, ast.BinOp):
        return english(node.left) + english(node.right)
    return english(node.body) + english(node.orelse) if isinstance(node, ast.IfExp) else ""


@pytest.mark.parametrize("path", list(modules()), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_message_is_a_template_with_values(path: Path) -> None:
    found = [
        f"line {node.lineno}: {text}"
        for node in said(sources.nodes(path))
        if PHRASE.search(TYPED.sub("", text := english(node)))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code", ['Finding("a.b", f"there is no {x}")', 'UsageError("no such " + x)', 'replace(f, hint="leave it out")']
)
def test_a_message_that_is_put_together_is_found(code: str) -> None:
    assert any(PHRASE.search(english(node)) for node in said(ast.walk(ast.parse(code))))


def test_nothing_hides_the_mark() -> None:
    """A variable called ``_`` would be called in the mark's place."""
    hiding = []
    for path in modules():
        marks = any(
            isinstance(node, ast.ImportFrom) and any(each.name == "_" and each.asname is None for each in node.names)
            for node in sources.tree(path).body
        )
        for node in sources.nodes(path) if marks else ():
            if isinstance(node, ast.Name) and node.id == "_" and isinstance(node.ctx, ast.Store):
                hiding.append(f"{path.name}:{node.lineno}")
    assert hiding == []


def sample(template: str) -> Text:
    """A text with some value in each place: a number where it is written as one."""
    if any(each.startswith("MODEL") for each in TOOL.fields(template)):  # braces that are meant
        return Text(template)
    rows = list(string.Formatter().parse(template)) if TOOL.fields(template) else []
    values: dict[str, object] = {
        name: 1 if form and "d" in form else 1.5 if form else "X1" for _, name, form, _ in rows if name
    }
    return Text(template, values)


BY_MODULE: dict[str, list[str]] = {}
for _text, _files in TOOL.extract().items():
    for _file in _files:
        if TOOL.CONTEXT not in _text and _file != "argparse":
            BY_MODULE.setdefault(_file, []).append(_text)


@pytest.mark.parametrize("file", sorted(BY_MODULE))
def test_what_a_module_says_is_told_in_chinese(file: str) -> None:
    assert (TOP / file).is_file()
    for text in BY_MODULE[file]:
        english_text = sample(text)
        told = language.told(english_text, "zh")
        assert language.told(english_text, "en") == str(english_text)
        assert english_in(told) == [], text
        if PHRASE.search(TYPED.sub("", re.sub(r"\{[^{}]*\}|\[[^\]]*\]", "", text))):
            assert CHINESE.search(told), text
