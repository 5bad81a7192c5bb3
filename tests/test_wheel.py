"""What the built wheel holds, and that it works in an environment that has nothing else of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = next(
    (found for found in (shutil.which("uv"), str(ROOT / ".tools/uv/bin/uv")) if found and Path(found).exists()), ""
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert UV, "uv is not at hand; `make test` installs it"
    out = tmp_path_factory.mktemp("wheel")
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    command = [UV, "build", "--wheel", "--python", sys.executable, "--out-dir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return next(out.glob("*.whl"))


def read(wheel: Path, name: str) -> bytes:
    return zipfile.ZipFile(wheel).read(name)


def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


@pytest.mark.engine
def test_the_wheel_installs_no_name_but_its_own(wheel: Path) -> None:
    tops = {name.split("/", 1)[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"pulumi_llm"}


@pytest.mark.engine
def test_the_wheel_holds_templates_data_and_what_keeps_the_engine_from_seeking_a_plugin(wheel: Path) -> None:
    held = set(names(wheel))
    templates = {f"pulumi_llm/templates/{path.relative_to(ROOT / 'templates')}" for path in files(ROOT / "templates")}
    data = {f"pulumi_llm/{path.relative_to(ROOT / 'components/pulumi_llm')}" for path in data_files()}
    assert templates <= held
    assert data <= held
    assert json.loads(zipfile.ZipFile(wheel).read("pulumi_llm/pulumi-plugin.json")) == {"resource": False}


@pytest.mark.engine
def test_the_wheel_holds_nothing_of_the_harness_that_boots_machines_as_root(wheel: Path) -> None:
    harness = {path.name for path in files(ROOT / "tools/boot/llm_boot")}
    assert {"machine.py", "world.py", "edge.json"} <= {Path(name).name for name in harness}
    assert [name for name in names(wheel) if "boot/" in name and "simcloud" in name] == []
    assert [name for name in names(wheel) if "llm_boot" in name] == []
    for name in ("systemd-nspawn", "losetup"):
        told = [
            each
            for each in names(wheel)
            if each.startswith("pulumi_llm/_simcloud/") and name.encode() in read(wheel, each)
        ]
        assert told == []


@pytest.mark.engine
def test_the_wheel_leads_to_every_cloud_that_it_holds_by_an_entry_point(wheel: Path) -> None:
    (noted,) = [name for name in names(wheel) if name.endswith(".dist-info/entry_points.txt")]
    lines = read(wheel, noted).decode().split("[pulumi_llm.clouds]")[1].split("[")[0].split()
    entered = {line for line in lines if line != "="}
    held = {
        name.split("/")[2] for name in names(wheel) if name.startswith("pulumi_llm/clouds/") and name.count("/") > 2
    }
    assert entered == held | {f"pulumi_llm.clouds.{name}:CLOUD" for name in held}


@pytest.mark.engine
def test_the_wheel_holds_the_pages_that_explain_the_codes(wheel: Path) -> None:
    pages = {f"pulumi_llm/docs/{path.relative_to(ROOT / 'docs')}" for path in files(ROOT / "docs")}
    assert pages <= set(names(wheel))


@pytest.mark.engine
def test_a_wheel_with_one_cloud_alone_refuses_to_simulate_before_anything_is_made(wheel: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "PULUMI_LLM_TOOLS": str(ROOT / ".tools")}
    venv = tmp_path / "venv"
    subprocess.run([UV, "venv", "-q", "--python", sys.executable, str(venv)], check=True, env=environment)
    install = [UV, "pip", "install", "-q", "--python", str(venv / "bin/python"), f"{wheel}[tencent]"]
    subprocess.run(install, check=True, env=environment)
    shutil.copytree(ROOT / "stacks", tmp_path / "project/stacks")
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path / "project")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(venv / "bin/pulumi-llm"), *arguments]
        return subprocess.run(
            command, cwd=tmp_path / "project", env=environment, capture_output=True, text=True, check=False
        )

    refused = run("sim", "--home", str(tmp_path / "home"), "up", "-s", "tencent-t4", "--yes")
    assert refused.returncode == 1
    assert "[sim.not-installed]" in refused.stderr
    assert "pip install 'cryptography>=44' (the extra 'sim' of pulumi-llm)" in refused.stderr
    assert not (tmp_path / "home").exists()
    # The proxy of this stack is on another cloud, whose SDK is not there: a plan needs no more than the SDKs.
    assert run("plan", "-s", "tencent-t4").returncode == 0
    other = run("plan", "-s", "tencent-a100")
    assert other.returncode == 1
    assert "[cloud.sdk-missing]" in other.stderr
    # An installed user reads what the message points to.
    told = run("explain", "cloud.sdk-missing")
    assert (told.returncode, told.stdout.split("\n")[0]) == (0, "### `cloud.sdk-missing`")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def data_files() -> list[Path]:
    package = ROOT / "components/pulumi_llm"
    return [path for path in files(package) if {"data", "locale"} & set(path.parts) or path.suffix == ".json"]


PROGRAM = """
import pulumi
import pulumi_llm as llm

server = llm.ModelServer("qwen", {
    "cloud": "aws", "region": "ap-northeast-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat",
    "context_length": 4096, "allowed_cidrs": ["203.0.113.0/24"],
})
pulumi.export("endpoint", server.endpoint)
pulumi.export("hourly_price", server.hourly_price)
"""


@pytest.mark.engine
def test_a_foreign_project_brings_up_a_model_server_with_nothing_but_the_wheel(wheel: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    venv = tmp_path / "venv"
    subprocess.run([UV, "venv", "-q", "--python", sys.executable, str(venv)], check=True, env=environment)
    python = venv / "bin" / "python"
    install = [UV, "pip", "install", "-q", "--python", str(python), f"{wheel}[aws,sim]"]
    subprocess.run(install, check=True, env=environment)
    project = tmp_path / "elsewhere"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: elsewhere\nruntime: python\n")
    (project / "__main__.py").write_text(PROGRAM)
    sim = [str(venv / "bin" / "pulumi-llm"), "sim", "--home", str(tmp_path / "home")]
    # The tools are found where `make test` put them, as a user finds an installed pulumi on the PATH.
    environment.setdefault("PULUMI_LLM_TOOLS", str(ROOT / ".tools"))

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*sim, *arguments], cwd=project, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "from $PATH" not in done.stdout + done.stderr  # the engine's warning of plugins that it found there
        return done.stdout

    run("up", "-s", "dev", "--yes", "--skip-preview")
    outputs = json.loads(run("stack", "output", "-s", "dev", "--json"))
    assert outputs["endpoint"].startswith("https://")
    assert outputs["hourly_price"] > 0
    run("destroy", "-s", "dev", "--yes", "--skip-preview")
    assert sorted(path.name for path in project.iterdir() if path.name != "__pycache__") == [
        "Pulumi.yaml",
        "__main__.py",
    ]


def test_importing_the_package_touches_neither_network_nor_disk_outside_it() -> None:
    check = """
import sys
opened = []
def audit(event, args):
    if event.startswith("socket.") and event not in ("socket.__new__",):
        opened.append((event, args[1:]))
    # dill, which Pulumi imports, opens the null device to learn the types of files.
    if event == "open" and isinstance(args[0], str) and args[0] != "/dev/null" and set(args[1] or "") & set("wax+"):
        opened.append((event, args[0]))
sys.dont_write_bytecode = True
sys.addaudithook(audit)
import pulumi_llm
from pulumi_llm import ModelServer, Network, OverseasProxy, Platform, VectorStore
clouds = [m for m in sys.modules if m.split(".")[0] in ("pulumi_aws", "pulumi_alicloud", "tencentcloud_iac_pulumi")]
print(opened, clouds)
"""
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] []"


def test_importing_the_package_alone_does_not_import_pulumi() -> None:
    check = "import sys, pulumi_llm, pulumi_llm.cli; print('pulumi' in sys.modules, 'pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"
