"""Files of a bundle come whole or not at all: gone on with, held against their digest, from the next source."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_llm._bundle import fetch
from pulumi_llm._bundle.fetch import Full, Lost
from tests.bundle.server import Files, served

BODY = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    with served(Files({"/a": BODY})) as running:
        yield running


def test_a_file_that_is_cut_short_is_gone_on_with(files: Files, tmp_path: Path) -> None:
    files.cut.add("/a")
    source, size = fetch.file([f"{files.address}/a"], tmp_path / "a", SHA256)
    assert (source, size) == (f"{files.address}/a", len(BODY))
    assert (tmp_path / "a").read_bytes() == BODY
    assert files.asked == [("/a", ""), ("/a", f"bytes={len(BODY) // 2}-")]


def test_what_an_earlier_run_left_unfinished_is_gone_on_with(files: Files, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(BODY[:1000])
    fetch.file([f"{files.address}/a"], tmp_path / "a", SHA256)
    assert files.asked == [("/a", "bytes=1000-")]
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize("left", [BODY, BODY + b"more", b"other" * 9])
def test_an_unfinished_file_that_is_whole_or_wrong_ends_right(files: Files, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "a.part").write_bytes(left)
    fetch.file([f"{files.address}/a"], tmp_path / "a", SHA256, len(BODY))
    assert (tmp_path / "a").read_bytes() == BODY
    assert not (tmp_path / "a.part").exists()


def test_a_server_without_ranges_sends_all_of_it_again(files: Files, tmp_path: Path) -> None:
    files.ranges = False
    (tmp_path / "a.part").write_bytes(BODY[:1000])
    fetch.file([f"{files.address}/a"], tmp_path / "a", SHA256)
    assert (tmp_path / "a").read_bytes() == BODY


def test_what_is_there_and_whole_is_not_asked_for(files: Files, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BODY)
    assert fetch.file([f"{files.address}/a"], tmp_path / "a", SHA256) == ("", len(BODY))
    assert files.asked == []


def test_a_file_with_another_digest_is_never_kept_and_the_next_source_is_asked(files: Files, tmp_path: Path) -> None:
    files.files["/wrong"] = BODY[:-1] + b"x"
    with pytest.raises(Lost) as lost:
        fetch.file([f"{files.address}/wrong"], tmp_path / "a", SHA256)
    assert lost.value.finding.code == "bundle.wrong-digest"
    assert list(tmp_path.iterdir()) == []
    fetch.file([f"{files.address}/wrong", f"{files.address}/a"], tmp_path / "a", SHA256)
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "not-found"), (410, "not-found"), (401, "refused"), (403, "refused"), (500, "unreachable")],
)
def test_each_answer_that_is_none_has_its_code(files: Files, tmp_path: Path, status: int, code: str) -> None:
    files.refuse["/a"] = status
    with pytest.raises(Lost) as lost:
        fetch.file([f"{files.address}/a"], tmp_path / "a", SHA256)
    assert lost.value.finding.code == f"bundle.{code}"
    assert f"answers {status}" in str(lost.value)
    assert len(files.asked) == (fetch.TRIES if code == "unreachable" else 1)


def test_a_server_that_is_not_there_is_named(files: Files, tmp_path: Path) -> None:
    with pytest.raises(Lost) as lost:
        fetch.file(["http://127.0.0.1:9/a"], tmp_path / "a", SHA256)
    assert lost.value.finding.code == "bundle.unreachable"
    assert "Connection refused" in str(lost.value)


def test_what_lets_in_at_one_server_is_not_told_to_another(files: Files, tmp_path: Path) -> None:
    heard: list[str | None] = []
    with served(Files()) as store:
        store.answer = lambda path, headers: (heard.append(headers.get("Authorization")), (200, BODY, {}))[1]
        files.answer = lambda path, headers: (307, b"", {"Location": f"{store.address}/blob"})
        fetch.file([f"{files.address}/a"], tmp_path / "a", SHA256, headers={"Authorization": "Bearer planted"})
    assert heard == [None]


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/self").exists(), reason="needs /proc")
def test_a_folder_that_cannot_be_written_ends_it(files: Files) -> None:
    with pytest.raises(Full) as full:
        fetch.file([f"{files.address}/a"], Path("/proc/self/nothing/a"), SHA256)
    assert full.value.finding.code == "bundle.unwritable"
