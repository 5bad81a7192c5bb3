"""A disk that would get smaller: who is told what, and when."""

from __future__ import annotations

import pytest

from pulumi_llm import _disks as disks

HEAD = "urn:pulumi:prod::shop::"
DISK, MACHINE = "aws:ebs/volume:Volume", "aws:ec2/instance:Instance"


@pytest.mark.parametrize(
    ("chain", "system", "argument"),
    [
        ("llm:index:ModelServer", False, "model_disk_gib"),
        ("llm:index:ModelServer", True, "system_disk_gib"),
        ("llm:index:Platform$llm:index:ModelServer", False, "server.model_disk_gib"),
        ("llm:index:Platform$llm:index:ModelServer", True, "server.system_disk_gib"),
        ("llm:index:Platform$llm:index:VectorStore", False, "vectors.disk_gib"),
        ("llm:index:Platform$llm:index:OverseasProxy", False, "proxy.disk_gib"),
        ("llm:index:Platform$llm:index:OverseasProxy", True, "proxy.system_disk_gib"),
        ("mine:index:Group", False, "size"),
    ],
)
def test_the_hint_names_the_argument_as_it_is_written_and_the_size_that_stands(
    chain: str, system: bool, argument: str
) -> None:
    urn = f"{HEAD}{chain}${MACHINE if system else DISK}::llm-server-disk"
    found = disks.shrinking(urn, "size", 200, 100, system=system)
    assert found is not None
    assert found.code == "cloud.disk-cannot-shrink"
    assert found.severity == "error"
    assert f"{argument}: 200" in found.hint
    assert "200 GiB and would have 100" in found.message


@pytest.mark.parametrize(("old", "new"), [(200, 200), (200, 300), (None, 100), (200, None)])
def test_what_stays_grows_or_is_not_known_is_no_finding(old: int | None, new: int | None) -> None:
    assert disks.shrinking(f"{HEAD}{DISK}::d", "size", old, new, system=False) is None


def test_a_size_is_found_in_a_block_and_nothing_but_a_number_is_one() -> None:
    assert disks.size_at({"rootBlockDevice": {"volumeSize": 80.0}}, "rootBlockDevice.volumeSize") == 80
    assert disks.size_at({"size": "80"}, "size") is None
    assert disks.size_at({"size": True}, "size") is None
    assert disks.size_at(None, "size") is None
