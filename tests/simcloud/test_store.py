from __future__ import annotations

import multiprocessing
import sqlite3
import time
from pathlib import Path

import pytest

from pulumi_llm import _simcloud as simcloud
from pulumi_llm._provider_facts.values import secret
from pulumi_llm._simcloud.store import FILE, Record, Store, open_store


def record(id_: str, **properties: object) -> Record:
    return Record("aws", "aws:ec2/vpc:Vpc", id_, "us-east-1", f"urn:pulumi:d::p::aws:ec2/vpc:Vpc::{id_}", properties)


def test_what_was_put_is_found_by_type_region_and_property(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put(record("a", size=1, tags={"x": "y"}))
    store.put(record("b", size=2))
    assert [each.id for each in store.list("aws:ec2/vpc:Vpc", size=2)] == ["b"]
    assert [each.id for each in store.list("aws:ec2/vpc:Vpc", missing=None)] == ["a", "b"]
    found = store.get("aws:ec2/vpc:Vpc", "a")
    assert found is not None
    assert (found.get("tags"), found.name) == ({"x": "y"}, "a")
    assert store.get("aws:ec2/vpc:Vpc", "a", "eu-west-1") is None


def test_another_process_sees_it(tmp_path: Path) -> None:
    open_store(tmp_path).put(record("a"))
    assert [each.id for each in open_store(tmp_path).everything()] == ["a"]
    assert [each.id for each in simcloud.left_over(tmp_path)] == ["a"]


def test_where_nothing_was_simulated_nothing_is_left_over(tmp_path: Path) -> None:
    assert simcloud.left_over(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_not_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put(record("a", password=secret("hunter2"), nested={"list": [secret("hunter3")]}))
    found = store.everything()[0]
    assert found.properties == {"password": "[secret]", "nested": {"list": ["[secret]"]}}
    assert b"hunter" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    def fail() -> None:
        with store.transaction():
            store.put(record("a"))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert store.everything() == []


def test_addresses_are_of_the_documentation_ranges_and_run_out() -> None:
    store = Store(None)
    given = [store.public_address("eip", str(number)) for number in range(763)]
    assert given[0] == "203.0.113.1"
    assert len(set(given)) == 763
    assert given[-1] is None


def _open_when(home: str, moment: float) -> None:
    while time.time() < moment:
        pass
    open_store(home)


def test_processes_that_open_a_new_store_at_the_same_moment_all_get_it(tmp_path: Path) -> None:
    """As the engine starts a cloud's packages. About one in fifty was turned away: each home is tried by eight."""
    context = multiprocessing.get_context("forkserver")
    for number in range(12):
        home, moment = str(tmp_path / str(number)), time.time() + 0.2
        openers = [context.Process(target=_open_when, args=(home, moment)) for _ in range(8)]
        for each in openers:
            each.start()
        for each in openers:
            each.join(60)
        assert {each.exitcode for each in openers} == {0}


def test_a_store_that_another_process_holds_for_long_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulumi_llm._simcloud.store.WAIT", 0.05)
    holder = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    holder.execute("begin exclusive")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        open_store(tmp_path)
    holder.execute("rollback")
    open_store(tmp_path).put(record("a"))
    holder.close()


def _take(home: str, name: str) -> None:
    store = open_store(home)
    for number in range(20):
        with store.transaction():
            store.put(record(f"{name}-{number}", address=store.public_address("eip", f"{name}-{number}")))


def test_processes_never_get_the_same_address(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_take, args=(str(tmp_path), str(number))) for number in range(3)]
    for each in workers:
        each.start()
    for each in workers:
        each.join(60)
    assert [each.exitcode for each in workers] == [0, 0, 0]
    given = [each.get("address") for each in open_store(tmp_path).everything()]
    assert len(given) == len(set(given)) == 60
