"""Bills as files: what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._review import bill_file
from pulumi_llm.catalog import Catalog
from pulumi_llm.errors import Refusal
from tests.review.samples import DISK, Program


@pytest.fixture
def content(round_prices: Catalog) -> dict[str, Any]:
    program = Program()
    program.in_region("aws", DISK["aws"], "known", {"size": 10, "type": "gp3"})
    program.in_region("aws", DISK["aws"], "unknown", {"size": 10, "type": "io2"})
    return bill_file.to_json(program.bill(round_prices))


def test_a_bill_is_read_back_from_its_file(content: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "bill.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert bill_file.to_json(bill_file.read(path)) == content


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", '"text"', "{}", '{"format": 2, "lines": []}', '{"format": NaN}', "[" * 100_000],
)
def test_what_is_no_bill_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        bill_file.parse(text, "it.json")
    assert [each.code for each in refused.value.findings] == ["bill.bad-file"]
    assert "it.json" in refused.value.findings[0].message


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "no lines": lambda bill: bill.pop("lines"),
    "no total": lambda bill: bill.pop("total"),
    "lines is no list": lambda bill: bill.update(lines={}),
    "a line is no object": lambda bill: bill["lines"].append(7),
    "a line twice": lambda bill: bill["lines"].append(bill["lines"][1]),
    "a line without URN": lambda bill: bill["lines"][0].pop("urn"),
    "an amount is text": lambda bill: bill["lines"][0]["per_month"].update(CNY="7"),
    "an amount is true": lambda bill: bill["lines"][0]["per_month"].update(CNY=True),
    "an amount is negative": lambda bill: bill["lines"][0]["per_month"].update(CNY=-1),
    "an amount is enormous": lambda bill: bill["lines"][0]["per_month"].update(CNY=1e300),
    "a known price without amounts": lambda bill: bill["lines"][0].update(per_month=None),
    "an unknown price with amounts": lambda bill: bill["lines"][1].update(per_month={"CNY": 1, "USD": 1}),
    "no reason for an unknown price": lambda bill: bill["lines"][1].update(unknown=None),
    "a currency that is none": lambda bill: bill["lines"][0]["price"].update(currency="EUR"),
    "a total that is not the sum": lambda bill: bill["total"]["per_month"].update(CNY=1.0),
    "an edited line": lambda bill: bill["lines"][0]["per_hour"].update(USD=9.0),
    "a day that is none": lambda bill: bill.update(as_of="2026-02-30"),
    "no exchange rate": lambda bill: bill.update(exchange_rate=None),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_bill_with_a_mistake_is_refused(content: dict[str, Any], mistake: str) -> None:
    BROKEN[mistake](content)
    with pytest.raises(Refusal) as refused:
        bill_file.parse(json.dumps(content), "it.json")
    assert [each.code for each in refused.value.findings] == ["bill.bad-file"]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "binary"):
        with pytest.raises(Refusal, match=r"bill\.bad-file"):
            bill_file.read(path)


def test_keys_that_a_later_version_adds_are_passed_over(content: dict[str, Any]) -> None:
    content["more"] = content["lines"][0]["more"] = 1
    assert len(bill_file.parse(json.dumps(content), "it.json").lines) == 2
