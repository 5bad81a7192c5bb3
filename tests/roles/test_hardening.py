"""What each service of a node may: one set of rules over all units and containers that are rendered for any role.

What breaks a rule stands in docs/security.md with its reason, and what stands there breaks it: a limit that a service
could bear is no exception.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._bootstrap import (
    BackupRole,
    BucketRole,
    BundleRole,
    DepotRole,
    LeaveRole,
    ServiceRole,
    VllmRole,
    WakeRole,
)
from pulumi_llm.preflight import placement
from pulumi_llm.roles import Authority, memory, order, registry
from pulumi_llm.roles.files import data
from tests.bootstrap.samples import SAMPLES, gpu_node, proxy_node, vllm_of

ROOT = Path(__file__).parents[2]
UNITS = "/etc/systemd/system/"
TARGET = {"url": "https://b.example.com", "region": "cn-hangzhou", "prefix": "p", "keep": 3, "shown": "oss://b/p"}
SECOND = VllmRole(model_id="BAAI/bge-m3", served_name="e", name="e", port=8011, task="embedding")
PLAIN = gpu_node(
    memory_gib=31.0,
    domain="llm.example.com",
    authority=Authority(directory="https://acme.example.com", email="a@example.com"),
)
EVERYTHING = PLAIN.having(
    dataclasses.replace(vllm_of(PLAIN), more=(SECOND,)),
    LeaveRole(idle_minutes=30),
    WakeRole(most=12, sold_out="NoStock"),
    BackupRole(engine="weaviate", target=TARGET, hours=24),
    BucketRole(target=TARGET),
)
BUNDLED = PLAIN.having(BundleRole(folder="/mnt/llm-bundle"))
DEPOT = PLAIN.having(BundleRole(folder="/srv/llm/bundle"), DepotRole(target=TARGET, digest="0" * 64))
_SHOWN = {**SAMPLES, "everything": EVERYTHING, "bundled": BUNDLED, "depot": DEPOT}
_ON_THEM = {role.name for node in _SHOWN.values() for role in order.listed(node)}
# A service that no sample has is asked for by its name, as in a stack.
_BESIDES = {
    name: PLAIN.having(ServiceRole(role=name, memory_gib=4))
    for name, role in registry.built_in().items()
    if name not in _ON_THEM and role.manifest.service is not None
}
NODES = {**_SHOWN, **_BESIDES}
STAGES = "stages"
"""What the page calls the units of the boot, all of them together."""

Rules = dict[str, bool]


@cache
def files(name: str) -> dict[str, str]:
    return {each["path"]: each["content"] for each in bootstrap.settings(NODES[name])["files"]}


def service_lines(text: str) -> dict[str, list[str]]:
    """The keys of a unit's [Service] or [Slice] with all of their values."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in re.split(r"^\[(?:Service|Slice)\]$", text, flags=re.MULTILINE)[-1].split("\n[")[0].splitlines():
        if "=" in line and not line.startswith("#"):
            key, __, value = line.partition("=")
            found[key].append(value)
    return found


def of_unit(text: str, all_files: dict[str, str]) -> Rules:
    """Which rules a unit keeps."""
    have = service_lines(text)
    slices = [service_lines(all_files[f"{UNITS}{each}"]) for each in have.get("Slice", ())]
    unix_alone = have.get("RestrictAddressFamilies") == ["AF_UNIX"]
    return {
        "user": have.get("User", ["root"]) != ["root"],
        "read-only root": have.get("ProtectSystem") == ["strict"],
        "no new privileges": have.get("NoNewPrivileges") == ["yes"],
        "capabilities": have.get("CapabilityBoundingSet") == [""],
        "memory": any("MemoryMax" in each for each in (have, *slices)),
        "devices": have.get("PrivateDevices") == ["yes"],
        "network": have.get("IPAddressDeny") == ["any"] and (unix_alone or have.get("IPAddressAllow") == ["localhost"]),
    }


def of_container(row: dict[str, Any], network: dict[str, Any]) -> Rules:
    """Which rules a container keeps."""
    lent = network.get("driver_opts", {}).get("com.docker.network.bridge.enable_ip_masquerade")
    return {
        "user": bool(re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", str(row.get("user", "")))),
        "read-only root": row.get("read_only") is True,
        "no new privileges": "no-new-privileges:true" in row.get("security_opt", ()),
        "capabilities": row.get("cap_drop") == ["ALL"] and not row.get("cap_add"),
        "memory": bool(row.get("mem_limit")),
        "devices": not row.get("devices"),
        "network": lent == "false"
        and row.get("dns") == ["127.0.0.1"]
        and all(str(each).startswith("127.0.0.1:") for each in row.get("ports", ())),
    }


@cache
def kept() -> dict[str, list[Rules]]:
    """The rules of everything that is rendered for any node, by unit or container."""
    found: dict[str, list[Rules]] = defaultdict(list)
    for name in NODES:
        for path, text in files(name).items():
            if path.startswith(UNITS) and path.endswith(".service"):
                unit = Path(path).stem
                found[STAGES if "llm-node run " in text else unit].append(of_unit(text, files(name)))
            elif path.endswith("/compose.yaml"):
                document = yaml.safe_load(text)
                for service, row in document["services"].items():
                    found[f"{service} (container)"].append(
                        of_container(row, document.get("networks", {}).get("default", {}))
                    )
    return dict(found)


def excepted(language: str = "") -> dict[str, set[str]]:
    """The exceptions of the page, by what has them."""
    text = (ROOT / f"docs/security{language}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+) \| (`[^|]+) \| [^|]{10,} \|$", text, re.MULTILINE)
    found: dict[str, set[str]] = defaultdict(set)
    for names, rules in rows:
        for name in re.findall(r"`([^`]+)`", names):
            found[name] |= set(re.findall(r"`([^`]+)`", rules))
    return dict(found)


def test_every_role_is_on_one_of_the_nodes() -> None:
    assert {role.name for node in NODES.values() for role in order.listed(node)} >= set(registry.built_in())


def test_every_unit_and_every_container_keeps_every_rule_that_the_page_does_not_except_it_from() -> None:
    broken = {
        name: {rule for each in rows for rule, is_kept in each.items() if not is_kept} for name, rows in kept().items()
    }
    expected = excepted()
    for name in _BESIDES:
        if registry.role(name).manifest.compose is not None:  # what starts a container is the same for all
            expected.setdefault(f"llm-{name}", expected["llm-weaviate"])
    assert {name: rules for name, rules in broken.items() if rules} == expected


def test_both_languages_have_the_same_exceptions() -> None:
    assert excepted(".zh") == excepted()


def test_what_roles_put_beside_a_unit_takes_no_rule_away() -> None:
    beside = [
        line
        for name in NODES
        for path, text in files(name).items()
        if path.startswith(f"{UNITS}llm-") and ".d/" in path
        for line in text.splitlines()
    ]
    assert beside
    assert {line.partition("=")[0] for line in beside if "=" in line} == {"EnvironmentFile"}


@pytest.mark.parametrize(
    ("memory_gib", "percent"), [(None, memory.UNKNOWN), (15, 86), (31.0, 93), (2048, 99), (2, 1), (1, 1)]
)
def test_models_may_take_all_memory_but_the_systems(memory_gib: float | None, percent: int) -> None:
    limit = service_lines(
        {each["path"]: each["content"] for each in bootstrap.settings(gpu_node(memory_gib=memory_gib))["files"]}[
            f"{UNITS}llm-vllm.slice"
        ]
    )
    assert limit["MemoryMax"] == [f"{percent}%"]


@pytest.mark.parametrize(("memory_gib", "limit"), [(None, 2048), (2.0, 1536), (1, 768), (15, 2048)])
def test_a_small_machine_is_not_the_gateways_alone(memory_gib: float | None, limit: int) -> None:
    document = bootstrap.settings(proxy_node(memory_gib=memory_gib))
    unit = {each["path"]: each["content"] for each in document["files"]}[f"{UNITS}llm-gate.service"]
    assert service_lines(unit)["MemoryMax"] == [f"{limit}M"]


def test_what_is_left_to_the_system_is_what_the_fit_check_reckons_with() -> None:
    assert registry.role("node").manifest.needs.memory_gib == placement.SYSTEM_GIB


def test_all_models_of_a_machine_share_one_limit_of_memory() -> None:
    units = {path: text for path, text in files("everything").items() if re.search(r"/llm-vllm[^/]*\.service$", path)}
    assert len(units) == 2
    assert all("Slice=llm-vllm.slice\n" in text for text in units.values())
    assert sum(path.endswith(".slice") for path in files("everything")) == 1


def test_another_limit_of_memory_starts_nothing_anew() -> None:
    (row,) = (each for each in bootstrap.settings(gpu_node())["files"] if each["path"].endswith(".slice"))
    assert row["restart"] == []


def test_where_memory_runs_out_a_model_goes_before_a_store_and_a_store_before_the_gateway() -> None:
    score = {
        name: int(service_lines(files("chat")[f"{UNITS}{name}.service"]).get("OOMScoreAdjust", ["0"])[0])
        for name in ("llm-vllm", "llm-pgvector", "llm-gate", "llm-caddy", "llm-status")
    }
    assert (
        score["llm-vllm"] > score["llm-pgvector"] > max(score[each] for each in ("llm-gate", "llm-caddy", "llm-status"))
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--kv-transfer-config", '{"kv_connector": "X"}'],
        ["--otlp-traces-endpoint=http://10.0.0.7:4317"],
        ["--hf-overrides", '{"x": "grpc://collector:4317"}'],
    ],
)
def test_a_model_whose_flags_name_somebody_elsewhere_may_call_him(arguments: list[str]) -> None:
    node = gpu_node()
    wanted = node.having(dataclasses.replace(vllm_of(node), extra_args=tuple(arguments)))
    text = {each["path"]: each["content"] for each in bootstrap.settings(wanted)["files"]}[f"{UNITS}llm-vllm.service"]
    assert "IPAddress" not in text


@pytest.mark.parametrize(
    "arguments", [["--enforce-eager"], ["--hf-overrides", "http://127.0.0.1:4317"], ["--seed", "7"]]
)
def test_one_whose_flags_name_nobody_elsewhere_may_not(arguments: list[str]) -> None:
    assert not memory.reaches_out(arguments)


def test_the_flags_that_name_somebody_elsewhere_are_flags_of_this_release() -> None:
    known = data("vllm/flags.json")
    assert set(known["flags"] if isinstance(known, dict) else known) >= memory.OUTSIDE
