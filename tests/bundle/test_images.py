"""Images come by the registries' own protocol, each part by its digest, for the node's processor."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pulumi_llm._bundle import fetch, images
from pulumi_llm._bundle.fetch import Lost
from tests.bundle.server import Answer, Files, served

CONFIG, LAYER = b'{"os": "linux"}', b"layer" * 5000


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def part(data: bytes) -> dict[str, object]:
    return {"digest": digest(data), "size": len(data)}


MANIFEST = json.dumps({"schemaVersion": 2, "config": part(CONFIG), "layers": [part(LAYER)]}).encode()
ARM = {"digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "arm64"}}
INDEX = json.dumps(
    {"manifests": [ARM, {"digest": digest(MANIFEST), "platform": {"os": "linux", "architecture": "amd64"}}]}
).encode()
BLOBS = {f"/v2/a/b/blobs/{digest(each)}": each for each in (CONFIG, LAYER)}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    files = {"/v2/a/b/manifests/1.2": INDEX, f"/v2/a/b/manifests/{digest(MANIFEST)}": MANIFEST, **BLOBS}
    with served(Files(files)) as running:
        yield running


def name(registry: Files) -> str:
    return f"{registry.address.removeprefix('http://')}/a/b:1.2"


def test_an_image_of_several_processors_comes_for_the_nodes_own(registry: Files, tmp_path: Path) -> None:
    found, rows = images.image(name(registry), [""], tmp_path)
    assert found == digest(MANIFEST)
    assert [(sha256, size) for __, sha256, size in rows] == [
        (digest(MANIFEST), len(MANIFEST)), (digest(CONFIG), len(CONFIG)), (digest(LAYER), len(LAYER))
    ]  # fmt: skip
    for __, sha256, __ in rows:
        assert digest((tmp_path / "blobs/sha256" / sha256.removeprefix("sha256:")).read_bytes()) == sha256


def test_a_registry_that_wants_a_token_gets_one(
    registry: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    realm = "https://auth.example.com/token"

    def answer(path: str, headers: Mapping[str, str]) -> Answer | None:
        if headers.get("Authorization") == "Bearer given":
            return None
        return 401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="r",scope="repository:a/b:pull"'}

    registry.answer, plain, asked = answer, fetch.text, []

    def text(url: str, headers: Mapping[str, str] | None = None) -> bytes:
        if url.startswith(realm):
            asked.append(url)
            return b'{"token": "given"}'
        return plain(url, headers)

    monkeypatch.setattr(fetch, "text", text)
    assert images.image(name(registry), [""], tmp_path)[0] == digest(MANIFEST)
    assert asked == [f"{realm}?service=r&scope=repository%3Aa%2Fb%3Apull"]


def test_a_part_that_is_not_what_its_digest_says_is_refused(registry: Files, tmp_path: Path) -> None:
    registry.files[f"/v2/a/b/blobs/{digest(LAYER)}"] = b"other" * 5000
    with pytest.raises(Lost) as lost:
        images.image(name(registry), [""], tmp_path)
    assert lost.value.finding.code == "bundle.wrong-digest"


def test_a_manifest_that_is_not_what_the_index_says_is_refused(registry: Files, tmp_path: Path) -> None:
    registry.files[f"/v2/a/b/manifests/{digest(MANIFEST)}"] = MANIFEST + b" "
    with pytest.raises(Lost) as lost:
        images.image(name(registry), [""], tmp_path)
    assert lost.value.finding.code == "bundle.wrong-digest"


@pytest.mark.parametrize("text", [b"no json", b"[]", b'{"layers": []}', b'{"config": {"digest": "x"}, "layers": 7}'])
def test_what_is_no_image_is_told(registry: Files, tmp_path: Path, text: bytes) -> None:
    registry.files["/v2/a/b/manifests/1.2"] = text
    with pytest.raises(Lost) as lost:
        images.image(name(registry), [""], tmp_path)
    assert lost.value.finding.code == "bundle.unreadable"


def test_an_image_for_other_processors_alone_is_not_there(registry: Files, tmp_path: Path) -> None:
    registry.files["/v2/a/b/manifests/1.2"] = json.dumps({"manifests": [ARM]}).encode()
    with pytest.raises(Lost) as lost:
        images.image(name(registry), [""], tmp_path)
    assert lost.value.finding.code == "bundle.not-found"


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("docker.io/qdrant/qdrant:v1", ("registry-1.docker.io", "qdrant/qdrant", "v1")),
        ("docker.io/alpine:3", ("registry-1.docker.io", "library/alpine", "3")),
        ("m.daocloud.io/docker.io/qdrant/qdrant:v1", ("m.daocloud.io", "docker.io/qdrant/qdrant", "v1")),
        ("cr.weaviate.io/semi/weaviate:1.40.4@sha256:ab", ("cr.weaviate.io", "semi/weaviate", "sha256:ab")),
        ("localhost:5000/a/b", ("localhost:5000", "a/b", "latest")),
    ],
)
def test_a_full_name_says_who_is_asked_for_what(image: str, place: tuple[str, str, str]) -> None:
    assert images.place(image) == place
