"""Names find their rows however they are written, and unknown names are answered with the nearest known ones."""

from __future__ import annotations

from datetime import date

import pytest

from pulumi_llm import catalog
from pulumi_llm._sources import node_sources
from pulumi_llm.catalog import names, pooling
from pulumi_llm.catalog.models import GIB
from pulumi_llm.errors import Refusal, UnknownName

DATA = catalog.load()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("T4", "T4"),
        ("tesla t4", "T4"),
        ("NVIDIA Tesla T4", "T4"),
        ("T4G", "T4G"),
        ("a10", "A10"),
        ("A10G", "A10G"),
        ("a100_80g", "A100-80GB"),
        ("A100 80 GiB", "A100-80GB"),
        ("NVIDIA A100-SXM4-40GB", "A100-40GB"),
        ("A100-PCIE-40GB", "A100-40GB"),
        ("v100 32g", "V100-32GB"),
        ("h100", "H100-80GB"),
        ("NVIDIA H100 80GB HBM3", "H100-80GB"),
        ("4090", "RTX-4090"),
        ("GeForce RTX 4090", "RTX-4090"),
        ("a6000", "RTX-A6000"),
        ("A800", "A800-80GB"),
    ],
)
def test_a_gpu_is_found_however_it_is_written(written: str, name: str) -> None:
    assert DATA.gpu(written).name == name


def test_every_gpu_is_found_by_its_own_name_and_every_alias() -> None:
    for gpu in DATA.gpus.values():
        assert [DATA.gpu(name) for name in (gpu.name, gpu.name.lower(), *gpu.aliases)] == [gpu] * (2 + len(gpu.aliases))


@pytest.mark.parametrize("name", ["A100", "nvidia a100", "V100", "Tesla V100"])
def test_a_gpu_name_without_its_memory_is_ambiguous_where_there_are_two(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        DATA.gpu(name)
    finding = refused.value.findings[0]
    assert finding.code == "catalog.ambiguous-gpu"
    family = name.split()[-1].upper()
    sizes = [gpu for gpu in DATA.gpus if gpu.startswith(f"{family}-")]
    assert len(sizes) == 2
    assert all(size in finding.hint for size in sizes)


@pytest.mark.parametrize(
    ("look", "code", "suggestion"),
    [
        (lambda: DATA.cloud("aliyum"), "catalog.unknown-cloud", "aliyun"),
        (lambda: DATA.region("aliyun", "cn-hangzou"), "catalog.unknown-region", "cn-hangzhou"),
        (lambda: DATA.region("tencent", "ap-guangzou"), "catalog.unknown-region", "ap-guangzhou"),
        (lambda: DATA.gpu("A100-80G8"), "catalog.unknown-gpu", "A100-80GB"),
        (lambda: DATA.instance("aws", "p4d.24xlrge"), "catalog.unknown-instance-type", "p4d.24xlarge"),
        (lambda: DATA.model("Qwen/Qwen2.5-7B-Instuct"), "catalog.unknown-model", "Qwen/Qwen2.5-7B-Instruct"),
        (lambda: DATA.image("aws", "ubuntu-24.40"), "catalog.unknown-image", "ubuntu-24.04 (x86_64)"),
        (lambda: DATA.sources("aws", "us-west-3"), "catalog.unknown-region", "us-west-2"),
        (lambda: DATA.offers(gpu="L40SS"), "catalog.unknown-gpu", "L40S"),
        (lambda: DATA.offers(region="ap-singapor"), "catalog.unknown-region", "ap-singapore"),
    ],
)
def test_an_unknown_name_is_refused_with_the_one_that_was_meant(look: object, code: str, suggestion: str) -> None:
    with pytest.raises(UnknownName) as refused:
        look()  # type: ignore[operator]
    assert refused.value.findings[0].code == code
    assert suggestion in refused.value.suggestions


def test_a_region_of_another_cloud_is_unknown() -> None:
    with pytest.raises(UnknownName):
        DATA.region("aws", "ap-guangzhou")


@pytest.mark.parametrize(
    "name", ["01-ai/Yi-6B-Chat", "01ai/Yi-6B-Chat", "01-AI/YI-6B-CHAT", "yi-6b-chat", "Yi-6B-Chat"]
)
def test_a_model_is_found_by_either_hub_id_or_its_last_part(name: str) -> None:
    assert DATA.model(name).id == "01-ai/Yi-6B-Chat"


def test_every_model_is_found_by_its_own_id() -> None:
    assert [DATA.model(name).id for name in DATA.models] == list(DATA.models)


def test_a_short_model_name_with_two_owners_is_ambiguous() -> None:
    with pytest.raises(Refusal) as refused:
        DATA.model("Llama-3.2-3B-Instruct")
    assert refused.value.findings[0].code == "catalog.ambiguous-model"


def test_quantized_siblings_know_each_other() -> None:
    siblings = {row.id: row.quantization for row in DATA.variants("Qwen/Qwen2.5-7B-Instruct")}
    assert siblings["Qwen/Qwen2.5-7B-Instruct-AWQ"] == "awq"
    assert siblings["Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8"] == "gptq"
    assert "Qwen/Qwen2.5-7B-Instruct" in {row.id for row in DATA.variants("Qwen/Qwen2.5-7B-Instruct-AWQ")}


@pytest.mark.parametrize(
    ("name", "kv_bytes", "weights_gib"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", 57344, 14.19),
        ("01-ai/Yi-6B-Chat", 65536, 11.29),
        ("meta-llama/Llama-3.3-70B-Instruct", 327680, 131.42),
        ("zai-org/glm-4-9b-chat", 40960, 17.51),
        ("google/gemma-2-9b-it", 344064, 17.21),
        ("deepseek-ai/DeepSeek-V3", 70272, 1249.83),
        ("openai/gpt-oss-120b", 73728, 217.56),
        ("microsoft/phi-4", 204800, 27.31),
    ],
)
def test_memory_figures_are_those_that_the_configs_give(name: str, kv_bytes: int, weights_gib: float) -> None:
    model = DATA.model(name)
    assert model.kv_bytes_per_token == kv_bytes
    assert model.parameters_b is not None
    assert model.parameters_b * 2e9 / GIB == pytest.approx(weights_gib, abs=0.02)


def test_the_driver_reports_less_than_is_marketed_on_every_gpu() -> None:
    assert DATA.gpu("T4").memory_gib == 14.56
    assert all(gpu.memory_gib < gpu.marketed_gib for gpu in DATA.gpus.values())


def test_mainland_regions_are_told_from_hong_kong_and_the_rest() -> None:
    assert DATA.region("aliyun", "cn-hangzhou").in_china
    assert DATA.region("tencent", "ap-guangzhou").in_china
    assert DATA.region("aws", "cn-north-1").in_china
    for cloud, name in (("aliyun", "cn-hongkong"), ("tencent", "ap-hongkong"), ("aws", "ap-east-1")):
        region = DATA.region(cloud, name)
        assert (region.in_china, region.in_hong_kong) == (False, True)


@pytest.mark.parametrize("country", ["CN", "HK"])
def test_who_serves_the_mainland_and_hong_kong_is_in_the_vendors_rows(country: str) -> None:
    regions = [row for row in DATA.regions.values() if row.country == country]
    in_both = {"aliyun", "tencent", "aws", "ssh", "volcengine"}
    assert {row.cloud for row in regions} == (in_both if country == "CN" else {*in_both, "azure", "gcp"})
    for row in regions:
        assert {"openai", "anthropic", "gemini", "groq"} & set(row.serves) == set()
        assert {"qwen", "deepseek", "qianfan", "ark", "pai-eas", "hai", "vllm", "custom"} <= set(row.serves)


def test_a_name_that_is_no_weights_but_a_vendors_api_is_answered_with_the_vendor_and_its_end() -> None:
    """Who asked for deepseek-chat on 2026-11-28 was told that it is served until 2026-07-24."""
    switched_off = "switched that name of their API off: deepseek (on 2026-07-24, for deepseek-v4-flash)."
    for name, told in (("deepseek-chat", switched_off), ("qwen3.8-max", "as upstreams: qwen.")):
        with pytest.raises(UnknownName) as refused:
            DATA.model(name)
        assert told in refused.value.findings[0].hint
        assert ("as upstreams" in refused.value.findings[0].hint) == (name == "qwen3.8-max")
    ends = [DATA.endings["qwen", "qwen-turbo"]]
    assert "as upstreams: qwen (until 2026-10-10)." in names.by_an_api(["qwen"], ends, date(2026, 10, 9))
    assert "API off: qwen (on 2026-10-10" in names.by_an_api(["qwen"], ends, date(2026, 10, 10))
    assert "as upstreams: vllm." in names.by_an_api(["qwen", "vllm"], ends, date(2026, 10, 10))
    with pytest.raises(UnknownName) as refused:
        DATA.model("nobody/heard-of-it")
    assert "upstreams" not in refused.value.findings[0].hint


def test_a_vendor_has_an_address_for_the_country_that_calls_it() -> None:
    qwen = DATA.upstreams["qwen"]
    assert qwen.url("CN") == "https://dashscope.aliyuncs.com/compatible-mode/v1"
    assert qwen.url("HK") == "https://cn-hongkong.dashscope.aliyuncs.com/compatible-mode/v1"
    assert qwen.url("SG") == qwen.url("DE") == "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    assert DATA.upstreams["vllm"].url("CN") is None


def test_the_china_partition_of_aws_is_its_own() -> None:
    assert {row.partition for row in DATA.regions.values() if row.cloud == "aws" and row.in_china} == {"aws-cn"}
    assert DATA.region("aws", "us-west-2").partition == "aws"


@pytest.mark.parametrize(
    ("cloud", "region"),
    [
        ("aliyun", "ap-southeast-1"),
        ("aliyun", "us-west-1"),
        ("tencent", "ap-singapore"),
        ("tencent", "na-siliconvalley"),
        ("aws", "ap-northeast-1"),
        ("aws", "eu-central-1"),
    ],
)
def test_all_upstream_vendors_serve_the_usual_proxy_regions(cloud: str, region: str) -> None:
    assert set(DATA.region(cloud, region).serves) == set(DATA.upstreams)
    assert DATA.hosts(cloud=cloud, region=region, min_vcpu=2, min_memory_gib=2)


def test_a_mainland_node_fetches_from_its_own_cloud_first() -> None:
    aliyun, tencent = DATA.sources("aliyun", "cn-beijing"), DATA.sources("tencent", "ap-shanghai")
    assert aliyun.pypi[0].url.startswith("http://mirrors.cloud.aliyuncs.com/")
    assert aliyun.pypi[0].trusted_host == "mirrors.cloud.aliyuncs.com"
    assert tencent.apt[0].url == "http://mirrors.tencentyun.com/ubuntu/"
    assert not [mirror for mirror in tencent.pypi if mirror.scope == "cloud" and mirror.cloud != "tencent"]
    assert aliyun.hub_names == ("modelscope", "hf-mirror")


def test_a_node_abroad_fetches_from_upstream() -> None:
    sources = DATA.sources("aliyun", "ap-southeast-1")
    assert [mirror.url for mirror in sources.pypi] == ["https://pypi.org/simple"]
    assert sources.hub_names == ("huggingface", "modelscope")
    assert node_sources("aliyun", "ap-southeast-1").registries == ("",)


def test_images_of_other_registries_go_through_the_prefix_in_the_mainland() -> None:
    assert node_sources("tencent", "ap-beijing").registries == ("m.daocloud.io/", "")


@pytest.mark.parametrize(
    ("cloud", "kind", "name", "accepted"),
    [
        ("tencent", "key-pair", "llm_key", True),
        ("tencent", "key-pair", "llm-key", False),
        ("tencent", "key-pair", "k" * 26, False),
        ("tencent", "vpc", "n" * 61, False),
        ("aliyun", "security-group", "1st", False),
        ("aliyun", "security-group", "llm-group", True),
        ("aws", "security-group", "llm", True),
    ],
)
def test_name_rules_are_those_of_the_cloud(cloud: str, kind: str, name: str, accepted: bool) -> None:
    assert DATA.cloud(cloud).name_rule(kind).accepts(name) is accepted


def test_a_disk_is_rounded_up_to_what_can_be_bought() -> None:
    disk = DATA.cloud("tencent").data_disk
    assert [disk.round_up(size) for size in (1, 20, 20.5, 101)] == [20, 20, 30, 110]


def test_the_age_of_a_row_counts_from_the_first_day_its_date_can_mean() -> None:
    price = DATA.price("aws", "g4dn.xlarge", "us-east-1")
    assert price is not None
    assert price.source_date == "2026-07-20"
    assert price.age_days(date(2026, 7, 30)) == 10
    assert not price.stale(date(2026, 7, 30))
    assert price.stale(date(2028, 1, 1))
    guide = DATA.guide_prices[0]
    assert (guide.source_date, guide.age_days(date(2024, 1, 11))) == ("2024", 10)


def test_an_undated_row_is_always_old() -> None:
    traffic = DATA.extra_price("aws", "traffic-out", "internet", "us-east-1")
    assert traffic is not None
    assert traffic.age_days(date(2026, 1, 1)) is None
    assert traffic.stale(date(2026, 1, 1))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("jinaai/jina-reranker-m0", "a reranker"),
    ],
)
def test_a_model_that_ranks_texts_is_told_what_it_is(name: str, kind: str) -> None:
    with pytest.raises(Refusal) as refused:
        catalog.load().model(name)
    (finding,) = refused.value.findings
    assert finding.code == "catalog.not-a-chat-model"
    assert f"{name} is {kind}" in finding.message
    assert len(finding.hint) < 200  # not twenty chat models


@pytest.mark.parametrize(
    "name",
    [
        "intfloat/multilingual-e5-large",
        "nomic-ai/nomic-embed-text-v1",
    ],
)
def test_a_model_for_vectors_is_known_by_its_name_and_asked_for_by_its_config(name: str) -> None:
    assert pooling.task_of(name) == pooling.EMBEDDING
    with pytest.raises(UnknownName) as unknown:
        catalog.load().model(name)
    assert "config.json" in unknown.value.findings[0].hint


@pytest.mark.parametrize(
    ("name", "flags", "task"),
    [
        ("org/own", {"--runner": "pooling"}, "embedding"),
        ("org/own", {}, None),
        ("Qwen/Qwen3-Embedding-4B", {"--runner": "generate"}, None),
        ("Qwen/Qwen3-4B", {"--runner": "auto"}, None),
    ],
)
def test_what_a_server_is_for_is_what_its_flags_say_else_its_name(
    name: str, flags: dict[str, str], task: str | None
) -> None:
    assert pooling.task_of(name, None, flags) == task


VECTORS = {"BAAI/bge-m3", "BAAI/bge-large-zh-v1.5", *(f"Qwen/Qwen3-Embedding-{size}" for size in ("0.6B", "4B", "8B"))}
RANKS = {
    *("BAAI/bge-reranker-v2-m3", "BAAI/bge-reranker-base"),
    *(f"Qwen/Qwen3-Reranker-{size}" for size in ("0.6B", "4B", "8B")),
}


def test_models_for_vectors_and_for_ranking_have_rows_and_are_known_for_what_they_are() -> None:
    tasks = {name: pooling.task_of(name, row) for name, row in catalog.load().models.items()}
    assert {name for name, task in tasks.items() if task == pooling.EMBEDDING} == VECTORS
    assert {name for name, task in tasks.items() if task == pooling.RERANKER} == RANKS


def test_no_chat_model_of_the_catalogue_is_taken_for_another_kind() -> None:
    assert {name for name in catalog.load().models if pooling.kind_of(name)} == VECTORS | RANKS
