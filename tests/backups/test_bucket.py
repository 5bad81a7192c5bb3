"""A bucket of a real server that speaks S3 and holds every signature to account: versitygw, over folders."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._backup.manifest import FILE
from pulumi_llm._backup.places import Store
from pulumi_llm.errors import Refusal
from pulumi_llm.roles.backup import CONFIG
from pulumi_llm.spec import bucket_of
from tests.backups.plain import Plain
from tests.backups.versitygw import KEY, PROGRAM, SECRET, Gateway, credentials
from tests.gateway.front import free_port

__all__ = ["KEY", "PROGRAM", "SECRET"]

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(PROGRAM is None, reason="tools/fetch versitygw builds the server"),
]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    credentials(monkeypatch)
    with Gateway(tmp_path) as running:
        yield running.address, running.kept


def store(endpoint: str) -> Store:
    bucket = bucket_of("s3://kept/below")
    assert bucket is not None
    return Store(bucket, "cn-hangzhou", endpoint, "project/stack")


def test_the_node_sends_and_fetches_by_signed_addresses_alone(server: tuple[str, Path], tmp_path: Path) -> None:
    endpoint, files = server
    place, node = store(endpoint), Plain(tmp_path / "node")
    try:
        node.fill("of before")
        before, made = node.holds(), node.ask("make")
        urls = {each["name"]: place.signed("put", f"{made['id']}/{each['name']}") for each in made["parts"]}
        sums = {each["name"]: each["sha256"] for each in made["parts"]}
        assert node.ask("send", urls=urls, sha256=sums) == {}
        place.write(f"{made['id']}/{FILE}", json.dumps(made).encode())
        assert place.ids() == [made["id"]]
        assert len(list((files / "below/project/stack" / made["id"]).iterdir())) == len(made["parts"]) + 1
        node.ask("drop")
        node.fill("later")
        urls = {each["name"]: place.signed("get", f"{made['id']}/{each['name']}") for each in made["parts"]}
        assert node.ask("fetch", urls=urls) == {}
        assert node.restore(made).get("error") is None
        assert node.holds() == before
        for each in node.root.rglob("*"):
            assert not each.is_file() or SECRET.encode() not in each.read_bytes(), each
        place.delete(made["id"])
        assert place.ids() == []
    finally:
        node.close()


def test_an_address_of_another_signature_and_a_part_of_another_backup_are_refused_and_not_told(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    endpoint, __ = server
    node = Plain(tmp_path / "node")
    try:
        node.fill()
        made = node.ask("make")
        other = {each["name"]: "0" * 64 for each in made["parts"]}
        urls = {name: store(endpoint).signed("put", f"x/{name}") for name in other}
        assert node.ask("send", urls=urls, sha256=other)["error"]["code"] == "backup.no-such-part"
        bent = store(endpoint).signed("put", "x/part-00000").replace("X-Amz-Signature=", "X-Amz-Signature=0")
        answer = node.ask("send", urls={"part-00000": bent})
        assert answer["error"]["code"] == "backup.target-refused"
        assert "403" in answer["error"]["message"]
        assert "X-Amz" not in json.dumps(answer)
        away = {"part-00000": f"http://127.0.0.1:{free_port()}/x"}
        node.path("/opt/llm/lib/llm_node/backup_send.py").write_text(
            node.path("/opt/llm/lib/llm_node/backup_send.py").read_text().replace('"--retry", "4"', '"--retry", "0"')
        )
        assert node.ask("send", urls=away)["error"]["code"] == "backup.target-unreachable"
        assert made["parts"]
    finally:
        node.close()


def test_the_timer_signs_by_curl_sends_the_manifest_last_and_deletes_the_oldest(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    endpoint, files = server
    target = {"url": f"{endpoint}/kept", "region": "cn-hangzhou", "prefix": "below/project/stack", "keep": 2}
    node = Plain(tmp_path / "node", target=target)
    try:
        node.write("/srv/llm/secrets/backup.access-key-id", f"{KEY}\n")
        node.write("/srv/llm/secrets/backup.access-key-secret", f"{SECRET}\n")
        for turn in range(3):
            node.fill(f"turn {turn}")
            node.systemctl("start", "llm-backup.service")
            time.sleep(1)  # ids are of seconds
        told = node.ask("last")
        assert told["last"].get("error") is None, told
        assert told["last"]["scheduled"]
        assert len(told["sent"]) == 2
        ids = sorted(each.name for each in (files / "below/project/stack").iterdir() if any(each.iterdir()))
        assert ids == told["sent"]
        assert all((files / "below/project/stack" / each / FILE).is_file() for each in ids)
        assert not node.path("/srv/llm/backup/parts").exists()
        made = json.loads((files / "below/project/stack" / ids[-1] / FILE).read_text())["time"]
        page = node.path("/run/llm/backup.json")
        assert json.loads(page.read_text()) == {"newest": made, "code": None, "hint": None}
        node.write("/srv/llm/secrets/backup.access-key-secret", "another\n")
        done = subprocess.run([node.path("/bin/systemctl"), "start", "llm-backup.service"], env=node.env)
        assert done.returncode == 1
        last = node.ask("last")
        assert last["last"]["error"]["code"] == "backup.target-refused"
        assert last["sent"] == told["sent"]  # nothing that was good is gone
        assert json.loads(page.read_text()) | {"hint": None} == {
            "newest": made,
            "code": "backup.target-refused",
            "hint": None,
        }
        node.wait()
    finally:
        node.close()


def test_a_newer_version_of_the_store_comes_after_a_backup_that_lies_in_the_bucket(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    endpoint, files = server
    target = {"url": f"{endpoint}/kept", "region": "cn-hangzhou", "prefix": "below/project/stack", "keep": 7}
    node = Plain(tmp_path / "node", target=target)
    lies = files / "below/project/stack"
    document = node.document
    (config,) = (each for each in document["files"] if each["path"] == CONFIG)
    newer = {**config, "content": json.dumps({**json.loads(config["content"]), "version": "9.9"})}
    upgrade = {**document, "files": [newer if each is config else each for each in document["files"]]}
    (name,) = document["before"]
    code = (
        f"import json, sys; sys.path.insert(0, {str(node.path('/opt/llm/lib'))!r})\n"
        f"from llm_node import {name}, system\n"
        f"import time; {name}.POLL = 0.1\n"
        f"try: {name}.before(json.load(sys.stdin), print, time.monotonic() + float(sys.argv[1]))\n"
        "except system.Failure as failure: print('FAILED', failure.code, failure.message)"
    )

    def asked(settings: dict[str, Any], seconds: float = 60) -> str:
        argv = [sys.executable, "-c", code, str(seconds)]
        done = subprocess.run(argv, input=json.dumps(settings), env=node.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        node.write("/srv/llm/secrets/backup.access-key-id", f"{KEY}\n")
        node.write("/srv/llm/secrets/backup.access-key-secret", f"{SECRET}\n")
        node.fill("before")
        assert asked(document) == ""
        assert not lies.exists()
        stands = json.loads(config["content"])
        assert asked(upgrade).strip().endswith(f"a backup before {stands['title']} {stands['version']} becomes 9.9")
        (made,) = lies.iterdir()
        assert json.loads((made / FILE).read_text())["version"] == stands["version"]
        # One that somebody asked for is under way, and goes to no bucket: it is not taken for this.
        time.sleep(1)
        by_hand = threading.Thread(target=lambda: node.ask("make"))
        by_hand.start()
        time.sleep(0.2)
        asked(upgrade)
        by_hand.join()
        assert len([each for each in lies.iterdir() if (each / FILE).exists()]) == 2
        assert "FAILED backup.none-before-upgrade" in asked(upgrade, seconds=0)
        node.systemctl("start", "llm-backup.service")  # it joins the one that goes on
        kept = {each for each in lies.iterdir() if (each / FILE).exists()}
        node.write("/srv/llm/secrets/backup.access-key-secret", "another\n")
        said = asked(upgrade)
        assert "FAILED backup.none-before-upgrade" in said
        assert "[backup.target-refused]" in said
        assert {each for each in lies.iterdir() if (each / FILE).exists()} == kept
        node.wait()
    finally:
        node.close()


def test_a_bucket_that_refuses_is_told_without_a_key(server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, __ = server
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    place = store(endpoint)
    for ask in (place.writable, place.ids):
        with pytest.raises(Refusal) as refused:
            ask()
        assert [each.code for each in refused.value.findings] == ["backup.target-refused"]
        assert "another" not in str(refused.value)
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(Refusal) as refused:
        store(endpoint).ids()
    assert [each.code for each in refused.value.findings] == ["backup.no-credentials"]
