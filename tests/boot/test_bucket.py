"""Weights that a bucket keeps: the first machine sends them, and one in another zone takes them from there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_boot.machine import Machine
from llm_boot.world import World
from tests.backups.test_bucket import PROGRAM
from tests.boot.stack import BootedStack, booted

pytestmark = [
    pytest.mark.boot,
    pytest.mark.boot_all,
    pytest.mark.skipif(PROGRAM is None, reason="tools/fetch versitygw builds the server"),
]
KEY, SECRET = "simulated-weightsAccessKeyId", "simulated-weightsAccessKeySecret"
"""What ``pulumi-llm sim`` sets for the secrets that a stack needs and has not got."""

ADDRESS, PORT = "203.0.113.201", 7070
OTHER_ZONE = "cn-hangzhou-i"


@contextmanager
def bucket(home: Path, folder: Path) -> Iterator[Path]:
    """A server of S3 in the world of the machines, from when there is one; gives the folder of its bucket."""
    kept = folder / "buckets" / "kept"
    kept.mkdir(parents=True)
    started: list[subprocess.Popen[bytes]] = []
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            world = World.find(home / "world")
            if world is not None and (home / "world" / "world.json").exists():
                place = world.place("bucket", ADDRESS)
                env = {**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}
                argv = ["ip", "netns", "exec", place, shutil.which("versitygw") or "versitygw"]
                argv += ["--port", f"{ADDRESS}:{PORT}", "--region", "cn-hangzhou", "posix", str(kept.parent)]
                with (folder / "bucket.log").open("wb") as out:
                    started.append(subprocess.Popen(argv, env=env, stdout=out, stderr=out, cwd=folder))
                return
            time.sleep(0.2)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield kept
    finally:
        ended.set()
        thread.join()
        for each in started:
            each.terminate()
            each.wait(30)


def with_bucket(file: Path) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    config = content["config"]
    place = {"bucket": "s3://kept/weights", "region": "cn-hangzhou", "endpoint": f"http://{ADDRESS}:{PORT}"}
    config["pulumi-llm:platform"]["server"]["weights"] = place
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def told(machine: Machine) -> dict[str, Any]:
    found = json.loads(machine.inside("cat", "/run/llm/weights.json"))
    (only,) = found["models"].values()
    return dict(only)


def until_kept(stack: BootedStack, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not (now := told(stack.machine("server")))["kept"]:
        assert time.monotonic() < end, now
        time.sleep(1)


def test_a_machine_in_another_zone_has_its_weights_from_the_bucket(tmp_path: Path) -> None:
    with bucket(tmp_path / "home", tmp_path) as kept, booted(tmp_path, "aliyun-t4", with_bucket) as stack:
        assert told(stack.machine("server"))["source"] == "hub"
        until_kept(stack)
        manifests = list(kept.rglob("manifest.json"))
        assert len(manifests) == 1
        shown = stack.command("status", "-s", stack.sim.stack, "--sim")
        assert "from a hub; kept in s3://kept/weights" in shown
        assert SECRET not in shown
        before = stack.machine("server").spec.name
        stack.world.forget_requests()
        stack.sim.edit("server.zone", OTHER_ZONE)
        stack.up()
        after = stack.machine("server")
        assert after.spec.name != before
        assert told(after) == {"source": "bucket", "kept": True, "code": None, "message": None, "hint": None}
        assert [each for each in stack.world.requests(method="GET") if "safetensors" in each["path"]] == []
        assert stack.client("complete", **stack.access, model="Yi-6B-Chat")["tokens"] == 8
        assert after.inside("systemctl", "show", "-P", "Result", "llm-keep").strip() == "success"
