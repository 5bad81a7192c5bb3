"""What a plan and a check of what is asked for most do without: counted in modules, as time depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench._installed import SIX, environment

from tests.plans import ROOT

PLAIN = ("plan", "-s", "aliyun-t4")
"""A stack of one model on a machine of its own and a proxy abroad: no page, no vector store, no host of the user's."""


def after(*arguments: str, variables: Mapping[str, str] | None = None) -> tuple[set[str], list[int]]:
    """The modules that a command has loaded at its end, and how often an annotation was found compiled, and was not.

    With ``variables`` it finds the packages that these name and no others.
    """
    program = (
        "import json, sys, typing\n"
        f"sys.argv = ['pulumi-llm', *{arguments!r}]\n"
        "from pulumi_llm.cli import main\n"
        "assert main() == 0\n"
        "kept = getattr(typing, 'compile', None)\n"
        "counts = list(kept.cache_info())[:2] if kept else [0, 0]\n"
        "sys.stderr.write('\\n' + json.dumps([sorted(sys.modules), counts]))\n"
    )
    python = [sys.executable, *(["-S"] if variables else [])]
    done = subprocess.run(
        [*python, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, env=variables
    )
    assert done.returncode == 0, done.stderr
    modules, counts = json.loads(done.stderr.splitlines()[-1])
    return set(modules), counts


def within(modules: set[str], *packages: str) -> set[str]:
    return {each for each in modules if f"{each}.".startswith(tuple(f"{package}." for package in packages))}


def test_a_plan_loads_nothing_for_what_its_stack_lacks_and_compiles_an_annotation_once() -> None:
    modules, (found, compiled) = after(*PLAIN)
    assert not within(
        modules,
        "yaml",
        "pulumi_digitalocean",
        "pulumi_gcp",
        "ediri_vultr",
        "pulumi_azure_native",
        "pulumi_volcengine",
        "pulumi_tencentcloud",
        "tencentcloud_iac_pulumi",
    )
    rooms = ("_backup", "_monitoring", "_outlook", "_rehearsal", "_review", "locale")
    assert not within(modules, *(f"pulumi_llm.{each}" for each in rooms))
    others = (
        "clouds.azure.adapter",
        "clouds.digitalocean.adapter",
        "clouds.gcp.adapter",
        "clouds.vultr.adapter",
        "clouds.ssh.adapter",
        "clouds.tencent.adapter",
        "clouds.volcengine.adapter",
    )
    assert not within(modules, *(f"pulumi_llm.{each}" for each in others))
    # Python 3.14 puts annotations off by itself.
    assert sys.version_info >= (3, 14) or found > compiled > 0


def test_six_more_clouds_installed_load_no_module_more(tmp_path: Path) -> None:
    every, __ = after("plan", "-s", "aws-t4", variables=environment(tmp_path / "every"))
    fewer, __ = after("plan", "-s", "aws-t4", variables=environment(tmp_path / "fewer", SIX))
    assert every == fewer
    assert within(every, "pulumi_aws")
    others = ("pulumi_alicloud", "tencentcloud_iac_pulumi", "pulumi_kubernetes")
    assert not within(every, *SIX, *others)


def test_a_check_loads_neither_pydantic_nor_pulumi() -> None:
    modules, __ = after("check", "01-ai/Yi-6B-Chat", "--gpu", "T4", "--cloud", "aliyun", "--region", "cn-hangzhou")
    assert not within(modules, "pydantic", "pulumi", "yaml", "pulumi_llm._review", "pulumi_llm.spec")
