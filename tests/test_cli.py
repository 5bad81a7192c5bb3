"""The command itself: outputs that cannot be written are told or kept quiet about, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "pulumi_llm.cli"]
SAYS_MUCH = ["offers", "--all", "--json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [["--help"], SAYS_MUCH])
def test_a_full_disk_is_told_in_one_line(arguments: list[str]) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "pulumi-llm: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("arguments", [["--help"], SAYS_MUCH])
def test_a_reader_that_has_gone_is_no_traceback(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([*COMMAND, *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_closed_output_changes_no_verdict() -> None:
    check = [*COMMAND, "check", "Qwen/Qwen2.5-7B-Instruct", "--gpu", "T4"]
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *check], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_letters_that_the_terminal_lacks_are_escaped() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*COMMAND, "check", "Qwen/Qwen2.5-7B-Instruct", "--gpu", "T4", "--dtype", "bfloat16"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "\\u2026" in done.stdout
