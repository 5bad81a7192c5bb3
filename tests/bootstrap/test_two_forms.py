"""The settings of a main model that is changed beside the running one have two forms, and a node takes either."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._bootstrap import NodeRequest, settings, user_data
from pulumi_llm.roles.requests import SECOND_PORT
from tests.bootstrap.samples import gateway_of, gpu_node, vllm_of
from tests.node_library import importable, laid_out

FIRST, SECOND = "llm-vllm.service", "llm-vllm2.service"
UNITS = "/etc/systemd/system"


def beside(**changes: Any) -> NodeRequest:
    request = gpu_node()
    return request.having(replace(vllm_of(request), beside=True, **changes))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The node's own module."""
    importable(laid_out(tmp_path), monkeypatch)
    from llm_node import beside as module

    return module


def by_path(document: dict[str, Any]) -> dict[str, str]:
    return {each["path"]: each["content"] for each in document["files"]}


def test_they_differ_in_what_names_the_server_and_in_nothing_else() -> None:
    found = settings(beside())["beside"]["other"]
    assert {each["path"] for each in found["files"]} == {
        f"{UNITS}/{SECOND}",
        "/opt/llm/watch.json",
        "/opt/llm/gateway/routes.json",
    }
    assert found["gone"] == [f"{UNITS}/{FIRST}"]
    assert found["health"] == f"http://127.0.0.1:{SECOND_PORT}/health"


def test_the_other_form_is_what_the_other_port_is_rendered_to(node: Any) -> None:
    request = beside()
    local = {each.name: each.base_url.replace(":8000/", f":{SECOND_PORT}/") for each in gateway_of(request).upstreams}
    gateway = gateway_of(request)
    ways = tuple(replace(each, base_url=local[each.name]) for each in gateway.upstreams)
    other = request.having(replace(vllm_of(request), port=SECOND_PORT), replace(gateway, upstreams=ways))
    turned = node.twin(settings(request))
    assert by_path(turned) == by_path(settings(other))
    assert turned["services"] == settings(other)["services"]


def test_the_other_form_of_the_other_is_the_first(node: Any) -> None:
    document = settings(beside())
    back = node.twin(node.twin(document))
    assert by_path(back) == by_path(document)
    assert back["services"] == document["services"]
    assert {key: back["beside"][key] for key in ("unit", "health", "ask", "units", "share", "cards")} == {
        key: document["beside"][key] for key in ("unit", "health", "ask", "units", "share", "cards")
    }


@pytest.mark.parametrize("running", [FIRST, SECOND])
def test_a_node_takes_the_form_that_does_not_run_if_its_server_changes_and_else_the_one_that_does(
    node: Any, running: str
) -> None:
    good = settings(beside())
    good = good if running == FIRST else node.twin(good)
    assert node.chosen(settings(beside()), good)["beside"]["unit"] == running
    changed = node.chosen(settings(beside(max_model_len=2048)), good)
    assert changed["beside"]["unit"] == ({FIRST, SECOND} - {running}).pop()
    assert node.begins(changed, good)
    assert running not in changed["services"]


def test_a_node_that_was_not_set_up_for_it_changes_in_place(node: Any) -> None:
    for new, good in ((beside(max_model_len=2048), gpu_node()), (gpu_node(), beside()), (beside(), None)):
        document, before = settings(new), settings(good) if good else {}
        assert node.chosen(document, before) == document
        assert not node.begins(document, before)


def test_a_chat_template_of_the_one_that_runs_is_left_alone(node: Any) -> None:
    told = {"tool_call_parser": "hermes", "chat_template": "tool_chat_template_gemma4.jinja"}
    document = settings(beside(**told))
    first = [each["path"] for each in node.engine(document)]
    second = [each["path"] for each in node.engine(node.twin(document))]
    assert len(first) == len(second) == 2
    assert not {*first} & {*second}
    assert all(path in by_path(node.twin(document)) for path in second)


def test_what_a_model_is_for_is_what_it_is_asked() -> None:
    asked = {task: settings(beside(task=task))["beside"]["ask"] for task in (None, "embedding", "reranker")}
    assert [each["url"].partition(":8000")[2] for each in asked.values()] == [
        "/v1/chat/completions",
        "/v1/embeddings",
        "/v1/rerank",
    ]


def test_user_data_is_as_it_is_without() -> None:
    assert user_data(beside()) == user_data(gpu_node())
    assert "beside" not in settings(gpu_node())


def test_the_digest_is_over_both_forms() -> None:
    document = settings(beside())
    other = json.loads(json.dumps(document))
    other["beside"]["other"]["files"][0]["content"] += " "
    assert bootstrap.settings(beside())["digest"] == document["digest"]
    from pulumi_llm._bootstrap.settings import digest

    assert digest(other) != document["digest"]
