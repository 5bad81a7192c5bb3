"""`pulumi-llm diff` and `comment` as CI calls them: git revisions, gates, and bad input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import cli
from pulumi_llm._review.comment import LIMIT
from tests.review.cases import ROOT
from tests.shipped import STACKS

SECRETS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "ALICLOUD_ACCESS_KEY",
    "TENCENTCLOUD_SECRET_ID",
    "PULUMI_ACCESS_TOKEN",
)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str = "x") -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The shipped project in a repository of its own, committed on `main`."""
    folder = tmp_path / "repository"
    shutil.copytree(ROOT / "stacks", folder / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    commit(folder)
    return folder


def edit(folder: Path, stack: str, path: str, value: Any) -> None:
    file = folder / "stacks" / f"Pulumi.{stack}.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    *steps, last = path.split(".")
    here = content["config"]["pulumi-llm:platform"]
    for step in steps:
        here = here[step]
    here[last] = value
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(repository: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["diff", "--project", str(repository), *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_a_change_is_compared_with_a_revision_and_leaves_the_repository_alone(repository: Path, run: Run) -> None:
    edit(repository, "aws-t4", "server.context_length", 2048)
    before = git(repository, "status", "--porcelain")
    code, out, _ = run("--base", "main", "-s", "aws-t4")
    assert code == 0
    assert "`server.context_length`: `4096` → `2048`" in out
    assert git(repository, "status", "--porcelain") == before
    assert git(repository, "worktree", "list").count("\n") == 0


def test_json_says_the_same(repository: Path, run: Run) -> None:
    edit(repository, "aws-t4", "server.model_disk_gib", 70)
    code, out, _ = run("--base", "main", "-s", "aws-t4", "--json")
    content = json.loads(out)
    (stack,) = content["stacks"]
    assert code == 1
    assert content["failed"] == ["errors"]
    assert content["base"] == {"name": "main", "commit": git(repository, "rev-parse", "main")}
    assert stack["worst"] == "refused"
    assert {"update"} == set(stack["resources"])


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ("refused", 1),
        ("replaces-machine", 1),
        ("changes", 1),
        ("never", 0),
        ("dearer", 0),
        ("warnings", 1),
        ("errors", 1),
    ],
)
def test_a_gate_that_is_not_passed_is_exit_1(repository: Path, run: Run, gate: str, code: int) -> None:
    edit(repository, "aws-t4", "server.model_disk_gib", 70)
    found, out, err = run("--base", "main", "-s", "aws-t4", "--fail-on", gate)
    assert found == code
    assert out.startswith("<!-- pulumi-llm:review -->")
    assert ("not passed" in err) is bool(code)


def test_several_stacks_make_one_comment(repository: Path, run: Run) -> None:
    edit(repository, "aws-t4", "server.context_length", 2048)
    _, out, _ = run("--base", "main", "-s", "aws-t4", "tencent-t4", "--marker", "prod", "--lang", "zh")
    assert out.startswith("<!-- pulumi-llm:review prod -->")
    assert out.count("<!-- pulumi-llm:review") == 1
    assert "| `tencent-t4` | 没有变化。" in out


def test_a_program_that_refuses_is_told_and_is_exit_1(repository: Path, run: Run) -> None:
    edit(repository, "aws-t4", "access.allowed_cidrs", ["0.0.0.0/0"])
    code, out, _ = run("--base", "main", "-s", "aws-t4", "tencent-t4")
    assert code == 1
    assert "`spec.open-to-world`" in out
    assert "`tencent-t4`" in out


def test_a_base_that_refuses_shows_all_as_new(repository: Path, run: Run) -> None:
    edit(repository, "aws-t4", "access.allowed_cidrs", ["0.0.0.0/0"])
    commit(repository)
    edit(repository, "aws-t4", "access.allowed_cidrs", ["203.0.113.0/24"])
    code, out, _ = run("--base", "main", "-s", "aws-t4", "--json")
    (stack,) = json.loads(out)["stacks"]
    assert code == 0
    assert "diff.base-refused" in {each["code"] for each in stack["findings"]}
    assert set(stack["resources"]) == {"create"}


def test_a_new_stack_is_all_new_and_one_that_is_gone_is_told(repository: Path, run: Run) -> None:
    shutil.move(repository / "stacks/Pulumi.aws-t4.yaml", repository / "stacks/Pulumi.other.yaml")
    code, out, _ = run("--base", "main", "-s", "other", "aws-t4", "--json")
    new, gone = json.loads(out)["stacks"]
    assert code == 1
    assert "diff.new-stack" in {each["code"] for each in new["findings"]}
    assert [each["code"] for each in gone["refused"]] == ["diff.stack-gone"]


def test_other_dependencies_are_told(repository: Path, run: Run) -> None:
    (repository / "requirements.txt").write_text("pulumi-llm==0.1\n", encoding="utf-8")
    _, out, _ = run("--base", "main", "-s", "aws-t4", "--json")
    codes = {each["code"] for each in json.loads(out)["stacks"][0]["findings"]}
    assert "diff.other-dependencies" in codes
    _, out, _ = run("--base", "main", "-s", "aws-t4", "--json", "--base-python", sys.executable)
    assert "diff.other-dependencies" not in {each["code"] for each in json.loads(out)["stacks"][0]["findings"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--base", "mian"], "main"),
        (["--base", "main", "-s", "aws-t5"], "aws-t4"),
        (["--base", "main", "--fail-on", "replaces-machin"], "replaces-machine"),
        (["--base", "main", "--langg", "zh"], "--lang"),
        (["-s", "aws-t4"], "--base"),
        (["--base", "main", "-s", "aws-t4", "--base-python", "/no/python"], "--base-python"),
    ],
)
def test_a_wrong_call_is_exit_2_and_says_what_would_be_right(run: Run, arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert words in err
    assert "Traceback" not in err


def test_a_program_that_fails_by_itself_is_told_without_a_traceback(repository: Path, run: Run) -> None:
    (repository / "stacks/__main__.py").write_text("1 / 0\n", encoding="utf-8")
    code, out, err = run("--base", "main", "-s", "aws-t4")
    assert code == 1
    assert "`diff.program-failed`" in out
    assert "ZeroDivisionError" in out
    assert "Traceback" not in err


def test_a_base_planned_here_and_one_planned_in_a_process_of_its_own_are_the_same(repository: Path, run: Run) -> None:
    (repository / "stacks/limits.py").write_text("PER_MINUTE = 60\n", encoding="utf-8")
    main = repository / "stacks/__main__.py"
    text = main.read_text(encoding="utf-8")
    main.write_text(f"import limits, pulumi\n{text}\npulumi.export('limit', limits.PER_MINUTE)\n", encoding="utf-8")
    commit(repository)
    (repository / "stacks/limits.py").write_text("PER_MINUTE = 7\n", encoding="utf-8")
    edit(repository, "aws-t4", "server.region", "us-west-2")
    here = run("--base", "main", "-s", "aws-t4", "--json")
    apart = run("--base", "main", "-s", "aws-t4", "--json", "--base-python", sys.executable)
    assert here == apart
    assert "us-west-2" in here[1]


def test_a_program_that_leaves_at_the_base_is_told_as_what_it_is(repository: Path, run: Run) -> None:
    main = repository / "stacks/__main__.py"
    text = main.read_text(encoding="utf-8")
    main.write_text("raise SystemExit(3)\n", encoding="utf-8")
    commit(repository)
    main.write_text(text, encoding="utf-8")
    code, out, err = run("--base", "main", "-s", "aws-t4")
    assert (code, out) == (2, "")
    assert "[diff.base-failed]" in err


def test_the_librarys_own_change_is_a_change_where_it_is_part_of_the_repository(repository: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("components", "templates"):
        shutil.copytree(ROOT / name, repository / name, ignore=ignored)
    commit(repository)
    pins = repository / "templates/vllm/role.yaml"
    pins.write_text(pins.read_text(encoding="utf-8").replace("0.32.0", "0.33.0"), encoding="utf-8")
    content = json.loads(called(repository, "--base", "main", "-s", "aws-t4", "--json").stdout)
    (stack,) = content["stacks"]
    assert stack["worst"] == "restarts-service"
    texts = {each["name"]: each for each in stack["texts"]}
    assert "vllm-0.33.0" in texts["/etc/systemd/system/llm-vllm.service"]["after"]
    assert "vllm-0.32.0" in texts["/etc/systemd/system/llm-vllm.service"]["before"]


def test_a_library_that_is_too_old_to_tell_its_plans_is_told(repository: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("components", "templates"):
        shutil.copytree(ROOT / name, repository / name, ignore=ignored)
    (repository / "components/pulumi_llm/_plan/exchange.py").unlink()
    commit(repository)
    shutil.copy(ROOT / "components/pulumi_llm/_plan/exchange.py", repository / "components/pulumi_llm/_plan")
    content = json.loads(called(repository, "--base", "main", "-s", "aws-t4", "--json").stdout)
    assert "diff.older-library" in {each["code"] for each in content["stacks"][0]["findings"]}


def called(repository: Path, *arguments: str, wrapper: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with the repository's library and no credentials."""
    environment = {key: value for key, value in os.environ.items() if key not in SECRETS and not key.startswith("AWS_")}
    own = repository / "components"
    environment["PYTHONPATH"] = os.fspath(own if own.is_dir() else ROOT / "components")
    command = [*wrapper, sys.executable, "-P", "-m", "pulumi_llm.cli", "diff", "--project", str(repository), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_all_six_stacks_are_compared_without_credentials_and_without_a_network(repository: Path) -> None:
    alone = ("unshare", "--net", "--map-root-user")
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine gives nobody a network namespace")
    for each in STACKS:
        edit(repository, each, "server.keys.default.requests_per_minute", 7)
    done = called(repository, "--base", "main", wrapper=alone)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) < LIMIT
    for each in STACKS:
        assert f"### Stack `{each}`" in done.stdout
    assert done.stdout.count('"requests_per_minute": 7') == len(STACKS)
