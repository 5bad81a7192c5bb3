"""Runs look-ups out of vLLM's, FlashInfer's and Triton's own sources, and prints what they find, as JSON.

Started by test_start.py as a process of its own, under exactly the environment of a rendered unit. Importing these
packages would need torch and a GPU; a look-up is a function or two, taken out of its file as it stands there.
"""

import ast
import functools
import importlib.util
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import types
from pathlib import Path

CAPABILITIES = ["7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "10.3", "12.0"]


def take(path, names, **world):
    """Functions out of a source file, with what they see of their module."""
    tree = ast.parse(Path(path).read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    parts = [each for node in (tree, *classes) for each in node.body if isinstance(each, ast.FunctionDef)]
    found = {each.name: each for each in parts if each.name in names}
    assert found.keys() == set(names), (path, found.keys())
    future = ast.parse("from __future__ import annotations").body
    for each in found.values():
        each.decorator_list = []  # caches, and what makes a class's function one
    module = ast.Module(future + list(found.values()), [])
    exec(compile(module, str(path), "exec"), world)
    return types.SimpleNamespace(**{name: world[name] for name in names}, world=world)


class Platform:
    """A CUDA platform with a card of some capability, as far as the look-ups ask."""

    def __init__(self, capability):
        self.major, self.minor = map(int, capability.split("."))

    def is_cuda(self):
        return True

    def is_device_capability(self, number):
        return number == self.major * 10 + self.minor

    def is_device_capability_family(self, number):
        return number // 10 == self.major

    def get_device_capability(self):
        return (self.major, self.minor)


class Quiet(logging.Logger):
    info_once = warning_once = debug_once = lambda *_, **__: None


def outcome(call):
    """What a call answers, or the error that it ends in."""
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def vllm(folder):
    """Which of the paths that compile at start vLLM takes, per capability."""
    spec = importlib.util.spec_from_file_location("envs", f"{folder}/vllm/envs.py")
    envs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(envs)
    quiet = Quiet("quiet")
    flashinfer = take(
        f"{folder}/vllm/utils/flashinfer.py",
        ["_flashinfer_nvcc_path", "has_flashinfer", "has_flashinfer_cubin"],
        os=os, shutil=shutil, importlib=importlib, envs=envs, logger=quiet, _DEFAULT_CUDA_HOME="/usr/local/cuda",
    )  # fmt: skip
    answer = {"has_flashinfer": flashinfer.has_flashinfer(), "nvcc": flashinfer._flashinfer_nvcc_path()}
    for capability in CAPABILITIES:
        platform = Platform(capability)
        sampler = take(
            f"{folder}/vllm/v1/sample/ops/topk_topp_sampler.py",
            ["flashinfer_sampler_supported"],
            current_platform=platform, envs=envs, logger=quiet,
        )  # fmt: skip
        supported = take(f"{folder}/vllm/platforms/cuda.py", ["support_deep_gemm"]).support_deep_gemm
        platform.support_deep_gemm = functools.partial(supported, platform)
        deep_gemm = take(
            f"{folder}/vllm/utils/deep_gemm.py",
            ["is_deep_gemm_supported"],
            # vLLM's wheel brings DeepGEMM: the package is there on every node.
            current_platform=platform, envs=envs, has_deep_gemm=lambda: True,
        )  # fmt: skip
        answer[capability] = {
            "flashinfer_sampler": outcome(sampler.flashinfer_sampler_supported),
            "deep_gemm": outcome(deep_gemm.is_deep_gemm_supported),
        }
    return answer


def flashinfer(folder):
    """Where FlashInfer's own code would look for the compiler."""
    source = f"{folder}/flashinfer/jit/cpp_ext.py"
    return outcome(take(source, ["get_cuda_path"], os=os, subprocess=subprocess).get_cuda_path)


def triton(folder, work):
    """Build what Triton builds first on every card, its driver's helper, with Triton's own code."""
    knobs = types.SimpleNamespace(build=types.SimpleNamespace(impl=None, backend_dirs=[]))
    build = take(
        f"{folder}/triton/runtime/build.py",
        ["_build", "_library_flag"],
        os=os, re=re, shutil=shutil, subprocess=subprocess, sysconfig=sysconfig, knobs=knobs,
    )  # fmt: skip
    nvidia = f"{folder}/triton/backends/nvidia"
    # The driver's library is linked by name. An empty one stands in for it: what is built here is not run.
    subprocess.run(["gcc", "-shared", "-x", "c", "/dev/null", "-o", f"{work}/libcuda.so.1"], check=True)
    return build._build("cuda_utils", f"{nvidia}/driver.c", work, [work], [f"{nvidia}/include"], ["libcuda.so.1"], [])


def harmony(folder):
    """gpt-oss's tokens, from the vocabulary that the library finds."""
    sys.path.insert(0, folder)
    from openai_harmony import load_harmony_encoding

    encoding = load_harmony_encoding("HarmonyGptOss")
    return encoding.encode("hello world<|end|>", allowed_special="all")


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
