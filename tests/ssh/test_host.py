"""The program that takes a machine: what it says of one that is not what was told. Each look is at something real."""

from __future__ import annotations

import ast
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.catalog import systems
from pulumi_llm.clouds.ssh.program import program
from pulumi_llm.clouds.ssh.remote import host, look, machine

CARD: dict[str, Any] = {
    "card": "RTX-4090D",
    "names": ["RTX-4090D", "4090D", "GeForce RTX 4090 D"],
    "count": 2,
    "memory_gib": 23.52,
    "driver": 580,
}


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `nvidia-smi` is to print, with the form that NVIDIA's has for CSV without header and units."""

    def says(*lines: str, code: int = 0) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text("#!/bin/sh\n" + "".join(f"echo '{each}'\n" for each in lines) + f"exit {code}\n")
        program.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return says


def codes(found: Any) -> list[str]:
    return [code for code, __, __ in found]


def test_the_cards_that_were_told_are_known_by_the_drivers_name_for_them(driver: Any) -> None:
    driver(*["NVIDIA GeForce RTX 4090 D, 24564, 580.95.05"] * 2)
    assert list(look.of_gpu(CARD)) == []


def test_a_machine_without_a_card_is_named(driver: Any) -> None:
    driver("No devices were found", code=6)
    ((code, message, __),) = look.of_gpu(CARD)
    assert code == "ssh.no-gpu"
    assert "No devices were found" in message


def test_other_cards_and_fewer_cards_are_named(driver: Any) -> None:
    driver(*["NVIDIA GeForce RTX 4090, 24564, 580.95.05"] * 2)
    assert codes(look.of_gpu(CARD)) == ["ssh.other-gpu"], "the 4090 is not the 4090 D"
    driver("NVIDIA GeForce RTX 4090 D, 24564, 580.95.05")
    ((code, message, __),) = look.of_gpu(CARD)
    assert code == "ssh.other-gpu"
    assert "2 x RTX-4090D are told, and the machine has 1" in message


def test_less_memory_than_told_is_named_with_what_there_is(driver: Any) -> None:
    driver(*["NVIDIA GeForce RTX 4090 D, 24564, 580.95.05"] * 2)
    ((code, message, hint),) = look.of_gpu({**CARD, "memory_gib": 48})
    assert code == "ssh.less-memory"
    assert "has 24.0 GiB of memory, and 48 are told" in message
    assert hint.startswith("host.gpu_memory_gib: 23.9")


def test_an_older_driver_than_vllm_needs_is_named(driver: Any) -> None:
    driver(*["NVIDIA GeForce RTX 4090 D, 24564, 535.183.01"] * 2)
    assert codes(look.of_gpu(CARD)) == ["ssh.old-driver"]


def test_a_port_that_is_taken_is_named_with_its_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told = {"ports": [port], "fence": []}
        ((code, message, __),) = look.of_ports(told, None)
        assert code == "ssh.port-in-use"
        assert f"port {port} is taken by " in message
        assert list(look.of_ports(told, {"ports": [port], "fence": []})) == [], "it is our own"
    assert list(look.of_ports(told, None)) == []


def test_a_disk_that_is_too_small_is_named_once_for_all_that_goes_there(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free // 2**30
    folder = str(tmp_path / "not" / "there")
    assert list(look.of_disk({"folder": folder, "disk_gib": 0, "system_gib": 0})) == []
    ((code, message, __),) = look.of_disk({"folder": folder, "disk_gib": free + 2, "system_gib": 0})
    assert code == "ssh.disk-full"
    assert f"{free + 2} are needed" in message
    assert not (tmp_path / "not").exists(), "a look makes nothing"


def test_a_bundle_that_is_not_there_is_named_before_anything_is_changed(tmp_path: Path) -> None:
    assert list(look.of_bundle({})) == []
    ((code, message, __),) = look.of_bundle({"bundle": str(tmp_path)})
    assert code == "ssh.no-bundle"
    assert str(tmp_path) in message
    (tmp_path / "manifest.json").write_text("{}")
    assert list(look.of_bundle({"bundle": str(tmp_path)})) == []


def test_another_system_than_those_that_are_known_is_named() -> None:
    assert "ssh.old-system" in codes(look.of_system("ubuntu-4.10", {"ubuntu 4.10": "ubuntu-4.10"}))


def test_a_system_that_is_known_but_not_the_one_that_was_told_is_named_with_what_to_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(look, "read", lambda _: 'ID=debian\nVERSION_ID="12"\n')
    known = {each.told: name for name, each in systems.known().items()}
    assert list(look.of_system("debian-12", known)) == []
    ((code, message, hint),) = look.of_system("ubuntu-24.04", known)
    assert code == "ssh.other-system"
    assert message == "the machine runs debian 12, and ubuntu-24.04 is told"
    assert hint == "host.system: debian-12"


def test_a_machine_of_another_node_is_left_alone() -> None:
    told = {"name": "mine", "mode": "systemd", "system": "", "systems": {}, "gpu": {}}
    found = list(look.problems(told, {"name": "theirs", "token": "theirs@1", "folder": "/x", "ports": []}))
    assert codes(found)[-1] == "ssh.other-owner"


def test_leaving_with_another_token_than_the_last_takes_nothing_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "before.json"
    kept.write_text('{"token": "llm-server@192.0.2.2"}')
    monkeypatch.setattr(machine, "BEFORE", kept)
    monkeypatch.setattr(host, "run", lambda *_: pytest.fail("it ran something"))
    assert host.leave("llm-server@192.0.2.1") == 0
    assert kept.exists()


def test_leaving_takes_the_nodes_packages_and_what_only_they_need_and_nothing_that_came_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """apt's own words for what it would do; a kernel and a tool came by the owner or by updates in the meantime."""
    would = {
        (
            "purge",
            "--auto-remove",
            "caddy",
            "docker.io",
        ): "Purg docker.io [26]\nPurg caddy [2.6.2]\nRemv runc:amd64 [1]\n"
        "Remv linux-image-6.8.0-90 [1]\nRemv libold [1]\nRemv htop-data [1]\nRemv linux-libc-dev [6.8]\n",
        ("autoremove",): "Remv libold [1]\nRemv linux-image-6.8.0-90 [1]\n",
    }
    monkeypatch.setattr(host, "read", lambda _: '{"base": ["curl", "caddy"], "services": ["docker.io"]}')
    monkeypatch.setattr(host, "run", lambda *argv, **_: (0, would[argv[4:]]))
    new = {"caddy", "docker.io", "runc", "htop", "linux-image-6.8.0-90", "nvidia-driver-590", "libold",
           "linux-libc-dev"}  # fmt: skip
    assert host.ours(new) == ["caddy", "docker.io", "linux-libc-dev", "runc"]
    assert host.ours({"htop"}) == []


def test_a_user_that_a_package_brought_stays_with_another_package_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "packages", lambda: ["docker-ce", "curl"])
    assert [host.nobodys(name) for name in ("docker", "caddy", "somebody")] == [False, True, False]


def test_the_program_is_one_text_that_an_old_python_can_read_and_that_needs_nothing_of_ours() -> None:
    tree = ast.parse(program(), feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for each in ast.walk(tree)
        for name in ([each.module or ""] if isinstance(each, ast.ImportFrom) else [])
        + ([alias.name for alias in each.names] if isinstance(each, ast.Import) else [])
    }
    assert imported <= sys.stdlib_module_names
    ran = {"__name__": "read"}
    exec(compile(program(), "program", "exec"), ran)
    assert {"take", "leave", "fence", "problems"} <= ran.keys()
