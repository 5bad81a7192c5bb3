"""Models that their vendors switch off are warned of."""

from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from pulumi_llm import catalog, spec
from pulumi_llm.preflight.endings import ending_models
from tests.shipped import STACKS

ROOT = Path(__file__).parents[2]
END = date(2027, 1, 14)


def warned(model: str, today: date, vendor: str = "openai") -> list[str]:
    return [each.code for each in ending_models({vendor: spec.UpstreamSpec(models=(model,))}, today)]


@pytest.mark.parametrize(
    ("today", "codes"),
    [
        (END - timedelta(days=91), []),
        (END - timedelta(days=90), ["upstream.model-ends"]),
        (END - timedelta(days=1), ["upstream.model-ends"]),
        (END, ["upstream.model-ended"]),
        (END + timedelta(days=900), ["upstream.model-ended"]),
    ],
)
def test_a_model_is_warned_of_from_ninety_days_before_its_end_on(today: date, codes: list[str]) -> None:
    assert warned("gpt-4o-mini", today) == codes


def test_the_warning_says_the_day_and_what_the_vendor_names_in_its_place() -> None:
    [found] = ending_models({"openai": spec.UpstreamSpec(models=("gpt-4o-mini",))}, date(2026, 11, 28))
    assert (found.severity, found.where) == ("warning", "upstreams.openai.models")
    assert found.message == "openai switches gpt-4o-mini off on 2027-01-14"
    assert "gpt-6-luna" in found.hint


def test_another_vendors_model_of_the_same_name_is_not_warned_of() -> None:
    assert warned("gpt-4o-mini", END, vendor="openrouter") == []


def test_models_that_ended_in_october_2026_are_marked() -> None:
    ended = {row.model for row in catalog.load().endings.values() if row.ends == "2026-10-23"}
    assert {"gpt-3.5-turbo", "gpt-4", "gpt-4-turbo", "gpt-4.1-nano", "o1", "o1-pro", "o3-mini", "o4-mini"} <= ended


def test_no_shipped_stack_names_a_model_whose_end_is_known() -> None:
    known = catalog.load().endings
    for path in [ROOT / "stacks" / f"Pulumi.{each}.yaml" for each in STACKS]:
        platform = yaml.safe_load(path.read_text())["config"]["pulumi-llm:platform"]
        for vendor, upstream in platform["proxy"]["upstreams"].items():
            for model in upstream["models"]:
                assert (vendor, model) not in known, f"{path.name} names {model}"
                assert (vendor, model) in catalog.load().token_prices, f"{path.name}: {model} has no price"
