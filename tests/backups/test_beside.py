"""What the chat page keeps goes along with the backups of the store beside it, and comes back with them."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.roles import registry
from tests.backups.plain import Plain
from tests.backups.systemctl import alive
from tests.bootstrap.samples import chat_node, without
from tests.gateway.front import free_port

pytestmark = pytest.mark.clients

VERSION = registry.role("open-webui").manifest.version
PAGE = (
    "import http.server, sys; s = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), type('H', "
    "(http.server.BaseHTTPRequestHandler,), {'do_GET': lambda h: (h.send_response(200), h.end_headers())})); "
    "s.serve_forever()"
)


class WithPage(Plain):
    """A store of plain files, and a page of plain files behind a port, with Open WebUI's role."""

    def __init__(self, root: Path, **more: Any) -> None:
        self.page_port = free_port()
        self.page = root / "srv/llm/open-webui"
        super().__init__(root, on=without(chat_node(), "pgvector"), **more)

    def unit(self, name: str | None = None, **told: Any) -> None:
        super().unit(name, **told)
        super().unit("llm-chat.service", argv=[sys.executable, "-c", PAGE, str(self.page_port)])

    def write(self, name: str, text: str) -> None:
        super().write(name, text.replace("7311", str(self.page_port)))

    def chat(self, text: str) -> None:
        (self.page / "uploads").mkdir(parents=True, exist_ok=True)
        (self.page / "webui.db").write_text(text)
        (self.page / "uploads" / "paper.pdf").write_text(f"paper of {text}")

    def kept(self) -> dict[str, str]:
        return {str(each.relative_to(self.page)): each.read_text() for each in self.page.rglob("*") if each.is_file()}

    def log(self) -> list[str]:
        lines = self.path("/bin/systemctl.log").read_text().splitlines()
        return [line for line in lines if not line.endswith("llm-backup.service")]

    def runs(self, unit: str) -> bool:
        pid = self.path(f"/bin/{unit}.pid")
        return pid.exists() and alive(int(pid.read_text()))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[WithPage]:
    made = WithPage(tmp_path / "node")
    made.systemctl("start", "llm-chat.service")
    made.fill("vectors")
    made.chat("chats")
    yield made
    made.close()


def test_what_was_wiped_is_there_again(node: WithPage) -> None:
    vectors, chats = node.holds(), node.kept()
    made = node.ask("make")
    assert made["beside"] == [{"name": "open-webui", "version": VERSION}]
    node.fill("others")
    node.chat("later chats")
    (node.page / "uploads" / "later.pdf").write_text("later")
    node.take(made)
    assert node.restore(made)["beside"] == ["open-webui"]
    assert node.holds() == vectors
    assert node.kept() == chats
    assert node.runs("llm-chat.service")
    assert node.runs("llm-milvus.service")


def test_the_page_stops_while_its_files_are_copied_and_no_longer(node: WithPage) -> None:
    begun = len(node.log())
    node.ask("make")
    assert [line for line in node.log()[begun:] if "chat" in line] == [
        "stop llm-chat.service",
        "start llm-chat.service",
    ]


def test_a_socket_that_it_left_is_not_kept(node: WithPage) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(node.page / "left.sock"))
        chats = node.kept()
        made = node.ask("make")
    node.take(made)
    node.restore(made)
    assert node.kept() == chats


def test_a_restore_that_fails_leaves_both_as_they_were(node: WithPage) -> None:
    made = node.ask("make")
    node.fill("others")
    node.chat("later chats")
    vectors, chats = node.holds(), node.kept()
    node.take(made)
    # The page does not come up with what was saved: its port is taken for as long as its unit is stopped.
    units = json.loads(node.path("/bin/units.json").read_text())
    units["llm-chat.service"]["argv"] = ["/bin/false"]
    node.path("/bin/units.json").write_text(json.dumps(units))
    code = node.path("/opt/llm/lib/llm_node/backup_store.py")
    code.write_text(code.read_text().replace("PATIENCE = 1800.0", "PATIENCE = 1.0"))
    assert node.restore(made)["error"]["code"] == "backup.engine-failed"
    assert node.holds() == vectors
    assert node.kept() == chats


def test_a_power_cut_at_any_step_is_taken_back_at_boot(node: WithPage) -> None:
    chats, vectors = node.kept(), node.holds()
    backup = node.path("/srv/llm/backup")
    for step in ("begun", "page aside", "page anew", "store aside"):
        node.systemctl("stop", "llm-chat.service")
        node.systemctl("stop")
        backup.mkdir(exist_ok=True)
        (backup / "under-way.json").write_text('{"what": "restore"}')
        if step != "begun":
            (backup / "before-beside").mkdir()
            node.page.rename(backup / "before-beside" / "open-webui")
        if step in ("page anew", "store aside"):
            node.page.mkdir()
            (node.page / "half").write_text("half")
        if step == "store aside":
            node.data.rename(backup / "before")
        begun = len(node.log())
        node.ask_quietly("recover", "--boot")
        assert node.log()[begun:] == []  # their own units come after it
        assert node.kept() == chats
        assert node.holds() == vectors
        assert [each.name for each in backup.iterdir()] == []


def test_a_backup_that_is_killed_while_the_page_is_stopped_leaves_it_running(node: WithPage) -> None:
    chats = node.kept()
    (node.page / "large").write_bytes(b"0" * 200_000_000)
    answer = node.kill_work(node.path("/srv/llm/backup/dump/.beside/open-webui").exists, "make")
    assert answer["error"]["code"] == "backup.died"
    until = time.monotonic() + 20
    while not node.runs("llm-chat.service"):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert {name: text for name, text in node.kept().items() if name != "large"} == chats


def test_a_newer_page_than_runs_here_is_refused_before_anything_is_touched(node: WithPage) -> None:
    made = node.ask("make")
    node.take(made)
    newer = {**made, "beside": [{"name": "open-webui", "version": "99.0"}]}
    begun = len(node.log())
    assert node.restore(newer)["error"]["code"] == "backup.newer-version"
    assert node.log()[begun:] == []


def test_a_backup_without_a_page_leaves_the_page_and_one_with_it_goes_where_none_is(
    node: WithPage, tmp_path: Path
) -> None:
    chats = node.kept()
    alone = Plain(tmp_path / "alone")
    try:
        alone.fill("of another machine")
        made = alone.ask("make")
        assert "beside" not in made
        node.take(made, alone)
        assert "beside" not in node.restore(made, alone.key)
        assert node.kept() == chats
        assert node.holds() == alone.holds()
        made = node.ask("make")
        alone.take(made, node)
        assert "beside" not in alone.restore(made, node.key)
        assert alone.holds() == node.holds()
    finally:
        alone.close()


def test_copies_of_the_pages_files_are_counted_before_anything_is_done(node: WithPage) -> None:
    code = node.path("/opt/llm/lib/llm_node/backup_restore.py")
    code.write_text(code.read_text().replace("ROOM = 0.05", "ROOM = 1.0").replace("LEAST = 2 * 2**30", "LEAST = 2**63"))
    begun = len(node.log())
    assert node.ask("make")["error"]["code"] == "backup.no-room"
    assert node.log()[begun:] == []
