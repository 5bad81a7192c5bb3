"""What goes wrong: killed engines, clouds that refuse, bad input. One clear message each, and a second run finishes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pulumi_llm import _simcloud as simcloud
from pulumi_llm._simcloud.store import open_store
from tests.engine.sim import Sim, said

pytestmark = pytest.mark.engine

STACK = "aws-t4"


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    return Sim.of_stack(tmp_path, STACK)


def refused(sim: Sim, *arguments: str) -> str:
    """The words with which a command is refused."""
    done = sim.run(*(arguments or ("preview", "-s", sim.stack)), check=False)
    assert done.returncode != 0
    words = said(done)
    assert "Traceback" not in words, words
    return words


def engine_of(process: subprocess.Popen[str]) -> int:
    """The pid of the engine that a sim started, found among its children."""
    for _ in range(600):
        for each in Path("/proc").iterdir():
            if not each.name.isdigit():
                continue
            try:
                status = (each / "status").read_text()
                name = (each / "comm").read_text().strip()
            except OSError:
                continue
            if name == "pulumi" and re.search(rf"^PPid:\t{process.pid}$", status, re.MULTILINE):
                return int(each.name)
        time.sleep(0.05)
    raise AssertionError("the engine did not start")


def test_an_up_whose_engine_is_killed_converges_at_the_next_one(sim: Sim) -> None:
    sim.run("preview", "-s", sim.stack)  # makes the stack, so that the next engine started is the one that updates
    sim.faults = ["slow-create:200:ec2/instance"]
    process = subprocess.Popen(
        sim.command("up", "-s", sim.stack, "--yes", "--skip-preview"),
        cwd=sim.project,
        env=os.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    sim.wait_until_only("ec2/instance")
    os.kill(engine_of(process), signal.SIGKILL)
    process.wait(timeout=60)
    assert process.returncode != 0

    sim.faults = []
    again = sim.run("up", "-s", sim.stack, "--yes", "--skip-preview")
    assert "stopped in the middle of" in again.stderr, "the pending operation is not explained"
    assert sim.preview().changes == {}
    assert sim.outputs()["endpoint"].startswith("https://")
    # What was being made when the engine was killed exists twice. Only that, and it was said; it goes by hand.
    known = {each.get("id") for each in sim.state().values()}
    twins = [record for record in simcloud.left_over(sim.home) if record.id not in known and record.id != "none"]
    assert {record.type for record in twins} == {"aws:ec2/instance:Instance"}
    store = open_store(sim.home)
    for twin in twins:
        assert twin.name.startswith(("llm-server-machine", "llm-proxy-machine"))
        store.remove(twin)
    sim.destroy()
    assert simcloud.left_over(sim.home) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no-stock:*", "InsufficientInstanceCapacity"),
        ("quota:g4dn.xlarge", "VcpuLimitExceeded"),
    ],
)
def test_a_cloud_that_refuses_is_quoted_and_the_next_up_finishes(sim: Sim, fault: str, words: str) -> None:
    sim.faults = [fault]
    assert words in refused(sim, "up", "-s", sim.stack, "--yes", "--skip-preview")
    sim.faults = []
    sim.up()
    assert sim.preview().changes == {}


def test_a_look_up_that_is_denied_ends_with_a_code_and_without_a_traceback(sim: Sim) -> None:
    sim.faults = ["denied:getParameter"]
    words = refused(sim)
    assert "[cloud.lookup-denied]" in words
    assert "ssm:GetParameter" in words


def test_a_destroy_that_fails_once_is_finished_by_the_next(sim: Sim) -> None:
    sim.up()
    sim.faults = ["fail-delete:ec2/vpc:once"]
    refused(sim, "destroy", "-s", sim.stack, "--yes", "--skip-preview")
    sim.faults = []
    sim.destroy()
    assert simcloud.left_over(sim.home) == []


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("server.gpuu", "T4", "spec.unknown-key"),
        ("server.cloud", "awss", "spec.unknown-cloud"),
        ("server.region", "ap-northeast-9", "catalog.unknown-region"),
        ("server.gpu", "T44", "catalog.unknown-gpu"),
        ("server.gpu", "B300", "placement.gpu-not-offered"),
        ("server.model", "01-ai/Yi-66B", "fit.unknown-model"),
        ("access.allowed_cidrs", ["0.0.0.0/0"], "spec.open-to-world"),
        ("access.allowed_cidrs", ["10.0.0.300/8"], "spec.bad-cidr"),
        ("access", {}, "spec.missing-key"),
        ("proxy.region", "ap-east-1", "spec.proxy-region"),
    ],
)
def test_bad_input_is_refused_by_its_code_before_anything_is_made(
    sim: Sim, path: str, value: object, code: str
) -> None:
    sim.edit(path, value)
    assert f"[{code}]" in refused(sim, "up", "-s", sim.stack, "--yes", "--skip-preview")
    assert simcloud.left_over(sim.home) == []


def test_several_mistakes_are_told_in_one_run(sim: Sim) -> None:
    sim.edit("server.gpuu", 1)
    sim.edit("access.allowed_cidrs", ["x"])
    sim.edit("proxy.instance_type", "t99.nano")
    words = refused(sim)
    for code in ("spec.unknown-key", "spec.bad-cidr", "catalog.unknown-instance-type"):
        assert f"[{code}]" in words


def test_a_misspelt_config_key_is_told_with_the_other_mistakes(sim: Sim) -> None:
    sim.edit("server.gpuu", 1)
    file = sim.project / "stacks" / f"Pulumi.{STACK}.yaml"
    file.write_text(file.read_text().replace("config:\n", "config:\n  pulumi-llm:platfrom: {}\n", 1))
    words = refused(sim)
    assert "[spec.unknown-key]" in words
    assert "[stack.unknown-key]" in words
    assert "did you mean pulumi-llm:platform?" in words


def test_a_missing_secret_is_named_with_the_command_that_sets_it(sim: Sim) -> None:
    sim.run("preview", "-s", sim.stack)
    sim.run("config", "set", "--secret", "openaiApiKey", "", "-s", sim.stack)
    words = refused(sim)
    assert "[secret.missing]" in words
    assert "pulumi config set --secret openaiApiKey" in words


def test_a_secret_that_is_set_in_the_clear_is_refused(sim: Sim) -> None:
    sim.run("preview", "-s", sim.stack)
    sim.run("config", "set", "--plaintext", "openaiApiKey", "sk-in-the-clear", "-s", sim.stack)
    assert "[secret.in-the-clear]" in refused(sim)


def test_a_secret_appears_in_no_plain_part_of_the_state_nor_in_what_the_engine_prints(sim: Sim) -> None:
    sim.run("preview", "-s", sim.stack)
    sim.run("config", "set", "--secret", "openaiApiKey", "sk-planted-4f2a", "-s", sim.stack)
    done = sim.run("up", "-s", sim.stack, "--yes")
    assert "sk-planted-4f2a" not in done.stdout + done.stderr
    files = [path for path in sim.home.rglob("*") if path.is_file() and path.stat().st_size < 50_000_000]
    holding = [path for path in files if b"sk-planted-4f2a" in path.read_bytes()]
    assert holding == []
    assert "sk-planted-4f2a" not in sim.run("stack", "export", "-s", sim.stack).stdout


def test_a_content_moderators_keys_are_asked_for_and_appear_in_no_plain_part_of_the_state(sim: Sim) -> None:
    sim.edit("server.content", {"moderators": {"m": {"kind": "tencent", "action": "block", "on_error": "pass"}}})
    sim.run("preview", "-s", sim.stack)
    sim.run("config", "set", "--secret", "tencentModerationKey", "", "-s", sim.stack)
    words = refused(sim)
    assert "[secret.missing]" in words
    assert "pulumi config set --secret tencentModerationKey" in words
    sim.run("config", "set", "--secret", "tencentModerationKey", "planted-4f2a", "-s", sim.stack)
    done = sim.run("up", "-s", sim.stack, "--yes")
    assert "planted-4f2a" not in done.stdout + done.stderr
    files = [path for path in sim.home.rglob("*") if path.is_file() and path.stat().st_size < 50_000_000]
    assert [path for path in files if b"planted-4f2a" in path.read_bytes()] == []
    assert "moderation_tencent_key" in sim.run("stack", "export", "-s", sim.stack).stdout
