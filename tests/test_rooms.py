"""A module has one reason to exist, and fits in 400 lines."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST = 400
WRITTEN_BY_A_TOOL = {"components/pulumi_llm/_args.py"}


def test_a_module_of_the_program_fits_in_four_hundred_lines() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("bench", "components", "policy", "stacks", "templates", "tools")
        for path in (ROOT / folder).rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > MOST
    }
    assert found <= WRITTEN_BY_A_TOOL
