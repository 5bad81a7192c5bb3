"""The supervisor of a container, run for real: its text as it is sent, with folders of the test's own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pulumi_llm.clouds.ssh.program import supervisor

PATIENCE = 30.0


class Box:
    """A folder in the place of a container's root, and the supervisor in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.units = folder, folder / "units"
        for name in ("units", "log", "run"):
            (folder / name).mkdir()
        text = supervisor()
        # A socket's path has little room, and pytest's folders have long names.
        self.socket = f"/tmp/llm-supervisor-{os.getpid()}.sock"
        for old, new in (
            ("/etc/systemd/system", str(self.units)),
            ("/var/log/llm", str(folder / "log")),
            ("/run/llm-supervisor.sock", self.socket),
            ("/opt/llm/container/enabled", str(folder / "enabled")),
        ):
            assert old in text
            text = text.replace(old, new)
        self.program = folder / "supervisor.py"
        self.program.write_text(text)
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.running = subprocess.Popen([sys.executable, "-I", str(self.program), "serve"])
        self.until(lambda: self.say("systemctl", "show", "llm-x.service")[0] == 0)

    def end(self) -> None:
        if self.running is not None:
            self.running.terminate()
            self.running.wait(PATIENCE)

    def unit(self, name: str, text: str) -> None:
        (self.units / f"llm-{name}").write_text(text)

    def say(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-I", str(self.program), *words], capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout.strip()

    def state(self, name: str) -> str:
        return self.say("systemctl", "is-active", f"llm-{name}")[1]

    def shown(self, name: str, key: str) -> str:
        return self.say("systemctl", "show", f"llm-{name}", f"--property={key}", "--value")[1]

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, [each.read_text() for each in (self.folder / "log").glob("*")]
            time.sleep(0.05)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.end()


def stage(after: str = "", does: str = "true") -> str:
    needs = f"Requires={after}\nAfter=network-online.target {after}\n" if after else ""
    return f'[Unit]\n{needs}[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "{does}"\n'


def service(does: str, *more: str) -> str:
    return "\n".join(["[Service]", f'ExecStart=/bin/sh -c "{does}"', *more, ""])


def test_a_stage_waits_for_those_that_it_needs_and_brings_them_along(box: Box) -> None:
    notes = box.folder / "notes"
    box.unit("one.service", stage(does=f"sleep 0.5; echo one >> {notes}"))
    box.unit("two.service", stage("llm-one.service", f"echo two >> {notes}"))
    assert box.say("systemctl", "start", "llm-two.service")[0] == 0
    assert notes.read_text() == "one\ntwo\n"
    assert [box.state("one.service"), box.state("two.service")] == ["active", "active"]
    assert box.say("systemctl", "start", "llm-two.service")[0] == 0
    assert notes.read_text() == "one\ntwo\n", "what is done was done again"


def test_a_stage_whose_need_fails_does_not_begin_and_is_not_called_failed(box: Box) -> None:
    notes = box.folder / "notes"
    box.unit("one.service", stage(does="exit 3"))
    box.unit("two.service", stage("llm-one.service", f"echo two >> {notes}"))
    assert box.say("systemctl", "start", "llm-two.service")[0] == 1
    assert [box.state("one.service"), box.state("two.service")] == ["failed", "inactive"]
    assert box.say("systemctl", "is-failed", "--quiet", "llm-one.service")[0] == 0
    assert not notes.exists()
    box.say("systemctl", "reset-failed", "llm-*")
    assert box.state("one.service") == "inactive"


def test_a_service_that_dies_starts_again_and_is_counted_and_its_children_go_with_it(box: Box) -> None:
    child = box.folder / "child"
    box.unit(
        "a.service", service(f"sleep 1000 & echo $! > {child}; sleep 1000", "Restart=on-failure", "RestartSec=0.1")
    )
    box.say("systemctl", "start", "llm-a.service")
    box.until(child.exists)
    main, first = int(box.shown("a.service", "MainPID")), int(child.read_text())
    os.kill(main, signal.SIGKILL)
    box.until(lambda: box.shown("a.service", "NRestarts") == "1" and box.state("a.service") == "active")
    assert int(box.shown("a.service", "MainPID")) != main
    box.until(lambda: not Path(f"/proc/{first}").exists())
    assert box.say("systemctl", "stop", "llm-a.service")[0] == 0
    assert box.state("a.service") == "inactive"
    assert not Path(f"/proc/{child.read_text().strip()}").exists(), "a child outlived its service"


def test_a_service_that_ends_well_on_failure_stays_ended_and_one_for_always_does_not(box: Box) -> None:
    box.unit("a.service", service("exit 0", "Restart=on-failure"))
    box.unit("b.service", service("sleep 0.3; exit 0", "Restart=always", "RestartSec=0.1"))
    box.say("systemctl", "start", "--no-block", "llm-a.service", "llm-b.service")
    box.until(lambda: int(box.shown("b.service", "NRestarts")) >= 2)
    assert (box.state("a.service"), box.shown("a.service", "NRestarts")) == ("inactive", "0")


def test_what_does_not_end_when_it_is_told_is_ended(box: Box) -> None:
    deaf = box.folder / "deaf"
    box.unit("a.service", service(f"trap : TERM; touch {deaf}; while :; do sleep 0.1; done", "TimeoutStopSec=1"))
    box.say("systemctl", "start", "llm-a.service")
    box.until(deaf.exists)
    begun = time.monotonic()
    assert box.say("systemctl", "stop", "llm-a.service")[0] == 0
    assert 1 <= time.monotonic() - begun < PATIENCE
    assert box.state("a.service") == "inactive"


def test_a_socket_is_held_while_its_service_starts_anew(box: Box) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    says = box.folder / "serve.py"
    says.write_text(
        "import os, socket\n"
        "assert os.environ['LISTEN_PID'] == str(os.getpid()) and os.environ['LISTEN_FDS'] == '1'\n"
        "door = socket.socket(fileno=3)\n"
        "while True:\n"
        "    line, _ = door.accept(); line.sendall(str(os.getpid()).encode()); line.close()\n"
    )
    box.unit("a.socket", f"[Socket]\nListenStream=127.0.0.1:{port}\nBacklog=4096\nReceiveBuffer=256K\n")
    box.unit(
        "a.service", f"[Unit]\nAfter=llm-a.socket\nWants=llm-a.socket\n[Service]\nExecStart={sys.executable} {says}\n"
    )
    box.say("systemctl", "start", "llm-a.service")

    def called() -> str:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
            return line.recv(100).decode()

    first = called()
    box.say("systemctl", "stop", "llm-a.service")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as waiting:
        box.say("systemctl", "start", "llm-a.service")
        assert waiting.recv(100).decode() not in ("", first)
    box.say("systemctl", "restart", "llm-a.service")
    assert called()


def test_logs_are_kept_by_unit_and_run_and_read_as_a_node_reads_them(box: Box) -> None:
    box.unit("a.service", stage(does="echo first; echo second >&2"))
    box.unit("b.service", stage(does="echo other"))
    box.say("systemctl", "start", "llm-a.service", "llm-b.service")
    run = box.shown("a.service", "InvocationID")
    bare = ("journalctl", "--unit=llm-a.service", "--lines", "1000", "--output", "cat", "--no-pager")
    box.until(lambda: box.say(*bare)[1] == "first\nsecond")
    assert box.say("journalctl", "--unit=llm-*.service", "--lines", "2", "--output", "cat")[1].count("\n") == 1
    (line,) = box.say("journalctl", "--lines", "1", "--output", "short-iso", f"_SYSTEMD_INVOCATION_ID={run}")[
        1
    ].splitlines()
    assert line.endswith("llm-a: second")
    assert (box.folder / "log" / "llm-a.service.log").stat().st_mode & 0o777 == 0o600


def test_what_is_enabled_starts_with_the_supervisor_and_what_is_disabled_does_not(box: Box) -> None:
    for name in ("a", "b"):
        box.unit(f"{name}.service", service("sleep 1000"))
    assert box.say("systemctl", "enable", "llm-a.service", "llm-b.service")[0] == 0
    assert box.say("systemctl", "disable", "--now", "llm-b.service")[0] == 0
    box.end()
    box.start()
    box.until(lambda: box.state("a.service") == "active")
    assert box.state("b.service") == "inactive"


def test_what_is_told_the_environment_is_the_units_and_of_the_callers_nothing(box: Box, tmp_path: Path) -> None:
    given, found = tmp_path / "given.env", tmp_path / "found"
    given.write_text('# a key\nKEY="a b"\n')
    box.unit(
        "a.service",
        f'[Service]\nType=oneshot\nEnvironment=A=1 "B=two words" C=50%%\nEnvironmentFile={given}\n'
        f"EnvironmentFile=-{tmp_path}/no\n"
        f'WorkingDirectory={tmp_path}\nUMask=0077\nExecStart=/bin/sh -c "env > found"\n',
    )
    box.say("systemctl", "start", "llm-a.service")
    box.until(found.exists)
    told = dict(line.split("=", 1) for line in found.read_text().splitlines())
    assert {"A": "1", "B": "two words", "C": "50%", "KEY": "a b"}.items() <= told.items()
    assert not {"VIRTUAL_ENV", "PYTHONPATH", "CONDA_PREFIX"} & told.keys()
    assert found.stat().st_mode & 0o777 == 0o600


def test_what_it_is_asked_and_does_not_know_is_said(box: Box) -> None:
    assert box.say("systemctl", "reboot")[0] == 1
    assert box.say("systemctl", "daemon-reload")[0] == 0
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(box.socket)
        line.sendall(b"nonsense\n")
        assert json.loads(line.makefile().readline())["rc"] == 1
    box.unit("a.service", service("sleep 1000"))
    assert box.say("systemctl", "start", "llm-a.service")[0] == 0, (
        "it went away over a question that it did not understand"
    )
