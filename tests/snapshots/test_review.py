"""What a review says of copies where a change deletes a disk: what is known offline, and what tells the rest."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm._plan.exchange import standing
from pulumi_llm._review.stack_review import review
from pulumi_llm.errors import Finding
from tests.review.cases import compared, project, setting, stack_of
from tests.snapshots.test_stack import DAILY, IDS

TODAY = date(2026, 11, 29)


def lost(folder: Path, cloud: str, before: Any, after: Any) -> list[Finding]:
    """What is said of the server's data disk where its `disk` changes so."""
    stands = standing(project(folder / "before", cloud, setting("server.disk", before)), stack_of(cloud))
    comparison = compared(folder / "after", cloud, stands, setting("server.disk", after))
    found = review(comparison, catalog.load(), today=TODAY, environment={}).findings
    return [each for each in found if each.code == "diff.deletes-data"]


@pytest.mark.parametrize("cloud", ["aliyun", "tencent", "aws"])
def test_a_disk_made_anew_from_a_snapshot_is_told_with_what_is_lost_and_where_the_newest_is_told(
    tmp_path: Path, cloud: str
) -> None:
    (finding,) = lost(tmp_path, cloud, DAILY, {**DAILY, "from_snapshot": IDS[cloud]})
    assert IDS[cloud] in finding.message
    assert "what was written after that is lost" in finding.message
    assert "`pulumi-llm snapshots list -s" in finding.hint
    assert "stay when it goes" in finding.hint


def test_a_disk_that_no_longer_comes_from_its_snapshot_is_told_as_lost(tmp_path: Path) -> None:
    (finding,) = lost(tmp_path, "aws", {**DAILY, "from_snapshot": IDS["aws"]}, DAILY)
    assert "its data is lost" in finding.message
    assert "`pulumi-llm snapshots list -s" in finding.hint


def test_a_disk_that_is_not_copied_is_told_without_a_word_of_snapshots(tmp_path: Path) -> None:
    (finding,) = lost(tmp_path, "aws", {"from_snapshot": IDS["aws"]}, {"from_snapshot": IDS["aws"][:-1] + "1"})
    assert "snapshots list" not in finding.hint
    assert "made from the snapshot" in finding.message


def test_a_schedule_that_comes_or_goes_deletes_no_data(tmp_path: Path) -> None:
    assert lost(tmp_path / "a", "aliyun", None, DAILY) == []
    assert lost(tmp_path / "b", "aliyun", DAILY, None) == []
