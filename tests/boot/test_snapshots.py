"""A stack whose data disk is copied on a schedule, and put back from such a copy by one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm._simcloud.snapshots import moved_back
from pulumi_llm._simcloud.store import FILE, Store
from tests.boot.stack import PATIENCE, BootedStack, booted

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

SCHEDULE = {"snapshots": {"at": "03:00 Asia/Shanghai"}}


def copied(file: Path) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["config"]["pulumi-llm:platform"]["server"]["disk"] = SCHEDULE
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def listed(stack: BootedStack) -> list[dict[str, Any]]:
    asked = ("snapshots", "list", "-s", stack.sim.stack, "--at", "server", "--json")
    rows: list[dict[str, Any]] = json.loads(stack.sim.run(*asked).stdout)[0]["snapshots"]
    return rows


def test_a_disk_comes_back_as_it_was_with_its_weights_vectors_and_keys(tmp_path: Path) -> None:
    with booted(tmp_path, "aliyun-t4", copied) as stack:
        before, access = stack.machine("server").spec.name, dict(stack.access)
        here = {**stack.vectors_access, "folder": str(tmp_path), "count": 500}
        assert stack.client("remember", **here, name="Memory") == 0
        store = Store(stack.sim.home / FILE)
        with store.transaction():
            for each in store.everything():
                moved_back(store, each, 1)
        (copy,) = listed(stack)
        assert stack.client("remember", **here, name="Later") == 0
        stack.world.forget_requests()

        done = stack.sim.run("snapshots", "restore", "-s", stack.sim.stack, "--yes", check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        stack.outputs = stack.sim.outputs()
        after = stack.machine("server")
        assert after.spec.name != before
        assert stack.world.find_machine(before) is None, "the old machine went, last"
        assert stack.access == access
        assert stack.client("complete", **stack.access, model="Yi-6B-Chat")["tokens"] == 8
        found = stack.client("recall", **{**stack.vectors_access, **here}, name="Memory")
        assert (found["total"], found["nearest"]) == (500, 250)
        assert [each for each in stack.world.requests(method="GET") if "safetensors" in each["path"]] == []
        with pytest.raises(AssertionError, match="Later"):
            stack.client("recall", **{**stack.vectors_access, **here}, name="Later")
        assert copy["id"] in json.dumps(stack.sim.state())
