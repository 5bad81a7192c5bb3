"""The largest user data of the shipped stacks, as a share of its cloud's limit."""

from __future__ import annotations

from pathlib import Path

from bench._ratio import report
from pulumi_llm import catalog
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.project import find

ROOT = Path(__file__).parents[1]
CLOUD_OF = {"aws": "aws", "alicloud": "aliyun", "tencentcloud": "tencent"}


def main() -> None:
    shares = []
    for stack in find(ROOT).stacks():
        plan = capture_stack(ROOT, stack)
        clouds = {each.name: CLOUD_OF.get(each.package) for each in plan.resources}
        for machine, text in plan.user_data().items():
            cloud = clouds[machine]
            assert cloud is not None
            limit = catalog.load().clouds[cloud].user_data_limit
            size = len(text.encode())
            shares.append((size / limit, f"{stack} {machine}: {size:,} of {limit:,} bytes on {cloud}"))
    largest, which = max(shares)
    report("largest user data / its cloud's limit", largest, 0.75, which)
