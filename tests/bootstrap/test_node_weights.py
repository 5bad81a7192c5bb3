"""Weights come whole or not at all: resumed, verified, from the first hub that has them."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.bootstrap.samples import Node, booted, gpu_node, serve

FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model-00001-of-00002.safetensors": bytes(range(256)) * 4000,
    "model-00002-of-00002.safetensors": b"weights" * 90000,
    "pytorch_model.bin": b"the same again",
    "sub folder/tokenizer.json": b"{}",
}
WANTED = sorted(FILES.keys() - {"pytorch_model.bin"})


@dataclass
class Hub:
    """A hub that speaks both protocols, and how it misbehaves."""

    address: str = ""
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    cut_once: set[str] = field(default_factory=set)
    corrupt: set[str] = field(default_factory=set)
    corrupt_once: set[str] = field(default_factory=set)
    refuse: int = 0
    token: str = ""
    ignore_range: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    hold: Event | None = None
    gone: str = ""
    pages: bool = False
    cut_always: set[str] = field(default_factory=set)


def git_name(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def hub_server(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        next_page = ""

        def log_message(self, *_: object) -> None:
            pass

        def send(self, code: int, body: bytes, total: int | None = None) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(body) if total is None else total))
            if self.next_page:
                self.send_header("Link", self.next_page)
                self.next_page = ""
            self.end_headers()
            self.wfile.write(body)
            if total is not None:
                self.close_connection = True

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            sent = self.headers.get("Authorization")
            hub.requests.append((self.path, self.headers.get("Range"), sent))
            if hub.refuse or (hub.token and sent != f"Bearer {hub.token}"):
                return self.send(hub.refuse or 401, b"{}")
            rows = [(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()]
            if "page" in hub.extra:
                return self.send(200, hub.extra["page"])
            if hub.gone and f"/tree/{hub.gone}" in url.path:
                return self.send(404, b"{}")
            if url.path.startswith("/api/models/"):
                tree: list[Any] = [
                    {"type": "file", "path": name, "size": size, "oid": git_name(FILES[name])}
                    | ({"lfs": {"oid": oid}} if size > 1000 else {})
                    for name, size, oid in rows
                ]
                if hub.pages and "cursor" not in url.query:
                    self.next_page = f'<{hub.address}{self.path}&cursor=2>; rel="next"'
                    tree = tree[:2]
                elif hub.pages:
                    tree = tree[2:]
                tree += [{"type": "directory", "path": "sub folder", "size": 0}, *hub.extra.get("tree", [])]
                return self.send(200, json.dumps(tree).encode())
            if url.path.endswith("/repo/files"):
                listed = [{"Type": "blob", "Path": name, "Size": size, "Sha256": oid} for name, size, oid in rows]
                listed.append({"Type": "tree", "Path": "sub folder", "Size": 0})
                return self.send(200, json.dumps({"Data": {"Files": listed}}).encode())
            if url.path.endswith("/repo"):
                name = parse_qs(url.query)["FilePath"][0]
            else:
                name = unquote(url.path.split("/resolve/main/", 1)[-1])
            if name not in FILES:
                return self.send(404, b"{}")
            return self.file(name)

        def file(self, name: str) -> None:
            data = FILES[name]
            if name in hub.corrupt or name in hub.corrupt_once:
                hub.corrupt_once.discard(name)
                data = b"x" * len(data)
            asked = self.headers.get("Range")
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and not hub.ignore_range else 0
            body = data[start:]
            if hub.hold:
                self.send(200, body[:100], total=len(body))
                hub.hold.wait(20)
                return None
            if name in hub.cut_always:
                return self.send(206 if start else 200, body[:100_000], total=len(body))
            if name in hub.cut_once:
                hub.cut_once.discard(name)
                return self.send(206 if start else 200, body[: len(body) // 2], total=len(body))
            return self.send(206 if start else 200, body)

    with serve(Handler) as hub.address:
        yield hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_server(Hub()) as running:
        yield running


def node_for(root: Path, *hubs: Hub, kind: str = "huggingface") -> Node:
    """A node whose weights come from these hubs."""
    rows = [{"kind": kind, "endpoint": each.address, "token": True} for each in hubs]
    node = booted(root, gpu_node(), hubs=rows)
    node.impatient()
    return node


def model(node: Node) -> Path:
    return node.path("/srv/llm/models/01-ai--Yi-6B-Chat--main")


def assert_whole(node: Node) -> None:
    have = sorted(str(each.relative_to(model(node))) for each in model(node).rglob("*") if each.is_file())
    assert have == sorted([*WANTED, "complete.json"])
    for name in WANTED:
        assert (model(node) / name).read_bytes() == FILES[name]


@pytest.mark.parametrize("kind", ["huggingface", "modelscope"])
def test_a_model_comes_whole_from_either_kind_of_hub(tmp_path: Path, hub: Hub, kind: str) -> None:
    node = node_for(tmp_path, hub, kind=kind)
    done = node.run("run", "weights")
    assert done.returncode == 0, done.stderr
    assert_whole(node)


def test_what_is_there_is_not_fetched_again(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    node.run("run", "weights")
    before = len(hub.requests)
    assert node.run("run", "weights").returncode == 0
    assert len(hub.requests) == before


def test_a_file_that_lost_its_end_is_noticed_and_fetched_again(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    node.run("run", "weights")
    (model(node) / WANTED[1]).write_bytes(b"short")
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)


def test_a_cut_connection_is_resumed_where_it_was_cut(tmp_path: Path, hub: Hub) -> None:
    hub.cut_once = {WANTED[1]}
    node = node_for(tmp_path, hub)
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)
    half = len(FILES[WANTED[1]]) // 2
    assert f"bytes={half}-" in [asked for _, asked, _ in hub.requests]


def test_a_killed_download_goes_on_where_it_stopped(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    part = model(node).with_name(model(node).name + ".part")
    part.mkdir(parents=True)
    (part / WANTED[1]).write_bytes(FILES[WANTED[1]][:1000])
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)
    assert "bytes=1000-" in [asked for _, asked, _ in hub.requests]


def test_a_hub_that_ignores_ranges_still_gives_a_whole_file(tmp_path: Path, hub: Hub) -> None:
    hub.cut_once, hub.ignore_range = {WANTED[1]}, True
    node = node_for(tmp_path, hub)
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)


def test_a_corrupt_file_is_thrown_away_and_fetched_again(tmp_path: Path, hub: Hub) -> None:
    hub.corrupt_once = {WANTED[2]}
    node = node_for(tmp_path, hub)
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)


def test_a_file_that_stays_corrupt_is_never_served(tmp_path: Path, hub: Hub) -> None:
    hub.corrupt = {WANTED[2]}
    node = node_for(tmp_path, hub)
    assert node.run("run", "weights").returncode == 1
    assert node.stage("weights")["code"] == "weights.corrupt"
    assert not model(node).exists()


def test_a_dead_hub_is_passed_over_for_the_next(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, Hub(address="http://127.0.0.1:9"), hub)
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)


def test_no_hub_that_answers_is_a_code(tmp_path: Path) -> None:
    node = node_for(tmp_path, Hub(address="http://127.0.0.1:9"))
    assert node.run("run", "weights").returncode == 1
    assert node.stage("weights")["code"] == "weights.unreachable"


@pytest.mark.parametrize(
    ("answer", "code"), [(401, "weights.gated"), (403, "weights.gated"), (404, "weights.not-found")]
)
def test_a_refusal_has_its_own_code(tmp_path: Path, hub: Hub, answer: int, code: str) -> None:
    hub.refuse = answer
    node = node_for(tmp_path, hub)
    assert node.run("run", "weights").returncode == 1
    assert node.stage("weights")["code"] == code


def test_a_gated_model_comes_with_the_token(tmp_path: Path, hub: Hub) -> None:
    hub.token = "hf_planted"
    node = node_for(tmp_path, hub)
    node.path("/srv/llm/secrets").mkdir(parents=True)
    node.path("/srv/llm/secrets/hf_token").write_text("hf_planted\n")
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)


def test_a_hub_that_is_not_trusted_never_sees_the_token(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    document = json.loads(node.path("/opt/llm/node.json").read_text())
    document["hubs"][0]["token"] = False
    node.path("/opt/llm/node.json").write_text(json.dumps(document))
    node.path("/srv/llm/secrets").mkdir(parents=True)
    node.path("/srv/llm/secrets/hf_token").write_text("hf_planted\n")
    assert node.run("run", "weights").returncode == 0
    assert {sent for _, _, sent in hub.requests} == {None}


def test_a_file_outside_the_models_folder_is_not_written(tmp_path: Path, hub: Hub) -> None:
    hub.extra["tree"] = [
        {"type": "file", "path": "../../../etc/evil.json", "size": 2},
        {"type": "file", "path": "/etc/evil.json", "size": 2},
    ]
    node = node_for(tmp_path, hub)
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)
    assert not [path for path, *_ in hub.requests if "evil" in path]


def test_a_full_disk_is_noticed_before_the_first_byte(tmp_path: Path, hub: Hub) -> None:
    hub.extra["tree"] = [{"type": "file", "path": "model-00003.safetensors", "size": 2**60}]
    node = node_for(tmp_path, hub)
    assert node.run("run", "weights").returncode == 1
    assert node.stage("weights")["code"] == "weights.disk-full"
    assert [path for path, *_ in hub.requests if "resolve" in path] == []


def test_progress_is_told_in_bytes_and_percent(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    out = node.python(
        "from llm_node import status, weights, system; seen = []; real = status.record\n"
        "def record(stage, state, **fields):\n seen.append(fields.get('progress')); real(stage, state, **fields)\n"
        "status.record = record; weights.main(); print(seen[-1])"
    )
    total = sum(len(FILES[name]) for name in WANTED)
    assert f"'total': {total}" in out


# --- what lies on the disk already


def fetched_files(hub: Hub) -> list[str]:
    return [path for path, *_ in hub.requests if "/resolve/" in path]


def test_a_disk_from_another_machine_is_recognised_by_its_manifest(tmp_path: Path, hub: Hub) -> None:
    old = node_for(tmp_path / "old", hub)
    old.run("run", "weights")
    before = len(hub.requests)
    new = node_for(tmp_path / "new", hub)
    model(new).parent.mkdir(parents=True)
    model(old).rename(model(new))
    assert new.run("run", "weights").returncode == 0
    assert len(hub.requests) == before
    assert_whole(new)


def test_the_manifest_vouches_for_each_file_and_names_the_hub(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    node.run("run", "weights")
    manifest = json.loads((model(node) / "complete.json").read_text())
    assert manifest["hub"] == hub.address
    found = {name: (size, digest) for name, (size, _, digest) in manifest["files"].items()}
    assert found == {name: (len(FILES[name]), hashlib.sha256(FILES[name]).hexdigest()) for name in WANTED}


def test_of_a_model_with_one_short_file_only_that_file_is_fetched(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    node.run("run", "weights")
    (model(node) / WANTED[1]).write_bytes(FILES[WANTED[1]][:1000])
    hub.requests.clear()
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)
    assert len(fetched_files(hub)) == 1
    assert hub.requests[-1][1] == "bytes=1000-"


@pytest.mark.parametrize("place", range(len(WANTED)))
def test_of_a_model_that_lost_a_file_only_that_file_is_fetched(tmp_path: Path, hub: Hub, place: int) -> None:
    node = node_for(tmp_path, hub)
    node.run("run", "weights")
    (model(node) / WANTED[place]).unlink()
    hub.requests.clear()
    done = node.run("run", "weights")
    assert done.returncode == 0, done.stderr
    assert_whole(node)
    assert len(fetched_files(hub)) == 1


def test_a_file_that_was_changed_in_place_is_noticed_and_fetched_again(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    node.run("run", "weights")
    (model(node) / WANTED[2]).write_bytes(b"x" * len(FILES[WANTED[2]]))
    hub.requests.clear()
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)
    assert len(fetched_files(hub)) == 1


def test_a_file_that_was_only_touched_is_read_and_not_fetched(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    node.run("run", "weights")
    (model(node) / WANTED[2]).touch()
    hub.requests.clear()
    assert node.run("run", "weights").returncode == 0
    assert hub.requests == []


def test_what_one_hub_began_another_finishes(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    part = model(node).with_name(model(node).name + ".part")
    part.mkdir(parents=True)
    (part / WANTED[1]).write_bytes(FILES[WANTED[1]][:5000])
    assert node.run("run", "weights").returncode == 0
    assert [asked for path, asked, _ in hub.requests if WANTED[1] in path] == ["bytes=5000-"]
    assert_whole(node)


def test_what_an_earlier_download_left_and_nobody_reads_goes(tmp_path: Path, hub: Hub) -> None:
    node = node_for(tmp_path, hub)
    part = model(node).with_name(model(node).name + ".part")
    (part / "original").mkdir(parents=True)
    (part / "consolidated.safetensors").write_bytes(b"half of it")
    (part / "original/model.safetensors").write_bytes(b"all of it")
    (part / WANTED[1]).write_bytes(FILES[WANTED[1]][:5000])
    assert node.run("run", "weights").returncode == 0
    assert "bytes=5000-" in [asked for _, asked, _ in hub.requests]
    assert_whole(node)


# --- hubs in trouble


def test_a_hub_that_stands_still_is_left_for_the_next(tmp_path: Path, hub: Hub) -> None:
    released = Event()
    with hub_server(Hub(hold=released)) as still:
        node = node_for(tmp_path, still, hub)
        done = node.run("run", "weights", LLM_STALL_SECONDS="0.3")
        released.set()
    assert done.returncode == 0, done.stderr
    assert_whole(node)


def test_the_only_hub_standing_still_is_a_code(tmp_path: Path) -> None:
    released = Event()
    with hub_server(Hub(hold=released)) as still:
        node = node_for(tmp_path, still)
        assert node.run("run", "weights", LLM_STALL_SECONDS="0.3").returncode == 1
        released.set()
    assert node.stage("weights")["code"] in ("weights.slow", "weights.unreachable")
    assert not model(node).exists()


def test_a_revision_that_is_gone_is_told_apart_from_a_model_that_is(tmp_path: Path, hub: Hub) -> None:
    hub.gone = "v1"
    node = node_for(tmp_path, hub)
    document = json.loads(node.path("/opt/llm/node.json").read_text())
    document["model"]["revision"] = "v1"
    node.path("/opt/llm/node.json").write_text(json.dumps(document))
    assert node.run("run", "weights").returncode == 1
    assert node.stage("weights")["code"] == "weights.revision-gone"


def test_a_token_that_the_hub_does_not_know_is_told_apart_from_none(tmp_path: Path, hub: Hub) -> None:
    hub.token = "hf_right"
    node = node_for(tmp_path, hub)
    node.path("/srv/llm/secrets").mkdir(parents=True)
    node.path("/srv/llm/secrets/hf_token").write_text("hf_wrong\n")
    assert node.run("run", "weights").returncode == 1
    assert node.stage("weights")["code"] == "weights.wrong-token"
    assert "hf_wrong" not in node.path("/run/llm/status.json").read_text()


def test_a_hub_that_answers_a_login_page_is_passed_over(tmp_path: Path, hub: Hub) -> None:
    with hub_server(Hub(extra={"page": b"<html>please sign in</html>"})) as portal:
        node = node_for(tmp_path, portal, hub)
        assert node.run("run", "weights").returncode == 0
    assert_whole(node)


def test_small_files_are_checked_by_the_name_that_git_gives_them(tmp_path: Path, hub: Hub) -> None:
    hub.corrupt = {"config.json"}
    node = node_for(tmp_path, hub)
    assert node.run("run", "weights").returncode == 1
    assert node.stage("weights")["code"] == "weights.corrupt"


def test_a_listing_of_several_pages_is_read_to_its_end(tmp_path: Path, hub: Hub) -> None:
    hub.pages = True
    node = node_for(tmp_path, hub)
    assert node.run("run", "weights").returncode == 0
    assert_whole(node)


def test_bytes_that_keep_coming_keep_the_stage_trying(tmp_path: Path, hub: Hub) -> None:
    hub.cut_always = {WANTED[1]}
    node = node_for(tmp_path, hub)
    done = node.run("run", "weights", LLM_POLL_SECONDS="0.01")
    assert done.returncode == 0, done.stderr
    assert_whole(node)
    assert len([path for path in fetched_files(hub) if WANTED[1] in path]) > 6
