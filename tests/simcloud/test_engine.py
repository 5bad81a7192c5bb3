from __future__ import annotations

import os
import shutil
import socket
import time
from typing import TYPE_CHECKING

import pytest

from pulumi_llm._simcloud import engine
from pulumi_llm.errors import Refusal

if TYPE_CHECKING:
    from pathlib import Path

# What the build script runs. Nothing else is on PATH in these tests: a developer's own pulumi must not count.
NEEDED = """
    awk basename bash cat chmod cut dirname env flock grep install mkdir mktemp mv rm sed seq sh sha256sum shasum sleep
    tail
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, on a machine without Pulumi, Go or network."""
    folder = tmp_path / "path"
    folder.mkdir()
    for name in NEEDED.split():
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv(engine.TOOLS_VARIABLE, raising=False)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(engine, "RELEASE_SITE", f"http://127.0.0.1:{unused.getsockname()[1]}/")
    return folder


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def fake_engine(folder: Path, version: str = "v3.259.0", *, host: bool = True) -> Path:
    if host:
        program(folder / "pulumi-language-python", "exit 0")
    return program(folder / "pulumi", f'[ "$1" = version ] && echo {version}')


def codes(refusal: Refusal) -> list[str]:
    return [finding.code for finding in refusal.findings]


def test_a_pulumi_on_path_with_its_language_host_is_used_first(machine: Path, tmp_path: Path) -> None:
    fake_engine(machine, "v3.300.1")
    fake_engine(tmp_path / "tools" / "bin")
    found = engine.find_engine(tools_dir=tmp_path / "tools")
    assert (found.pulumi, found.version) == (machine / "pulumi", "3.300.1")
    assert "PATH" in found.how


def test_a_language_host_elsewhere_on_path_will_do(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = program(tmp_path / "hosts" / "pulumi-language-python", "exit 0")
    fake_engine(machine, host=False)
    monkeypatch.setenv("PATH", f"{machine}{os.pathsep}{host.parent}")
    found = engine.find_engine(tools_dir=tmp_path / "tools")
    assert found.language_host == host
    assert found.path == (machine, host.parent)


def test_a_linked_pulumi_finds_the_host_beside_the_real_one(machine: Path, tmp_path: Path) -> None:
    real = fake_engine(tmp_path / "release")
    (machine / "pulumi").symlink_to(real)
    found = engine.find_engine(tools_dir=tmp_path / "tools")
    assert found.language_host == real.parent / "pulumi-language-python"


def test_the_cache_is_used_where_path_has_no_pulumi(machine: Path, tmp_path: Path) -> None:
    cached = fake_engine(tmp_path / "tools" / "bin")
    assert engine.find_engine(tools_dir=tmp_path / "tools").pulumi == cached


def test_a_cached_release_is_used_as_a_cached_build_is(machine: Path, tmp_path: Path) -> None:
    cached = fake_engine(tmp_path / "tools" / "release" / "bin")
    assert engine.find_engine(tools_dir=tmp_path / "tools").pulumi == cached


def test_the_environment_can_name_the_cache(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = fake_engine(tmp_path / "named" / "bin")
    monkeypatch.setenv(engine.TOOLS_VARIABLE, str(tmp_path / "named"))
    assert engine.find_engine().pulumi == cached


def test_a_cache_that_the_environment_names_is_the_only_one(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "checkout", lambda: tmp_path / "checkout")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(engine.TOOLS_VARIABLE, str(tmp_path / "named"))
    assert engine.tool_folders() == (tmp_path / "named",)


def test_without_a_checkout_the_cache_is_the_users(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "checkout", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert engine.tool_folders() == (tmp_path / "cache" / "pulumi-llm",)


def test_a_pulumi_on_path_that_is_too_old_is_passed_over_and_named(machine: Path, tmp_path: Path) -> None:
    fake_engine(machine, "v3.236.9")
    cached = fake_engine(tmp_path / "tools" / "bin")
    said: list[str] = []
    assert engine.find_engine(tools_dir=tmp_path / "tools", say=said.append).pulumi == cached
    assert "3.236.9, older than 3.237.0" in said[0]


def test_the_oldest_version_allowed_is_allowed(machine: Path, tmp_path: Path) -> None:
    fake_engine(machine, "v3.237.0")
    assert engine.find_engine(tools_dir=tmp_path / "tools").version == "3.237.0"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("exit 3", "exit code 3"),
        ("echo nonsense", "nonsense"),
        ("echo boom >&2; exit 1", "boom"),
    ],
)
def test_a_pulumi_that_tells_no_version_is_passed_over(machine: Path, tmp_path: Path, text: str, why: str) -> None:
    program(machine / "pulumi", text)
    with pytest.raises(Refusal, match=why):
        engine.find_engine(tools_dir=tmp_path / "tools", say=lambda _: None)


def test_a_pulumi_without_a_language_host_is_passed_over(machine: Path, tmp_path: Path) -> None:
    fake_engine(machine, host=False)
    with pytest.raises(Refusal, match="no pulumi-language-python beside"):
        engine.find_engine(tools_dir=tmp_path / "tools", say=lambda _: None)


def test_a_machine_with_nothing_is_told_each_way_that_was_tried(machine: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        engine.find_engine(tools_dir=tmp_path / "tools", say=lambda _: None)
    assert codes(refused.value) == ["engine.unavailable"]
    text = str(refused.value)
    for part in (
        "- PATH: there is no",
        "- cache: ",
        "- official release: ",
        "cannot be reached",
        "there is no Go here",
    ):
        assert part in text


def test_an_old_engine_and_no_other_is_a_finding_of_its_own(machine: Path, tmp_path: Path) -> None:
    fake_engine(machine, "v3.100.0")
    with pytest.raises(Refusal) as refused:
        engine.find_engine(tools_dir=tmp_path / "tools", say=lambda _: None)
    assert codes(refused.value) == ["engine.too-old", "engine.unavailable"]


def test_a_site_that_never_answers_is_given_up_soon(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "PROBE_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(engine, "RELEASE_SITE", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        before = time.monotonic()
        with pytest.raises(Refusal, match=r"cannot be reached: (no answer within 0\.3 s|timed out)"):
            engine.find_engine(tools_dir=tmp_path / "tools", say=lambda _: None)
    assert time.monotonic() - before < 10


def answering_site(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "RELEASE_SITE", (machine / "bash").as_uri())


def test_the_official_release_is_installed_where_its_site_answers(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering_site(machine, monkeypatch)
    made = fake_engine(tmp_path / "made" / "bin", "v3.272.0").parent
    # stands for this Python running the Automation API's installer: -c CODE ROOT
    installer = program(tmp_path / "python", f'mkdir -p "$3" && /bin/cp -R {made} "$3/"')
    monkeypatch.setattr(engine.sys, "executable", str(installer))
    found = engine.find_engine(tools_dir=tmp_path / "tools", say=lambda _: None)
    assert (found.pulumi, found.version) == (tmp_path / "tools" / "release" / "bin" / "pulumi", "3.272.0")
    assert [each.name for each in (tmp_path / "tools").iterdir()] == ["release"]


def test_a_release_that_does_not_install_leaves_nothing_behind(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering_site(machine, monkeypatch)
    installer = program(tmp_path / "python", 'mkdir -p "$3/bin"; echo no luck >&2; exit 1')
    monkeypatch.setattr(engine.sys, "executable", str(installer))
    with pytest.raises(Refusal, match="its installer failed: no luck"):
        engine.find_engine(tools_dir=tmp_path / "tools", say=lambda _: None)
    assert not (tmp_path / "tools" / "release").exists()
    assert not list((tmp_path / "tools").glob(".release*"))


GO = """
echo "$@" >>"$GO_LOG"
case $1 in
  build)
    [ -n "$GO_SAYS" ] && { echo "$GO_SAYS" >&2; exit 1; }
    for _ in $(seq 500); do [ -z "$GO_WAITS" ] || [ -e "$GO_WAITS" ] && break; sleep 0.02; done
    [ -z "$GO_WAITS" ] || [ -e "$GO_WAITS" ] || exit 1
    while [ "$1" != -o ]; do shift; done
    printf '#!/bin/sh\\necho v3.259.0\\n' >"$2"; chmod 755 "$2" ;;
  list) echo "$GO_SOURCE" ;;
  env) echo "the-proxy" ;;
esac"""


@pytest.fixture
def go_log(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Go that makes small programs, and the list of what it was asked."""
    program(machine / "go", GO)
    program(tmp_path / "src" / "python" / "cmd" / "pulumi-language-python-exec", "exit 0")
    monkeypatch.setenv("GO_SOURCE", str(tmp_path / "src"))
    monkeypatch.setenv("GO_LOG", str(tmp_path / "go.log"))
    return tmp_path / "go.log"


def test_the_pinned_build_is_the_last_way(go_log: Path, tmp_path: Path) -> None:
    found = engine.find_engine(tools_dir=tmp_path / "tools", say=lambda _: None)
    place = tmp_path / "tools" / "bin"
    assert (found.pulumi, found.language_host) == (place / "pulumi", place / "pulumi-language-python")
    assert os.access(place / "pulumi-language-python-exec", os.X_OK)
    asked = go_log.read_text()
    assert "common/version.Version=3.259.0" in asked
    assert "list -m -f {{.Dir}} github.com/pulumi/pulumi/sdk/v3\n" in asked


def test_what_is_built_is_not_built_again(go_log: Path, tmp_path: Path) -> None:
    place = tmp_path / "bin"
    assert engine.build_tool(engine.MODULES / "pulumi", place, say=lambda _: None) == ""
    first = go_log.read_text()
    assert engine.build_tool(engine.MODULES / "pulumi", place, say=lambda _: None) == ""
    assert go_log.read_text() == first


def test_a_build_is_told_of_while_it_goes_on(go_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    monkeypatch.setenv("GO_WAITS", str(told))  # it ends when its beginning has been told
    assert engine.build_tool(engine.MODULES / "pulumi", tmp_path / "bin", say=lambda _: told.touch()) == ""


def test_other_pins_are_built_anew(go_log: Path, tmp_path: Path) -> None:
    module = tmp_path / "pulumi"
    shutil.copytree(engine.MODULES / "pulumi", module)
    assert engine.build_tool(module, tmp_path / "bin", say=lambda _: None) == ""
    with (module / "go.sum").open("a") as sums:
        sums.write("example.com/other v1.0.0 h1:0=\n")
    assert engine.build_tool(module, tmp_path / "bin", say=lambda _: None) == ""
    assert go_log.read_text().count("build ") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("dial tcp: lookup modules.example: no such host", "the Go module proxy .* does not answer"),
        ("go: go.mod requires go >= 1.25.11 (running go 1.19)", "needs a newer Go"),
        ("write /x: no space left on device", "the disk is full"),
    ],
)
def test_a_build_that_fails_says_why_and_leaves_nothing_behind(
    go_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, message: str
) -> None:
    monkeypatch.setenv("GO_SAYS", words)
    with pytest.raises(Refusal, match=message):
        engine.find_engine(tools_dir=tmp_path / "tools", say=lambda _: None)
    left = {each.name for each in (tmp_path / "tools" / "bin").iterdir()}
    assert left <= {".pulumi.lock"}


@pytest.mark.engine
def test_the_real_engine_is_found_and_new_enough() -> None:
    found = engine.find_engine()
    assert tuple(int(part) for part in found.version.split(".")) >= engine.MINIMUM_VERSION
    assert os.access(found.language_host, os.X_OK)
