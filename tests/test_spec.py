"""The spec: what is accepted, what is refused, and that everything wrong is said at once."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pulumi_llm import _engine_yaml, catalog, spec
from pulumi_llm.catalog import pooling
from pulumi_llm.errors import Refusal

GOOD: dict[str, Any] = {
    "server": {"cloud": "aliyun", "region": "cn-hangzhou", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"},
    "proxy": {
        "cloud": "aws",
        "region": "ap-southeast-1",
        "upstreams": {"openai": {"models": ["gpt-6-luna"]}},
    },
    "vectors": {"memory_gib": 4},
    "access": {"allowed_cidrs": ["203.0.113.0/24"]},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """A good platform with one value set."""
    platform = copy.deepcopy(GOOD)
    *steps, last = path.split(".")
    here = platform
    for step in steps:
        here = here.setdefault(step, {})
    here[last] = value
    return platform


def without(path: str) -> dict[str, Any]:
    platform = copy.deepcopy(GOOD)
    *steps, last = path.split(".")
    here = platform
    for step in steps:
        here = here[step]
    del here[last]
    return platform


def codes(platform: Any) -> list[str]:
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.PlatformSpec, platform)
    return [finding.code for finding in refused.value.findings]


def test_a_good_platform_is_accepted() -> None:
    assert spec.parse(spec.PlatformSpec, GOOD).server.name_served == "Yi-6B-Chat"


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("serverr", {}, "spec.unknown-key"),
        ("server.gpuu", "T4", "spec.unknown-key"),
        ("server.cloud", "alyun", "spec.unknown-cloud"),
        ("server.region", "cn-hangzou", "catalog.unknown-region"),
        ("server.gpu", "T44", "catalog.unknown-gpu"),
        ("server.gpu", "A100", "catalog.ambiguous-gpu"),
        ("server.model", "Yi-6B-Chatt", "spec.bad-model-id"),
        ("server.model", "LLM-Research/Meta-Llama-3.1-8B-Instruct", "catalog.ambiguous-model"),
        ("server.model", "a/b; rm -rf /", "spec.bad-model-id"),
        ("server.zone", "cn-beijing-a", "spec.zone-of-other-region"),
        ("server.context_length", 12, "spec.wrong-value"),
        ("server.gpu_count", True, "spec.wrong-type"),
        ("server.gpu_count", None, "spec.wrong-type"),
        ("server.gpu_count", "two", "spec.wrong-type"),
        ("server.gpu_count", 1.5, "spec.wrong-type"),
        ("server.gpu_count", 9, "spec.wrong-value"),
        ("server.gpu", 4, "spec.wrong-type"),
        ("server.spot", "maybe", "spec.wrong-type"),
        ("server.keys", ["default"], "spec.wrong-type"),
        ("server.keys", {"default": {"expires": 5}}, "spec.bad-day"),
        ("server.quantization", "awqq", "spec.wrong-value"),
        ("access.allowed_cidrs", "203.0.113.0/24", "spec.wrong-type"),
        ("vectors", True, "spec.wrong-type"),
        ("server.keys", {}, "spec.no-keys"),
        ("server.keys", {"Big Key": {}}, "spec.bad-key-name"),
        ("server.keys", {"app": {"models": ["gpt-5"]}}, "spec.key-of-unserved-model"),
        ("server.served_name", "gpt-6-luna", "spec.model-twice"),
        ("access.allowed_cidrs", ["0.0.0.0/0"], "spec.open-to-world"),
        ("access.allowed_cidrs", ["0.0.0.0/1", "128.0.0.0/1"], "spec.open-to-world"),
        ("access.allowed_cidrs", ["::/0"], "spec.open-to-world"),
        ("access.allowed_cidrs", ["203.0.113.7/24"], "spec.bad-cidr"),
        ("access.allowed_cidrs", ["everybody"], "spec.bad-cidr"),
        ("server.cors_origins", ["*"], "spec.bad-origin"),
        ("server.cors_origins", ["https://Chat.example.com/"], "spec.bad-origin"),
        ("proxy.cors_origins", ["https://*.example.com"], "spec.bad-origin"),
        ("server.cors_origins", ["https://a.example.com:443"], "spec.bad-origin"),
        ("server.cors_origins", ["https://a.example.com\nrespond 200"], "spec.bad-text"),
        ("access.allowed_cidrs", [], "spec.nobody-allowed"),
        ("access.ssh_cidrs", ["0.0.0.0/0"], "spec.ssh-open-to-world"),
        ("access.https_port", 8080, "spec.port-needs-filing"),
        ("access.https_port", 18444, "spec.port-taken"),
        ("access.https_port", 22, "spec.port-taken"),
        ("proxy.region", "ap-east-1", "spec.proxy-region"),
        ("proxy.region", "cn-north-1", "spec.proxy-region"),
        ("proxy.upstreams", {"opnai": {"models": ["x"]}}, "spec.unknown-vendor"),
        ("proxy.upstreams", {}, "spec.no-upstreams"),
        ("network.vpc_id", "vpc-1", "spec.half-a-network"),
        ("network.cidr", "8.8.0.0/16", "spec.bad-network-cidr"),
        ("tags", {"aws:x": "y"}, "spec.bad-tag"),
    ],
)
def test_a_mistake_has_its_own_code(path: str, value: Any, code: str) -> None:
    assert codes(changed(path, value)) == [code]


def test_allowed_cidrs_are_required() -> None:
    assert codes(without("access.allowed_cidrs")) == ["spec.missing-key"]
    assert codes(without("access")) == ["spec.missing-key"]


def test_the_world_is_accepted_only_when_public_is_written_out_and_never_for_ssh() -> None:
    platform = changed("access", {"allowed_cidrs": ["0.0.0.0/0"], "public": True})
    assert codes(platform) == ["spec.ssh-open-to-world"]
    platform["access"]["ssh_cidrs"] = ["203.0.113.9/32"]
    assert spec.parse(spec.PlatformSpec, platform).access.ssh() == ("203.0.113.9/32",)


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    platform = changed("server.gpu", "T44")
    platform["server"]["region"] = "cn-hangzou"
    platform["server"]["modle"] = "x"
    platform["access"]["allowed_cidrs"] = ["1.2.3.4/8"]
    platform["proxy"]["upstreams"] = {"opnai": {"models": ["x"]}}
    assert sorted(codes(platform)) == [
        "catalog.unknown-gpu",
        "catalog.unknown-region",
        "spec.bad-cidr",
        "spec.unknown-key",
        "spec.unknown-vendor",
    ]


def test_a_misspelt_key_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.PlatformSpec, changed("server.contxt_length", 4096))
    assert "context_length" in refused.value.findings[0].hint


@pytest.mark.parametrize("raw", [None, 3, "server", [], {"server": 3, "access": "x"}, {"server": {"gpu": []}}])
def test_nonsense_is_refused_without_a_traceback_of_ours(raw: Any) -> None:
    assert codes(raw)


def test_a_mainland_host_gets_a_high_port_and_others_443() -> None:
    access = spec.parse(spec.AccessSpec, {"allowed_cidrs": ["203.0.113.0/24"]})
    assert (access.port(in_china=True), access.port(in_china=False)) == (18443, 443)


def test_a_whole_number_that_arrives_as_a_float_is_taken() -> None:
    assert spec.parse(spec.PlatformSpec, changed("server.gpu_count", 1.0)).server.gpu_count == 1


def test_the_secrets_that_a_platform_needs_are_named_even_if_it_is_wrong_elsewhere() -> None:
    platform = changed("proxy.upstreams", {"openai": {"models": ["a"]}, "gemini": {"models": ["b"]}})
    platform["server"]["gpu"] = "nonsense"
    assert spec.secret_keys_of(platform) == ["openaiApiKey", "geminiApiKey"]
    assert spec.secret_keys_of("nonsense") == []


@given(st.lists(st.ip_addresses(v=4).map(lambda ip: f"{ip}/32"), min_size=1, max_size=20))
def test_single_addresses_never_count_as_the_world(cidrs: list[str]) -> None:
    assert spec.covers_world(cidrs) is None


@given(st.integers(0, 7), st.integers(0, 2**32 - 1))
def test_a_range_wider_than_any_organisation_owns_always_counts_as_the_world(prefix: int, bits: int) -> None:
    import ipaddress

    network = ipaddress.ip_network((bits, prefix), strict=False)
    assert spec.covers_world([str(network)]) is not None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "server",
                        "access",
                        "proxy",
                        "gpu",
                        "cloud",
                        "region",
                        "allowed_cidrs",
                        "keys",
                        "upstreams",
                        "x",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_input_whatever_ends_in_anything_but_a_platform_or_a_refusal(raw: Any) -> None:
    with contextlib.suppress(Refusal):
        assert isinstance(spec.parse(spec.PlatformSpec, raw), spec.PlatformSpec)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ({"expires": "tomorrow"}, "spec.bad-day"),
        ({"source_cidrs": ["203.0.113.7/24"]}, "spec.bad-cidr"),
        ({"daily_tokens": 0}, "spec.wrong-value"),
        ({"monthly_budget_usd": -1}, "spec.wrong-value"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(key: dict[str, Any], code: str) -> None:
    assert codes(changed("server.keys", {"default": key})) == [code]


@pytest.mark.parametrize("written", ["2027-12-31", '"2027-12-31"', "'2027-12-31'"])
def test_a_day_may_be_written_as_the_hint_shows_it_with_or_without_quotes(written: str) -> None:
    key = _engine_yaml.load(f"expires: {written}")
    platform = spec.parse(spec.PlatformSpec, changed("server.keys", {"default": key}))
    assert platform.server.keys["default"].expires == "2027-12-31"


def test_a_key_may_name_its_models_by_a_pattern_or_by_a_routes_name() -> None:
    platform = changed("server.keys", {"default": {"models": ["Yi*", "chat"]}})
    platform["server"]["routes"] = {"chat": {"models": {"Yi-6B-Chat": 1}}}
    assert codes(changed("server.keys", {"default": {"models": ["Yi*", "chat"]}})) == ["spec.key-of-unserved-model"]
    spec.parse(spec.PlatformSpec, platform)


def _meant(written: str) -> str | list[str]:
    """The model that the catalogue knows by a name, or the codes of its refusal."""
    try:
        return catalog.load().model(written).id
    except Refusal as refused:
        return [finding.code for finding in refused.findings]


def _taken(written: str) -> str | list[str]:
    """The model that the spec makes of a name, or the codes of its refusal."""
    try:
        return spec.parse(spec.ServerSpec, changed("server.model", written)["server"]).model
    except Refusal as refused:
        return [finding.code for finding in refused.findings]


def test_a_name_that_the_catalogue_resolves_is_the_same_model_to_the_spec() -> None:
    for row in catalog.load().models.values():
        ids = [each for each in (row.id, row.modelscope_id) if each]
        for written in [*ids, row.id.lower(), row.id.upper(), *(each.rpartition("/")[2] for each in ids)]:
            ranks = pooling.kind_of(row.id) == pooling.RERANKER  # it answers nobody, so it is no main model
            meant = ["catalog.not-a-chat-model"] if ranks else _meant(written)
            assert (written, _taken(written)) == (written, meant)


def test_a_gated_model_asks_for_the_hubs_token_however_it_is_written() -> None:
    for written in ("google/gemma-2-9b-it", "LLM-Research/gemma-2-9b-it", "Google/Gemma-2-9b-it", "gemma-2-9b-it"):
        assert spec.secret_keys_of({"server": {"model": written}}) == ["hfToken"]
    assert spec.secret_keys_of({"server": {"model": "somebody/gemma-2-9b-it-tuned"}}) == []


def test_a_route_leads_to_served_models_only() -> None:
    for route in ({"models": {"Qwne": 1}}, {"models": {"Yi-6B-Chat": 1}, "fallback": ["gpt-5"]}):
        assert codes(changed("server.routes", {"chat": route})) == ["spec.route-to-unserved-model"]


@pytest.mark.parametrize(
    ("upstreams", "code"),
    [
        ({"custom": {"models": ["m"]}}, "spec.upstream-without-url"),
        ({"custom": {"models": ["m"], "base_url": "http://x.example/v1"}}, "spec.bad-url"),
        ({"custom": {"models": ["m"], "base_url": "https://u:p@x.example/v1"}}, "spec.bad-url"),
        ({"custom": {"models": ["m"], "base_url": "https://x.example/v1?k=1"}}, "spec.bad-url"),
        ({"groq": {"models": ["m"], "prices": {"n": {"input": 1}}}}, "spec.price-of-unserved-model"),
    ],
)
def test_an_upstream_that_cannot_be_reached_is_refused(upstreams: dict[str, Any], code: str) -> None:
    assert codes(changed("proxy.upstreams", upstreams)) == [code]


def test_every_upstream_vendor_has_a_secret_an_address_and_endpoints() -> None:
    from pulumi_llm import catalog

    assert set(spec.KINDS) == set(catalog.load().upstreams)
    assert set(spec.KINDS) - set(spec.VENDORS) == {"vllm"}  # a name for it has to be given
    assert all(each.endpoints for each in spec.VENDORS.values())
    for of_secret in ("config_key", "argument", "name"):
        names = [getattr(each, of_secret) for each in spec.SECRETS]
        assert sorted(set(names)) == sorted(names)


RAW = re.compile(
    r"Input should|valid (tuple|dictionary|string|integer|number|boolean|list|date)|validation, not|Decimal"
)
"""Words of pydantic's own, which no user of ours has to know."""

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=2),
    max_leaves=4,
)


def part_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((part for inner in get_args(annotation) if (part := part_in(inner))), None)


def places() -> list[str]:
    """Every key of a platform, as a path from its top."""

    def within(part: type[BaseModel], path: str) -> Iterator[str]:
        for name, field in part.model_fields.items():
            here = f"{path}.{name}" if path else name
            yield here
            inner = part_in(field.annotation)
            named = {"keys": ".default", "routes": ".r", "upstreams": ".openai", "moderators": ".m", "lists": ".l"}
            if inner is not None:
                yield from within(inner, here + named.get(name, ""))

    return list(within(spec.PlatformSpec, ""))


@given(st.sampled_from(places()), ODD)
def test_what_is_wrong_is_never_told_in_pydantics_words(path: str, value: Any) -> None:
    with contextlib.suppress(Refusal):
        try:
            spec.parse(spec.PlatformSpec, changed(path, value))
        except Refusal as refused:
            for finding in refused.findings:
                said = f"{finding.message} {finding.hint}".replace(repr(value), "")
                assert not RAW.search(said), finding
                assert finding.code.split(".")[0] in ("spec", "catalog", "roles", "apps", "domain", "vectors")
            raise


def test_every_kind_of_error_that_the_spec_can_raise_has_words_of_ours() -> None:
    # A value that nothing expects, at each key: what then has no words of its own is told as "not what is wanted here".
    for path in places():
        for value in (object(), b"\xff", {1, 2}, [[]], {"": {}}, "", -1, float("nan"), float("inf")):
            try:
                spec.parse(spec.PlatformSpec, changed(path, value))
            except Refusal as refused:
                told = [finding for finding in refused.findings if "not what is wanted here" in finding.message]
                assert told == [], (path, value)


def test_one_range_where_a_list_is_wanted_is_answered_with_the_list() -> None:
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.PlatformSpec, changed("access.allowed_cidrs", "203.0.113.0/24"))
    (finding,) = refused.value.findings
    assert finding.message == "'203.0.113.0/24' is not valid: it must be a list"
    assert finding.hint == "[203.0.113.0/24]"


@pytest.mark.parametrize(
    ("path", "value", "known"),
    [
        ("proxy.upstreams", {"opnai": {"models": ["x"]}}, list(spec.VENDORS)),
        (
            "server.cloud",
            "alyun",
            ["aliyun", "aws", "azure", "digitalocean", "gcp", "ssh", "tencent", "volcengine", "vultr"],
        ),
        ("server.keys", {"app": {"models": ["Yi-6B-Cht"]}}, ["Yi-6B-Chat", "gpt-6-luna"]),
    ],
)
def test_a_typing_error_is_answered_with_the_nearest_and_with_all_that_there_are(
    path: str, value: Any, known: list[str]
) -> None:
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.PlatformSpec, changed(path, value))
    (finding,) = refused.value.findings
    assert finding.hint.startswith("did you mean ")
    assert finding.hint.endswith(f"There are: {', '.join(known)}")


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("render", "no image of the gateway is published", "docs/worker.md"),
        ("Vercel", "limits could be kept exactly", "docs/worker.md"),
        ("cloudflare", "has no machines", "WorkerProxy"),
    ],
)
def test_a_host_that_is_not_built_is_refused_with_why_and_what_would_do(value: str, message: str, hint: str) -> None:
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.PlatformSpec, changed("proxy.cloud", value))
    (finding,) = refused.value.findings
    assert (finding.code, finding.where) == ("cloud.not-built", "proxy.cloud")
    assert message in finding.message
    assert hint in finding.hint


def test_a_place_without_its_region_is_answered_with_the_regions_that_sell_the_gpu() -> None:
    platform = without("server.region")
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.PlatformSpec, platform)
    (finding,) = refused.value.findings
    rows = [row for row in catalog.load().instances if (row.cloud, row.gpu) == ("aliyun", "T4")]
    sold = sorted({region for row in rows for region in row.regions})
    assert finding.code == "spec.missing-key"
    assert finding.hint.startswith("one of ")
    assert set(finding.hint.removeprefix("one of ").removesuffix(", …").split(", ")) <= set(sold)


@pytest.mark.parametrize(
    ("path", "wrong", "meant"),
    [
        ("server.keys", {"web": {"request_per_minute": 3}}, "requests_per_minute"),
        ("server.routes", {"chat": {"models": {"Yi-6B-Chat": 1}, "fallbacks": []}}, "fallback"),
        ("proxy.upstreams", {"openai": {"model": ["m"], "models": ["m"]}}, "models"),
        ("server.content", {"lists": {"names": {"action": "log", "word": ["x"]}}}, "words"),
    ],
)
def test_a_misspelt_key_of_something_with_a_name_of_its_own_is_answered_with_the_right_one(
    path: str, wrong: dict[str, Any], meant: str
) -> None:
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.PlatformSpec, changed(path, wrong))
    (found,) = [each for each in refused.value.findings if each.code == "spec.unknown-key"]
    assert f"did you mean {meant}" in found.hint


@pytest.mark.parametrize(
    ("key", "given", "kept"),
    [
        ("dtype", "float16", "half"),
        ("dtype", "Float16", "half"),
        ("kv_cache_dtype", "fp8_e4m3", "fp8"),
        ("context_length", "32k", 32_000),
        ("context_length", "8K", 8192),
        ("context_length", 4096, 4096),
    ],
)
def test_a_name_that_check_takes_is_taken_by_a_stack_and_kept_by_its_one_name(key: str, given: Any, kept: Any) -> None:
    wanted = {"cloud": "aliyun", "region": "cn-beijing", "gpu": "T4", "model": "01-ai/Yi-6B-Chat", key: given}
    assert getattr(spec.parse(spec.ServerSpec, wanted), key) == kept


@pytest.mark.parametrize("key", ["dtype", "kv_cache_dtype", "quantization"])
def test_check_takes_no_name_that_a_stack_refuses(key: str) -> None:
    from pulumi_llm._commands import check

    names = {"dtype": check.DTYPES, "kv_cache_dtype": check.CACHE_DTYPES, "quantization": check.QUANTIZATIONS}[key]
    for name in names:
        wanted = {"cloud": "aliyun", "region": "cn-beijing", "gpu": "T4", "model": "01-ai/Yi-6B-Chat", key: name}
        spec.parse(spec.ServerSpec, wanted)


def test_a_secret_in_a_stacks_file_is_sent_where_secrets_belong_and_not_repeated() -> None:
    upstreams = {"openai": {"models": ["m"], "api_key": "sk-planted"}}
    wanted = {"cloud": "aws", "region": "ap-southeast-1", "upstreams": upstreams}
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.ProxySpec, wanted)
    (found,) = refused.value.findings
    assert (found.code, found.where) == ("spec.unknown-key", "upstreams.openai.api_key")
    assert "no place for secrets" in found.message
    assert found.hint.startswith("`pulumi config set --secret openaiApiKey`")
    assert "planted" not in str(refused.value)
