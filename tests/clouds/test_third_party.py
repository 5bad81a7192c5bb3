"""A cloud that a package outside the tree brings is offered, checked, planned and simulated as ours are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clouds import sample_sdk

SAMPLE = Path(__file__).parent / "sample"
STACK = """\
config:
  there:platform:
    server:
      cloud: mars
      region: olympus
      gpu: T4
      model: 01-ai/Yi-6B-Chat
      context_length: 4096
      keys: {default: {}}
    access: {allowed_cidrs: [203.0.113.0/24]}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project, and beside it the package as pip would have installed it."""
    folder = tmp_path_factory.mktemp("mars")
    shutil.copytree(SAMPLE, folder / "site", ignore=shutil.ignore_patterns("__pycache__"))
    sample_sdk.write(folder / "site")
    project = folder / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: there\nruntime: python\nmain: .\n", encoding="utf-8")
    (project / "__main__.py").write_text("from pulumi_llm import stack\n\nstack.run()\n", encoding="utf-8")
    (project / "Pulumi.olympus.yaml").write_text(STACK, encoding="utf-8")
    return folder


MAIN = "from pulumi_llm.cli import main; raise SystemExit(main())"


def python(place: Path, program: str, *arguments: str, without: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program in the project, with the package installed; ``without`` is a folder of it that is not."""
    path = os.pathsep.join([str(place / "site"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = {**os.environ, "PYTHONPATH": path, "PULUMI_LLM_CACHE_DIR": str(place / "cache")}
    gone = f"import sys; sys.modules[{without!r}] = None; " if without else ""
    command = [sys.executable, "-c", gone + program, *arguments]
    return subprocess.run(
        command, cwd=place / "project", env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def run(place: Path, *arguments: str, code: int = 0, without: str = "") -> str:
    """What a command prints."""
    done = python(place, MAIN, *arguments, without=without)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_its_machines_are_offered(place: Path) -> None:
    rows = json.loads(run(place, "offers", "--gpu", "T4", "--cloud", "mars", "--json"))["offers"]
    assert [(row["instance_type"], row["region"]) for row in rows] == [("rover.t4", "olympus")]


def test_a_model_is_checked_on_them(place: Path) -> None:
    shown = run(place, "check", "01-ai/Yi-6B-Chat", "--gpu", "T4", "--cloud", "mars", "--region", "olympus")
    assert "rover.t4" in shown


def test_it_is_not_offered_for_spot_machines_as_it_sells_none(place: Path) -> None:
    assert "rover.t4" not in run(place, "offers", "--gpu", "T4", "--cloud", "mars", "--spot")


def test_a_spot_machine_on_it_is_refused_with_what_would_work(place: Path) -> None:
    stack = STACK.replace("gpu: T4", "gpu: T4\n      spot: true")
    (place / "project/Pulumi.spot.yaml").write_text(stack, encoding="utf-8")
    shown = run(place, "plan", "-s", "spot", code=1)
    assert "[cloud.cannot]" in shown
    assert "spot: false; or a cloud that can: aliyun, aws, gcp, tencent, volcengine" in shown


def test_a_stack_on_it_is_planned_with_its_own_resources(place: Path) -> None:
    resources = json.loads(run(place, "plan", "-s", "olympus", "--json"))["resources"]
    made = {each["type"]: each["inputs"] for each in resources}
    assert {sample_sdk.token(name) for name in sample_sdk.TYPES} <= made.keys()
    server = made["mars:index/server:Server"]
    # Placed by its rows, and its image looked up by its own simulated look-up.
    assert (server["size"], server["site"], server["image"]) == ("rover.t4", "olympus-1", "ubuntu-24.04-of-olympus")


def test_its_own_facts_refuse_an_input(place: Path) -> None:
    stack = STACK.replace("gpu: T4", "gpu: T4\n      system_disk_gib: 2000")
    (place / "project/Pulumi.large.yaml").write_text(stack, encoding="utf-8")
    assert "2000" in run(place, "plan", "-s", "large", code=1)


def test_the_bill_has_its_price(place: Path) -> None:
    shown = run(place, "bill", "-s", "olympus")
    (line,) = [each for each in shown.splitlines() if "rover.t4, on demand" in each]
    assert "0.2500" in line
    assert "cloud-config" not in shown


def test_its_own_rules_judge_a_plan(place: Path) -> None:
    program = (
        "import dataclasses; from pathlib import Path; from pulumi_llm._plan.capture import capture_stack;"
        "from pulumi_llm._review import policy; plan = capture_stack(Path(), 'olympus');"
        "told = lambda plan: [each.code for each in policy.check(plan) if 'llm-server-disk' in each.where];"
        "opened = [dataclasses.replace(each, inputs={**each.inputs, 'sealed': False}) if 'sealed' in each.inputs"
        " else each for each in plan.resources];"
        "print(told(plan), told(dataclasses.replace(plan, resources=opened)))"
    )
    done = python(place, program)
    assert done.stdout.strip() == (
        "['policy.disk-not-protected'] ['policy.disk-not-encrypted', 'policy.disk-not-protected']"
    ), done.stdout + done.stderr


def test_without_its_sdk_the_refusal_says_what_to_install(place: Path) -> None:
    shown = run(place, "plan", "-s", "olympus", code=1, without="pulumi_mars")
    assert "[cloud.sdk-missing]" in shown
    assert "pip install pulumi-mars" in shown


@pytest.mark.engine
def test_the_real_engine_makes_it_in_its_simulated_cloud_and_takes_it_away(place: Path) -> None:
    home = ("--home", str(place / "home"))
    run(place, "sim", *home, "up", "-s", "olympus", "--yes")
    assert "https://203.0.113.77" in run(place, "sim", *home, "stack", "output", "endpoint", "-s", "olympus")
    run(place, "sim", *home, "destroy", "-s", "olympus", "--yes")
    program = "import sys; from pulumi_llm._simcloud import left_over; print(left_over(sys.argv[1]))"
    listed = python(place, program, home[1])
    assert listed.stdout.strip() == "[]", listed.stderr


@pytest.mark.engine
def test_a_fault_is_told_in_its_own_words(place: Path) -> None:
    home = ("--home", str(place / "bare"))
    shown = run(place, "sim", *home, "--fault", "no-stock:rover.t4", "up", "-s", "olympus", "--yes", code=1)
    assert "mars: no rover.t4 is left at olympus-1" in shown
