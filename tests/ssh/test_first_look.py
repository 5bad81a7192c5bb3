"""What is told of a machine that exists before anything of ours runs there, and of what is in a node's way on it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pulumi_llm.clouds.ssh import adapter, probe
from pulumi_llm.clouds.ssh.remote import look

KNOWN = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
OTHER = KNOWN.replace("IAAA", "IBBB")


@contextmanager
def answering(banner: bytes) -> Iterator[int]:
    """A port of loopback at which something says so to whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                with line:
                    line.sendall(banner)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def fake(folder: Path, name: str, lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{lines}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("shown", "code", "said"),
    [
        (KNOWN, None, ""),
        (OTHER, "ssh.other-host-key", OTHER),
        ("ssh-rsa AAAAB3", "ssh.other-host-key", "no host key of the kind ssh-ed25519"),
    ],
    ids=["the key that is written down", "another key", "a key of another kind"],
)
def test_a_machine_that_shows_another_key_is_refused_before_anybody_logs_in(
    shown: str, code: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path / "bin", "ssh-keyscan", f"echo '# 127.0.0.1 SSH-2.0'; echo '127.0.0.1 {shown}'", monkeypatch)
    with answering(b"SSH-2.0-OpenSSH_9.6\r\n") as port:
        found = probe.problems("127.0.0.1", port, KNOWN)
    assert [each.code for each in found] == ([] if code is None else [code])
    assert all(said in str(each.message) for each in found)


def test_what_answers_and_is_not_ssh_is_told_by_the_port() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n") as port:
        (found,) = probe.problems("127.0.0.1", port, KNOWN)
    assert (found.code, found.where) == ("ssh.unreachable", "host.port")


def test_a_machine_that_does_not_answer_is_told_by_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (found,) = probe.problems("127.0.0.1", port, KNOWN)
    assert (found.code, found.where) == ("ssh.unreachable", "host.address")


@pytest.mark.parametrize(
    ("sudo", "code"),
    [(None, "ssh.no-sudo"), ("echo 'sudo: a password is required' >&2; exit 1", "ssh.sudo-password"), ("exit 0", None)],
    ids=["no sudo", "a sudo that asks for a password", "a sudo that asks for none"],
)
def test_a_user_who_may_not_become_root_is_told_so_in_the_shell_that_logs_in(
    sudo: str | None, code: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to("/bin/true")
    if sudo is not None:
        fake(programs, "sudo", sudo, monkeypatch)
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run(
        [shell, "-c", f"{adapter.LOGIN} exit 7"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    if code is None:
        assert (done.returncode, done.stderr) == (7, "")
    else:
        assert done.returncode == 1
        assert done.stderr.startswith(f"[{code}] ")
        assert " -- try: " in done.stderr


def test_what_a_node_brings_along_and_the_machine_has_already_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"folder": str(look.DATA), "mode": "systemd", "packages": ["caddy", "age"], "users": []}
    monkeypatch.setattr(look, "installed", lambda package: package == "caddy")
    monkeypatch.setattr(look, "PROGRAMS", {})
    found = [(code, what) for code, what, __ in look.of_software(told) if code == "ssh.software-in-use"]
    assert [code for code, __ in found] == ["ssh.software-in-use"]
    assert "caddy" in found[0][1]
