"""What a hub tells of a model, and what the files of weights themselves do: never a wrong number."""

from __future__ import annotations

import base64
import http.server
import json
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog, cli
from pulumi_llm.catalog import hub, own, tensors
from pulumi_llm.errors import Refusal

BY_LIBRARY = base64.b64decode(
    "sAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJtb2RlbC5sYXllcnMuMC5tbHAudXBfcHJvai53ZWlnaHQi"
    "OnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzQsNF0sImRhdGFfb2Zmc2V0cyI6WzAsNjRdfSwibG1faGVhZC53ZWlnaHQiOnsiZHR5"
    "cGUiOiJCRjE2Iiwic2hhcGUiOls4LDRdLCJkYXRhX29mZnNldHMiOls2NCwxMjhdfSwibW9kZWwuZW1iZWRfdG9rZW5zLndlaWdo"
    "dCI6eyJkdHlwZSI6IkJGMTYiLCJzaGFwZSI6WzgsNF0sImRhdGFfb2Zmc2V0cyI6WzEyOCwxOTJdfSwidmlzdWFsLnByb2oud2Vp"
    "Z2h0Ijp7ImR0eXBlIjoiRjhfRTRNMyIsInNoYXBlIjpbMywzXSwiZGF0YV9vZmZzZXRzIjpbMTkyLDIwMV19LCJtdHAuZmMud2Vp"
    "Z2h0Ijp7ImR0eXBlIjoiVTgiLCJzaGFwZSI6WzIsMl0sImRhdGFfb2Zmc2V0cyI6WzIwMSwyMDVdfX0gICAgICAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)
"""Five tensors in one file as safetensors 0.8.0 writes it (safetensors.torch.save, torch 2.13)."""

CONFIG: dict[str, Any] = {
    "model_type": "qwen2",
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 1000,
    "max_position_embeddings": 4096,
    "torch_dtype": "bfloat16",
}
BODY = 2 * (64 * 64 * 2 + 64 * 32 * 2 + 64 + 32 + 32 + 3 * 64 * 128 + 2 * 64) + 64
EMBEDDINGS = 64 * 1000


def safetensors(rows: dict[str, tuple[str, int]]) -> bytes:
    header, end = {}, 0
    for name, (dtype, size) in rows.items():
        header[name] = {"dtype": dtype, "shape": [size], "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def model(*, tied: bool = False, **changes: Any) -> dict[str, bytes]:
    """A model's files, in two shards with an index; the sizes are those of `CONFIG`."""
    one = safetensors({"model.layers.0.w": ("BF16", 2 * BODY)})
    rows = {"model.embed_tokens.weight": ("BF16", 2 * EMBEDDINGS)}
    if not tied:
        rows["lm_head.weight"] = ("BF16", 2 * EMBEDDINGS)
    two = safetensors(rows)
    shards = {"model-1.safetensors": one, "model-2.safetensors": two}
    weight_map = {"model.layers.0.w": "model-1.safetensors", **dict.fromkeys(rows, "model-2.safetensors")}
    total = 2 * BODY + sum(size for _, size in rows.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    return {
        "config.json": json.dumps({**CONFIG, **changes}).encode(),
        tensors.INDEX: json.dumps(index).encode(),
        **shards,
    }


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def codes(task: Callable[[], object]) -> list[str]:
    with pytest.raises(Refusal) as refused:
        task()
    return [each.code for each in refused.value.findings]


# -- the files themselves


def test_a_file_that_the_library_wrote_is_read_to_the_byte() -> None:
    length = tensors.header_length(BY_LIBRARY[:8], "file")
    found = tensors.by_headers([tensors.tensors(BY_LIBRARY[8 : 8 + length], "file")], layers=1)
    assert (found.text, found.other, found.next_tokens, found.single) == (64 + 64 + 64, 9, 4, 64)
    assert found.tied is False
    assert found.loaded(quantized=True) == 64 + 64 + 64 + 9
    assert found.loaded(quantized=False) == 64 + 32 + 64 + 9


def test_weights_beside_a_config_are_counted_by_their_headers(tmp_path: Path) -> None:
    found = catalog.model_from_config(put(tmp_path / "m", model()))
    assert found.weights_gib == (2 * BODY + 4 * EMBEDDINGS) / 2**30
    assert found.parameters_b == (BODY + 2 * EMBEDDINGS) / 1e9


def test_whether_the_output_head_is_tied_is_told_by_the_files_not_by_the_config(tmp_path: Path) -> None:
    tied = catalog.model_from_config(put(tmp_path / "tied", model(tied=True, tie_word_embeddings=False)))
    apart = catalog.model_from_config(put(tmp_path / "apart", model(tied=False, tie_word_embeddings=True)))
    assert (tied.tied_embeddings, apart.tied_embeddings) == (True, False)
    assert tied.parameters_b == (BODY + EMBEDDINGS) / 1e9
    assert apart.parameters_b == (BODY + 2 * EMBEDDINGS) / 1e9


def test_an_index_alone_tells_the_size(tmp_path: Path) -> None:
    files = {name: text for name, text in model().items() if not name.endswith(".safetensors")}
    assert catalog.model_from_config(put(tmp_path / "m", files)).weights_gib == (2 * BODY + 4 * EMBEDDINGS) / 2**30


def test_files_that_git_lfs_has_not_fetched_count_with_the_size_that_they_point_to(tmp_path: Path) -> None:
    files = model()
    for name in ("model-1.safetensors", "model-2.safetensors"):
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize {len(files[name])}\n"
        files[name] = text.encode()
    found = catalog.model_from_config(put(tmp_path / "m", files)).weights_gib
    assert found == pytest.approx((2 * BODY + 4 * EMBEDDINGS) / 2**30, rel=0.01)


def test_a_second_copy_of_the_weights_is_not_counted(tmp_path: Path) -> None:
    files = {name: text for name, text in model().items() if name != tensors.INDEX}
    files["consolidated.safetensors"] = files["model-1.safetensors"]
    assert catalog.model_from_config(put(tmp_path / "m", files)).weights_gib == (2 * BODY + 4 * EMBEDDINGS) / 2**30


def test_weights_in_32_bit_are_served_in_16(tmp_path: Path) -> None:
    files = {"model.safetensors": safetensors({"model.w": ("F32", 4 * (BODY + EMBEDDINGS))})}
    files["config.json"] = json.dumps({**CONFIG, "torch_dtype": "float32", "tie_word_embeddings": True}).encode()
    assert catalog.model_from_config(put(tmp_path / "m", files)).weights_gib == 2 * (BODY + EMBEDDINGS) / 2**30


def test_heads_for_further_tokens_stay_on_the_disk_and_what_reads_pictures_does_not(tmp_path: Path) -> None:
    files = {name: text for name, text in model().items() if name != tensors.INDEX}
    files["model-3.safetensors"] = safetensors(
        {"mtp.layers.0.w": ("BF16", 5000), "model.layers.2.w": ("BF16", 5000), "visual.blocks.0.w": ("BF16", 6000)}
    )
    found = catalog.model_from_config(put(tmp_path / "m", files))
    assert found.weights_gib == (2 * BODY + 4 * EMBEDDINGS + 6000) / 2**30


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("model-1.safetensors", b"\xff" * 16, "catalog.bad-weights-header"),
        ("model-1.safetensors", b"", "catalog.bad-weights-header"),
        ("model-1.safetensors", struct.pack("<Q", 2) + b"[]", "catalog.bad-weights-header"),
        ("model-1.safetensors", model()["model-1.safetensors"][:-1], "catalog.bad-weights-header"),
        (tensors.INDEX, b"<html>", "catalog.bad-weights-index"),
        (tensors.INDEX, b"{}", "catalog.bad-weights-index"),
        (tensors.INDEX, b'{"weight_map": {"a": 3}}', "catalog.bad-weights-index"),
        (tensors.INDEX, b'{"weight_map": {"a": "gone.safetensors"}}', "catalog.bad-weights-index"),
        (tensors.LISTING, b"{}", "catalog.bad-weights-listing"),
    ],
)
def test_broken_files_of_weights_are_refused(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    folder = put(tmp_path / "m", {**model(), name: content})
    assert codes(lambda: catalog.model_from_config(folder)) == [code]


def test_weights_of_another_model_than_the_configs_are_refused(tmp_path: Path) -> None:
    small = put(tmp_path / "small", {**model(), "config.json": json.dumps({**CONFIG, "hidden_size": 256}).encode()})
    large = put(tmp_path / "large", {**model(), "config.json": json.dumps({**CONFIG, "vocab_size": 100}).encode()})
    assert codes(lambda: catalog.model_from_config(small)) == ["catalog.bad-weights-disagree"]
    assert codes(lambda: catalog.model_from_config(large)) == ["catalog.bad-weights-disagree"]


# -- a hub


@dataclass
class Server:
    """A hub on this machine: it speaks both protocols, and misbehaves as it is told."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    status: int = 200
    html: bool = False
    trickle: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, span: str | None) -> tuple[int, bytes]:
        self.asked.append(path)
        if self.status != 200:
            return self.status, b"no"
        if self.html:
            return 200, b"<html><body>please log in</body></html>"
        split = urllib.parse.urlsplit(path)
        parts = urllib.parse.unquote(split.path).strip("/").split("/")
        query = urllib.parse.parse_qs(split.query)
        if parts[:2] == ["api", "models"]:
            files = self.files.get("/".join(parts[2:4]))
            rows = [{"type": "file", "path": name, "size": len(text)} for name, text in (files or {}).items()]
            return (404, b"{}") if files is None else (200, json.dumps(rows).encode())
        if parts[:3] == ["api", "v1", "models"]:
            files = self.files.get("/".join(parts[3:5]))
            if files is None:
                return 404, b"{}"
            if parts[-1] == "files":
                rows = [{"Type": "blob", "Path": name, "Size": len(text)} for name, text in files.items()]
                return 200, json.dumps({"Data": {"Files": rows}}).encode()
            return self._part(files[query["FilePath"][0]], span)
        return self._part(self.files["/".join(parts[:2])][parts[-1]], span)

    def _part(self, content: bytes, span: str | None) -> tuple[int, bytes]:
        if span is None:
            return 200, content
        first, last = span.removeprefix("bytes=").split("-")
        return 206, content[int(first) : int(last) + 1]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(hub.TOKEN, raising=False)
    told = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = told.answer(self.path, self.headers.get("Range"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not told.trickle:
                self.wfile.write(body)
                return
            for each in body:
                time.sleep(0.05)
                try:
                    self.wfile.write(bytes([each]))
                    self.wfile.flush()
                except OSError:
                    return

        def log_message(self, *_: object) -> None:
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    told.url = f"http://127.0.0.1:{listening.server_port}"
    threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield told
    listening.shutdown()
    listening.server_close()


def hub_at(server: Server, kind: str = "huggingface") -> hub.Hub:
    return hub.Hub(kind, kind, server.url)


@pytest.mark.parametrize("kind", ["huggingface", "modelscope"])
def test_a_model_at_a_hub_is_counted_to_the_byte_by_headers_alone(server: Server, kind: str) -> None:
    files = model()
    server.files["org/name"] = files
    found = catalog.model_from_config(hub.fetch("org/name", [hub_at(server, kind)]))
    assert (found.id, found.weights_gib) == ("org/name", (2 * BODY + 4 * EMBEDDINGS) / 2**30)
    assert found.source.startswith(kind)
    assert found.modelscope_id == ("org/name" if kind == "modelscope" else None)


def test_what_was_fetched_is_used_without_the_hub_from_then_on(server: Server) -> None:
    server.files["org/name"] = model()
    arguments = ["check", "org/name", "--gpu", "T4", "--hub", f"huggingface={server.url}"]
    assert cli.main(arguments) == 0
    asked = len(server.asked)
    assert cli.main(["check", "org/name", "--gpu", "T4"]) == 0
    assert cli.main(["check", "ORG/Name", "--gpu", "T4", "--offline"]) == 0
    assert len(server.asked) == asked
    assert cli.main([*arguments, "--refresh"]) == 0
    assert len(server.asked) == 2 * asked


def test_the_next_hub_is_asked_where_one_does_not_answer(server: Server) -> None:
    server.files["org/name"] = model()
    dead = hub.Hub("dead", "huggingface", "http://127.0.0.1:9")
    assert hub.fetch("org/name", [dead, hub_at(server, "modelscope")]).is_dir()


@pytest.mark.parametrize(
    ("status", "code"), [(404, "hub.not-found"), (401, "hub.gated"), (403, "hub.gated"), (500, "hub.unreachable")]
)
def test_a_hub_that_refuses_is_told_as_it_refuses(server: Server, status: int, code: str) -> None:
    server.status = status
    assert codes(lambda: hub.fetch("org/name", [hub_at(server)])) == [code]


@pytest.mark.parametrize("kind", ["huggingface", "modelscope"])
def test_a_page_instead_of_a_list_is_no_answer(server: Server, kind: str) -> None:
    server.html = True
    assert codes(lambda: hub.fetch("org/name", [hub_at(server, kind)])) == ["hub.unreachable"]


def test_a_hub_that_trickles_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "WHOLE", 0.3)
    server.files["org/name"] = model()
    server.trickle = True
    began = time.monotonic()
    assert codes(lambda: hub.fetch("org/name", [hub_at(server)])) == ["hub.unreachable"]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"config.json": b"<html>"}, "catalog.bad-config-json"),
        ({tensors.INDEX: b"[]"}, "catalog.bad-weights-index"),
        ({tensors.INDEX: b'{"weight_map": {"a": "gone.safetensors"}}'}, "hub.unreachable"),
        ({"model-1.safetensors": b"\xff" * 500}, "catalog.bad-weights-header"),
        ({"model-1.safetensors": model()["model-1.safetensors"] + b"\0"}, "hub.unreachable"),
        ({"config.json": json.dumps({**CONFIG, "hidden_size": 256}).encode()}, "catalog.bad-weights-disagree"),
    ],
)
def test_a_hub_that_lies_gives_no_number(server: Server, change: dict[str, bytes], code: str) -> None:
    server.files["org/name"] = {**model(), **change}
    assert codes(lambda: catalog.model_from_config(hub.fetch("org/name", [hub_at(server)]))) == [code]


def test_a_token_goes_to_hugging_face_over_tls_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str | None] = []
    real = hub.urlopen

    def spied(request: Any, timeout: float) -> Any:
        sent.append(request.get_header("Authorization") or request.unredirected_hdrs.get("Authorization"))
        return real(request, timeout=timeout)

    monkeypatch.setattr(hub, "urlopen", spied)
    monkeypatch.setenv(hub.TOKEN, "hf_planted")
    server.files["org/name"] = model()
    hub.fetch("org/name", [hub_at(server)])
    assert set(sent) == {None}


# -- models of one's own


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "project"
    (home / "deeper").mkdir(parents=True)
    (home / "Pulumi.yaml").write_text("name: mine\nruntime: python\n")
    monkeypatch.chdir(home / "deeper")
    monkeypatch.delenv(own.VARIABLE, raising=False)
    return home


def test_a_model_that_is_added_is_known_to_the_project_without_a_hub(server: Server, project: Path) -> None:
    server.files["org/name"] = model()
    assert cli.main(["catalog", "add", "org/name", "--hub", f"huggingface={server.url}"]) == 0
    asked = len(server.asked)
    row = catalog.load().model("NAME")
    assert (row.id, row.weights_gib, row.caches[0].layers) == ("org/name", (2 * BODY + 4 * EMBEDDINGS) / 2**30, 2)
    assert cli.main(["check", "name", "--gpu", "T4"]) == 0
    assert len(server.asked) == asked
    assert (project / own.FILE).is_file()


def test_a_row_survives_the_file_that_it_is_written_to(server: Server, tmp_path: Path) -> None:
    folder = put(tmp_path / "m", model(sliding_window=512, use_sliding_window=True, max_window_layers=1))
    row = replace(catalog.model_from_config(folder), id="org/name")
    path = tmp_path / own.FILE
    assert own.add(path, row) is False
    assert own.add(path, row) is True
    assert own.models_in(path) == (row,)


def test_two_hubs_with_different_files_under_one_name_write_nothing(
    server: Server, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["org/name"] = model()
    other = hub.Hub("modelscope", "modelscope", server.url)
    found = catalog.model_from_config(hub.fetch("org/name", [hub_at(server)]))
    assert hub.held_against(found, [hub_at(server), other]).modelscope_id == "org/name"
    one = hub.sizes("org/name", other)
    server.files["org/name"] = model(tied=True)
    assert one != hub.sizes("org/name", other)
    listed = {"huggingface": one, "modelscope": hub.sizes("org/name", other)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub, "sizes", lambda _, at, __: listed[at.name])
        assert codes(lambda: hub.held_against(found, [hub_at(server), other])) == ["hub.disagree"]


def test_a_model_whose_shape_is_not_understood_gets_no_row(
    server: Server, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files["org/name"] = model(num_latent_things=3, model_type="unheard_of")
    assert cli.main(["catalog", "add", "org/name", "--hub", f"huggingface={server.url}"]) == 1
    assert "catalog.own-unknown-shape" in capsys.readouterr().err
    assert not (project / own.FILE).exists()


def test_a_variable_that_names_no_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(own.VARIABLE, str(tmp_path / "gone.json"))
    assert codes(catalog.load) == ["catalog.no-own-models"]


def test_a_file_of_own_models_that_is_broken_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{"sources": {}, "rows": [{"id": "a/b", "source": "nowhere"}]}')
    monkeypatch.setenv(own.VARIABLE, str(path))
    assert codes(lambda: catalog.load().models) == ["catalog.broken-file"]


def test_a_row_needs_an_id_by_which_a_node_can_fetch_the_model(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = put(tmp_path / "a b$(c)", model())
    assert cli.main(["catalog", "add", str(folder)]) == 1
    assert "hub.bad-id" in capsys.readouterr().err
    assert cli.main(["catalog", "add", str(folder), "--id", "mine/model"]) == 0
    assert catalog.load().model("model").id == "mine/model"


def test_adding_a_model_that_the_catalogue_has_says_in_what_they_differ(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = put(tmp_path / "m", model())
    assert cli.main(["catalog", "add", str(folder), "--id", "Qwen/Qwen2.5-7B-Instruct"]) == 0
    told = capsys.readouterr().err
    assert "[catalog.own-row-differs]" in told
    assert "parameters_b, layers" in told


@pytest.mark.parametrize("own", ["https://[::1", "https://host:99999", "https://", "https://name:planted-key@host"])
def test_a_hub_whose_address_is_half_one_or_carries_a_password_is_not_asked(
    own: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "org/name", "--gpu", "T4", "--hub", f"huggingface={own}"]) == 2
    told = capsys.readouterr().err
    assert "[hub.bad-address]" in told
    assert "asking" not in told
    assert "planted-key" not in told


def test_a_hub_whose_address_is_none_is_told_as_such_and_what_is_asked_in_the_language_that_is_spoken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["check", "org/name", "--gpu", "T4", "--hub", "huggingface=notaurl"]) == 2
    told = capsys.readouterr().err
    assert "[hub.bad-address] 'notaurl' is no address" in told
    assert "--hub huggingface=https://host" in told
    assert (
        cli.main(["--lang", "zh", "check", "org/name", "--gpu", "T4", "--hub", "huggingface=http://127.0.0.1:9"]) == 2
    )
    told = capsys.readouterr().err
    assert "asking" not in told
    assert "no answer" not in told
    assert "refused" not in told


def test_a_row_that_was_edited_to_an_id_that_no_hub_has_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / own.FILE
    own.add(path, replace(catalog.model_from_config(put(tmp_path / "m", model())), id="mine/model"))
    path.write_text(path.read_text().replace('"id": "mine/model"', '"id": "mine/$(model)"'))
    monkeypatch.setenv(own.VARIABLE, str(path))
    assert codes(lambda: catalog.load().models) == ["catalog.broken-file"]
