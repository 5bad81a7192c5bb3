"""When simulated snapshots begin and end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import clouds
from pulumi_llm._simcloud.snapshots import SimulatedSnapshots, begins
from pulumi_llm._simcloud.store import Record, Store
from pulumi_llm.clouds.plans import SnapshotPlan

MONDAY = datetime(2026, 11, 30, tzinfo=UTC)


def plan(*days: int, hour: int = 3, minute: int = 0, keep: int = 7) -> SnapshotPlan:
    return SnapshotPlan(days=days, hour=hour, minute=minute, keep_days=keep)


def test_a_snapshot_begins_by_the_clouds_clock_and_not_by_utc() -> None:
    found = list(begins(plan(0), 8, MONDAY - timedelta(days=7), MONDAY + timedelta(days=1)))
    assert found == [datetime(2026, 11, 29, 19, 0, tzinfo=UTC)]
    assert list(begins(plan(0), 0, MONDAY, MONDAY + timedelta(days=1))) == [MONDAY + timedelta(hours=3)]


@given(
    days=st.sets(st.integers(0, 6), min_size=1),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    clock=st.sampled_from([0, 8]),
    start=st.integers(0, 10_000),
)
def test_in_any_whole_week_there_are_as_many_as_days(
    days: set[int], hour: int, minute: int, clock: int, start: int
) -> None:
    since = MONDAY + timedelta(minutes=start)
    found = list(begins(plan(*sorted(days), hour=hour, minute=minute), clock, since, since + timedelta(days=7)))
    assert len(found) == len(days)
    assert all(since < each <= since + timedelta(days=7) for each in found)


@pytest.mark.parametrize("cloud", ["aliyun", "tencent", "aws"])
def test_ids_have_the_form_that_the_spec_takes(cloud: str, tmp_path: Path) -> None:
    import re

    facts = clouds.folders()[cloud].read("snapshots.json")
    made = SimulatedSnapshots(Store(None), cloud, tmp_path)
    disk = Record(package="x", type=facts["disk"], id="d-1", region="r", urn="urn:x::disk", properties={"size": 20})
    found = made.take(disk, MONDAY, None)
    assert re.fullmatch(facts["id"], found.id)
    assert made.find(found.id) is not None
