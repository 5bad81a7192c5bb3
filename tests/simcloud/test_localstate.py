from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pulumi_llm._simcloud import localstate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def lock(state: Path, pid: int, host: str | None = None) -> None:
    folder = state / ".pulumi" / "locks" / "organization" / "shop" / "dev"
    folder.mkdir(parents=True, exist_ok=True)
    entry = {
        "pid": pid,
        "username": "me",
        "hostname": host or socket.gethostname(),
        "timestamp": "2026-11-24T02:01:53Z",
    }
    (folder / f"{pid}.json").write_text(json.dumps(entry))


def stale(state: Path) -> list[bool]:
    return [each.is_stale for each in localstate.locks(state, "shop", "dev")]


@pytest.fixture
def engine_process() -> Iterator[int]:
    """A running process that has `pulumi` in its command line."""
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", "pulumi"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running.pid
        running.kill()


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as done:
        done.wait()
    return done.pid


def test_a_stack_without_locks_has_none(tmp_path: Path) -> None:
    assert localstate.locks(tmp_path, "shop", "dev") == []


def test_a_lock_is_stale_when_its_process_is_gone(tmp_path: Path) -> None:
    lock(tmp_path, dead_pid())
    assert stale(tmp_path) == [True]


def test_a_lock_of_a_running_engine_is_not_stale(tmp_path: Path, engine_process: int) -> None:
    lock(tmp_path, engine_process)
    assert stale(tmp_path) == [False]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="only /proc tells what a process is")  # noqa: PTH112
def test_a_lock_is_stale_when_its_number_now_belongs_to_another_program(tmp_path: Path) -> None:
    waits = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", waits], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()  # only then does /proc surely know its command line
        lock(tmp_path, other.pid)
        found = stale(tmp_path)
        other.kill()
    assert found == [True]


def test_a_lock_is_stale_when_its_process_is_only_a_zombie(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pulumi = 1"], stdout=subprocess.PIPE) as done:
        assert done.stdout is not None
        done.stdout.read()  # ends when the process does; nobody has waited for it yet
        os.waitid(os.P_PID, done.pid, os.WEXITED | os.WNOWAIT)
        lock(tmp_path, done.pid)
        assert stale(tmp_path) == [True]


def test_a_lock_of_another_machine_is_never_called_stale(tmp_path: Path) -> None:
    lock(tmp_path, dead_pid(), host="elsewhere")
    assert stale(tmp_path) == [False]


def test_a_lock_that_cannot_be_read_is_left_to_the_engine(tmp_path: Path) -> None:
    lock(tmp_path, 1)
    (tmp_path / ".pulumi/locks/organization/shop/dev/1.json").write_text("{")
    assert localstate.locks(tmp_path, "shop", "dev") == []


def checkpoint(state: Path, latest: object, name: str = "dev.json") -> None:
    folder = state / ".pulumi" / "stacks" / "shop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))


@pytest.mark.parametrize("name", ["dev.json", "dev.json.gz"])
def test_a_stack_is_known_once_it_has_a_checkpoint(tmp_path: Path, name: str) -> None:
    assert not localstate.has_stack(tmp_path, "shop", "dev")
    checkpoint(tmp_path, None, name)
    assert localstate.has_stack(tmp_path, "shop", "dev")


def test_pending_operations_are_read_with_their_kind(tmp_path: Path) -> None:
    urn = "urn:pulumi:dev::shop::aws:ec2/vpc:Vpc::net"
    checkpoint(tmp_path, {"pending_operations": [{"type": "creating", "resource": {"urn": urn}}]})
    assert localstate.pending_operations(tmp_path, "shop", "dev") == [("creating", urn)]


@pytest.mark.parametrize("latest", [None, {}, {"pending_operations": None}, {"pending_operations": [{}]}])
def test_a_checkpoint_without_pending_operations_has_none(tmp_path: Path, latest: object) -> None:
    checkpoint(tmp_path, latest)
    assert localstate.pending_operations(tmp_path, "shop", "dev") == []
