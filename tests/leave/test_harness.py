"""The clouds that booted machines find: whom they believe, and what they do for them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

from llm_boot.compute import Compute, Row, write
from tests.boot.leaving import IDS, OTHERS, PLACES, policy_of, row_of

for sdk in ("alibabacloud_tea_openapi", "botocore", "tencentcloud"):
    pytest.importorskip(sdk, reason="each call's signature is made again by that cloud's own SDK")

CLOUDS = ["aliyun", "tencent", "aws"]
ADDRESS = "203.0.113.1"
TRY = Callable[..., str | None]


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tried(node: Any, tmp_path: Path, cloud: str) -> TRY:
    """Has a machine's program ask its cloud, and gives what the cloud noted as wrong."""

    def ask(row: Row, machine: str = IDS[cloud], *, secret: str = "", what: str = "Stop", body: bytes = b"") -> Any:
        done, switched = Event(), list[tuple[str, str]]()

        def power(name: str, how: str) -> None:
            switched.append((name, how))
            done.set()

        write(tmp_path, {ADDRESS: row, "203.0.113.2": replace(row, id=OTHERS[cloud], machine="other")})
        lent = node.signing.Credentials(row.key[0], secret or row.key[1], row.key[2])
        made = node.clouds.REQUESTS[cloud](lent, PLACES[cloud], machine, time.time(), what)
        headers = {name.lower(): value for name, value in made.header_items()}
        headers["host"] = made.host
        url = urlsplit(made.full_url)
        path = f"{url.path}?{url.query}" if url.query else url.path
        Compute(tmp_path, power).api(ADDRESS, made.host, path, headers, body or made.data)
        noted = json.loads((tmp_path / "orders.jsonl").read_text().splitlines()[-1])
        if noted["refused"]:
            assert not done.wait(0.4)
        else:
            assert done.wait(5)
            assert switched == [("node" if machine == IDS[cloud] else "other", what.lower())]
        return noted["refused"]

    return ask


def test_a_call_that_is_signed_and_allowed_stops_that_machine(tried: TRY, cloud: str) -> None:
    assert tried(row_of(cloud)) is None


def test_a_call_with_another_secret_or_another_body_is_refused(tried: TRY, cloud: str) -> None:
    assert tried(row_of(cloud), secret="another") == "signature"
    if cloud != "aliyun":  # whose calls have none
        assert tried(row_of(cloud), body=b'{"InstanceIds": ["ins-other"]}') == "signature"


def test_a_role_may_do_what_its_policy_says_and_no_more(tried: TRY, cloud: str) -> None:
    row = row_of(cloud)
    assert tried(row, OTHERS[cloud]) == "right"
    assert tried(row, what="Start") == "right"
    assert tried(replace(row, policies=())) == "right"
    assert tried(replace(row, policies=(policy_of(cloud, OTHERS[cloud]),))) == "right"
    assert tried(replace(row, role="")) == "key"
    assert tried(row, "i-nobodys") == "machine"


def test_a_machine_is_told_by_its_own_clouds_metadata_alone(node: Any, tmp_path: Path, cloud: str) -> None:
    row = row_of(cloud, notice="2026-11-30T15:00:00Z")
    write(tmp_path, {ADDRESS: row})
    compute = Compute(tmp_path, lambda *_: None)
    told = node.clouds.CLOUDS[cloud]
    host = urlsplit(told.metadata).netloc
    headers: dict[str, str] = {}
    if told.token is not None:
        lasting, shown = told.token
        refused = compute.metadata(ADDRESS, "GET", host, told.below + told.notice, {})
        assert refused is not None
        assert refused.status in (401, 403)
        token = compute.metadata(ADDRESS, "PUT", host, "/latest/api/token", {lasting.lower(): "300"})
        assert token is not None
        assert isinstance(token.body, bytes)
        headers[shown.lower()] = token.body.decode()
    for path in (told.notice, told.region, "meta-data/instance-id", told.roles, told.roles + row.role):
        found = compute.metadata(ADDRESS, "GET", host, told.below + path, headers)
        assert found is not None
        assert found.status == 200, path
    elsewhere = compute.metadata(ADDRESS, "GET", "192.0.2.1", told.below + told.notice, headers)
    assert elsewhere is not None
    assert elsewhere.status == 404
    assert compute.metadata("203.0.113.9", "GET", host, told.below + told.notice, headers) is None
