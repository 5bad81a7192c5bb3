"""What serves a model on the CPU answers as vLLM does: the same models of real classes, asked the same of both."""

from __future__ import annotations

import base64
import json
import math
import os
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
SCRIPTS = ROOT / "tests/clients/scripts"
FLAGS = ("--served-model-name", "own", "--dtype", "float32", "--max-model-len", "64")
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


def run(script: str, home: Path, *arguments: Path | str) -> None:
    """One of the scripts, with the libraries that vLLM has."""
    python = python_313()
    assert python is not None
    told = {"PYTHONPATH": str(PACKAGES), "HOME": str(home), "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "PATH": os.environ["PATH"]}  # fmt: skip
    subprocess.run([python, str(SCRIPTS / script), *map(str, arguments)], check=True, env=told, cwd=home)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, bytes]]:
    """The files of a model of each class."""
    if not can_start():
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    found = {}
    for kind in ("bert", "roberta", "qwen2", "ranker"):
        folder = tmp_path_factory.mktemp(kind)
        run("encoders.py", folder, folder, kind)
        files = (each for each in folder.rglob("*") if each.is_file())
        found[kind] = {str(each.relative_to(folder)): each.read_bytes() for each in files}
    return found


def files(made: Mapping[str, Mapping[str, bytes]], name: str) -> dict[str, bytes]:
    kind, more = MODELS[name]
    return {**made[kind], **{path: json.dumps(each).encode() for path, each in more.items()}}


@pytest.fixture(scope="module")
def numbers(made: Mapping[str, Mapping[str, bytes]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What vLLM makes of the texts with each model: vectors, or marks of all against the first."""
    home = tmp_path_factory.mktemp("models")
    folders = {}
    for place, name in enumerate(MODELS):
        folders[name] = home / str(place)
        for path, data in files(made, name).items():
            (folders[name] / path).parent.mkdir(parents=True, exist_ok=True)
            (folders[name] / path).write_bytes(data)
    run("vllm_vectors.py", home, home / "out.json", json.dumps(TEXTS), *folders.values())
    found = json.loads((home / "out.json").read_text())
    return {name: found[str(folder)] for name, folder in folders.items()}


@contextmanager
def encoder(
    folder: Path, made: Mapping[str, Mapping[str, bytes]], name: str, *more: str, **settings: Mapping[str, Any]
) -> Iterator[str]:
    """``more``: flags; ``settings``: what else stands in one of its files, such as ``config``."""
    with engine(folder, (*FLAGS, *more), told(files(made, name), settings), command=ENCODER) as url:
        yield url


def told(files: dict[str, bytes], settings: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    rows = {f"{name}.json": each for name, each in settings.items()}
    return {**files, **{name: json.dumps({**json.loads(files[name]), **each}).encode() for name, each in rows.items()}}


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


@pytest.mark.parametrize("name", [each for each in MODELS if each != "ranks"])
def test_vectors_are_those_of_vllm(
    name: str, made: Mapping[str, Mapping[str, bytes]], numbers: dict[str, Any], tmp_path: Path
) -> None:
    with encoder(tmp_path, made, name) as own:
        rows = asked(own, "/v1/embeddings", model="own", input=list(TEXTS))["data"]
    pairs = [(one, other["embedding"]) for one, other in zip(numbers[name], rows, strict=True)]
    for one, other in pairs:
        assert cosine(one, other) > 0.9999
        assert math.hypot(*other) == pytest.approx(math.hypot(*one), rel=1e-3)
    # Texts differ, so that the numbers of another token would be told from these.
    assert max(cosine(pairs[0][1], each) for __, each in pairs[1:]) < 0.99


def test_every_way_of_pooling_makes_other_vectors(numbers: dict[str, Any]) -> None:
    ways = ("mean, as it is", "the first token, as it is"), ("mean, of length 1", "mean, as it is")
    assert cosine(numbers[ways[0][0]][0], numbers[ways[0][1]][0]) < 0.99
    assert math.hypot(*numbers[ways[1][0]][0]) == pytest.approx(1, rel=1e-3)
    assert abs(math.hypot(*numbers[ways[1][1]][0]) - 1) > 0.1
    assert len(numbers["a dense layer behind it"][0]) == 32


def test_marks_are_those_of_vllm_and_the_best_comes_first(
    made: Mapping[str, Mapping[str, bytes]], numbers: dict[str, Any], tmp_path: Path
) -> None:
    marks = [each for (each,) in numbers["ranks"]]
    with encoder(tmp_path, made, "ranks") as own:
        scored = asked(own, "/v1/score", text_1=TEXTS[0], text_2=list(TEXTS))
        told = asked(own, "/v1/rerank", model="own", query=TEXTS[0], documents=list(TEXTS), top_n=3)
        assert asked(own, "/v1/embeddings", input="x")[0] == 404
    assert [each["score"] for each in scored["data"]] == pytest.approx(marks, abs=1e-4)
    assert len({round(each, 3) for each in marks}) > 3
    best = sorted(range(len(marks)), key=lambda place: -marks[place])[:3]
    assert [each["index"] for each in told["results"]] == best
    assert told["results"][0]["document"] == {"text": TEXTS[best[0]]}


def test_answers_have_the_form_of_vllms(made: Mapping[str, Mapping[str, bytes]], tmp_path: Path) -> None:
    name = "mean, of length 1"
    folders = [tmp_path / each for each in ("vllm", "own")]
    for folder in folders:
        folder.mkdir()
    flags = (*FLAGS, "--enforce-eager", "--runner", "pooling")
    with engine(folders[0], flags, files(made, name)) as vllm, encoder(folders[1], made, name) as own:
        both = (vllm, own)
        theirs, ours = (asked(each, "/v1/embeddings", model="own", input=list(TEXTS)) for each in both)
        assert (ours.keys(), ours["usage"]) == (theirs.keys(), theirs["usage"])
        assert ours["data"][0].keys() == theirs["data"][0].keys()
        vector = ours["data"][1]["embedding"]
        long = [asked(each, "/v1/embeddings", model="own", input="x" * 70) for each in both]
        assert [each[0] for each in long] == [400, 400]
        assert long[0][1].keys() == long[1][1].keys()
        cut = [asked(each, "/v1/embeddings", input=TEXTS[1], truncate_prompt_tokens=9) for each in both]
        assert [each["usage"]["prompt_tokens"] for each in cut] == [9, 9]
        assert cosine(*(each["data"][0]["embedding"] for each in cut)) > 0.9999
        shown = [asked(each, "/v1/embeddings", input=TEXTS[1], encoding_format="base64") for each in both]
        for each in shown:
            raw = base64.b64decode(each["data"][0]["embedding"])
            assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(vector, abs=1e-4)
        counted = [asked(each, "/tokenize", model="own", prompt=TEXTS[1]) for each in both]
        assert counted[0] == counted[1]
        by_tokens = asked(own, "/v1/embeddings", input=[counted[1]["tokens"]])["data"][0]["embedding"]
        assert cosine(by_tokens, vector) > 0.9999
        assert {asked(each, "/v1/embeddings", input="x", dimensions=8)[0] for each in both} == {400}
        assert {asked(each, "/v1/embeddings", model="other", input="x")[0] for each in both} == {404}


def test_the_classes_that_it_takes_are_those_that_the_fit_check_lets_through() -> None:
    text = (ROOT / "templates/vllm/encoder/model.py").read_text()
    assert all(f'"{each}"' in text for of in on_cpu.CLASSES.values() for each in of)


def test_a_text_that_is_cut_off_cuts_no_text_of_another_call(
    made: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    with encoder(tmp_path, made, "mean, of length 1") as own, ThreadPoolExecutor(8) as pool:
        text = "a valve beside the harbour"
        whole = asked(own, "/tokenize", model="own", prompt=text)["count"]

        def counted(cut: int | None) -> int:
            said = asked(own, "/v1/embeddings", input=[text] * 60, truncate_prompt_tokens=cut)
            return int(said["usage"]["prompt_tokens"]) // 60

        wanted = [None, 5] * 40
        assert [*pool.map(counted, wanted)] == [each or whole for each in wanted]


def test_odd_requests_are_refused_as_such_and_null_is_as_if_not_said(
    made: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    with encoder(tmp_path, made, "mean, of length 1") as own:
        (row,) = asked(own, "/v1/embeddings", input="x", use_activation=None)["data"]
        assert math.hypot(*row["embedding"]) == pytest.approx(1, rel=1e-3)
        odd = [
            ("/v1/embeddings", {"input": "x", "use_activation": "no"}),
            ("/v1/embeddings", {"input": "\ud800"}),
            ("/v1/embeddings", {"input": "x" * 2**20}),
            ("/tokenize", {"prompt": "\ud800"}),
            ("/detokenize", {"tokens": [2**70]}),
        ]
        assert {asked(own, path, **body)[0] for path, body in odd} == {400}
        deep = Request(f"{own}/v1/embeddings", b'{"input":' + b"[" * 100_000, {"Content-Type": "application/json"})
        with pytest.raises(HTTPError, match="400"):
            urlopen(deep, timeout=60)
        long = asked(own, "/v1/embeddings", input="a valve " * 2**18, truncate_prompt_tokens=9)
        assert long["usage"]["prompt_tokens"] == 9


def test_vectors_may_be_cut_to_as_many_numbers_as_they_have(
    made: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    for place, (name, length) in enumerate((("mean, of length 1", 64), ("a dense layer behind it", 32))):
        folder = tmp_path / str(place)
        folder.mkdir()
        with encoder(folder, made, name, config={"is_matryoshka": True}) as own:
            for size in (1, length):
                (row,) = asked(own, "/v1/embeddings", input="x", dimensions=size)["data"]
                assert len(row["embedding"]) == size
                assert math.hypot(*row["embedding"]) == pytest.approx(1, rel=1e-3)
            for size in (0, -1, length + 1, 2**40, True, "8"):
                assert asked(own, "/v1/embeddings", input="x", dimensions=size)[0] == 400, size


def test_a_list_of_tokens_is_cut_off_on_the_side_that_the_tokenizer_says_as_vllm_does(
    made: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    name, left = "mean, of length 1", {"tokenizer_config": {"truncation_side": "left"}}
    folders = [tmp_path / each for each in ("vllm", "left", "right")]
    for folder in folders:
        folder.mkdir()
    flags = (*FLAGS, "--enforce-eager", "--runner", "pooling")
    with (
        engine(folders[0], flags, told(files(made, name), left)) as vllm,
        encoder(folders[1], made, name, **left) as own,
        encoder(folders[2], made, name) as right,
    ):
        tokens = list(range(10, 30))

        def vector(address: str, given: list[int], most: int | None = None) -> list[float]:
            return list(asked(address, "/v1/embeddings", input=[given], truncate_prompt_tokens=most)["data"][0]["embedding"])

        assert cosine(vector(own, tokens, 5), vector(own, tokens[-5:])) > 0.9999
        assert cosine(vector(right, tokens, 5), vector(right, tokens[:5])) > 0.9999
        assert cosine(vector(own, tokens, 5), vector(vllm, tokens, 5)) > 0.9999
        assert cosine(vector(own, tokens, 50), vector(own, tokens)) > 0.9999


def test_no_more_texts_wait_than_find_room_and_whoever_finds_none_is_told_when_to_come_again(
    made: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    with encoder(tmp_path, made, "mean, of length 1", "--max-waiting-tokens", "2000") as own:
        long = "a valve beside the harbour"
        count = asked(own, "/tokenize", model="own", prompt=long)["count"]
        # One request that would never find room is wrong; the same in two parts is not.
        assert asked(own, "/v1/embeddings", input=[long] * (2000 // count + 1))[0] == 400
        assert len(asked(own, "/v1/embeddings", input=[long] * (2000 // count))["data"]) == 2000 // count
        with ThreadPoolExecutor(16) as pool:
            half = [long] * (1200 // count)
            found = [*pool.map(lambda _: asked(own, "/v1/embeddings", input=half), range(32))]
        full = [each for each in found if isinstance(each, tuple)]
        assert {each[0] for each in full} == {429}
        assert len(full) < 32
        # What was refused, and what was answered, is held no longer.
        assert len(asked(own, "/v1/embeddings", input=[long] * (2000 // count))["data"]) == 2000 // count
