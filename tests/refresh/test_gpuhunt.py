"""What gpuhunt has of Google Cloud and Vultr becomes rows: its own code reads what a local server answers."""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from gpuhunt import AcceleratorVendor, CatalogItem
from gpuhunt._internal.storage import CATALOG_V2_FIELDS, item_to_row
from gpuhunt.providers import vultr as vultr_of_gpuhunt

from pulumi_llm import cli
from pulumi_llm._language import told
from pulumi_llm._refresh import run
from pulumi_llm._refresh.calls import PAUSES
from pulumi_llm._refresh.hunted import card
from pulumi_llm._refresh.observed import Answer
from pulumi_llm.catalog import Catalog
from pulumi_llm.clouds.gcp import refresh as google
from pulumi_llm.clouds.vultr import refresh as vultr
from tests.refresh.samples import SHIPPED, TODAY, codes, scope, silent

A16, SMALL = "vcg-a16-6c-64g-16vram", "vc2-2c-2gb"
T4, L4, A100 = "n1-standard-4+nvidia-tesla-t4", "g2-standard-4", "a2-highgpu-1g"


class Api:
    """Answers by path, and what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, str | None]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append((self.path, self.headers["Authorization"]))
                status, body = owner.answers.get(self.path.partition("?")[0], (404, b""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    for name in ("VULTR_API_KEY", "GPUHUNT_CATALOG_DIR"):
        monkeypatch.delenv(name, raising=False)
    made = Api()
    monkeypatch.setattr(vultr_of_gpuhunt, "API_URL", made.address)
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", made.address)
    yield made
    made.http.shutdown()
    made.http.server_close()


# -- Vultr


def plan(name: str, kind: str, price: Any, *locations: str, **more: Any) -> dict[str, Any]:
    """A plan as the API writes it."""
    usual = {"id": name, "type": kind, "vcpu_count": 6, "ram": 65536, "disk": 350, "disk_count": 1, "bandwidth": 8192}
    return {**usual, "monthly_cost": 344, "hourly_cost": price, "locations": list(locations), **more}


def plans(api: Api, *rows: dict[str, Any]) -> None:
    api.answers["/plans-metal"] = 200, json.dumps({"plans_metal": [], "meta": {}}).encode()
    api.answers["/plans"] = 200, json.dumps({"plans": rows, "meta": {"total": len(rows)}}).encode()


def of_vultr(region: str, *types: str, pauses: list[float] | None = None) -> Answer:
    waits = [] if pauses is None else pauses
    return vultr.fetch(scope("vultr", region, *types), silent, pause=waits.append)


def test_vultrs_plans_become_rows_with_price_and_region_and_no_key_is_needed(api: Api) -> None:
    plans(api, plan(SMALL, "vc2", 0.027, "ewr", "ams"), plan(A16, "vdm", 0.471, "ewr"), plan("other", "vc2", 1, "ewr"))
    answer = of_vultr("ewr", SMALL, A16)
    assert {header for __, header in api.asked} == {None}
    assert answer.findings == []
    assert {
        each.instance_type: (dict(each.zones), each.price and each.price.amount) for each in answer.observations
    } == {
        SMALL: ({"ewr": "offered"}, 0.027),
        A16: ({"ewr": "offered"}, 0.471),
    }
    first = answer.observations[0]
    assert first.source.startswith("vultr gpuhunt 0.1.")
    assert first.price is not None
    assert first.price.currency == "USD"


def test_with_a_key_whole_cards_are_where_the_account_may_have_them(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VULTR_API_KEY", "planted")
    plans(api, plan(A16, "vdm", 0.471), plan(SMALL, "vc2", 0.027, "ewr"))
    api.answers["/regions/ewr/availability"] = 200, json.dumps({"available_plans": [A16]}).encode()
    answer = of_vultr("ewr", SMALL, A16)
    assert ("/regions/ewr/availability?type=vdm", "Bearer planted") in api.asked
    assert {each.instance_type for each in answer.observations} == {SMALL, A16}


def test_a_plan_that_is_not_listed_in_a_region_is_not_called_gone(api: Api) -> None:
    plans(api, plan(SMALL, "vc2", 0.027, "ewr"), plan(A16, "vdm", 0.471, "fra"))
    assert [each.instance_type for each in of_vultr("ewr", SMALL, A16).observations] == [SMALL]


def test_an_answer_without_any_of_the_types_changes_nothing_and_says_so(api: Api) -> None:
    plans(api, plan("other", "vc2", 1, "ewr"))
    answer = of_vultr("ewr", SMALL)
    assert (answer.observations, codes(answer.findings)) == ([], ["refresh.empty-answer"])


@pytest.mark.parametrize("price", [0, -1, float("nan")])
def test_a_price_that_is_none_is_not_taken(api: Api, price: float) -> None:
    plans(api, plan(SMALL, "vc2", price, "ewr"), plan("vc2-2c-4gb", "vc2", 0.03, "ewr"))
    answer = of_vultr("ewr", SMALL, "vc2-2c-4gb")
    assert [each.instance_type for each in answer.observations if each.price] == ["vc2-2c-4gb"]


@pytest.mark.parametrize(
    ("status", "code", "tries"),
    [(403, "refresh.denied", 1), (429, "refresh.throttled", 1 + len(PAUSES)), (500, "refresh.failed", 1)],
)
def test_vultrs_refusals_are_told_by_their_kind(api: Api, status: int, code: str, tries: int) -> None:
    api.answers["/plans-metal"] = status, b"{}"
    answer = of_vultr("ewr", SMALL)
    assert (answer.observations, codes(answer.findings)) == ([], [code])
    assert len(api.asked) == tries


@pytest.mark.parametrize("body", [b"not JSON", b"[]", b'{"plans_metal": [{}]}'])
def test_an_answer_of_another_form_is_a_failure(api: Api, body: bytes) -> None:
    plans(api)
    api.answers["/plans-metal"] = 200, body
    assert codes(of_vultr("ewr", SMALL).findings) == ["refresh.failed"]


def test_a_server_that_is_not_there_is_unreachable(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vultr_of_gpuhunt, "API_URL", "http://127.0.0.1:9")
    assert codes(of_vultr("ewr", SMALL).findings) == ["refresh.unreachable"]


# -- Google Cloud


def item(name: str, zone: str, price: float, gpu: str | None = None, memory: float = 16, **more: Any) -> CatalogItem:
    kind = {"gpu_count": int(gpu is not None), "gpu_name": gpu, "gpu_memory": memory if gpu else None}
    kind["gpu_vendor"] = AcceleratorVendor.NVIDIA if gpu else None
    usual = {"provider": "gcp", "cpu": 4, "memory": 15, "spot": False, "disk_size": None}
    return CatalogItem(instance_name=name, location=zone, price=price, **{**usual, **kind, **more})


def table(*items: CatalogItem) -> bytes:
    written = io.StringIO()
    rows = csv.DictWriter(written, fieldnames=CATALOG_V2_FIELDS)
    rows.writeheader()
    rows.writerows(item_to_row(each) for each in items)
    return written.getvalue().encode()


def published(api: Api, *items: CatalogItem) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("gcp.csv", table(*items))
    api.answers |= {"/gcp/version": (200, b"20261120\n"), "/gcp/20261120/catalog.zip": (200, packed.getvalue())}


def of_google(region: str, *types: str) -> Answer:
    return google.fetch(scope("gcp", region, *types), silent, pause=lambda __: None)


def test_googles_published_rows_become_observations_with_zones_and_spot(api: Api) -> None:
    published(
        api,
        item("n1-standard-4", "us-central1-a", 0.54, "T4"),
        item("n1-standard-4", "us-central1-b", 0.54, "T4"),
        item("n1-standard-4", "us-central1-a", 0.21, "T4", spot=True),
        item("n1-standard-4", "us-central1-b", 0.2, "T4", spot=True),
        item("n1-standard-4", "us-central1-a", 0.19),
        item("n1-standard-4", "us-central1-a", 2.67, "V100"),
        item("n1-standard-4", "us-central1-a", 0.89, "T4", gpu_count=2),
        item("n1-standard-4", "europe-west1-b", 0.9, "T4"),
    )
    answer = of_google("us-central1", T4)
    (row,) = answer.observations
    assert dict(row.zones) == {"us-central1-a": "offered", "us-central1-b": "offered"}
    assert row.price is not None
    assert row.spot is not None
    assert (row.price.amount, row.spot.amount) == (0.54, 0.2)
    assert "0.21 USD in us-central1-a" in row.spot.notes
    assert "catalogue 20261120" in row.source


def test_time_that_is_bought_ahead_and_another_memory_are_other_things(api: Api) -> None:
    ahead = {"provider_data": {"is_dws_calendar_mode": True}}
    published(
        api, item(L4, "us-central1-a", 0.7, "L4", 24), item(L4, "us-central1-a", 0.3, "L4", 24, **ahead),
        item(A100, "us-central1-a", 3.67, "A100", 40),
    )  # fmt: skip
    rows = {each.instance_type: each.price for each in of_google("us-central1", L4, A100).observations}
    assert {name: each and each.amount for name, each in rows.items()} == {L4: 0.7, A100: 3.67}


def test_types_that_the_catalogue_leaves_out_stay_as_they_were(api: Api) -> None:
    published(api, item(L4, "us-central1-a", 0.7, "L4", 24))
    answer = of_google("us-central1", L4, "e2-small", "ct6e-standard-1t")
    assert ([each.instance_type for each in answer.observations], answer.findings) == ([L4], [])


def both(*prices: tuple[float, bool], **more: Any) -> list[CatalogItem]:
    """An A100 in Tokyo, of which the package knows a spot price and no price on demand."""
    return [item(A100, "asia-northeast1-a", price, "A100", 40, spot=spot, **more) for price, spot in prices]


@pytest.mark.parametrize(
    ("prices", "code"),
    [
        ([(1.71, False), (2.2, True)], "refresh.no-price"),
        ([(1.71, False)], "refresh.held-back"),
        ([(1.71, False), (1.5, True)], "refresh.held-back"),
        ([(3.9, False), (2.2, True)], None),
    ],
)
def test_a_list_price_below_spot_is_one_with_a_commitment_and_costs_no_spot_price(
    api: Api, tmp_path: Path, prices: list[tuple[float, bool]], code: str | None
) -> None:
    published(api, *both(*prices))
    region = "asia-northeast1"
    shipped = SHIPPED.price("gcp", A100, region, spot=True)
    assert shipped is not None
    assert shipped.amount > 1.71
    asked = run.Request(cloud="gcp", regions=(region,), gpu="A100-40GB", directory=tmp_path / "catalogue")
    outcome = run.refresh(asked, TODAY, silent)
    assert [each.code for each in outcome.findings] == ([code] if code else [])
    assert all("is below the spot price" in each.message for each in outcome.findings)
    made = Catalog(asked.directory)
    listed, spot = made.price("gcp", A100, region), made.price("gcp", A100, region, spot=True)
    assert (listed and listed.amount) == (None if code else 3.9)
    assert spot is not None
    assert spot.amount == next((price for price, is_spot in prices if is_spot), shipped.amount)


def test_a_list_price_below_an_older_spot_price_is_taken_where_jumps_are_accepted(api: Api, tmp_path: Path) -> None:
    published(api, *both((1.71, False), (1.5, True)))
    outcome = run.refresh(
        run.Request(cloud="gcp", regions=("asia-northeast1",), gpu="A100-40GB", directory=tmp_path / "c",
                    accept_jumps=True), TODAY, silent,
    )  # fmt: skip
    (row,) = [each for each in outcome.observations if each.instance_type == A100]
    assert (row.price and row.price.amount, row.spot and row.spot.amount) == (1.71, 1.5)


@pytest.mark.parametrize(("bad", "kept"), [(True, (4.0, None)), (False, (None, 2.2))])
def test_a_price_that_is_none_costs_the_other_one_nothing(
    api: Api, bad: bool, kept: tuple[float | None, float | None]
) -> None:
    published(api, *both((-0.7 if bad is False else 4.0, False), (-0.7 if bad else 2.2, True)))
    answer = of_google("asia-northeast1", A100)
    (row,) = answer.observations
    assert (row.price and row.price.amount, row.spot and row.spot.amount) == kept
    assert codes(answer.findings) == ["refresh.no-price"]
    assert "价格" in told(answer.findings[0].message, "zh")
    assert "the price" not in told(answer.findings[0].message, "zh")


def test_a_row_with_details_that_are_no_object_gives_no_price_and_no_traceback(api: Api) -> None:
    published(api, *both((4.0, False), provider_data=["x"]), *both((2.2, True)))
    answer = of_google("asia-northeast1", A100)
    (row,) = answer.observations
    assert (row.price, row.spot and row.spot.amount) == (None, 2.2)
    assert codes(answer.findings) == ["refresh.no-price"]


def test_a_server_that_says_nothing_is_waited_for_only_so_long(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    mute = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", f"http://127.0.0.1:{mute.getsockname()[1]}")
    monkeypatch.setattr(google, "SECONDS", 0.1)
    before = socket.getdefaulttimeout()
    with mute:
        assert codes(of_google("us-central1", L4).findings) == ["refresh.unreachable"]
    assert socket.getdefaulttimeout() == before


def test_progress_is_told_in_the_readers_language(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published(api, *both((3.9, False)))
    cli.main(["--lang", "zh", "catalog", "refresh", "--cloud", "gcp", "--out", str(tmp_path / "c")])
    first = capsys.readouterr().err.splitlines()[0]
    assert "zones and prices" not in first
    assert "gcp" in first


def test_a_catalogue_that_cannot_be_had_is_told(api: Api) -> None:
    assert codes(of_google("us-central1", L4).findings) == ["refresh.unreachable"]


def test_another_clouds_catalogue_alone_is_no_answer(api: Api) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("aws.csv", table())
    api.answers |= {"/aws/version": (200, b"1"), "/aws/1/catalog.zip": (200, packed.getvalue())}
    assert codes(of_google("us-central1", L4).findings) == ["refresh.failed"]


def test_a_folder_with_a_catalogue_is_read_in_place_of_the_network(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gcp.csv").write_bytes(table(item(L4, "us-central1-a", 0.7, "L4", 24)))
    monkeypatch.setenv("GPUHUNT_CATALOG_DIR", str(tmp_path))
    assert [each.instance_type for each in of_google("us-central1", L4).observations] == [L4]
    assert not api.asked
    monkeypatch.setenv("GPUHUNT_CATALOG_DIR", str(tmp_path / "none"))
    assert codes(of_google("us-central1", L4).findings) == ["refresh.failed"]


# -- both


@pytest.mark.parametrize("part", [google, vultr])
def test_the_environment_decides_whether_a_cloud_is_asked_unnamed(part: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VULTR_API_KEY", *google.VARIABLES):
        monkeypatch.delenv(name, raising=False)
    assert not part.has_credentials()
    monkeypatch.setenv("VULTR_API_KEY", "x")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "x")
    assert part.has_credentials()


def test_our_names_of_cards_are_those_of_gpuhunts_own_tables() -> None:
    from gpuhunt.providers.vultr import VDM_GPU_DETAILS

    for row in SHIPPED.instances:
        if row.cloud == "vultr" and row.instance_type in VDM_GPU_DETAILS:
            count, name, memory = VDM_GPU_DETAILS[row.instance_type]
            assert (card(row), row.gpu_count, row.gpu_memory_gib) == (name, count, memory)
    # What gpuhunt calls Google's accelerators stands in a module that imports Google's SDKs: T4, L4 and A100.
    cards = {card(row) for row in SHIPPED.instances if row.cloud == "gcp" and row.gpu and "TPU" not in row.gpu}
    assert cards == {"T4", "L4", "A100"}
