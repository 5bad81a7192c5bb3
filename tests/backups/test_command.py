"""`pulumi-llm vectors`: the node's own program behind stand-ins of `ssh` and `pulumi`; the store is plain files."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import cli
from tests.backups.node import CHECKOUT
from tests.backups.plain import Plain
from tests.backups.test_beside import VERSION, WithPage

pytestmark = pytest.mark.clients

STACK = ["-s", "aliyun-t4"]


class World:
    """A project with a stack, its node, and the programs that lead there."""

    def __init__(self, root: Path, backup: dict[str, Any] | None) -> None:
        self.root, self.project = root, root / "project"
        (root / "stacks").mkdir()
        self.project.mkdir()
        self.stack("aliyun-t4", backup)
        (self.project / "Pulumi.yaml").write_text("name: pulumi-llm\nruntime: python\n")
        self.programs = root / "programs"
        self.programs.mkdir()
        self.node = Plain(root / "node")
        self.reach(self.node)
        self.outputs()

    def stack(self, name: str, backup: dict[str, Any] | None) -> None:
        text = (CHECKOUT / "stacks/Pulumi.aliyun-t4.yaml").read_text()
        content = yaml.safe_load(text)
        vectors = {"engine": "milvus", **({} if backup is None else {"backup": backup})}
        content["config"]["pulumi-llm:platform"]["vectors"] = vectors
        (self.project / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump(content))

    def reach(self, node: Plain) -> None:
        """`ssh` runs what sshd would hand to the shell, with the node's program in the place of /opt/llm/bin's."""
        env = " ".join(
            f"{name}={shlex.quote(value)}" for name, value in node.env.items() if name.startswith(("LLM", "PATH"))
        )
        run = " ".join(shlex.quote(each) for each in node.program())
        script = f'echo "$@" >> {self.root}/ssh.log\nlast="${{@: -1}}"\n'
        script += f"tee -a {self.root}/ssh.stdin | env {env} {run} ${{last##*/opt/llm/bin/llm-backup }}"
        self.program("ssh", script)

    def program(self, name: str, script: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def outputs(self, **more: str) -> None:
        told = {"address": "192.0.2.7", "ssh_private_key": "KEY", "vectors_engine": "milvus"}
        told |= {"vectors_backup_key": self.node.key.read_text(), **more}
        self.program("pulumi", f"echo {shlex.quote(json.dumps(told))}")

    def run(self, *words: str) -> int:
        return cli.main(["vectors", *words, *STACK, "--project", str(self.project)])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path, {"to": str(tmp_path / "kept"), "keep": 2})
    monkeypatch.setenv("PATH", f"{made.programs}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "known"))
    yield made
    made.node.close()


def test_a_backup_comes_to_a_folder_and_goes_back(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.node.fill("first")
    before = world.node.holds()
    assert world.run("backup") == 0
    told = capsys.readouterr()
    (folder,) = (world.root / "kept/pulumi-llm/aliyun-t4").iterdir()
    assert folder.name in told.out
    assert "vectors_backup_key" in told.err  # that it goes with the stack
    world.node.fill("second")
    assert world.run("restore") == 0
    assert world.node.holds() == before
    assert not world.node.path("/srv/llm/backup/parts").exists()


def test_the_key_that_reads_it_is_in_no_file_log_or_command_line(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.node.fill()
    assert world.run("backup") == 0
    assert world.run("restore") == 0
    secret = world.node.key.read_text().splitlines()[2]
    told = capsys.readouterr()
    assert secret not in told.out + told.err + (world.root / "ssh.log").read_text()
    assert secret.encode() in (world.root / "ssh.stdin").read_bytes()  # by standard input alone
    world.node.key.unlink()
    for each in world.root.joinpath("node").rglob("*"):
        assert not each.is_file() or secret.encode() not in each.read_bytes(), each


def test_the_oldest_goes_when_a_newer_one_is_whole(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    kept = world.root / "kept/pulumi-llm/aliyun-t4"
    for day in ("01", "02", "03"):
        world.node.fill(day)
        assert world.run("backup") == 0
        newest = max(each for each in kept.iterdir() if "2020" not in each.name)
        earlier = kept / f"2020-01-{day}T00-00-00Z-milvus"
        newest.rename(earlier)  # a second has no two names
        raw = json.loads((earlier / "manifest.json").read_text())
        (earlier / "manifest.json").write_text(
            json.dumps({**raw, "id": earlier.name, "time": f"2020-01-{day}T00:00:00Z"})
        )
    assert world.run("backup") == 0
    capsys.readouterr()
    assert world.run("list", "--json") == 0
    ids = [each["id"] for each in json.loads(capsys.readouterr().out)]
    assert len(ids) == 2
    assert ids[0].startswith("2020-01-03")
    assert {each.name for each in kept.iterdir()} == set(ids)


def told_by_the_node(world: World) -> Any:
    """What the status document has of backups."""
    path = world.node.path("/run/llm/backup.json")
    assert path.stat().st_mode & 0o004  # the status page's user reads it
    return json.loads(path.read_text())


def test_the_status_tells_when_the_newest_backup_was_made(world: World) -> None:
    world.node.ask_quietly("recover", "--boot")
    assert told_by_the_node(world) == {"newest": None, "code": None, "hint": None}
    world.node.fill()
    assert world.run("backup") == 0
    (folder,) = (world.root / "kept/pulumi-llm/aliyun-t4").iterdir()
    made = json.loads((folder / "manifest.json").read_text())["time"]
    assert told_by_the_node(world)["newest"] == made
    world.node.path("/run/llm/backup.json").unlink()  # /run is memory
    world.node.ask_quietly("recover", "--boot")
    assert told_by_the_node(world)["newest"] == made
    assert world.run("restore") == 0
    assert told_by_the_node(world)["newest"] == made


def test_a_backup_that_was_not_carried_whole_is_not_the_newest(world: World) -> None:
    world.node.fill()
    assert world.node.ask("make")["engine"] == "milvus"
    assert told_by_the_node(world)["newest"] is None


def test_a_backup_without_a_manifest_is_none(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.node.fill()
    assert world.run("backup") == 0
    (folder,) = (world.root / "kept/pulumi-llm/aliyun-t4").iterdir()
    (folder / "manifest.json").unlink()
    capsys.readouterr()
    assert world.run("list") == 0
    assert "no backup" in capsys.readouterr().out
    assert world.run("restore") == 1
    assert "[backup.none]" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_refused_before_the_store_is_stopped(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.node.fill()
    (world.root / "file").write_text("")
    before = world.node.path("/bin/systemctl.log").read_text()
    assert world.run("backup", "--to", str(world.root / "file")) == 1
    assert "[backup.target-refused]" in capsys.readouterr().err
    assert world.node.path("/bin/systemctl.log").read_text() == before


def test_a_backup_whose_part_is_missing_or_bent_leaves_the_store(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.node.fill()
    assert world.run("backup") == 0
    (folder,) = (world.root / "kept/pulumi-llm/aliyun-t4").iterdir()
    world.node.fill("later")
    before = world.node.holds()
    part = folder / "part-00000"
    content = part.read_bytes()
    part.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    capsys.readouterr()
    assert world.run("restore") == 1
    assert "[backup.damaged]" in capsys.readouterr().err
    part.unlink()
    assert world.run("restore") == 1
    assert "[backup.damaged]" in capsys.readouterr().err
    assert world.node.holds() == before
    world.node.wait()


def test_another_engine_and_an_unknown_backup_are_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.node.fill()
    assert world.run("backup") == 0
    (folder,) = (world.root / "kept/pulumi-llm/aliyun-t4").iterdir()
    raw = json.loads((folder / "manifest.json").read_text())
    before = world.node.holds()
    for change, code in (
        ({"engine": "qdrant", "title": "Qdrant"}, "backup.other-engine"),
        ({"version": "99.0.0"}, "backup.newer-version"),
    ):
        (folder / "manifest.json").write_text(json.dumps({**raw, **change}))
        capsys.readouterr()
        assert world.run("restore") == 1
        assert f"[{code}]" in capsys.readouterr().err
        assert world.node.holds() == before
    assert world.run("restore", "--id", "no-such") == 1
    assert "[backup.unknown]" in capsys.readouterr().err


def test_an_older_version_is_taken_and_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.node.fill()
    assert world.run("backup") == 0
    (folder,) = (world.root / "kept/pulumi-llm/aliyun-t4").iterdir()
    raw = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**raw, "version": "2.5.0"}))
    capsys.readouterr()
    assert world.run("restore") == 0
    assert "[backup.other-version]" in capsys.readouterr().err


def test_a_backup_goes_into_another_stack_with_the_key_of_its_own(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    world.node.fill("of the first")
    before = world.node.holds()
    assert world.run("backup") == 0
    other = Plain(tmp_path / "other")
    try:
        world.stack("other", {"to": str(tmp_path / "kept")})
        world.reach(other)
        key = tmp_path / "kept-key"
        shutil.copy(world.node.key, key)
        words = ["vectors", "restore", "-s", "other", "--of", "aliyun-t4", "--project", str(world.project)]
        assert cli.main([*words, "--key", str(other.key)]) == 1
        assert "[backup.wrong-key]" in capsys.readouterr().err
        assert cli.main([*words, "--key", str(key)]) == 0
        assert other.holds() == before
    finally:
        other.close()


def test_a_stack_without_backups_is_told_what_to_write(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.stack("aliyun-t4", None)
    for words in (("backup",), ("restore",), ("list",)):
        assert world.run(*words) == 1
        assert re.search(r"\[backup.not-asked\].*\n.*vectors: \{backup: \{\}\}", capsys.readouterr().err)


def test_a_stack_that_nobody_knows_is_said_to_be_unknown(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.stack("aliyun-t4", {})
    for words in (["backup"], ["restore"], ["list"]):
        assert cli.main(["vectors", *words, "-s", "aliyun-t5", "--project", str(world.project)]) == 2
        err = capsys.readouterr().err
        assert "[stack.unknown]" in err
        assert "aliyun-t4" in err


def test_without_a_place_it_says_so(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.stack("aliyun-t4", {})
    assert world.run("list") == 1
    assert "[backup.no-target]" in capsys.readouterr().err
    assert world.run("list", "--to", "ftp://there") == 1
    assert "[vectors.backup-place]" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["b", "My_Bucket", "-dash", "x" * 64, "Upper"])
def test_a_bucket_that_cannot_be_called_so_is_told_by_its_name(
    world: World, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    world.stack("aliyun-t4", {})
    assert world.run("list", "--to", f"oss://{name}/p") == 1
    err = capsys.readouterr().err
    assert f"[vectors.backup-place] --to.to: {name!r} in 'oss://{name}/p' is not the name of a bucket" in err
    assert "3 to 63" in err


def test_what_went_along_is_named_and_so_is_what_has_nowhere_to_go(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.node.close()
    paged = WithPage(world.root / "paged")
    try:
        paged.fill()
        paged.chat("chats")
        world.reach(paged)
        world.outputs(vectors_backup_key=paged.key.read_text())
        assert world.run("backup") == 0
        assert f"with open-webui {VERSION}\n" in capsys.readouterr().out
        paged.chat("later")
        assert world.run("restore") == 0
        assert f"with open-webui {VERSION}\n" in capsys.readouterr().out
        assert paged.kept()["webui.db"] == "chats"
        world.reach(world.node)
        world.node.systemctl("start")
        world.node.wait()
        assert world.run("restore") == 0
        assert f"without open-webui {VERSION}: none runs there\n" in capsys.readouterr().out
    finally:
        paged.close()
