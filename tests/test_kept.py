"""What is made of templates and code is kept as Python keeps that of modules, and what is made never depends on it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CODE = """
import json, sys
from jinja2 import environment
made = []
usual = environment.Environment.compile
environment.Environment.compile = lambda *args, **named: (made.append(1), usual(*args, **named))[1]
from pulumi_llm import _kept
from pulumi_llm.roles import files
filled = [files.filled(each, {"a": "1"}) for each in json.loads(sys.argv[1])]
print(json.dumps({"filled": filled, "compiled": len(made), "file": str(_kept._file())}))
"""
TEXTS = ["a {{ a }}\n", "{% if a == '1' %}\nyes\n{% endif %}\n", "{{ a | upper }}{{ a | cel }}"]
FILLED = ["a 1\n", "yes\n", "11"]


def fill(folder: Path, texts: list[str], **more: str) -> dict[str, Any]:
    """Texts filled in by a process whose compiled code lies in the folder."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder), **more}
    if "PYTHONDONTWRITEBYTECODE" not in more:
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", CODE, json.dumps(texts)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_a_template_is_compiled_once_for_all_processes(tmp_path: Path) -> None:
    first, second = fill(tmp_path, TEXTS), fill(tmp_path, [*TEXTS, "new"])
    assert (first["compiled"], second["compiled"]) == (3, 1)
    assert (first["filled"], second["filled"]) == (FILLED, [*FILLED, "new"])
    assert stat.S_IMODE(Path(first["file"]).stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("kept", [b"", b"not code", b"\xe3\x00", b"[", b"N"])
def test_a_file_that_says_nothing_is_as_none(tmp_path: Path, kept: bytes) -> None:
    file = Path(fill(tmp_path, [])["file"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(kept)
    assert fill(tmp_path, TEXTS)["filled"] == FILLED
    assert fill(tmp_path, TEXTS)["compiled"] == 0


def test_nothing_is_written_where_python_is_told_to_write_no_code(tmp_path: Path) -> None:
    for _ in range(2):
        assert fill(tmp_path, TEXTS, PYTHONDONTWRITEBYTECODE="1")["compiled"] == 3
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_costs_time_alone(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    assert fill(taken, TEXTS)["filled"] == FILLED


def test_what_is_kept_does_not_grow_for_ever(tmp_path: Path) -> None:
    fill(tmp_path, [f"number {each}" for each in range(420)])
    again = fill(tmp_path, ["number 419", "number 0"])
    assert again["compiled"] == 1
