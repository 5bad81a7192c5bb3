"""The archive alone: what fails on the way ends, and is told."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.node_library import laid_out


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The node's own code, with a program for age that passes all on."""
    lib = laid_out(tmp_path / "lib", "backup")
    age = tmp_path / "age"
    age.write_text("#!/bin/sh\nexec cat\n")
    age.chmod(age.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "data").mkdir()
    (tmp_path / "parts").mkdir()
    (tmp_path / "data/vectors").write_bytes(bytes(2**22))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def run(change: str) -> subprocess.CompletedProcess[str]:
        code = (
            f"import sys; sys.path.insert(0, {str(lib)!r})\nfrom pathlib import Path\n"
            f"from llm_node import backup_archive\n{change}\nfolder = Path({str(tmp_path)!r})\n"
            "print(len(backup_archive.pack([folder / 'data'], folder / 'parts')))"
        )
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)

    return run


def test_a_folder_is_packed(archive: Any) -> None:
    assert archive("").stdout == "1\n"


def test_a_disk_that_fills_up_ends_the_work(archive: Any) -> None:
    done = archive(
        "def full(stream, parts):\n stream.read(1)\n raise OSError(28, 'No space left on device')\n yield\n"
        "backup_archive.written = full"
    )
    assert "No space left on device" in done.stderr


def test_whatever_goes_wrong_while_it_reads_is_no_whole_archive(archive: Any) -> None:
    done = archive("def wrong(entry): raise KeyError('gone')\nbackup_archive.nobodys = wrong")
    assert "backup.encryption-failed" in done.stderr
    assert done.stdout == ""
