"""DigitalOcean's answer becomes rows, and its refusals become messages. A local server answers in its API's form."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pulumi_llm._refresh.calls import PAUSES
from pulumi_llm._refresh.observed import Answer
from pulumi_llm.clouds.digitalocean import refresh as ocean
from pulumi_llm.errors import Refusal
from tests.refresh.samples import codes, scope, silent

SMALL, LARGE = "s-2vcpu-2gb", "s-4vcpu-8gb"


def size(slug: str, price: Any = 0.0267900004982948, **more: Any) -> dict[str, Any]:
    """A size as the API writes it: the price is a float of single precision."""
    usual = {"slug": slug, "memory": 2048, "vcpus": 2, "disk": 60, "transfer": 3.0, "price_monthly": 18.0}
    return {**usual, "price_hourly": price, "regions": ["sgp1", "nyc3"], "available": True, **more}


class Api:
    """One answer to every GET, and the headers of what was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, b"{}", []  # type: tuple[int, bytes, list[Any]]
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append((self.path, self.headers["Authorization"]))
                self.send_response(owner.status)
                self.send_header("Content-Length", str(len(owner.body)))
                self.end_headers()
                self.wfile.write(owner.body)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def answers(self, content: Any, status: int = 200) -> None:
        self.status, self.body = status, json.dumps(content).encode()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.delenv("DIGITALOCEAN_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "dop_v1_test")
    made = Api()
    yield made
    made.http.shutdown()
    made.http.server_close()


def fetched(api: Api, *types: str, region: str = "sgp1", pauses: list[float] | None = None) -> Answer:
    waits = [] if pauses is None else pauses
    return ocean.fetch(scope("digitalocean", region, *types), silent, ocean.asker(api.address), waits.append)


def test_sizes_become_rows_with_price_and_stock_and_the_token_goes_along(api: Api) -> None:
    api.answers({"sizes": [size(SMALL), size(LARGE, 0.0714300006628037, available=False), size("other")]})
    answer = fetched(api, SMALL, LARGE)
    assert api.asked == [("/v2/sizes?per_page=200", "Bearer dop_v1_test")]
    assert answer.findings == []
    rows = {each.instance_type: each for each in answer.observations}
    assert {name: dict(each.zones) for name, each in rows.items()} == {
        SMALL: {"sgp1": "available"},
        LARGE: {"sgp1": "sold-out"},
    }
    prices = {name: each.price for name, each in rows.items()}
    assert [(each.amount, each.currency) for each in prices.values() if each] == [(0.02679, "USD"), (0.07143, "USD")]


def test_a_size_that_a_region_has_no_more_is_seen_as_gone(api: Api) -> None:
    api.answers({"sizes": [size(SMALL), size(LARGE, regions=["nyc3"])]})
    rows = {each.instance_type: each for each in fetched(api, SMALL, LARGE).observations}
    assert (dict(rows[LARGE].zones), rows[LARGE].price) == ({}, None)


@pytest.mark.parametrize("price", [None, 0, "free", True, -1])
def test_a_price_that_is_none_is_told_and_not_taken(api: Api, price: Any) -> None:
    api.answers({"sizes": [size(SMALL, price)]})
    answer = fetched(api, SMALL)
    assert codes(answer.findings) == ["refresh.no-price"]
    assert [each.price for each in answer.observations] == [None]


@pytest.mark.parametrize(
    ("status", "code", "tries"),
    [
        (401, "refresh.denied", 1),
        (403, "refresh.denied", 1),
        (429, "refresh.throttled", len(PAUSES) + 1),
        (500, "refresh.failed", 1),
    ],
)
def test_a_refusal_is_told_in_the_apis_words(api: Api, status: int, code: str, tries: int) -> None:
    api.answers({"id": "it", "message": "Unable to authenticate you"}, status)
    pauses: list[float] = []
    answer = fetched(api, SMALL, pauses=pauses)
    (finding,) = answer.findings
    assert finding.code == code
    assert str(status) in finding.message
    assert "Unable to authenticate you" in finding.message
    assert "dop_v1_test" not in finding.message
    assert (len(api.asked), len(pauses)) == (tries, tries - 1)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"sizes": 1}'])
def test_an_answer_of_another_form_is_a_failure_and_changes_nothing(api: Api, body: bytes) -> None:
    api.body = body
    answer = fetched(api, SMALL)
    assert codes(answer.findings) == ["refresh.failed"]
    assert answer.observations == []


def test_an_answer_that_has_none_of_a_regions_sizes_changes_nothing(api: Api) -> None:
    api.answers({"sizes": [size("other")]})
    assert fetched(api, SMALL).observations == []


def test_a_host_that_is_not_there_is_told(api: Api) -> None:
    api.http.shutdown()
    api.http.server_close()
    assert codes(fetched(api, SMALL).findings) == ["refresh.unreachable"]


def test_without_a_token_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ocean.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert not ocean.has_credentials()
    with pytest.raises(Refusal) as refused:
        ocean.fetch(scope("digitalocean", "sgp1", SMALL), silent)
    assert codes(list(refused.value.findings)) == ["refresh.no-credentials"]


@pytest.mark.parametrize("name", ocean.VARIABLES)
def test_a_token_in_the_environment_is_seen(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for each in ocean.VARIABLES:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "set")
    assert ocean.has_credentials()
