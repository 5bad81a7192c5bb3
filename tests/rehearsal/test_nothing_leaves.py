"""The servers answer on loopback alone, where there is no other network, and nobody else can reach them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pulumi_llm._rehearsal import alone
from pulumi_llm._rehearsal.server import serving
from pulumi_llm._simcloud.store import Store
from pulumi_llm.clouds.aliyun.wire import FACE, PROTOCOL
from tests.rehearsal.plugin_home import installed

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not alone.can_be_alone(), reason="network namespaces cannot be made here")
@pytest.mark.parametrize("cloud", ["aliyun", "aws", "tencent"])
def test_the_clouds_answer_where_there_is_no_network_but_loopback(cloud: str) -> None:
    module = Path(__file__).with_name(f"test_{cloud}_wire.py")
    asked = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-n0",
        "-m",
        "not engine",
        "-k",
        "network or address or nobody_knows or nobody_answers",
        str(module),
    ]
    done = subprocess.run(
        [*alone.ALONE, sys.executable, "-m", "pytest", *asked], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_a_server_listens_on_loopback_only() -> None:
    with serving(FACE(Store(None)), PROTOCOL) as port, pytest.raises(ConnectionRefusedError):
        # Another address of this machine, which is the same to a server that listens on all of them.
        socket.create_connection(("127.0.0.2", port), timeout=5).close()


def test_a_port_that_is_taken_is_told_at_once() -> None:
    with (
        serving(FACE(Store(None)), PROTOCOL) as port,
        pytest.raises(OSError, match="in use"),
        serving(FACE(Store(None)), PROTOCOL, port),
    ):
        pass


@pytest.mark.engine
@pytest.mark.skipif(not alone.can_be_alone(), reason="network namespaces cannot be made here")
def test_a_whole_rehearsal_runs_where_there_is_no_network_but_loopback() -> None:
    command = [sys.executable, "-m", "pulumi_llm.cli", "rehearse", "-s", "tencent-t4", "--project", str(ROOT), "--json"]
    done = subprocess.run(
        [*command, "--sim", "tencentcloud", "--sim", "aws"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["network"] == "loopback only"
    assert [each["name"] for each in said["phases"]] == ["up", "preview", "destroy"]
    assert said["left"] == []


@pytest.mark.engine
@pytest.mark.skipif(not alone.can_be_alone(), reason="network namespaces cannot be made here")
def test_a_plugin_that_calls_is_rehearsed_where_there_is_no_network_but_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS's, by a stand-in: each call that it makes is answered on this machine, as there is no other."""
    installed(tmp_path, monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA-of-mine")
    monkeypatch.setenv("AWS_PROFILE", "of-mine")
    command = [sys.executable, "-m", "pulumi_llm.cli", "rehearse", "-s", "aws-t4", "--project", str(ROOT), "--json"]
    done = subprocess.run(
        [*command, "--sim", "alicloud", "--sim", "tencentcloud"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["network"], said["asked_outside"], said["unknown_actions"], said["left"]) == (
        "loopback only",
        [],
        [],
        [],
    )
    up, preview, __ = said["phases"]
    assert {"ec2:RunInstances", "ssm:GetParameter"} <= {each["action"] for each in up["calls"]}
    assert preview["steps"] == []
    assert "of-mine" not in done.stdout + done.stderr


@pytest.mark.skipif(not alone.can_be_alone(), reason="network namespaces cannot be made here")
def test_what_runs_alone_sees_loopback_and_no_other_interface() -> None:
    seen = [*alone.ALONE, sys.executable, "-c", "import socket; print([name for _, name in socket.if_nameindex()])"]
    assert subprocess.run(seen, capture_output=True, text=True, check=True).stdout.strip() == "['lo']"
