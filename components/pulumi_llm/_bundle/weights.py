"""Weights from model hubs, by the node's own code: the same files of a model, resumed and verified as on a node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pulumi_llm._bundle import fetch
from pulumi_llm._bundle.fetch import Lost
from pulumi_llm._texts import _
from pulumi_llm.roles import registry
from pulumi_llm.roles.files import templates

WORK = ".work"
"""A folder of the bundle that is gone in the end: what the node's code takes for its root."""
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from llm_node import weights
from llm_node.system import Failure
try:
    weights.main()
except Failure as failure:
    print(json.dumps({"code": failure.code, "message": failure.message, "retry": failure.retry}))
    sys.exit(1)
"""
TRIES = 3


def model(
    want: Mapping[str, Any], hubs: Sequence[Mapping[str, Any]], folder: Path, token: str, say: Callable[[int], None]
) -> tuple[str, str, dict[str, tuple[int, str]]]:
    """A model's files as ``folder/models/NAME/…``: NAME, the hub that gave them, and bytes and SHA-256 of each.

    ``say`` hears how many percent are there. A ``token`` goes to the hubs that a node would give one to.

    Raises:
        Lost: with the code that a node has for it (``weights.…``).
    """
    name = str(want["path"]).rpartition("/")[2]
    root = folder / WORK
    with fetch.writing(folder):
        shutil.rmtree(root, ignore_errors=True)
        library = root / "opt/llm/lib"
        with resources.as_file(templates()) as source:
            shutil.copytree(source / "node" / "llm_node", library / "llm_node")
        document = {"name": "bundle", "hubs": list(hubs), "model": {**want, "path": f"/models/{name}"}}
        document["stages"] = ["weights"]
        (root / "opt/llm/node.json").write_text(json.dumps(document), encoding="utf-8")
        (folder / "models").mkdir(parents=True, exist_ok=True)
        (root / "models").symlink_to(Path("../models"))
        if token:
            secret = root / "srv/llm/secrets/hf_token"
            secret.parent.mkdir(parents=True, mode=0o700)
            secret.touch(mode=0o600)
            secret.write_text(token, encoding="utf-8")
    try:
        for left in reversed(range(TRIES)):
            told = _run(root, library, say)
            if not told:
                break
            if not left or not told.get("retry"):
                hint = registry.role("vllm").hints().get(str(told["code"]), "")
                raise Lost(str(told["code"]), f"{want.get('huggingface')}: {told['message']}", hint)
            time.sleep(fetch.PAUSE)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    complete = folder / "models" / name / "complete.json"
    found = json.loads(complete.read_text(encoding="utf-8"))
    return name, str(found["hub"]), {each: (size, digest) for each, (size, __, digest) in found["files"].items()}


def _run(root: Path, library: Path, say: Callable[[int], None]) -> dict[str, Any]:
    """How it failed; empty where it did not."""
    argv = [sys.executable, "-I", "-c", PROGRAM, str(library)]
    noted = root / "run/llm/stages/weights.json"
    with subprocess.Popen(argv, env=_environment(root), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout and child.stderr  # noqa: S101, PT018
        while True:
            try:
                said, complained = child.communicate(timeout=2)
                break
            except subprocess.TimeoutExpired:
                say(_percent(noted))
            except BaseException:
                child.kill()
                raise
    if not child.returncode:
        return {}
    try:
        found = json.loads(said.decode().splitlines()[-1])
        return dict(found)
    except (ValueError, IndexError, TypeError):
        last = (complained.decode(errors="replace").strip().splitlines() or [_("nothing was said")])[-1]
        return {"code": "weights.internal", "message": last[-300:]}


def _percent(file: Path) -> int:
    try:
        return int(json.loads(file.read_text(encoding="utf-8"))["progress"]["percent"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, "LLM_ROOT": str(root)}
