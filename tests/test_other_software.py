"""What is said of software that others make: what happens and where it is published, never the input that does it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
OTHERS = re.compile(
    r"litellm|openai[-_ ]forward|one-api|new-api|gpustack|kaito|skypilot|gpuhunt|vllm|weaviate|caddy|aiohttp|pyyaml"
    r"|cloud-init|dockerd?\b|systemd|pulumi/pulumi",
    re.IGNORECASE,
)
WEAKNESS = re.compile(
    r"way past|ways past|\bholes?\b|\bleaks?\b|_leaks?_|_holes?_|bypass|exploit|passes anything|got around|"
    r"segfault|denial of service|without its key",
    re.IGNORECASE,
)
"""Words of somebody who tells how a guard is passed, not that it was."""


def told(text: str) -> list[str]:
    """The lines that tell a weakness of others by more than the place where it is published."""
    lines = [line for line in text.splitlines() if OTHERS.search(line) and WEAKNESS.search(line)]
    return [line for line in lines if not re.search(r"#\d{2,}|CVE-\d{4}-\d+|GHSA-", line)]


def test_no_text_tells_how_another_programs_guard_is_passed() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    own = Path(__file__).relative_to(ROOT).as_posix()
    kept = (".md", ".py", ".json", ".yaml", ".yml", ".txt", ".sh")
    names = [each for each in listed.split("\0") if each.endswith(kept) and each != own and (ROOT / each).is_file()]
    assert len(names) > 300
    found = {name: told((ROOT / name).read_text(encoding="utf-8")) for name in names}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_weakness_is_told_by_the_place_where_it_is_published() -> None:
    assert told("LiteLLM's way past: such a path")
    assert told("def test_litellms_leaks_are_closed():")
    assert not told("LiteLLM: a limit can be overrun, BerriAI/litellm#4829")
    assert not told("Weaviate: its key check has a hole, CVE-2026-11500")
