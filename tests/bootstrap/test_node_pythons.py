"""The programs of a node run with the Python of its system: 3.10 on Ubuntu 22.04, whatever its environments have."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[2] / "templates"
PROGRAMS = sorted(
    [
        *TEMPLATES.glob("node/llm_node/*.py"),
        *TEMPLATES.glob("*/stages/*.py"),
        *(TEMPLATES / "vllm" / each for each in ("waits/llm_waits.py", "turns/take", "tie")),
    ]
)
NEWER = {
    *("file_digest", "UTC", "StrEnum", "TaskGroup", "timeout_at", "ExceptionGroup", "add_note"),
    *("tomllib", "Self", "assert_never", "batched", "override"),
}
"""What the standard library has since 3.11 or 3.12, and a program here could be written with."""


@pytest.mark.parametrize("program", PROGRAMS, ids=[str(each.relative_to(TEMPLATES)) for each in PROGRAMS])
def test_a_nodes_program_asks_for_nothing_that_python_3_10_has_not(program: Path) -> None:
    tree = ast.parse(program.read_text(), feature_version=(3, 10))
    named = {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
    for each in ast.walk(tree):
        if isinstance(each, ast.ImportFrom | ast.Import):
            named |= {name.name for name in each.names}
    assert not named & NEWER
