"""Findings in Chinese: what the spec, the fit check, the catalogue and the components say is translated wholly.

All of it is asked of the code itself, with the inputs of ``refusals``; every row of the translation is used by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

import pulumi_llm
from pulumi_llm.review.translation import DATA, Row, Translator
from tests.review import refusals
from tests.review.test_translation import CHINESE, chinese

SOURCE = Path(pulumi_llm.__file__).parent
FAMILIES = (
    *("fit", "spec", "placement", "preflight", "catalog", "cloud", "bootstrap", "gateway", "content"),
    *("secret", "stack", "project", "policy", "plan", "diff"),
)
"""What the codes begin with of everything that a comment can hold."""
QUOTED = {
    "bootstrap.user-data-too-big": "the source of the limit",
    "content.bad-hook": "Python",
    "content.no-word-file": "the system",
    "diff.preview-failed": "the engine",
    "plan.provider-refused": "the provider",
    "policy.unreadable": "PyYAML",
    "project.not-yaml": "PyYAML",
    "project.unreadable": "the system",
}
"""Codes whose messages end, after a colon, with somebody else's words, which stay as they are."""
UNREACHED = {
    "bootstrap.unknown-cloud": "the spec looks for the cloud first: spec.unknown-cloud",
    "catalog.unknown-cloud": "the spec looks for the cloud first: spec.unknown-cloud",
    "catalog.unknown-image": "every cloud has an image for each kind of processor that the catalogue holds machines of",
    "catalog.unknown-model": "told as fit.unknown-model",
    "cloud.unknown": "the spec looks for the cloud first: spec.unknown-cloud",
}
"""Codes that no stack's input leads to."""
WORDS = re.compile(
    r"\b(the|an?|is|are|was|and|or|not|no|of|to|has|have|needs?|there|this|which|that|it|its|in|on|for|with|by|from|at|"
    r"did|you|mean|known|one|give|leave|asked|per|Input|should|must|be|overridden)\b",
    re.ASCII,
)
"""Words that every English sentence holds some of."""
PHRASE = re.compile(r"(?<![\w/.:-])[a-z]{2,} [a-z]{2,}(?![\w/.:(=-])", re.ASCII)
"""Two words in a row, none of them a name."""
NAMES = re.compile(r"`[^`]*`|'[^']*'|\[[^\]]*\]|--[\w-]+|\w+(?:[-./:_]+\w+)+|user data", re.ASCII)
"""What stays as it is: what is quoted, typed into a shell or written into a file; one term of the field."""


def english_in(text: str) -> list[str]:
    """What is left of English in a translation."""
    plain = NAMES.sub("·", text)
    return [each.group() for pattern in (WORDS, PHRASE) for each in pattern.finditer(plain)]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_said_of_bad_input_is_translated_wholly(family: str) -> None:
    found = [each for each in refusals.findings() if each.code.startswith(f"{family}.")]
    assert found
    for each in found:
        told = chinese().finding(each)
        message = told.message.partition("：")[0] if each.code in QUOTED else told.message
        assert CHINESE.search(message), each
        assert not english_in(message), (english_in(message), told.message)
        assert not english_in(told.hint), (english_in(told.hint), told.hint)


@pytest.mark.parametrize(
    "text", ["not", "a GPU with 8.0", "max_num_seqs: 32; or gpu_count: 2", "其中 leave room", "注意力attention width 9"]
)
def test_english_is_found_where_it_is_left(text: str) -> None:
    assert english_in(text)


def test_no_number_is_lost() -> None:
    for each in refusals.findings():
        told = chinese().finding(each)
        for before, after in ((each.message, told.message), (each.hint, told.hint)):
            numbers = re.findall(r"\d+(?:[.,]\d+)*", before)
            assert set(numbers) <= set(re.findall(r"\d+(?:[.,]\d+)*", after)), (before, after)


# -- no row is dead


@dataclass
class Seen:
    """A row's pattern, and whether it has matched."""

    pattern: re.Pattern[str]
    used: bool = False

    def fullmatch(self, text: str) -> re.Match[str] | None:
        match = self.pattern.fullmatch(text)
        self.used = self.used or match is not None
        return match


def watched(rows: Iterable[Row]) -> list[Row]:
    return [Row(each.english, cast("re.Pattern[str]", Seen(each.pattern)), each.translation) for each in rows]


def test_every_row_is_used_by_something_that_is_said() -> None:
    own = chinese()
    messages = {code: watched(rows) for code, rows in own.messages.items()}
    zh = Translator(messages, watched(own.anywhere), watched(own.hints), watched(own.parts))
    for each in refusals.findings():
        zh.finding(each)
    content = json.loads((DATA / "refusals.zh.json").read_text(encoding="utf-8"))
    for code, rows in content["messages"].items():
        assert [english for english, _ in rows if english not in live(messages[code])] == [], code
    assert [english for english, _ in content["anywhere"] if english not in live(zh.anywhere)] == []
    assert [english for english, _ in content["hints"] if english not in live(zh.hints)] == []
    assert [english for english, _ in content["parts"] if english not in live(zh.parts)] == []


def live(rows: Iterable[Row]) -> set[str]:
    return {each.english for each in rows if cast("Seen", each.pattern).used}


# -- nothing that can be said was left out of the tables

MODULES = (
    *("preflight", "spec", "_component.py", "_gateway.py", "_secrets.py", "stack.py", "platform.py", "network.py"),
    *("model_server.py", "overseas_proxy.py", "vector_store.py", "catalog/catalog.py", "catalog/names.py"),
    *("catalog/__init__.py", "clouds", "bootstrap/gateway.py", "bootstrap/units.py", "bootstrap/user_data.py"),
)


def files() -> Iterator[Path]:
    for each in MODULES:
        path = SOURCE / each
        yield from sorted(path.glob("*.py")) if path.is_dir() else [path]


def test_every_code_is_met() -> None:
    code = re.compile(rf'"((?:{"|".join(FAMILIES)})\.[a-z-]+)"')
    known = {each for file in files() for each in code.findall(file.read_text(encoding="utf-8"))}
    met = {each.code for each in refusals.findings()}
    assert known - met == set(UNREACHED)
    assert set(QUOTED) <= met
