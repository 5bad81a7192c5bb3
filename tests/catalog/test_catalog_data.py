"""The catalogue's own data holds together, and a damaged copy of it is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.errors import Refusal

Content = dict[str, Any]


def row(content: Content, **wanted: object) -> dict[str, Any]:
    """The first row that has these values."""
    found: dict[str, Any] = next(
        each for each in content["rows"] if all(each.get(key) == value for key, value in wanted.items())
    )
    return found


def damaged(tmp_path: Path, file: str, change: Callable[[Content], object]) -> catalog.Catalog:
    """A copy of the catalogue in which one file was changed."""
    copy = tmp_path / "data"
    copy.mkdir()
    catalog.load(catalog.DATA).copy_to(copy)
    content = json.loads((copy / file).read_text(encoding="utf-8"))
    change(content)
    (copy / file).write_text(json.dumps(content), encoding="utf-8")
    return catalog.load(copy)


def test_the_data_has_no_problems() -> None:
    assert catalog.load().problems() == []


def test_every_row_names_its_source_and_date() -> None:
    data = catalog.load()
    groups = (data.clouds, data.regions, data.gpus, data.models)
    rows = [each for group in groups for each in group.values()]
    rows += [*data.instances, *data.prices, *data.guide_prices, *data.extras, *data.images, *data.mirrors]
    assert len(rows) > 1500
    assert not [each for each in rows if not each.source or not each.source_date]


T4, A100 = {"name": "T4"}, {"name": "A100-80GB"}
P4D, XLARGE = {"instance_type": "p4d.24xlarge"}, {"instance_type": "ecs.gn6i-c4g1.xlarge"}
QWEN, YI = {"id": "Qwen/Qwen2.5-7B-Instruct"}, {"id": "01-ai/Yi-6B-Chat"}


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        pytest.param(
            "gpus.json", lambda c: row(c, **T4).update(memory_gib=17), "17 GiB of memory", id="more memory than sold"
        ),
        pytest.param("gpus.json", lambda c: row(c, **T4).update(memory_gib=8), "8 GiB of memory", id="half the memory"),
        pytest.param(
            "gpus.json", lambda c: row(c, **T4).update(memory_gib="big"), "must be a number", id="memory as text"
        ),
        pytest.param(
            "gpus.json", lambda c: row(c, **T4).update(memory_gib=True), "must be a number", id="memory as truth"
        ),
        pytest.param("gpus.json", lambda c: row(c, **T4).update(compute_capability="new"), "'new'", id="no capability"),
        pytest.param("gpus.json", lambda c: row(c, **T4)["dtypes"].append("bfloat16"), "bfloat16", id="bf16 on Turing"),
        pytest.param("gpus.json", lambda c: row(c, **A100)["dtypes"].append("fp8"), "fp8", id="fp8 on Ampere"),
        pytest.param(
            "gpus.json", lambda c: row(c, **A100).pop("compute_capability"), "compute_capability", id="field gone"
        ),
        pytest.param("gpus.json", lambda c: row(c, **A100).update(colour="green"), "colour", id="unknown field"),
        pytest.param("gpus.json", lambda c: row(c, **A100)["aliases"].append("Tesla T4"), "tesla t4", id="alias twice"),
        pytest.param(
            "gpus.json",
            lambda c: row(c, name="V100-32GB").update(vllm="current"),
            "vLLM 'current'",
            id="Volta is current",
        ),
        pytest.param("gpus.json", lambda c: row(c, **T4).update(min_driver=None), "driver None", id="no driver"),
        pytest.param("gpus.json", lambda c: c["rows"].remove(row(c, **T4)), "the GPU T4 is not", id="GPU gone"),
        pytest.param("instances.json", lambda c: c["rows"].append(row(c, **P4D)), "is there 2 times", id="type twice"),
        pytest.param("instances.json", lambda c: row(c, **P4D).update(gpu="A100"), "the GPU A100", id="unknown GPU"),
        pytest.param("instances.json", lambda c: row(c, **P4D).update(gpu_count=80), "80 GPUs", id="eighty GPUs"),
        pytest.param(
            "instances.json", lambda c: row(c, **P4D).update(gpu_memory_gib=80), "80 GiB a GPU", id="wrong GPU size"
        ),
        pytest.param("instances.json", lambda c: row(c, **P4D).update(vcpu=0), "0 vCPU", id="no vCPU"),
        pytest.param(
            "instances.json", lambda c: row(c, **P4D).update(cloud="venus"), "the cloud is not", id="unknown cloud"
        ),
        pytest.param(
            "instances.json",
            lambda c: row(c, **P4D)["regions"].update({"us-east-1": ["us-west-2a"]}),
            "the zone us-west-2a is not one of us-east-1",
            id="zone of another region",
        ),
        pytest.param(
            "instances.json", lambda c: row(c, **P4D)["regions"].update(mars=[]), "region mars", id="unknown region"
        ),
        pytest.param(
            "instances.json", lambda c: row(c, role="proxy").update(gpu="T4"), "has a GPU", id="proxy with GPU"
        ),
        pytest.param(
            "instances.json", lambda c: row(c, **P4D).update(source="hearsay"), "'hearsay'", id="unknown source"
        ),
        pytest.param("instances.json", lambda c: c["sources"].clear(), "names the source", id="sources gone"),
        pytest.param("prices.json", lambda c: c["rows"].append(row(c, **XLARGE)), "is there 2 times", id="price twice"),
        pytest.param(
            "prices.json", lambda c: row(c, **XLARGE).update(amount=0), "out of all proportion", id="price zero"
        ),
        pytest.param(
            "prices.json", lambda c: row(c, **XLARGE).update(amount=-3), "out of all proportion", id="price below zero"
        ),
        pytest.param(
            "prices.json", lambda c: row(c, **XLARGE).update(amount=1163), "out of all proportion", id="price times 100"
        ),
        pytest.param(
            "prices.json", lambda c: row(c, **XLARGE).update(amount="11.63"), "must be a number", id="price as text"
        ),
        pytest.param("prices.json", lambda c: row(c, **XLARGE).update(currency="EUR"), "EUR", id="unknown currency"),
        pytest.param(
            "prices.json", lambda c: row(c, **XLARGE).update(region="mars"), "the region is not", id="price on Mars"
        ),
        pytest.param(
            "prices.json",
            lambda c: row(c, **XLARGE).update(instance_type="x"),
            "instance type is not",
            id="price of nothing",
        ),
        pytest.param("prices.json", lambda c: row(c, **XLARGE).pop("source"), "source None", id="price without source"),
        pytest.param(
            "prices.json",
            lambda c: row(c, instance_type="g4dn.xlarge", region="us-east-1", spot=True).update(amount=9),
            "above the list price",
            id="spot above list",
        ),
        pytest.param("guide_prices.json", lambda c: c["rows"][0].update(gpu="A100"), "unknown GPU", id="guide's GPU"),
        pytest.param(
            "guide_prices.json", lambda c: c["rows"][0].update(instance_type="x"), "x is not", id="guide's type"
        ),
        pytest.param("extras.json", lambda c: c["rows"][0].update(unit="acre"), "acre", id="unknown unit"),
        pytest.param("extras.json", lambda c: c["rows"][0].update(amount=0), "0 CNY", id="free without a word"),
        pytest.param(
            "extras.json", lambda c: c["rows"][0].update(region="mars"), "the region is not", id="disk on Mars"
        ),
        pytest.param(
            "exchange_rates.json", lambda c: c["rows"][0].update(rate=0.14), "exchange rate", id="rate turned over"
        ),
        pytest.param("exchange_rates.json", lambda c: c["rows"].clear(), "no exchange rate", id="no rate"),
        pytest.param(
            "regions.json", lambda c: row(c, cloud="aws")["zones"].append("mars-1a"), "mars-1a", id="zone elsewhere"
        ),
        pytest.param(
            "regions.json", lambda c: c["rows"].remove(row(c, name="cn-hangzhou")), "cn-hangzhou", id="region gone"
        ),
        pytest.param(
            "upstreams.json",
            lambda c: row(c, vendor="openai")["countries"].append("CN"),
            "no vendor serves",
            id="China served",
        ),
        pytest.param(
            "upstreams.json",
            lambda c: row(c, vendor="gemini")["countries"].append("HK"),
            "no vendor serves",
            id="HK served",
        ),
        pytest.param("endings.json", lambda c: c["rows"][0].update(ends="2026-13-01"), "not a day", id="no such day"),
        pytest.param("endings.json", lambda c: c["rows"][0].update(vendor="x"), "vendor is not", id="end of no vendor"),
        pytest.param("endings.json", lambda c: c["rows"].append(c["rows"][0]), "there 2 times", id="end twice"),
        pytest.param(
            "endings.json",
            lambda c: row(c, model="gpt-4o").update(instead="gpt-4"),
            "ends no later",
            id="in place of it something older",
        ),
        pytest.param("clouds.json", lambda c: c["rows"][0].update(user_data_limit=1), "1 bytes", id="user data limit"),
        pytest.param(
            "clouds.json", lambda c: c["rows"][0].update(default_region="x"), "default region x", id="default region"
        ),
        pytest.param(
            "clouds.json", lambda c: c["rows"][0]["data_disk"].update(min_gib=0), "disk", id="disk of nothing"
        ),
        pytest.param(
            "clouds.json", lambda c: c["rows"][0]["name_rules"].pop("default"), "rule for names", id="name rule"
        ),
        pytest.param(
            "models.json",
            lambda c: c["rows"].append({**row(c, **YI), "id": "01-AI/yi-6b-chat"}),
            "2 times",
            id="model twice",
        ),
        pytest.param(
            "models.json", lambda c: row(c, **QWEN).update(layers=14), "billion parameters", id="half the layers"
        ),
        pytest.param(
            "models.json", lambda c: row(c, **QWEN).update(vocab=32000), "billion parameters", id="other vocabulary"
        ),
        pytest.param("models.json", lambda c: row(c, **QWEN).update(heads=0), "heads is 0", id="no heads"),
        pytest.param("models.json", lambda c: row(c, **QWEN).update(kv_heads=3), "cannot share", id="uneven heads"),
        pytest.param(
            "models.json", lambda c: row(c, **QWEN).update(layers="28"), "must be a number", id="layers as text"
        ),
        pytest.param(
            "models.json", lambda c: row(c, **QWEN).pop("max_context"), "context is not known", id="no context"
        ),
        pytest.param("models.json", lambda c: c["rows"].remove(row(c, **QWEN)), "base model", id="base model gone"),
        pytest.param(
            "models.json", lambda c: row(c, **QWEN).update(quantization="awq"), "quantization awq", id="no bits"
        ),
        pytest.param(
            "models.json",
            lambda c: row(c, id="Qwen/Qwen3-30B-A3B").update(active_b=99),
            "active",
            id="more than all active",
        ),
        pytest.param(
            "models.json",
            lambda c: row(c, id="google/gemma-2-9b-it")["sliding_window"].update(layers=99),
            "window",
            id="window",
        ),
        pytest.param("images.json", lambda c: c["rows"].remove(row(c, cloud="tencent")), "no image", id="image gone"),
        pytest.param(
            "images.json", lambda c: row(c, cloud="aliyun")["arguments"].clear(), "look it up", id="image by nothing"
        ),
        pytest.param(
            "supply.json", lambda c: row(c, scope="cloud").pop("trusted_host"), "which pip refuses", id="HTTP"
        ),
        pytest.param(
            "supply.json", lambda c: row(c, scope="cloud").update(cloud="venus"), "venus", id="mirror's cloud"
        ),
        pytest.param(
            "supply.json",
            lambda c: c.update(rows=[each for each in c["rows"] if each["kind"] != "hub"]),
            "nowhere to get hubs",
            id="no hub",
        ),
        pytest.param(
            "prices.json",
            lambda c: next(iter(c["sources"].values())).update(date="last week"),
            "'last week'",
            id="source without a date",
        ),
    ],
)
def test_damage_is_noticed_and_named(tmp_path: Path, file: str, change: Callable[[Content], object], says: str) -> None:
    found = damaged(tmp_path, file, change).problems()
    assert [problem for problem in found if says in problem], found


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"rows": []}', '{"sources": {}, "rows": {}}', "\udce9"])
def test_a_file_that_is_not_a_table_is_refused_by_name(tmp_path: Path, text: str) -> None:
    copy = tmp_path / "data"
    copy.mkdir()
    catalog.load(catalog.DATA).copy_to(copy)
    (copy / "gpus.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Refusal) as refused:
        catalog.load(copy).gpu("T4")
    assert refused.value.findings[0].code == "catalog.broken-file"
    assert "gpus.json" in refused.value.findings[0].message


def test_a_missing_file_is_one_problem_and_the_rest_is_still_checked(tmp_path: Path) -> None:
    def make_free(content: Content) -> None:
        content["rows"][0]["amount"] = 0

    copy = damaged(tmp_path, "extras.json", make_free)
    (copy.directory / "models.json").unlink()
    found = copy.problems()
    assert [problem for problem in found if problem.endswith("/models.json: the file is missing")]
    assert [problem for problem in found if "0 CNY" in problem]


@pytest.mark.parametrize(
    ("zone", "region", "of_it"),
    [
        ("cn-hangzhou-h", "cn-hangzhou", True),
        ("us-east-1a", "us-east-1", True),
        ("us-west-2-lax-1a", "us-west-2", True),
        ("europe-west1-b", "europe-west1", True),
        ("europe-west10-a", "europe-west1", False),
        ("cn-hangzhou-h", "cn-beijing", False),
    ],
)
def test_a_zone_lies_in_the_region_that_its_name_begins_with_and_in_none_whose_number_is_another(
    zone: str, region: str, of_it: bool
) -> None:
    assert catalog.lies_in(zone, region) is of_it
