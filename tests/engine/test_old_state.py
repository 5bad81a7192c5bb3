"""State that an older program made, under today's: no machine and no disk of anybody's goes with an update of ours."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.engine.sim import ROOT, Sim
from tests.shipped import STACKS

REVISION = "78bcd70"
"""The program that made the state; `tools/old_state.py` makes it again."""

STATES = ROOT / "tests" / "golden" / "states" / f"{REVISION}.tar.xz"

UPDATED = dict.fromkeys(
    (
        # The three components record what they were asked for.
        "llm",
        "llm-proxy",
        "llm-server",
        # A node's code, pins and model names are its settings, which change in place over SSH; then they are applied.
        "llm-proxy-settings",
        "llm-proxy-apply",
        "llm-server-settings",
        "llm-server-apply",
    ),
    "update",
)
"""All that an update from that program changes, in each of the shipped stacks."""

GROWN = {stack: {"llm-server-disk": "update"} for stack in ("aliyun-a100", "aws-a100")}
"""A disk whose computed size has become larger since: the clouds grow it in place."""

WITHOUT_STOP_MODE = {
    "tencent-a100": ("llm-server-machine",),  # its proxy is elsewhere
    "tencent-t4": ("llm-server-machine", "llm-proxy-machine"),
}
"""Tencent Cloud's machines lose `stoppedMode`. The provider shows it, and calls nothing."""


def deployments() -> dict[str, bytes]:
    """What the engine exported of each stack."""
    with tarfile.open(STATES) as archive:
        files = {each.name.removesuffix(".json"): archive.extractfile(each) for each in archive.getmembers()}
        return {name: file.read() for name, file in files.items() if file is not None}


def test_there_is_state_of_every_shipped_stack_with_its_machines_and_disks_and_no_secret_in_plain() -> None:
    found = deployments()
    assert tuple(sorted(found)) == STACKS
    for stack, content in found.items():
        deployment = json.loads(content)["deployment"]
        names = {each["urn"].rsplit("::", 1)[-1] for each in deployment["resources"]}
        assert {"llm-server-disk", "llm-proxy-disk"} <= names, stack
        assert sum("-machine-" in name for name in names) == 2, stack
        assert deployment["secrets_providers"]["type"] == "passphrase"
        assert b"PRIVATE KEY-----" not in content
        assert b'"plaintext"' not in content


@pytest.mark.engine
@pytest.mark.parametrize("stack", STACKS)
def test_an_update_of_the_program_changes_settings_in_place_and_nothing_else(stack: str, tmp_path: Path) -> None:
    sim = Sim.of_stack(tmp_path, stack)
    file = tmp_path / "state.json"
    file.write_bytes(deployments()[stack])
    sim.run("stack", "init", stack)
    sim.run("stack", "import", "-s", stack, "--file", str(file))
    machines = dict.fromkeys(WITHOUT_STOP_MODE.get(stack, ()), "update")
    changes = {re.sub(r"(-machine)-.*", r"\1", name): change for name, change in sim.preview().changes.items()}
    assert changes == UPDATED | GROWN.get(stack, {}) | machines
