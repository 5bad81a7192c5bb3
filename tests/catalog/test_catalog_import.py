"""The catalogue is light: no cloud SDK, no pydantic, no network, and quick."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, sys, time
started = time.process_time()
from pulumi_llm import catalog
data = catalog.load()
for kind in "clouds regions gpus instances prices guide_prices extras models images mirrors".split():
    getattr(data, kind)
data.exchange_rate, data.offers()
spent = time.process_time() - started
print(json.dumps({"spent": spent, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def test_loading_everything_imports_no_sdk_and_nothing_that_reaches_the_network() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    seen = json.loads(run.stdout)
    heavy = {"pulumi", "pulumi_aws", "pulumi_alicloud", "tencentcloud_iac_pulumi", "pydantic", "jinja2", "yaml", "grpc"}
    network = {"socket", "ssl", "http", "asyncio", "requests", "httpx"}
    assert set(seen["modules"]) & (heavy | network) == set()
    # About 0.06 s on an idle machine; the bound is wide, as tests run beside each other.
    assert seen["spent"] < 0.3
