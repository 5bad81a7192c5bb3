"""A store whose makers give no means of their own: its files are copied while it is stopped. Here Chroma, for real."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.backups.node import Node
from tests.gateway.front import free_port
from tests.vectors.wheels import environment

pytestmark = pytest.mark.clients
ITEMS = 50


class Chroma(Node):
    """From its locked wheels, started as its unit says."""

    def __init__(self, root: Path) -> None:
        self.port = free_port()
        super().__init__(root, "chroma", replaced={"7310": str(self.port)})
        unit = self.path("/etc/systemd/system/llm-chroma.service").read_text()
        line = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        assert line
        argv = shlex.split(line[1].replace("/srv/llm/chroma", str(self.path("/srv/llm/chroma"))))
        argv[0] = str(environment("chroma") / "bin" / Path(argv[0]).name)
        self.unit(argv=argv, cwd=str(self.path("/srv/llm/chroma")), env={"ANONYMIZED_TELEMETRY": "False"})
        self.base = "/tenants/default_tenant/databases/default_database/collections"

    def call(self, path: str, body: Any = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(f"http://127.0.0.1:{self.port}/api/v2{path}", data, headers, method=method)
        with urlopen(request, timeout=60) as reply:
            return json.loads(reply.read() or b"null")

    def wait(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                self.call("/heartbeat")
                return
            except OSError:
                assert time.monotonic() < until, self.path("/bin/llm-chroma.service.log").read_text()[-3000:]
                time.sleep(0.1)

    def fill(self) -> str:
        made: str = self.call(self.base, {"name": "texts"})["id"]
        vectors = [[float(n), float(n % 7), 1.0] for n in range(ITEMS)]
        ids = [str(n) for n in range(ITEMS)]
        self.call(f"{self.base}/{made}/add", {"ids": ids, "embeddings": vectors, "documents": [f"t {n}" for n in ids]})
        return made

    def near(self, collection: str) -> Any:
        asked = {"query_embeddings": [[17.2, 3.1, 1.0]], "n_results": 3, "include": ["documents", "distances"]}
        return self.call(f"{self.base}/{collection}/query", asked)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Chroma]:
    made = Chroma(tmp_path / "node")
    try:
        made.systemctl("start")
        made.wait()
        yield made
    finally:
        made.close()


def test_what_was_wiped_answers_as_before(store: Chroma) -> None:
    collection = store.fill()
    before = store.near(collection)
    made = store.ask("make")
    assert (made["engine"], made["version"], made["count"]) == ("chroma", "1.5.9", ITEMS)
    store.call(f"{store.base}/texts", method="DELETE")
    store.take(made)
    assert store.restore(made)["count"] == ITEMS
    assert store.near(collection) == before


def test_it_is_stopped_while_its_files_are_copied_and_runs_afterwards(store: Chroma) -> None:
    store.fill()
    store.ask("make")
    log = [each for each in store.path("/bin/systemctl.log").read_text().splitlines() if "chroma" in each]
    assert log[-2:] == ["stop llm-chroma.service", "start llm-chroma.service"]
    store.wait()


def test_a_backup_that_is_killed_while_it_is_stopped_leaves_it_running(store: Chroma) -> None:
    collection = store.fill()
    before = store.near(collection)
    answer = store.kill_work(store.path("/srv/llm/backup/under-way.json").exists, "make")
    assert answer["error"]["code"] == "backup.died"
    store.wait()
    assert store.near(collection) == before
    assert store.ask("make")["count"] == ITEMS  # the next one is not in the way of what is left


def test_a_restore_that_a_power_cut_broke_off_is_taken_back_at_boot(store: Chroma) -> None:
    """What lies on the disk after each step of a restore, and what `recover --boot` makes of it."""
    collection = store.fill()
    before = store.near(collection)
    backup, data = store.path("/srv/llm/backup"), store.path("/srv/llm/chroma")
    for step in ("begun", "set aside", "made anew"):
        store.systemctl("stop")
        (backup / "under-way.json").write_text('{"what": "restore"}')
        if step != "begun":
            data.rename(backup / "before")
        if step == "made anew":
            data.mkdir()
            (data / "half").write_text("half")
        import subprocess

        log = store.path("/bin/systemctl.log").read_text()
        subprocess.run(store.program("recover", "--boot"), check=True, env=store.env)
        since = store.path("/bin/systemctl.log").read_text().removeprefix(log)
        assert {line.split()[0] for line in since.splitlines()} <= {"is-active"}  # the store's own unit comes after it
        store.systemctl("start")
        store.wait()
        assert store.near(collection) == before
        assert not (backup / "under-way.json").exists()
        assert not (data / "half").exists()


def test_what_a_finished_restore_left_is_not_taken_for_the_data_of_the_next(store: Chroma) -> None:
    collection = store.fill()
    before, made = store.near(collection), store.ask("make")
    stale = store.path("/srv/llm/backup/before")
    stale.mkdir()
    (stale / "stale").write_text("of a restore that was killed after it was done")
    store.take(made)
    manifest = {**made, "count": made["count"] + 1}
    assert store.restore(manifest)["error"]["code"] == "backup.count-differs"
    store.wait()
    assert store.near(collection) == before
    assert not store.path("/srv/llm/chroma/stale").exists()


def test_copies_that_would_fill_the_disk_are_refused_before_anything_is_done(store: Chroma) -> None:
    store.fill()
    code = store.path("/opt/llm/lib/llm_node/backup_restore.py")
    code.write_text(code.read_text().replace("ROOM = 0.05", "ROOM = 1.0").replace("LEAST = 2 * 2**30", "LEAST = 2**63"))
    answer = store.ask("make")
    assert answer["error"]["code"] == "backup.no-room"
    assert "stop llm-chroma" not in store.path("/bin/systemctl.log").read_text()


def test_a_large_disk_that_is_nearly_full_is_copied_while_the_copies_fit(store: Chroma) -> None:
    store.fill()
    code = store.path("/opt/llm/lib/llm_node/backup_restore.py")
    full = "shutil.disk_usage = lambda _: __import__('types').SimpleNamespace(free=7 * 2**30, total=252 * 2**30)\n"
    code.write_text(code.read_text().replace("BEFORE, NEW =", f"{full}BEFORE, NEW =", 1))
    assert store.ask("make")["engine"] == "chroma"


def test_one_work_at_a_time(store: Chroma) -> None:
    import fcntl

    store.path("/run/llm/backup").mkdir(parents=True)
    with store.path("/run/llm/backup/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert store.ask("make")["error"]["code"] == "backup.busy"
