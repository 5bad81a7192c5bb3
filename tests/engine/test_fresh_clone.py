"""A fresh clone on a fresh home: the steps for a real account, with what `uv sync` installs and nothing else.

Pulumi's uv tool chain runs `uv sync` in `pulumi install` and `uv sync --inexact` before each program (pulumi/pulumi
1b59498 of 2026-08-21, sdk/python/toolchain/uv.go: InstallDependencies and Command). The language host that can be built
from Go modules does not know the tool chain, so a `pulumi` of ours runs exactly these before the real engine; the
clouds are the simulated ones.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pulumi_llm import clouds
from pulumi_llm._component import camel
from pulumi_llm._simcloud.engine import find_engine
from pulumi_llm._simcloud.invocation import prepare
from tests.host import component_host

ROOT = Path(__file__).parents[2]
ACCOUNT = "docs/real-account.md"
UV = next((str(each) for each in (shutil.which("uv"), ROOT / ".tools/uv/bin/uv") if each and Path(each).exists()), "")

PULUMI = """\
#!/bin/sh
set -e
case "$1" in
    install) exec uv sync ;;
    preview|up|destroy) uv sync --inexact ;;
esac
exec {pulumi} --non-interactive "$@"
"""
"""The tool chain's part of `pulumi`. `install` would fetch the clouds' plugins too; here they are simulated."""

PYTHON = """\
#!/bin/sh
# The old language host asks pip for the plugins that the program wants, which uv.lock tells today's.
[ "$1 $2 $3" = "-m pip list" ] && echo "[]" && exit 0
exec {python} "$@"
"""
"""`python` as the tool chain has it: that of the environment that uv has made."""


class Clone:
    """A clone, a home that nobody has used, and a machine whose `pulumi` is the real one with simulated clouds."""

    def __init__(self, folder: Path) -> None:
        assert UV, "uv is not at hand; `make test` installs it"
        self.path = folder / "clone"
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.path / name)
        cache = subprocess.run([UV, "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()
        engine = find_engine()
        simulated = prepare(folder / "simulated", engine)
        tools = folder / "tools"
        tools.mkdir()
        (tools / "uv").symlink_to(UV)
        self.python = self.path / ".venv/bin/python"
        for name, text in (
            ("pulumi", PULUMI.format(pulumi=shlex.quote(str(engine.pulumi)))),
            ("python", PYTHON.format(python=shlex.quote(str(self.python)))),
            ("python3", PYTHON.format(python=shlex.quote(str(self.python)))),
        ):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        home = folder / "home"
        home.mkdir()
        path = [tools, folder / "simulated/bin", *engine.path, "/usr/local/bin", "/usr/bin", "/bin"]
        passed = {
            name: value for name, value in os.environ.items() if name.endswith(("_PROXY", "_proxy", "_CERT_FILE"))
        }
        passed |= {
            name: value for name, value in os.environ.items() if name.startswith(("UV_INDEX", "UV_DEFAULT_INDEX"))
        }
        self.environment = {
            **passed,
            **{name: value for name, value in simulated.items() if name.startswith("PULUMI")},
            "HOME": str(home),
            "PATH": os.pathsep.join(map(str, path)),
            "PULUMI_SKIP_CONFIRMATIONS": "true",
            "UV_CACHE_DIR": cache,  # what was fetched before need not be fetched again
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
        }
        # As the reader has it after `pulumi login --local`, which takes the home from the system's list of users: said
        # here by the environment, so that nothing reaches the real one.
        self.environment |= {"PULUMI_HOME": str(home / ".pulumi"), "PULUMI_BACKEND_URL": home.as_uri()}

    def run(self, script: str, said: str = "") -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.path,
            env=self.environment,
            input=said,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout


def steps(page: str) -> str:
    """The shell lines that lead to a stack on a real account."""
    section = re.split(r"^## ", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    block = next(
        re.findall(r"^```sh\n(.*?)^```", each, re.MULTILINE | re.DOTALL)
        for each in section
        if "pulumi stack init" in each
    )
    return str(block[0])


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("fresh"))


@pytest.mark.engine
def test_the_documented_steps_for_a_real_account_work_word_for_word(clone: Clone) -> None:
    said = clone.run(steps(ACCOUNT), said="sk-of-nobody")
    created = re.findall(r"\+ (\d+) created", said)
    deleted = re.findall(r"- (\d+) deleted", said)
    assert created, said
    assert created == deleted
    assert int(created[0]) > 40
    assert re.search(r"endpoint +https?://203\.0\.113\.1:18443/v1", said), said


@pytest.mark.engine
def test_a_component_for_other_languages_starts_with_what_the_tool_chain_installs(clone: Clone) -> None:
    clone.run("uv sync --inexact")  # what the tool chain runs before it starts the plugin
    inputs = {
        "cloud": "aliyun",
        "region": "cn-hangzhou",
        "gpu": "T4",
        "model": "01-ai/Yi-6B-Chat",
        "context_length": 4096,
        "allowed_cidrs": ["203.0.113.0/24"],
    }

    async def made() -> list[str]:
        async with component_host(str(clone.python)) as host:
            await host.construct("ModelServer", "yi", {camel(name): value for name, value in inputs.items()})
            return [each.type for each in host.monitor.seen]

    assert "alicloud:ecs/instance:Instance" in asyncio.run(made())
    clone.run(f"{clone.python} -c 'from pulumi_llm import clouds; [clouds.get(each) for each in clouds.names()]'")


@pytest.mark.parametrize("page", [ACCOUNT, "docs/real-account.zh.md"])
def test_both_languages_have_the_same_steps(page: str) -> None:
    assert steps(page) == steps(ACCOUNT)
    assert steps(page).startswith("pulumi install\n")


def test_plain_uv_sync_installs_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    assert "pulumi-llm[all]" in [each for name in project["tool"]["uv"]["default-groups"] for each in groups[name]]
    extras = set(project["project"]["optional-dependencies"]) - {"all"}
    assert project["project"]["optional-dependencies"]["all"] == [f"pulumi-llm[{','.join(sorted(extras))}]"]
    assert set(clouds.names()) <= extras
