"""A rehearsal with the official plugins against `sim` of the same stack, turn about; without plugins it says so."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from bench._ratio import report
from pulumi_llm import clouds
from pulumi_llm._rehearsal import plugins
from pulumi_llm._rehearsal.rehearsal import Asked, rehearse
from pulumi_llm.errors import Refusal

ROOT = Path(__file__).parents[1]
STACKS = {"tencent-t4": "tencentcloud", "aliyun-a100": "alicloud", "aws-t4": "aws"}
"""A stack of each cloud that can be rehearsed, and its package."""
RUNS = 3


def main() -> None:
    others = [each.package for each in clouds.folders().values()]
    for stack, package in STACKS.items():
        try:
            plugins.find(package)
        except Refusal as refusal:
            print(f"{stack}: not measured: {refusal.findings[0].message}", flush=True)
            continue
        simulated = tuple(each for each in others if each != package)
        ups: dict[bool, list[float]] = {True: [], False: []}
        whole: list[float] = []
        for _ in range(RUNS):
            for official in (True, False):
                done = rehearse(Asked(ROOT, stack, simulated=simulated if official else tuple(others)))
                ups[official].append(done.phases[0].seconds)
                if official:
                    whole.append(sum(each.seconds for each in done.phases))
        real, quick = median(ups[True]), median(ups[False])
        report(f"{stack}: rehearsed `up` / `sim up`", real / quick, 2, f"{real:.1f} s / {quick:.1f} s")
        note = f"{median(whole):.1f} s with its second preview and its destroy"
        report(f"{stack}: whole rehearsal / `sim up`", median(whole) / quick, 2, note)
