"""`pulumi-llm bundle --upload`, from the command to the machine: to a real server of S3, versitygw, and back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm._backup.places import Store
from pulumi_llm._bootstrap import settings
from pulumi_llm._bundle import upload
from pulumi_llm._commands import bundle
from pulumi_llm._commands._bundle import nodes
from pulumi_llm.spec import bucket_of
from tests.backups.versitygw import PROGRAM, REGION, SECRET, Gateway, credentials
from tests.bootstrap.samples import Node
from tests.bootstrap.test_node_bucket import give_key
from tests.bootstrap.test_user_data import archive
from tests.bundle.line import Line
from tests.bundle.stack_at_a_cloud import STACK, Stack, stack
from tests.gateway.front import free_port

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(PROGRAM is None, reason="tools/fetch versitygw builds the server"),
]
HOME = "/srv/llm/bundle"
Said = pytest.CaptureFixture[str]


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    credentials(monkeypatch)
    with Gateway(tmp_path) as running:
        yield running


@pytest.fixture
def prod(gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The stack, with its bucket at that server."""
    with stack(tmp_path / "own", monkeypatch) as made:
        made.write(gateway.address)
        yield made


def run(prod: Stack, said: Said, *more: str) -> tuple[int, str, str]:
    """The command in this process: its exit code, and what it wrote."""
    said.readouterr()
    code = bundle.COMMAND.run([*prod.upload, *more])
    found = said.readouterr()
    assert SECRET not in found.out + found.err
    assert "X-Amz" not in found.out + found.err
    return code, found.out, found.err


def uploaded(prod: Stack, said: Said) -> str:
    """The digest that it ends with."""
    code, out, err = run(prod, said)
    assert code == 0, err
    return digest_in(out)


def digest_in(out: str) -> str:
    found = re.search(r"^server\.weights\.bundle: ([0-9a-f]{64})$", out, re.MULTILINE)
    assert found, out
    return found[1]


def refusal(prod: Stack, said: Said, *more: str) -> str:
    """The code that it is refused with."""
    code, out, err = run(prod, said, *more)
    assert code == 1, out
    (found,) = re.findall(r"^\[([a-z.-]+)\]", err, re.MULTILINE)
    return str(found)


def objects(gateway: Gateway) -> dict[str, bytes]:
    found = gateway.kept / "below/bundles"
    return {each.name: each.read_bytes() for each in found.iterdir() if each.stat().st_size}


def store(gateway: Gateway) -> Store:
    bucket = bucket_of("s3://kept/below")
    assert bucket is not None
    return Store(bucket, REGION, gateway.address, "bundles")


def machine(prod: Stack, gateway: Gateway, root: Path, digest: str) -> Node:
    """The machine of the stack whose file has that digest: what `render` writes, and then the settings over it."""
    prod.write(gateway.address, bundle=digest)
    (request,), *__ = nodes(prod.home, STACK)
    text = next(iter(rendered(prod).values()))
    written = {each["path"]: each["content"] for each in yaml.safe_load(text)["write_files"]}
    document = settings(request)
    laid = archive(text) | {"/opt/llm/node.json": written["/opt/llm/node.json"]}
    laid |= {f"/opt/llm/lib/{name}": content for name, content in document["code"].items()}
    laid |= {each["path"]: each["content"] for each in document["files"] if each["path"].startswith("/opt/llm/")}
    for name, content in laid.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    (root / "run/llm").mkdir(parents=True)
    node = Node(root)
    node.path("/opt/llm/bin/llm-node").chmod(0o755)
    node.impatient()
    give_key(node)
    return node


def rendered(prod: Stack) -> dict[str, str]:
    """What `pulumi-llm render` writes, by machine."""
    out = prod.home / "rendered"
    done = prod.command("render", "-s", STACK, "--out", str(out))
    assert done.returncode == 0, done.stderr
    return {each.parent.name: each.read_text(encoding="utf-8") for each in out.rglob("user-data.yaml")}


def depot(node: Node) -> str:
    """The code that the machine's own stage ends with; "" where it has the bundle."""
    if node.run("run", "depot").returncode == 0:
        assert node.path(f"{HOME}/.whole").exists()
        return ""
    assert not node.path(f"{HOME}/.whole").exists(), "what is not whole is not taken for it"
    return str(node.stage("depot")["code"])


def test_what_the_command_uploads_is_what_the_machine_has(
    prod: Stack, gateway: Gateway, tmp_path: Path, capsys: Said
) -> None:
    done = prod.command("bundle", *prod.upload)
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "not in it: what" not in done.stdout, "the machine that the bundle is for fetches nothing by itself"
    made = json.loads((prod.folder / "manifest.json").read_text())
    assert {each["kind"] for each in made["files"]} == {"packages", "wheels", "images", "weights"}
    for name, content in objects(gateway).items():
        assert hashlib.sha256(content).hexdigest() == name.removesuffix(".json"), "each is named by its digest"

    node = machine(prod, gateway, tmp_path / "node", digest_in(done.stdout))
    assert depot(node) == ""
    for each in made["files"]:
        there = node.path(f"{HOME}/{each['path']}").read_bytes()
        assert (hashlib.sha256(there).hexdigest(), len(there)) == (each["sha256"], each["bytes"])
    assert node.run("run", "bundle").returncode == 0
    home = node.path("/srv/llm/models/01-ai--Yi-6B-Chat--main")
    weights = [each for each in made["files"] if each["kind"] == "weights"]
    assert weights
    for each in weights:
        assert fingerprint(home / each["path"].split("/", 2)[2]) == each["sha256"]

    before = {each: each.stat().st_mtime_ns for each in (gateway.kept / "below/bundles").iterdir()}
    prod.files.asked.clear()
    code, out, __ = run(prod, capsys)
    assert code == 0
    assert "all of it was there, and nothing was sent" in out
    assert digest_in(out) == digest_in(done.stdout)
    after = {each: each.stat().st_mtime_ns for each in (gateway.kept / "below/bundles").iterdir()}
    assert {each for each in after if each.name != ".pulumi-llm" and after[each] != before.get(each)} == set()


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_program_reads_what_was_sent_beside_the_manifest(prod: Stack, gateway: Gateway, capsys: Said) -> None:
    code, out, err = run(prod, capsys, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told.pop("uploaded").keys() == {"bucket", "digest", "bytes", "sent"}
    assert told == json.loads((prod.folder / "manifest.json").read_text())


@pytest.mark.parametrize("wrong", ["missing", "changed", "index missing", "index changed"])
def test_what_is_not_as_it_was_sent_is_no_bundle_and_the_next_upload_mends_it(
    prod: Stack, gateway: Gateway, tmp_path: Path, capsys: Said, wrong: str
) -> None:
    digest = uploaded(prod, capsys)
    whole = objects(gateway)
    weights = max((each for each in whole if not each.endswith(".json")), key=lambda each: len(whole[each]))
    name = f"{digest}.json" if wrong.startswith("index") else weights
    there = store(gateway)
    if wrong.endswith("missing"):
        there.client.delete_object(Bucket="kept", Key=f"below/bundles/{name}")
    else:  # by somebody else who may write there: the size stays
        there.write(name, whole[name][:-2] + bytes([whole[name][-2] ^ 1]) + whole[name][-1:])
    node = machine(prod, gateway, tmp_path / "node", digest)
    assert depot(node) == ("depot.refused" if wrong == "index missing" else "depot.damaged")
    assert uploaded(prod, capsys) == digest
    assert objects(gateway) == whole
    assert depot(node) == ""


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("read-only", "bundle.bucket-refused"),
        ("another key", "bundle.bucket-refused"),
        ("another bucket", "bundle.bucket-refused"),
        ("no key", "bundle.no-credentials"),
        ("no server", "bundle.bucket-unreachable"),
    ],
)
def test_a_bucket_that_takes_nothing_is_told_before_anything_is_fetched(
    prod: Stack, gateway: Gateway, capsys: Said, monkeypatch: pytest.MonkeyPatch, wrong: str, code: str
) -> None:
    if wrong == "read-only":
        gateway.stop()
        gateway.start("--readonly")
    elif wrong == "another key":
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    elif wrong == "another bucket":
        prod.write(gateway.address, bucket="s3://nobody/below")
    elif wrong == "no key":
        credentials(monkeypatch, "", "")
        monkeypatch.setenv("HOME", "/nowhere")
    else:
        prod.write(f"http://127.0.0.1:{free_port()}")
    assert refusal(prod, capsys) == code
    assert prod.files.asked == []
    assert not prod.folder.exists()
    assert list(gateway.kept.rglob("*.json")) == []


def test_a_server_that_goes_away_half_way_leaves_no_bundle_and_the_rest_is_sent_later(
    prod: Stack, gateway: Gateway, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = upload._Sender.put, 0

    def put(self: Any, *arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 12:
            gateway.stop()
        return plain(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(upload._Sender, "put", put)
        assert refusal(prod, capsys) == "bundle.bucket-unreachable"
    first = objects(gateway)
    assert first, "something had been sent"
    assert not [each for each in first if each.endswith(".json")], "without its index it is no bundle"
    gateway.start()
    at = {each: (gateway.kept / "below/bundles" / each).stat().st_mtime_ns for each in first}
    digest = uploaded(prod, capsys)
    assert {each: (gateway.kept / "below/bundles" / each).stat().st_mtime_ns for each in first} == at
    assert depot(machine(prod, gateway, tmp_path / "node", digest)) == ""


@pytest.mark.parametrize("fault", ["cut", "bent"])
def test_a_line_that_fails_now_and_then_costs_a_second_sending_and_one_that_always_does_ends_it(
    prod: Stack, gateway: Gateway, capsys: Said, fault: str
) -> None:
    with Line(gateway.port, fault) as line:
        prod.write(line.address)
        line.faults = 99
        code = "bundle.bucket-unreachable" if fault == "cut" else "bundle.damaged"
        assert refusal(prod, capsys) == code
        assert line.faults < 99
        assert not [each for each in objects(gateway) if each.endswith(".json")]
        line.faults = 2
        digest = uploaded(prod, capsys)
        assert line.faults == 0
    for name, content in objects(gateway).items():
        assert hashlib.sha256(content).hexdigest() == name.removesuffix(".json")
    assert f"{digest}.json" in objects(gateway)


def test_where_the_bucket_calls_contents_by_other_names_sizes_are_compared(
    prod: Stack, gateway: Gateway, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded(prod, capsys)
    at = {each: each.stat().st_mtime_ns for each in (gateway.kept / "below/bundles").iterdir()}
    # As a bucket does that encrypts by keys of its own: versitygw has no such keys.
    held, sent = Store.held, upload._Sender._send
    monkeypatch.setattr(Store, "held", lambda *a: (found := held(*a)) and (found[0], "0" * 32))
    monkeypatch.setattr(upload._Sender, "_send", lambda *a: sent(*a) and "0" * 32)
    uploaded(prod, capsys)
    changed = {each for each, time in at.items() if each.stat().st_mtime_ns != time}
    (manifest,) = (each for each in changed if each.name != ".pulumi-llm")
    assert json.loads(manifest.read_text())["schema"] == 1, "the manifest alone, by which it is found out"
