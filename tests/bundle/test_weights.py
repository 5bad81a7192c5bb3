"""Weights come into a bundle by the node's own code: the same files, verified, gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_llm._bundle import fetch, weights
from pulumi_llm._bundle.fetch import Lost
from tests.bootstrap.test_node_weights import FILES, WANTED, Hub, hub_server

NAME = "01-ai--Yi-6B-Chat--main"
WANT = {"huggingface": "01-ai/Yi-6B-Chat", "modelscope": None, "revision": None, "path": f"/srv/llm/models/{NAME}"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    monkeypatch.setenv("LLM_POLL_SECONDS", "0.05")
    monkeypatch.setenv("LLM_PROBE_SECONDS", "0")
    with hub_server(Hub()) as running:
        yield running


def collected(hub: Hub, folder: Path, token: str = "") -> tuple[str, str, dict[str, tuple[int, str]]]:
    hubs = [{"kind": "huggingface", "endpoint": hub.address, "token": True}]
    return weights.model(WANT, hubs, folder, token, lambda percent: None)


def test_the_files_that_a_node_would_fetch_come_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    name, told, files = collected(hub, tmp_path)
    assert (name, told) == (NAME, hub.address)
    assert sorted(files) == WANTED
    for each, (size, sha256) in files.items():
        path = tmp_path / "models" / NAME / each
        assert path.read_bytes() == FILES[each]
        assert (size, sha256) == (path.stat().st_size, fetch.digest(path))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["models"]


def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    collected(hub, tmp_path)
    hub.requests.clear()
    collected(hub, tmp_path)
    assert hub.requests == []


def test_a_token_goes_to_the_hub_and_stays_nowhere(hub: Hub, tmp_path: Path) -> None:
    hub.token = "planted-token"
    collected(hub, tmp_path, "planted-token")
    texts = [each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()]
    assert not any(b"planted-token" in each for each in texts)


def test_a_model_that_asks_for_a_token_is_told_with_the_nodes_own_code_and_hint(hub: Hub, tmp_path: Path) -> None:
    hub.token = "planted-token"
    with pytest.raises(Lost) as lost:
        collected(hub, tmp_path)
    assert lost.value.finding.code == "weights.gated"
    assert "accept the model's terms" in lost.value.finding.hint
    assert not (tmp_path / weights.WORK).exists()
