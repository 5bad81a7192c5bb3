"""How fast `check` and `offers` are: CPU of a cold process, beside `import gpuhunt`, and of the whole catalogue."""

from __future__ import annotations

import subprocess
import sys

from bench import peers
from bench._ratio import report, timed
from pulumi_llm import catalog
from pulumi_llm.preflight import suggest
from pulumi_llm.preflight.request import FitRequest

COLD_GOAL = 0.3
"""Seconds of CPU for a cold process."""

CATALOGUE_GOAL = 1.0
"""Seconds of CPU for every model on every machine of every region."""

ROUNDS = 5

COMMANDS = {
    "offers": ("offers",),
    "offers --model": ("offers", "--model", "Qwen/Qwen3-32B"),
    "check --cloud": ("check", "01-ai/Yi-6B-Chat", "--gpu", "T4", "--cloud", "aliyun", "--region", "cn-hangzhou"),
    "check": ("check", "Qwen/Qwen2.5-72B-Instruct", "--gpu", "A10"),
}


def main() -> None:
    for name, arguments in COMMANDS.items():
        seconds = min(timed(lambda given=arguments: _cold(given)).cpu for _ in range(ROUNDS))
        report(f"CPU of a cold `{name}` / {COLD_GOAL:g} s", seconds / COLD_GOAL, 1.0, f"{seconds:.3f} s")
    _beside_gpuhunt()
    data = catalog.load()
    offers, models = data.offers(), list(data.models.values())
    spent = timed(lambda: [list(suggest.fitting(FitRequest(model=row.id, gpu=""), offers, row)) for row in models]).cpu
    pairs = f"{spent:.3f} s for {len(models)} models x {len(offers)} offers"
    report(f"CPU of the check of the whole catalogue / {CATALOGUE_GOAL:g} s", spent / CATALOGUE_GOAL, 1.0, pairs)


def _beside_gpuhunt() -> None:
    """`check ORG/NAME` offline, against what the import of gpuhunt alone takes."""
    python = peers._installed(peers.GPUHUNT)
    if python is None:
        print(f"gpuhunt: not compared, as {peers.GPUHUNT.pinned} could not be installed", flush=True)
        return
    bare = min(
        timed(lambda: subprocess.run([str(python), "-c", "import gpuhunt"], check=True)).cpu for _ in range(ROUNDS)
    )
    asked = ("check", "Qwen/Qwen3-32B", "--gpu", "H20", "--offline")
    own = min(timed(lambda: _cold(asked)).cpu for _ in range(ROUNDS))
    report("CPU of a cold `check ORG/NAME` / `import gpuhunt`", own / bare, 1.0, f"{own:.3f} s to {bare:.3f} s")


def _cold(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pulumi_llm.cli", *arguments]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
