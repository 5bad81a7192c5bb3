"""What serves a model on the CPU answers as vLLM does: the same models of real classes, asked the same of both."""

from __future__ import annotations

import base64
import json
import math
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from pulumi_llm.preflight import on_cpu
from tests.clients.engine import PACKAGES, can_start, engine, python_313

pytestmark = [pytest.mark.clients, pytest.mark.on_vllm, pytest.mark.xdist_group("vllm")]

ROOT = Path(__file__).parents[2]
ENCODER = (str(ROOT / "templates/vllm/encoder"),)
SCRIPT = ROOT / "tests/clients/scripts/encoders.py"
TEXTS = ("pump", "a valve beside the harbour", "the heron", "lantern lantern lantern and one ferry more of them", "x")
KIND = "sentence_transformers.models"
POOLING, NORMALIZE = ({"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{KIND}.Pooling"},
                      {"idx": 3, "name": "3", "path": "3_Normalize", "type": f"{KIND}.Normalize"})  # fmt: skip
DENSE = {"idx": 2, "name": "2", "path": "2_Dense", "type": f"{KIND}.Dense"}
TANH = {"in_features": 64, "out_features": 32, "bias": True, "activation_function": "torch.nn.modules.activation.Tanh"}


def pools(kind: str, *more: Mapping[str, Any]) -> dict[str, Any]:
    """The files of a sentence-transformers model that pools so."""
    kinds = ("cls_token", "mean_tokens", "max_tokens", "lasttoken")
    config = {"word_embedding_dimension": 64, **{f"pooling_mode_{each}": each == kind for each in kinds}}
    return {"modules.json": [POOLING, *more], "1_Pooling/config.json": config, "2_Dense/config.json": TANH}


MODELS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "mean, of length 1": ("bert", pools("mean_tokens", NORMALIZE)),
    "mean, as it is": ("bert", pools("mean_tokens")),
    "the first token, as it is": ("bert", pools("cls_token")),
    "a dense layer behind it": ("roberta", pools("mean_tokens", DENSE, NORMALIZE)),
    "nothing said, an encoder": ("roberta", {}),
    "the last token, of length 1": ("qwen2", pools("lasttoken", NORMALIZE)),
    "the last token, as it is": ("qwen2", pools("lasttoken")),
    "nothing said, a decoder": ("qwen2", {}),
    "ranks": ("ranker", {}),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, bytes]]:
    """The files of a model of each class."""
    if not can_start():
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    found = {}
    for kind in ("bert", "roberta", "qwen2", "ranker"):
        folder = tmp_path_factory.mktemp(kind)
        python = python_313()
        assert python is not None
        subprocess.run([python, str(SCRIPT), str(folder), kind], check=True, env={"PYTHONPATH": str(PACKAGES)})
        files = (each for each in folder.rglob("*") if each.is_file())
        found[kind] = {str(each.relative_to(folder)): each.read_bytes() for each in files}
    return found


def files(made: Mapping[str, Mapping[str, bytes]], name: str) -> dict[str, bytes]:
    kind, more = MODELS[name]
    return {**made[kind], **{path: json.dumps(each).encode() for path, each in more.items()}}


@pytest.fixture(params=MODELS)
def both(
    request: pytest.FixtureRequest, made: Mapping[str, Mapping[str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, str]]:
    """Which model, vLLM's address, and that of what serves it on the CPU."""
    name, flags = request.param, ("--served-model-name", "own", "--dtype", "float32", "--max-model-len", "64")
    start = partial(engine, files=files(made, name))
    with ExitStack() as stack:
        theirs = stack.enter_context(
            start(tmp_path_factory.mktemp("vllm"), (*flags, "--enforce-eager", "--runner", "pooling"))
        )
        yield name, theirs, stack.enter_context(start(tmp_path_factory.mktemp("own"), flags, command=ENCODER))


def asked(address: str, path: str, **body: Any) -> Any:
    """The answer; of a refusal its status and what is wrong."""
    request = Request(f"{address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=120) as reply:
            return json.loads(reply.read())
    except HTTPError as wrong:
        return wrong.code, json.loads(wrong.read())["error"]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


def test_the_numbers_are_those_of_vllm(both: tuple[str, str, str]) -> None:
    name, vllm, own = both
    if name == "ranks":
        ranked(vllm, own)
        return
    theirs, ours = (asked(each, "/v1/embeddings", model="own", input=list(TEXTS)) for each in (vllm, own))
    assert isinstance(theirs, dict), theirs
    assert ours["usage"]["prompt_tokens"] == theirs["usage"]["prompt_tokens"]
    assert ours.keys() == theirs.keys()
    pairs = [(a["embedding"], b["embedding"]) for a, b in zip(theirs["data"], ours["data"], strict=True)]
    for one, other in pairs:
        assert cosine(one, other) > 0.9999
        assert math.hypot(*other) == pytest.approx(math.hypot(*one), rel=1e-3)
    # Texts differ, so that the numbers of another token would be told from these.
    assert max(cosine(pairs[0][1], each) for __, each in pairs[1:]) < 0.99
    long = "x" * 70
    refused = [asked(each, "/v1/embeddings", model="own", input=long)[0] for each in (vllm, own)]
    assert refused == [400, 400]
    cut = [asked(each, "/v1/embeddings", input=long, truncate_prompt_tokens=20) for each in (vllm, own)]
    assert [each["usage"]["prompt_tokens"] for each in cut] == [20, 20]
    assert cosine(*(each["data"][0]["embedding"] for each in cut)) > 0.9999
    shown = asked(own, "/v1/embeddings", input=TEXTS[0], encoding_format="base64")["data"][0]["embedding"]
    raw = base64.b64decode(shown)
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(pairs[0][1], abs=1e-4)
    counted = [asked(each, "/tokenize", model="own", prompt=TEXTS[1]) for each in (vllm, own)]
    assert counted[0]["tokens"] == counted[1]["tokens"]
    assert counted[0].keys() == counted[1].keys()
    by_tokens = asked(own, "/v1/embeddings", input=[counted[1]["tokens"]])["data"][0]["embedding"]
    assert cosine(by_tokens, pairs[1][1]) > 0.9999
    assert {asked(each, "/v1/embeddings", input="x", dimensions=8)[0] for each in (vllm, own)} == {400}


def ranked(vllm: str, own: str) -> None:
    theirs, ours = (
        asked(each, "/v1/rerank", model="own", query="heron", documents=list(TEXTS)) for each in (vllm, own)
    )
    assert [each["index"] for each in ours["results"]] == [each["index"] for each in theirs["results"]]
    marks = [[each["relevance_score"] for each in told["results"]] for told in (theirs, ours)]
    assert marks[1] == pytest.approx(marks[0], abs=1e-4)
    assert len({round(each, 3) for each in marks[0]}) > 3
    assert (ours.keys(), ours["usage"]) == (theirs.keys(), theirs["usage"])
    scored = [asked(each, "/v1/score", text_1="heron", text_2=list(TEXTS)) for each in (vllm, own)]
    assert [each["score"] for each in scored[1]["data"]] == pytest.approx([each["score"] for each in scored[0]["data"]])
    assert asked(own, "/v1/embeddings", input="x")[0] == 404


def test_the_classes_that_it_takes_are_those_that_the_fit_check_lets_through() -> None:
    text = (ROOT / "templates/vllm/encoder/model.py").read_text()
    assert all(f'"{each}"' in text for of in on_cpu.CLASSES.values() for each in of)
