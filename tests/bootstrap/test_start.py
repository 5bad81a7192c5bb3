"""vLLM starts on a plain image: what it looks for then, looked for by the locked wheels' own code.

Under exactly the environment of the shipped stacks' units, without a GPU. docs/decisions/no-cuda-compiler.md tells the
choice; that the chosen kernels run on a card cannot be shown here.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import _model_server as model_server
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm.roles import registry
from tests.bootstrap import lookups
from tests.bootstrap.wheel_files import files, locked

ROOT = Path(__file__).parents[2]
STACKS = ("aws-a100", "aliyun-a100", "tencent-a100")
SOURCES = {
    "vllm/envs.py",
    "vllm/utils/flashinfer.py",
    "vllm/utils/deep_gemm.py",
    "vllm/platforms/cuda.py",
    "vllm/v1/sample/ops/topk_topp_sampler.py",
}
OURS = ("VLLM_USE_FLASHINFER_SAMPLER", "VLLM_USE_DEEP_GEMM")


@cache
def unit_of(stack: str) -> str:
    """The unit that a shipped stack's server gets."""
    nodes = []
    settings = model_server._settings
    with pytest.MonkeyPatch.context() as patch:

        def keep(node: Any, *rest: Any) -> Any:
            nodes.append(node)
            return settings(node, *rest)

        patch.setattr(model_server, "_settings", keep)
        capture_stack(ROOT, stack)
    [node] = nodes
    [unit] = [row["content"] for row in bootstrap.settings(node)["files"] if row["path"].endswith("/llm-vllm.service")]
    return str(unit)


def environment(unit: str) -> dict[str, str]:
    """The variables that systemd gives to the unit's process."""
    lines = re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in shlex.split(line))


def look_up(env: Mapping[str, str], *argv: object) -> Any:
    """A look-up, in a process that has these variables and no others."""
    command = [sys.executable, lookups.__file__, *map(str, argv)]
    done = subprocess.run(command, env=dict(env), capture_output=True, text=True, timeout=120, cwd="/")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without(env: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in env.items() if name not in names}


@pytest.mark.artefact
@pytest.mark.parametrize("stack", STACKS)
def test_vllm_starts_no_kernel_that_needs_a_cuda_compiler(stack: str) -> None:
    found = look_up(environment(unit_of(stack)), "vllm", files("vllm", SOURCES.__contains__))
    assert found.pop("has_flashinfer") is False
    del found["nvcc"]  # a machine that tests may have one; a node has not
    assert found == {each: {"flashinfer_sampler": False, "deep_gemm": False} for each in lookups.CAPABILITIES}


@pytest.mark.artefact
def test_without_our_variables_vllm_would_start_them() -> None:
    env = without(environment(unit_of("aws-a100")), *OURS)
    found = look_up(env, "vllm", files("vllm", SOURCES.__contains__))
    # The sampler goes as far as importing FlashInfer's backend, which is not there: an error, and the end of the start.
    assert "No module named" in found["8.0"]["flashinfer_sampler"]
    assert found["9.0"]["deep_gemm"] is True
    assert found["8.0"]["deep_gemm"] is False


@pytest.mark.artefact
def test_flashinfer_would_find_no_compiler_on_a_node() -> None:
    if Path("/usr/local/cuda").exists():
        pytest.skip("this machine has /usr/local/cuda, and a node has not")
    metadata = files("vllm", lambda name: name.endswith(".dist-info/METADATA"))
    [text] = [path.read_text() for path in metadata.glob("*.dist-info/METADATA")]
    [version] = set(re.findall(r"^Requires-Dist: flashinfer-python==([^\s;]+)", text, re.MULTILINE))
    found = look_up(
        environment(unit_of("aws-a100")),
        "flashinfer",
        files("flashinfer-python", "flashinfer/jit/cpp_ext.py".__eq__, version),
    )
    assert found == "RuntimeError: Could not find nvcc and default cuda_home='/usr/local/cuda' doesn't exist"


def test_a_node_does_not_install_flashinfer() -> None:
    # The attention selector takes it wherever it can be imported, whether or not it can compile.
    assert locked("flashinfer-python") is None
    assert "flashinfer-python" in registry.environments()["vllm"].without
    assert locked("vllm") is not None


@pytest.mark.artefact
@pytest.mark.parametrize("stack", STACKS)
def test_triton_builds_its_helper_with_what_a_node_installs(stack: str, tmp_path: Path) -> None:
    packages = registry.role("vllm").manifest.install.packages
    assert packages is not None
    assert {"gcc", "libc6-dev", "python3-dev"} <= set(packages.base)
    if not shutil.which("gcc") or not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        pytest.skip("this machine has no gcc or no Python.h, which a node installs")
    triton = files(
        "triton",
        lambda name: (
            name in ("triton/runtime/build.py", "triton/backends/nvidia/driver.c")
            or name.startswith("triton/backends/nvidia/include/")
        ),
    )
    env = environment(unit_of(stack))
    assert not {"CC", "CXX", "CUDA_HOME"} & env.keys()
    assert Path(look_up(env, "triton", triton, tmp_path)).stat().st_size


@pytest.mark.artefact
@pytest.mark.parametrize("stack", STACKS)
def test_gpt_oss_finds_its_vocabulary_without_a_network(stack: str, tmp_path: Path) -> None:
    # A proxy where nobody listens: whatever is asked of a network fails at once.
    nobody = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    env = environment(unit_of(stack)) | nobody | {"TMPDIR": str(tmp_path)}
    harmony = files("oss-harmony", lambda name: name.startswith("openai_harmony/"))
    assert look_up(env, "harmony", harmony) == [24912, 2375, 200007]
    assert not list(tmp_path.iterdir()), "nothing was fetched into a cache"


@pytest.mark.artefact
@pytest.mark.parametrize("stack", STACKS)
def test_what_is_compiled_is_kept_where_the_unit_may_write(stack: str) -> None:
    unit = unit_of(stack)
    env, settings = environment(unit), dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    assert settings["ProtectSystem"] == "strict"
    # Triton keeps its kernels in ~/.triton unless told otherwise, vLLM and inductor theirs under VLLM_CACHE_ROOT.
    assert env["HOME"] == f"/var/lib/{settings['StateDirectory']}"
    assert env["VLLM_CACHE_ROOT"] == f"/var/cache/{settings['CacheDirectory']}"
    assert not {name for name in env if name.startswith(("TRITON_", "TORCHINDUCTOR_", "XDG_"))}


@pytest.mark.artefact
def test_every_variable_of_the_unit_is_one_that_vllm_knows() -> None:
    text = (files("vllm", SOURCES.__contains__) / "vllm/envs.py").read_text()
    names = [name for name in environment(unit_of("aws-a100")) if name.startswith("VLLM_")]
    assert set(OURS) <= set(names)
    assert [name for name in names if f'"{name}"' not in text] == []
