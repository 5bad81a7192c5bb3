"""The quick reader of plain YAML says what the whole reader says, or nothing."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import _composed_yaml, _engine_yaml, _plain_yaml
from tests.yaml_rows import READ, REFUSED

ROOT = Path(__file__).parents[1]
FILES = [*ROOT.glob("templates/*/role.yaml"), *ROOT.glob("stacks/*.yaml"), ROOT / "Pulumi.yaml"]
TEXTS = [path.read_text(encoding="utf-8") for path in FILES]
ODD = [*":-#'\"[]{},|>&*!?%@`~^.<=0a\\\t é\u2028\x85\ufeff", "\n", ": ", " #", "- ", "---\n", "...\n", "<<: ", "|-\n"]
ODD += ["''", '""', "{}", "[]", "null", "true", "1e3", "007", "2026-01-01", "a: b", "? ", "\r\n", "\n\n", "  ", "\n  "]


def whole(text: str) -> Any:
    """What the whole reader makes of a text, written so that 1, 1.0 and True differ; or that it takes it not."""
    try:
        return repr(_composed_yaml.load(text))
    except yaml.YAMLError:
        return "refused"


def agrees(text: str) -> bool:
    """Whether the quick reader read it, and holds that it is as the whole one says."""
    try:
        read = _plain_yaml.read(text)
    except _plain_yaml.NotPlainError:
        return False
    assert repr(read) == whole(text), text
    return True


@pytest.mark.parametrize("path", FILES, ids=str)
def test_what_is_shipped_is_read_quickly_and_rightly(path: Path) -> None:
    assert agrees(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("written", [row[0] for row in READ] + list(REFUSED))
def test_no_way_to_write_a_value_is_read_otherwise(written: str) -> None:
    for text in (f"a: {written}\n", f"a: {{b: {written}}}\n", f"a: [{written}]\n", f"- {written}", f"{written}: a\n"):
        agrees(text)


def changed(text: str, seed: int) -> str:
    """The text with a few letters, or lines, put in, taken out or doubled."""
    luck = random.Random(seed)
    for _ in range(luck.randint(1, 3)):
        at = luck.randrange(len(text) + 1)
        lines = text.split("\n")
        line = luck.randrange(len(lines))
        match luck.randrange(6):
            case 0 | 1:
                text = text[:at] + luck.choice(ODD) + text[at:]
            case 2:
                text = text[:at] + text[at + luck.randint(1, 3) :]
            case 3:
                lines[line] = " " * luck.randint(0, 6) + lines[line].lstrip(" ")
                text = "\n".join(lines)
            case 4:
                lines.insert(line, lines[luck.randrange(len(lines))])
                text = "\n".join(lines)
            case 5:
                text = "\n".join(lines[:line] + lines[line + 1 :])
    return text


@given(st.sampled_from(TEXTS), st.integers(0, 15), st.integers(0, 2**32))
def test_a_text_with_mistakes_in_it_is_read_as_the_whole_reader_reads_it_or_left_to_that(
    text: str, first: int, seed: int
) -> None:
    lines = text.split("\n")
    start = first % len(lines)
    agrees(changed("\n".join(lines[start : start + 12]), seed))


@given(st.lists(st.sampled_from([*ODD, "a", "b", "key: value\n", "  - x\n", "k:\n", " "]), max_size=12).map("".join))
def test_pieces_of_yaml_in_any_order_are_read_alike(text: str) -> None:
    agrees(text)


PLAIN = """
name: x   # a comment
# another
empty:
quoted: "a: 'b' # c"
single: '"'
url: http://x:1/y#z
flow: {a: 1, "b c": [x y, 'z', -1.5, {}], d: []}
list:
- one
- key: value
  more: [1, 2]
-  - not plain
"""


def test_what_is_plain_is_read_and_the_rest_is_not() -> None:
    assert not agrees(PLAIN)
    assert agrees(PLAIN.rpartition("-  -")[0])
    assert agrees("script: |-\n  a: b\n   # c\n\n  d\nnext: 1")
    assert agrees("# nothing\n\n")
    for text in (
        "a: &b c",
        "a: !!str 1",
        "a: b\n  c",
        "a: |\n  b",
        'a: "\\n"',
        "a: 1\na: 2",
        "a:\tb",
        "---\na: b",
        "a",
    ):
        assert not agrees(text), text


def test_what_is_nested_too_deeply_is_left_to_the_other_reader() -> None:
    assert not agrees("a: " + "[" * 60 + "]" * 60)
    assert not agrees("".join(f"{' ' * depth}a:\n" for depth in range(60)))
    with pytest.raises(yaml.YAMLError, match="deeply"):
        _engine_yaml.load("a: " + "[" * 5_000)


def test_a_stack_and_its_roles_are_read_without_the_parsers_import() -> None:
    script = """
import sys
from pathlib import Path
from pulumi_llm import roles
from pulumi_llm._plan import project
found = project.find(Path(sys.argv[1]))
project.read_stack(found, "aliyun-t4")
assert roles.built_in()
assert "yaml" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script, str(ROOT)], check=True)
