"""Each client does each of six things, as what is kept of it shows, or it is written why it does not."""

import json

import pytest

from tests.clients import verbs
from tests.clients.installed import CLIENTS
from tests.clients.scenarios_on_vllm import SCENARIOS


@pytest.mark.parametrize("client", CLIENTS)
def test_what_a_client_does_is_kept_or_it_is_written_why_it_does_not(client: str) -> None:
    lacks = verbs.DOCUMENT["lacks"].get(client, {})
    seen = {verb for verb, marks in verbs.marks(client).items() if "F" in marks}
    assert seen | set(lacks) == set(verbs.VERBS)
    assert not seen & set(lacks), "written as lacking, and yet it is kept"
    for verb, reason in lacks.items():
        assert {"en", "zh", "source"} <= set(reason) <= {"en", "zh", "source", "run"}, verb
        # Read in the version that is run: a new one has to be read anew.
        assert any(version in reason["source"] for version in CLIENTS[client].packages.values()), reason


def test_a_booted_node_is_asked_what_vllm_is() -> None:
    rows = {(each.client, each.name) for each in SCENARIOS}
    assert set(verbs.BOOTED) <= rows


@pytest.mark.parametrize("language", verbs.PAGES)
def test_the_pages_have_the_table(language: str) -> None:
    page = verbs.PAGES[language]
    assert verbs.with_table(page, language) == page.read_text(encoding="utf-8"), "python -m tests.clients.verbs"


def test_what_an_exchange_shows() -> None:
    asked = {"method": "POST", "path": "/v1/messages?beta=true", "headers": {}, "body": {"stream": True}}
    answer = {"status": 200, "headers": {"content-type": "text/event-stream; charset=utf-8"}, "body": []}
    assert verbs.shown({"request": asked, "answer": answer}) == {"chat", "stream"}
    assert verbs.shown({"request": asked, "answer": {**answer, "status": 400}}) == set()
    left = {"request": asked, "answer": {**answer, "hung_up": True}}
    assert verbs.shown(left, cancels=True) == {"cancel"}
    assert verbs.shown(left) == {"chat", "stream"}
    result = {"role": "user", "content": [{"type": "tool_result", "content": "a bird"}]}
    told = json.loads(json.dumps(asked)) | {"body": {"messages": [result]}}
    assert verbs.shown({"request": told, "answer": answer}) == {"chat", "tools"}
