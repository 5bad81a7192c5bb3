"""Systems that a machine of one's own may run: what its node is told to install there, and what is refused."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm.catalog import systems
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import registry
from pulumi_llm.roles.files import data, text
from tests.node_library import importable, laid_out
from tests.ssh.samples import in_a_container, platform

OTHERS = sorted(systems.known().keys() - {systems.DEFAULT})


def supply(name: str, **changes: Any) -> dict[str, Any]:
    """What the node of a system is told to install."""
    __, node = in_a_container(platform(system=name) | changes)
    files = {each["path"]: each["content"] for each in bootstrap.settings(node)["files"]}
    return dict(json.loads(files["/opt/llm/supply.json"]))


def test_nothing_more_is_told_on_the_usual_system() -> None:
    assert not {"python", "apt_lines", "borrowed"} & supply(systems.DEFAULT).keys()
    assert platform()["server"]["host"].get("system") is None


@pytest.mark.parametrize("name", OTHERS)
def test_wheels_are_those_of_the_systems_own_python(name: str) -> None:
    python = systems.system(name).python
    __, node = in_a_container(platform(system=name))
    files = {each["path"]: each["content"] for each in bootstrap.settings(node)["files"]}
    for environment, pins in supply(name)["venvs"].items():
        lock = files[f"/opt/llm/locks/{environment}.txt"]
        assert lock == text(f"locks/{python}/{environment}.txt")
        assert lock != text(f"locks/{environment}.txt"), environment
        assert pins["digest"] == data(f"locks/{python}/pins.json")[environment]["digest"]


@pytest.mark.parametrize("python", sorted({systems.system(each).python for each in OTHERS}))
def test_a_lock_of_another_python_is_what_its_pins_say_and_of_the_release_that_the_role_names(
    python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importable(laid_out(tmp_path / "library"), monkeypatch)
    digest = import_module("llm_node.wheels").digest
    known = registry.environments()
    for name, pins in data(f"locks/{python}/pins.json").items():
        lock = text(f"locks/{python}/{name}.txt")
        assert len(lock.splitlines()) == pins["count"]
        assert digest(lock) == pins["digest"], name
        for each in known[name].requirement.split():
            assert f"{each} --hash" in lock, f"{name}: {each} is not in the lock for Python {python}"


def test_a_package_goes_by_the_name_that_the_archive_has_for_it() -> None:
    assert "python3.11-venv" in supply("ubuntu-22.04")["base"]
    assert supply("ubuntu-22.04")["python"] == "python3.11"
    found = supply("debian-13", vectors={"memory_gib": 4})
    assert {"docker.io", "docker-compose", "docker-cli"} <= {*found["services"]}
    assert "docker-compose-v2" not in found["services"]


def test_sources_are_those_of_the_systems_own_archive() -> None:
    assert supply("ubuntu-22.04")["apt"] == ["http://archive.ubuntu.com/ubuntu/"]
    assert supply("debian-12")["apt"] == ["http://deb.debian.org/"]
    at_home = platform(system="debian-12")
    at_home["server"]["region"] = "cn"
    __, node = in_a_container(at_home)
    assert node.sources.apt == ("https://mirrors.tuna.tsinghua.edu.cn/", "http://deb.debian.org/")


def test_what_is_borrowed_lies_beside_the_system_and_caddy_is_run_from_there() -> None:
    __, node = in_a_container(platform(system="ubuntu-22.04"))
    files = {each["path"]: each["content"] for each in bootstrap.settings(node)["files"]}
    unit = files["/etc/systemd/system/llm-caddy.service"]
    assert "ExecStart=/opt/llm/borrowed/root/usr/bin/caddy run" in unit
    assert "Environment=LD_LIBRARY_PATH=/opt/llm/borrowed/root/usr/lib/x86_64-linux-gnu\n" in unit
    __, usual = in_a_container(platform())
    rows = {each["path"]: each["content"] for each in bootstrap.settings(usual)["files"]}
    assert "ExecStart=/usr/bin/caddy run" in rows["/etc/systemd/system/llm-caddy.service"]
    assert "LD_LIBRARY_PATH" not in rows["/etc/systemd/system/llm-caddy.service"]


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("debian-12", {"vectors": {"memory_gib": 4}}, "docker-compose 1.29.2 in place of docker-compose-v2"),
        ("debian-13", {"vectors": {"engine": "pgvector", "memory_gib": 4}}, "postgresql-17-pgvector"),
        ("ubuntu-22.04", {"vectors": {"engine": "pgvector", "memory_gib": 4}}, "postgresql-14"),
    ],
)
def test_what_a_system_lacks_is_refused_with_the_reason(name: str, changes: dict[str, Any], words: str) -> None:
    __, node = in_a_container(platform(system=name) | changes)
    for render in (bootstrap.first_boot, bootstrap.settings):
        with pytest.raises(Refusal) as refused:
            render(node)
        assert {each.code for each in refused.value.findings} == {"ssh.not-on-this-system"}
        assert words in str(refused.value)


def test_every_package_that_a_system_speaks_of_is_one_that_a_role_names() -> None:
    asked = {
        name
        for role in registry.built_in().values()
        if role.manifest.install.packages
        for name in [*role.manifest.install.packages.base, *role.manifest.install.packages.services]
    }
    for each in systems.known().values():
        lent = each.borrowed.programs.keys() if each.borrowed else set()
        assert {*each.packages, *each.lacks, *lent} <= asked, each.name
