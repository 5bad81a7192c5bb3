"""How long a stack boots that has a chat model, one for vectors, PostgreSQL and a chat page, against `aliyun-t4`.

Both are `aliyun-t4` on the same machine type, brought up from nothing to a completion, turn about. What stands in for
what here, docs/boot-tests.md lists: models are tiny and vLLM runs on the CPU, so what vLLM loads costs little, and what
it imports much.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml

from bench._ratio import alternately, report
from pulumi_llm._simcloud import booting

GOAL = 1.3
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "1"))
STACK, MACHINE = "aliyun-t4", "ecs.gn6i-c8g1.2xlarge"
CHAT, VECTORS = {"model": "Qwen/Qwen2.5-3B-Instruct", "context_length": 8192}, "vectors"


def alone(path: Path) -> None:
    """The shipped stack with the same machine and chat model as the other one."""
    _changed(path, {"instance_type": MACHINE, **CHAT}, {})


def beside(path: Path) -> None:
    """The same with three more things on the machine."""
    embedder = {"model": "Qwen/Qwen3-0.6B", "kind": "embedding", "context_length": 2048}
    apps = {"chat": {"admin_email": "ops@example.com"}, "rag": {"embeddings": VECTORS, "dimensions": 1024}}
    server = {"instance_type": MACHINE, **CHAT, "models": {VECTORS: embedder}, "apps": apps}
    _changed(path, server, {"vectors": {"engine": "pgvector"}})


def _changed(path: Path, server: dict[str, object], more: dict[str, object]) -> None:
    document = yaml.safe_load(path.read_text())
    platform = document["config"]["pulumi-llm:platform"]
    platform["server"] |= server
    platform |= more
    path.write_text(yaml.safe_dump(document))


def main() -> None:
    support = booting.part("support")  # before what imports the harness by its name
    from tests.boot.stack import booted

    problems = support.problems()
    if problems:
        print(f"boot_beside: NOT measured: {'; '.join(each.message for each in problems)}", flush=True)
        return

    def boots(change: Callable[[Path], None]) -> None:
        with tempfile.TemporaryDirectory() as folder, booted(Path(folder), STACK, change=change):
            pass

    whole, plain = alternately(lambda: boots(beside), lambda: boots(alone), ROUNDS)
    note = f"{whole.wall:.0f} s / {plain.wall:.0f} s"
    report("chat model, embedder, pgvector and chat page / chat model: boot, wall", whole.wall / plain.wall, GOAL, note)


if __name__ == "__main__":
    main()
