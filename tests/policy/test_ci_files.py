"""The CI files to copy: safe for forks, pinned, well-formed, and doing what they say."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CI = ROOT / "docs/ci"
PLAN, COMMENT, GITLAB = CI / "github-plan.yml", CI / "github-comment.yml", CI / "gitlab-ci.yml"
OUTLOOK, START = CI / "github-outlook.yml", CI / "github-start.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
DIFF = r"pulumi-llm diff\b[^\n]*"


def read(path: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def test_the_half_that_runs_foreign_code_has_no_secrets_and_a_token_that_only_reads() -> None:
    workflow = read(PLAN)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow[True] == {"pull_request": None}  # `on`, which YAML 1.1 reads as true; never pull_request_target
    assert not re.search(r"secrets\s*[.\[]|github\.token|GITHUB_TOKEN", PLAN.read_text())
    assert not any("permissions" in job or "environment" in job for job in workflow["jobs"].values())
    (checkout,) = [each for each in steps(PLAN) if each.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["persist-credentials"] is False


def test_the_half_that_may_write_runs_nothing_of_the_pull_request() -> None:
    workflow = read(COMMENT)
    assert set(workflow[True]) == {"workflow_run"}
    assert workflow[True]["workflow_run"]["workflows"] == [read(PLAN)["name"]]
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    (checkout,) = [each for each in steps(COMMENT) if each.get("uses", "").startswith("actions/checkout@")]
    assert "ref" not in checkout["with"]
    assert "repository" not in checkout["with"]
    assert [each["run"] for each in steps(COMMENT) if "run" in each] == [
        "python3 .github/pulumi-llm/post_comment.py plan/comment.md"
    ]


@pytest.mark.parametrize("path", [PLAN, COMMENT, OUTLOOK, START], ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it(path: Path) -> None:
    uses = re.findall(r"uses: *(.+)", path.read_text())
    assert uses
    for each in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)


@pytest.mark.parametrize("path", [PLAN, COMMENT, OUTLOOK, START], ids=lambda path: path.stem)
def test_nothing_that_a_stranger_writes_is_put_into_a_script(path: Path) -> None:
    assert not any("${{" in each.get("run", "") for each in steps(path))


def test_what_one_half_hands_on_the_other_half_takes() -> None:
    (up,) = [each["with"] for each in steps(PLAN) if "upload-artifact" in each.get("uses", "")]
    (down,) = [each["with"] for each in steps(COMMENT) if "download-artifact" in each.get("uses", "")]
    assert up["name"] == down["name"]
    assert (up["path"], down["path"]) == ("plan/comment.md", "plan")
    assert down["run-id"] == "${{ github.event.workflow_run.id }}"


def test_on_gitlab_the_token_is_only_where_no_code_of_the_request_is() -> None:
    jobs = read(GITLAB)
    plan, comment = jobs["pulumi-llm-plan"], jobs["pulumi-llm-comment"]
    assert "TOKEN" not in yaml.safe_dump({"plan": plan, "all": jobs["variables"]})
    assert comment["variables"]["GIT_STRATEGY"] == "none"
    assert "CI_MERGE_REQUEST_TARGET_BRANCH_NAME" in comment["script"][0]
    assert comment["needs"] == ["pulumi-llm-plan"]
    assert comment["rules"][0]["when"] == "always"


def test_the_weekly_job_runs_by_the_clock_with_no_secret_and_a_token_that_only_reads() -> None:
    workflow = read(OUTLOOK)
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}
    (row,) = workflow[True]["schedule"]
    assert re.fullmatch(r"[1-9]\d? \d+ \* \* [0-6]", row["cron"])
    assert workflow["permissions"] == {"contents": "read"}
    assert not re.search(r"secrets\s*[.\[]|github\.token|GITHUB_TOKEN", OUTLOOK.read_text())
    assert read(GITLAB)["pulumi-llm-outlook"]["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]


def test_the_job_that_starts_machines_is_run_by_the_clock_alone_and_gives_its_secrets_to_one_step() -> None:
    workflow = read(START)
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert job["environment"] == "pulumi-llm-start"
    with_secrets = [each["name"] for each in job["steps"] if "secrets." in str(each)]
    assert with_secrets == ["Start"]
    assert "secrets." not in str({**workflow, "jobs": {}})


def test_the_hook_runs_what_the_jobs_run() -> None:
    (hook,) = yaml.safe_load(HOOKS.read_text())
    command = shlex.split(hook["entry"])
    assert command[:2] == ["pulumi-llm", "diff"]
    assert (hook["language"], hook["pass_filenames"], hook["require_serial"]) == ("system", False, True)
    assert {"id", "name", "entry", "language", "files"} <= hook.keys()
    for name in ("stacks/Pulumi.aliyun-t4.yaml", "stacks/__main__.py", "pulumi-llm.policy.yaml"):
        assert re.search(hook["files"], name)
    assert not re.search(hook["files"], "README.md")


# By their own tools.

TOOLS = Path(os.environ.get("PULUMI_LLM_TOOLS", ROOT / ".tools")) / "bin"


@pytest.mark.artefact
@pytest.mark.parametrize("path", [PLAN, COMMENT, OUTLOOK, START], ids=lambda path: path.stem)
def test_actionlint_has_nothing_to_say(path: Path) -> None:
    tool = shutil.which("actionlint", path=f"{TOOLS}:{os.environ['PATH']}")
    assert tool, "there is no actionlint: tools/fetch actionlint"
    done = subprocess.run([tool, "-no-color", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.artefact
@pytest.mark.parametrize(
    ("schema", "path"),
    [
        *(("vendor.github-workflows", each) for each in (PLAN, COMMENT, OUTLOOK, START)),
        ("vendor.gitlab-ci", GITLAB),
    ],
    ids=["plan", "comment", "outlook", "start", "gitlab"],
)
def test_the_hosts_schema_takes_the_file(schema: str, path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# In a fresh checkout, word for word.


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of this revision as CI makes it, with a commit on top that changes a stack. The environment is there."""
    folder = tmp_path / "checkout"
    shutil.copytree(
        ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(".git", ".venv", ".tools", ".*_cache", "__pycache__")
    )
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "base")
    stack = folder / "stacks/Pulumi.aliyun-t4.yaml"
    stack.write_text(stack.read_text().replace("context_length: 4096", "context_length: 2048"))
    git(folder, "commit", "-q", "-a", "-m", "change")
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return folder


def git(folder: Path, *arguments: str) -> str:
    own = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *own, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def run_all(scripts: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The scripts as a runner has them: each by a bash that stops at the first failure, and without any credentials."""
    plain = {key: os.environ[key] for key in ("PATH", "HOME", "PULUMI_LLM_TOOLS") if key in os.environ}
    done = subprocess.CompletedProcess[str]([], 0)
    for script in scripts:
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=folder,
            env={**plain, **environment, "CI": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done


def first_line_is_a_marker(folder: Path) -> bool:
    return re.match(r"<!-- pulumi-llm[^<>\n]*-->\n", (folder / "plan/comment.md").read_text()) is not None


@pytest.mark.artefact
def test_the_plan_job_of_github_runs_in_a_fresh_checkout(checkout: Path, tmp_path: Path) -> None:
    workflow, summary = read(PLAN), tmp_path / "summary.md"
    scripts = [each["run"] for each in steps(PLAN) if "run" in each]
    run_all(scripts, checkout, GITHUB_STEP_SUMMARY=str(summary), **workflow["env"])
    assert first_line_is_a_marker(checkout)
    assert "2048" in (checkout / "plan/comment.md").read_text()
    assert summary.read_text() == (checkout / "plan/comment.md").read_text()


@pytest.mark.artefact
def test_the_plan_job_of_gitlab_runs_in_a_fresh_checkout(checkout: Path) -> None:
    jobs = read(GITLAB)
    base = git(checkout, "rev-parse", "HEAD~1")
    run_all(jobs["pulumi-llm-plan"]["script"], checkout, CI_MERGE_REQUEST_DIFF_BASE_SHA=base, **jobs["variables"])
    assert first_line_is_a_marker(checkout)


@pytest.mark.artefact
@pytest.mark.parametrize("host", ["github", "gitlab"])
def test_the_weekly_job_fails_until_what_has_ended_is_accepted(checkout: Path, tmp_path: Path, host: str) -> None:
    if host == "github":
        summary = tmp_path / "summary.md"
        variables = {**read(OUTLOOK)["env"], "GITHUB_STEP_SUMMARY": str(summary)}
        scripts, accepted = [each["run"] for each in steps(OUTLOOK) if "run" in each], "ACCEPTED"
    else:
        variables = read(GITLAB)["variables"]
        scripts, accepted = read(GITLAB)["pulumi-llm-outlook"]["script"], "PULUMI_LLM_ACCEPTED"
    variables |= {"STACKS": "aliyun-t4", "PULUMI_LLM_STACKS": "aliyun-t4"}
    ended = checkout / "stacks/Pulumi.aliyun-t4.yaml"
    ended.write_text(ended.read_text().replace("models: [gpt-6-luna]", "models: [gpt-4]"))
    with pytest.raises(AssertionError, match=r"upstream\.model-ended"):
        run_all(scripts, checkout, **variables)
    run_all(scripts, checkout, **variables | {accepted: "upstream.model-ended outlook.advisory"})
    if host == "github":
        assert "gpt-4" in summary.read_text()


@pytest.mark.artefact
def test_the_hook_lets_a_harmless_change_pass_and_stops_one_that_breaks_a_rule(checkout: Path) -> None:
    (hook,) = yaml.safe_load(HOOKS.read_text())
    command = f"{hook['entry']} -s aliyun-t4"
    path = f"{checkout / '.venv/bin'}:{os.environ['PATH']}"
    stack = checkout / "stacks/Pulumi.aliyun-t4.yaml"
    stack.write_text(stack.read_text().replace("context_length: 2048", "context_length: 1024"))
    run_all([command], checkout, PATH=path)

    (checkout / "pulumi-llm.policy.yaml").write_text("allowed_regions: {aliyun: [cn-beijing]}\n")
    done = subprocess.run(
        shlex.split(command),
        cwd=checkout,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "policy.region-not-allowed" in done.stdout + done.stderr
