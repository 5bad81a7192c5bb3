"""Of each package of a lock one wheel, by its digest, whichever page an index has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_llm._bundle import fetch, wheels
from pulumi_llm._bundle.fetch import Lost
from tests.bundle.server import Files, served

OLD, NEW = (f"thing-1.0-cp312-cp312-manylinux_2_{each}_x86_64.whl" for each in (17, 28))
OTHER = "thing-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"
BODIES = {each: each.encode() * 50 for each in (OLD, NEW, OTHER)}
DIGESTS = {each: hashlib.sha256(body).hexdigest() for each, body in BODIES.items()}
LOCKED = frozenset((DIGESTS[OLD], DIGESTS[NEW]))


def page(form: str) -> bytes:
    if form == "json":
        rows = [
            {"filename": each, "url": f"../../files/{each}", "hashes": {"sha256": DIGESTS[each]}} for each in BODIES
        ]
        return json.dumps({"meta": {"api-version": "1.0"}, "name": "thing", "files": rows}).encode()
    links = (f'<a href="../../files/{each}#sha256={DIGESTS[each]}" data-x="1">{each}</a><br/>\n' for each in BODIES)
    return f"<!DOCTYPE html><html><body>\n{''.join(links)}</body></html>".encode()


@pytest.fixture(params=["json", "html"])
def index(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    files = {f"/files/{each}": body for each, body in BODIES.items()}
    with served(Files({"/simple/thing/": page(request.param), **files})) as running:
        yield running


def test_the_wheel_nearest_to_the_node_of_those_that_are_locked_comes(index: Files, tmp_path: Path) -> None:
    path, source = wheels.wheel("thing", "1.0", LOCKED, [f"{index.address}/simple"], tmp_path)
    assert path == tmp_path / NEW
    assert source == f"{index.address}/files/{NEW}"
    assert [each.name for each in tmp_path.iterdir()] == [NEW]


def test_an_index_without_the_digest_is_passed_over_and_named_where_it_is_the_last(
    index: Files, tmp_path: Path
) -> None:
    with served(Files({"/simple/thing/": b"<html></html>"})) as empty:
        path, __ = wheels.wheel(
            "thing", "1.0", LOCKED, [f"{empty.address}/simple", f"{index.address}/simple/"], tmp_path
        )
        assert path.name == NEW
        with pytest.raises(Lost) as lost:
            wheels.wheel("thing", "1.0", LOCKED, [f"{empty.address}/simple"], tmp_path)
        assert lost.value.finding.code == "bundle.not-found"
        assert "thing 1.0" in str(lost.value)


def test_a_wheel_that_changed_on_the_way_is_not_kept(index: Files, tmp_path: Path) -> None:
    index.files[f"/files/{NEW}"] = b"other"
    with pytest.raises(Lost) as lost:
        wheels.wheel("thing", "1.0", LOCKED, [f"{index.address}/simple"], tmp_path)
    assert lost.value.finding.code == "bundle.wrong-digest"
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_is_none_is_told(index: Files, tmp_path: Path) -> None:
    index.files["/simple/thing/"] = b'{"files": 7}'
    with pytest.raises(Lost) as lost:
        wheels.wheel("thing", "1.0", LOCKED, [f"{index.address}/simple"], tmp_path)
    assert lost.value.finding.code == "bundle.unreachable"


def test_a_file_name_that_leads_elsewhere_is_none(index: Files) -> None:
    row = {"filename": "../../thing-1.0-py3-none-any.whl", "url": "x", "hashes": {"sha256": "0" * 64}}
    index.files["/simple/thing/"] = json.dumps({"files": [row]}).encode()
    assert wheels.listed(f"{index.address}/simple", "thing") == []
