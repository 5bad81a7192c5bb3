"""A rehearsal that is interrupted or ended leaves no process and no folder behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

INSIDE = """\
import sys, tempfile, time
from pulumi_llm._rehearsal import alone
with alone.interruptible(), tempfile.TemporaryDirectory(dir=sys.argv[3]):
    print("begun", flush=True)
    time.sleep(60)
"""
OUTSIDE = """\
import sys
from pulumi_llm._rehearsal import alone
alone.ALONE = ("env",)
sys.executable = sys.argv[1]
sys.exit(alone.again([sys.argv[2]]))
"""
RUNS = """\
import os, sys
from pathlib import Path
from pulumi_llm._rehearsal import alone
from pulumi_llm._rehearsal.calls import Record
from pulumi_llm._rehearsal.phases import Runner
from pulumi_llm._simcloud.engine import Engine
program = Path(sys.argv[1])
with alone.interruptible():
    Runner(Engine(program, program, "3.259.0", "here"), os.environ, program.parent, "dev", Record()).run("up", "up")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_what_runs_without_a_network_ends_with_the_command_and_takes_its_folder_along(
    tmp_path: Path, number: signal.Signals
) -> None:
    kept, inside = tmp_path / "kept", tmp_path / "inside.py"
    kept.mkdir()
    inside.write_text(f"#!{sys.executable}\n{INSIDE}")
    inside.chmod(0o755)
    running = subprocess.Popen(
        [sys.executable, "-c", OUTSIDE, str(inside), str(kept)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        assert len(list(kept.iterdir())) == 1
        if number == signal.SIGINT:  # from a keyboard it reaches both
            os.killpg(running.pid, number)
        else:
            running.send_signal(number)
        assert running.wait(timeout=20) != 0
        assert running.stdout.read() == ""  # nobody has it open any more
    assert not list(kept.iterdir())


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As under `nohup`."""
    ignoring = ["sh", "-c", "trap '' HUP && exec \"$@\"", "sh", sys.executable, "-c", INSIDE, "", "", str(tmp_path)]
    with subprocess.Popen(ignoring, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert running.poll() is None
        running.terminate()
    assert not list(tmp_path.iterdir())


def test_an_engine_is_asked_to_end_and_not_only_killed(tmp_path: Path) -> None:
    program, ended = tmp_path / "pulumi", tmp_path / "ended"
    program.write_text(f"#!/bin/sh\ntrap 'touch {ended}; exit 1' TERM\ntouch began\nwhile :; do sleep 0.1; done\n")
    program.chmod(0o755)
    with subprocess.Popen([sys.executable, "-c", RUNS, str(program)], stderr=subprocess.DEVNULL) as running:
        while not (tmp_path / "began").exists():
            assert running.poll() is None
            time.sleep(0.02)
        running.terminate()
        assert running.wait(timeout=20) != 0
    assert ended.exists()
