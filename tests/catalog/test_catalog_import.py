"""The catalogue is light: no cloud SDK, no pydantic, no network, and little work for each row."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import cProfile, json, sys
counted = cProfile.Profile()
counted.enable()
from pulumi_llm import catalog
data = catalog.load()
kinds = "clouds regions gpus instances prices guide_prices extras models images mirrors".split()
rows = sum(len(getattr(data, kind)) for kind in kinds) + len(data.offers())
data.exchange_rate
counted.disable()
calls = sum(each.callcount for each in counted.getstats())
print(json.dumps({"calls": calls, "rows": rows, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def test_loading_everything_imports_no_sdk_and_nothing_that_reaches_the_network() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    seen = json.loads(run.stdout)
    heavy = {"pulumi", "pulumi_aws", "pulumi_alicloud", "tencentcloud_iac_pulumi", "pydantic", "jinja2", "yaml", "grpc"}
    network = {"socket", "ssl", "http", "asyncio", "requests", "httpx"}
    assert set(seen["modules"]) & (heavy | network) == set()
    # Calls, as seconds depend on what else runs: some 33 a row, with the imports (2026-11).
    assert seen["calls"] < 50 * seen["rows"]
