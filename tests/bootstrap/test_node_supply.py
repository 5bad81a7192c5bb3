"""Sources are asked before they are used, slow ones are left, and what lies beneath a failure is named."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest

from pulumi_llm.roles import registry
from pulumi_llm.roles.files import text
from tests.bootstrap.samples import Node, gpu_node, serve, supplied

DEAD = "http://127.0.0.1:9/simple"


@contextmanager
def source(before: Callable[[], object] = lambda: None, date: str = "") -> Iterator[str]:
    """A source that does something before it answers, and may tell another time than ours."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def date_time_string(self, timestamp: float | None = None) -> str:
            return date or super().date_time_string(timestamp)

        def do_GET(self) -> None:
            before()
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def do_HEAD(self) -> None:
            self.do_GET()

    with serve(Handler) as address:
        yield address


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return supplied(tmp_path, gpu_node())


def supply(node: Node, code: str, **env: str) -> str:
    """What a line of Python says in the node's code, with these variables set."""
    return node.python(f"import os, json; os.environ.update({env!r})\nfrom llm_node import supply, system\n{code}")


def ranked(node: Node, *sources: str, seconds: str = "2") -> list[str]:
    said = supply(node, f"print(json.dumps(supply.ranked({list(sources)!r})))", LLM_PROBE_SECONDS=seconds)
    return list(json.loads(said))


def test_sources_that_answer_alike_keep_their_order(node: Node) -> None:
    with source() as first, source() as second:
        assert ranked(node, first, second) == [first, second]
        assert ranked(node, second, first) == [second, first]


def test_a_dead_source_is_tried_last(node: Node) -> None:
    with source() as alive:
        assert ranked(node, DEAD, alive) == [alive, DEAD]


def test_a_source_that_hangs_is_tried_last_and_holds_nobody_up(node: Node) -> None:
    released = Event()
    with source(released.wait) as hanging, source() as alive:
        assert ranked(node, hanging, alive) == [alive, hanging]
        released.set()


def test_a_source_far_slower_than_the_best_is_left_for_later(node: Node) -> None:
    with source(lambda: time.sleep(1.2)) as slow, source() as quick:
        assert ranked(node, slow, quick, DEAD) == [quick, slow, DEAD]


def test_what_only_its_own_tool_can_ask_keeps_its_place(node: Node) -> None:
    assert ranked(node, "", DEAD) == ["", DEAD]


@pytest.mark.parametrize(("answer", "code"), [("EAI_AGAIN", "node.dns-dead"), ("EAI_NONAME", "none")])
def test_a_name_server_that_never_answers_is_told_before_anything_is_tried(node: Node, answer: str, code: str) -> None:
    said = supply(
        node,
        f"""import socket
def ask(*_, **__): raise socket.gaierror(socket.{answer}, "so it is")
socket.getaddrinfo = ask
try: supply.ranked(["", "https://mirror.invalid/simple"]); print("none")
except system.Failure as failure: print(failure.code, failure.message, failure.retry)""",
        LLM_PROBE_SECONDS="0.5",
    )
    assert said.startswith(code)
    assert code == "none" or said.endswith("no name server answers to mirror.invalid True\n")


def test_sources_are_not_asked_where_that_is_switched_off(node: Node) -> None:
    assert ranked(node, DEAD, "http://127.0.0.1:8", seconds="0") == [DEAD, "http://127.0.0.1:8"]


# --- programs that stall


def watched(node: Node, script: str, last: bool, window: float = 0.2) -> tuple[int, str]:
    """Run a script under watch, with a window of some seconds: wide ones where a busy machine must not end it."""
    code = f"print(json.dumps(supply.watched({last}, lambda done: None, 'sh', '-c', {script!r})))"
    rc, out = json.loads(supply(node, code, LLM_POLL_SECONDS="0.05", LLM_STALL_SECONDS=str(window)))
    return int(rc), str(out)


@pytest.mark.parametrize("last", [True, False])
def test_a_program_that_stands_still_is_ended(node: Node, last: bool) -> None:
    rc, out = watched(node, "echo begun; sleep 60", last)
    assert rc == 124
    assert "begun" in out
    assert "too slow" in out


def trickle(node: Node) -> str:
    """A program that writes 20 kB a second, for a second and a half."""
    script = node.root / "trickle.py"
    script.write_text(
        "import time\nwith open(__file__ + '.out', 'wb', 0) as out:\n"
        " for _ in range(30):\n  out.write(bytes(1024)); time.sleep(0.05)\n"
    )
    return f"exec python3 {script}"


def test_a_trickle_is_left_while_there_is_another_source(node: Node) -> None:
    assert watched(node, trickle(node), last=False)[0] == 124


def test_the_last_source_may_trickle(node: Node) -> None:
    assert watched(node, trickle(node), last=True, window=1)[0] == 0


def test_a_program_that_computes_is_not_ended(node: Node) -> None:
    busy = "import time; end = time.monotonic() + 1.7\nwhile time.monotonic() < end: sum(range(1000))"
    assert watched(node, f"python3 -c '{busy}'", last=True, window=1)[0] == 0


def test_what_a_program_started_is_ended_with_it(node: Node) -> None:
    mark = node.root / "survived"
    watched(node, f"(sleep 1; touch {mark}) & sleep 60", last=True)
    time.sleep(1.2)
    assert not mark.exists()


def test_a_program_that_is_not_there_is_told_apart(node: Node) -> None:
    code = "from llm_node import supply; print(supply.watched(True, print, 'no-such-program')[0])"
    assert node.python(code).strip() == "127"


# --- what lies beneath


def diagnosed(node: Node, *sources: str, code: str = "python.index-unreachable") -> str:
    """The code that a failure is given, with these sources."""
    path = node.path("/opt/llm/supply.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pypi": list(sources), "apt": []}))
    machine = json.loads(node.path("/opt/llm/node.json").read_text()) | {"hubs": []}
    node.path("/opt/llm/node.json").write_text(json.dumps(machine))
    script = f"found = supply.diagnosed(system.Failure({code!r}, 'so it was', True))\n"
    return supply(node, script + "print(found.code, found.message, found.retry)", LLM_PROBE_SECONDS="1")


def test_a_dead_name_server_has_its_own_code(node: Node) -> None:
    said = diagnosed(node, "https://mirror.invalid/simple", "https://other.invalid/simple")
    assert said.startswith("node.dns-dead none of mirror.invalid, other.invalid can be resolved True")


def test_one_name_that_resolves_is_enough(node: Node) -> None:
    assert diagnosed(node, "https://mirror.invalid/simple", DEAD).startswith("python.index-unreachable so it was")


@pytest.mark.parametrize(("hours", "shown"), [(24, "-24.0 h"), (-24, "+24.0 h")])
def test_a_clock_that_is_far_off_has_its_own_code(node: Node, hours: int, shown: str) -> None:
    with source(date=formatdate(time.time() + hours * 3600, usegmt=True)) as mirror:
        said = diagnosed(node, mirror)
    assert said.startswith(f"node.clock-off this machine's clock is {shown} off")


def test_a_clock_that_is_a_little_off_is_not_blamed(node: Node) -> None:
    with source(date=formatdate(time.time() + 60, usegmt=True)) as mirror:
        assert diagnosed(node, mirror).startswith("python.index-unreachable")


def test_what_is_no_failure_to_fetch_is_not_looked_into(node: Node) -> None:
    assert diagnosed(node, "https://mirror.invalid/", code="weights.gated").startswith("weights.gated")


def test_nothing_on_the_node_asks_a_metadata_address() -> None:
    from pulumi_llm._bootstrap.files import node_code

    everything = "".join(node_code().values()) + text("node/user_data.yaml.j2")
    for address in ("169.254.", "100.100.100.200", "metadata.tencentyun.com"):
        assert address not in everything


# --- locks


@pytest.mark.parametrize("name", sorted(registry.environments()))
def test_each_lock_is_the_one_whose_digest_is_pinned(node: Node, name: str) -> None:
    pins = registry.environments()[name]
    lock = text(f"locks/{name}.txt")
    package = re.split(r"[\[=]", pins.requirement)[0]
    code = f"from llm_node import wheels; print(wheels.digest(open({str(node.root / 'lock')!r}).read()))"
    (node.root / "lock").write_text(lock)
    assert node.python(code).strip() == pins.wheels.digest
    assert len(lock.splitlines()) == pins.wheels.count
    assert any(line.startswith(f"{package}=={pins.version} --hash=sha256:") for line in lock.splitlines())


def test_the_tool_that_makes_locks_computes_the_same_digest() -> None:
    import subprocess
    import sys

    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, root / "tools/lock", "--check"], check=False).returncode == 0


def test_the_locked_wheels_are_for_the_processor_and_the_python_of_every_node() -> None:
    from pulumi_llm import catalog
    from pulumi_llm.preflight.gpus import _only_on_arm

    known = catalog.load()
    for name, row in registry.environments().items():
        assert "Python 3.12, x86_64" in row.wheels.source, name
    assert registry.role("node").manifest.facts["ubuntu"]["version"] == "24.04"
    # Machines with a GPU: another processor only under a GPU that `fit.arm-without-kernels` refuses.
    others = {row.gpu for row in known.instances if row.gpu and row.arch != "x86_64"}
    assert all(_only_on_arm(gpu) for gpu in others)
    # Machines without: a proxy and a vector store are placed among these.
    for cloud, region in known.regions:
        assert {each.instance.arch for each in known.hosts(cloud=cloud, region=region)} <= {"x86_64"}
