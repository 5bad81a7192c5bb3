"""Recipes that are rows of data: a model, a card."""

from __future__ import annotations

from tests.recipes.checkout import Checkout

CATALOG = "components/pulumi_llm/catalog/data"
SOURCE = {"title": "an example", "date": "2026-11-28"}


def add_a_model(tree: Checkout) -> None:
    tree.row(
        f"{CATALOG}/models.json",
        SOURCE,
        {
            "id": "example/Example-3B-Instruct",
            "modelscope_id": "example/Example-3B-Instruct",
            "architecture": "Qwen2ForCausalLM",
            "parameters_b": 3.086,
            "layers": 36,
            "hidden": 2048,
            "heads": 16,
            "kv_heads": 2,
            "head_dim": 128,
            "intermediate": 11008,
            "vocab": 151936,
            "tied_embeddings": True,
            "max_context": 32768,
            "dtype": "bfloat16",
            "licence": "apache-2.0",
            "source": "example",
        },
    )


def the_model_is_checked_and_served(tree: Checkout) -> None:
    assert "example/Example-3B-Instruct on 1 x T4: works" in tree.command(
        "check", "Example-3b-instruct", "--gpu", "T4", "--max-model-len", "4096"
    )
    plan = tree.plan("aliyun-t4", model="example/Example-3B-Instruct")
    assert plan["outputs"]["models"] == ["Example-3B-Instruct", "gpt-6-luna"]
    tree.tests("tests/catalog", only="data or lookups or offers")


def add_a_card(tree: Checkout) -> None:
    tree.row(
        f"{CATALOG}/gpus.json",
        SOURCE,
        {
            "name": "X900",
            "marketed_gib": 48,
            "memory_gib": 44.4,
            "compute_capability": "8.9",
            "dtypes": ["float32", "float16", "bfloat16", "fp8"],
            "vllm": "current",
            "last_vllm": None,
            "min_driver": 580,
            "open_kernel_modules": True,
            "nvlink": "none",
            "aliases": ["NVIDIA X900"],
            "source": "example",
        },
    )
    machine = {"cloud": "aliyun", "instance_type": "ecs.gn99i-c8g1.2xlarge"}
    tree.row(
        tree.rows_of("instances.json", "aliyun"),
        SOURCE,
        {
            **machine,
            "role": "gpu",
            "arch": "x86_64",
            "gpu": "X900",
            "gpu_count": 1,
            "gpu_memory_gib": 48,
            "vcpu": 8,
            "memory_gib": 64.0,
            "local_nvme_gib": 0,
            "interconnect": "none",
            "fractional": False,
            "bare_metal": False,
            "network_gbps": 16.0,
            "access": "self-service",
            "zones_per_type": True,
            "regions": {"cn-hangzhou": ["cn-hangzhou-b"]},
            "source": "example",
        },
    )
    price = {"region": "cn-hangzhou", "amount": 12.5, "currency": "CNY"}
    tree.row(tree.rows_of("prices.json", "aliyun"), SOURCE, {**machine, **price, "source": "example"})


def the_card_is_offered_and_bought(tree: Checkout) -> None:
    assert "ecs.gn99i-c8g1.2xlarge" in tree.command("offers", "--gpu", "x900")
    assert "Yi-6B-Chat on 1 x X900: works" in tree.command("check", "01-ai/Yi-6B-Chat", "--gpu", "NVIDIA X900")
    plan = tree.plan("aliyun-t4", gpu="X900")
    machines = [each for each in plan["resources"] if each["type"] == "alicloud:ecs/instance:Instance"]
    assert [each["inputs"]["instanceType"] for each in machines] == ["ecs.gn99i-c8g1.2xlarge"]
    tree.tests("tests/catalog", only="data or lookups or offers")


def add_a_vendor(tree: Checkout) -> None:
    row = {"vendor": "example", "title": "Example", "endpoints": ["/v1/chat/completions"]}
    place = {"base_url": "https://api.example.com/v1", "countries": ["SG"], "notes": ""}
    tree.row(f"{CATALOG}/upstreams.json", SOURCE, {**row, **place, "source": "example"})
    tree.tool("tools/arguments/write.py")


def the_vendor_is_asked_for_its_key(tree: Checkout) -> None:
    plan = tree.plan(
        "aliyun-t4",
        models="[gpt-6-luna]\n        example: {models: [example-1], prices: {example-1: {input: 1, output: 2}}}",
    )
    assert "example-1" in plan["outputs"]["models"]
    tree.tests("tests/test_docs.py", "tests/test_arguments.py", only="guide or schema or arguments")
