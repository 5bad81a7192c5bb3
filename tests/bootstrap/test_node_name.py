"""A name that another authority signs for and that does not lead to the machine: a note, and never a failure."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm.roles.files import text
from pulumi_llm.roles.requests import Authority
from tests.bootstrap.samples import Node, booted, gpu_node

NAME = "llm.example.com"
OWN = "203.0.113.7"
REQUEST = replace(
    gpu_node(), domain=NAME, authority=Authority(directory="https://acme.example.com", email="a@example.com")
)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with its settings and a certificate for its address, as `up` makes it."""
    node = booted(tmp_path, REQUEST)
    document = bootstrap.settings(REQUEST)
    assert node.run("stage", stdin=json.dumps(document)).returncode == 0
    watch = next(each["content"] for each in document["files"] if each["path"] == "/opt/llm/watch.json")
    node.path("/opt/llm/watch.json").write_text(watch)
    secrets = node.path("/srv/llm/secrets")
    secrets.mkdir(parents=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", secrets / "tls.key", "-out", secrets / "tls.crt", "-days", "2", "-subj", "/CN=llm",
         "-addext", f"subjectAltName=IP:{OWN}, IP:10.0.0.4"],
        check=True, capture_output=True,
    )  # fmt: skip
    addresses = node.path("/proc/net/if_inet6")  # as the kernel writes it
    addresses.parent.mkdir(parents=True)
    addresses.write_text("20010db8000000000000000000000007 02 40 00 80     eth0\n")
    return node


def looked(node: Node, found: str) -> dict[str, Any]:
    """What the node's page says of the name, once a resolver answered ``found`` (addresses, or an error's name)."""
    answer = (
        f"raise socket.gaierror(socket.{found}, 'Name or service not known')"
        if found.startswith("EAI_")
        else f"return [(2, 1, 6, '', (each, 0)) for each in {found.split()!r}]"
    )
    code = f"""
import socket
def resolve(name, *_, **__):
    assert name == {NAME!r}
    {answer}
socket.getaddrinfo = resolve
from llm_node import naming, serve_status, status
status.publish()
naming.Looks().look()
print(serve_status.document().decode())
"""
    script = node.root / "look.py"
    script.write_text(code)
    document: dict[str, Any] = json.loads(node.python(f"exec(open({str(script)!r}).read())"))
    return document


@pytest.mark.parametrize("found", [OWN, f"{OWN} {OWN}", f"{OWN} 2001:db8::7", f"{OWN} 2001:0db8:0::7"])
def test_of_a_name_that_leads_here_nothing_is_said(node: Node, found: str) -> None:
    assert "name" not in looked(node, found)


@pytest.mark.parametrize(
    ("found", "others"),
    [
        ("198.51.100.9", "198.51.100.9"),
        (f"{OWN} 198.51.100.9", "198.51.100.9"),
        (f"{OWN} 2001:db8::bad", "2001:db8::bad"),
        ("198.51.100.9 198.51.100.10", "198.51.100.10, 198.51.100.9"),
    ],
)
def test_of_one_that_leads_elsewhere_it_says_where_and_where_to(node: Node, found: str, others: str) -> None:
    note = looked(node, found)["name"]
    assert note["code"] == "caddy.name-elsewhere"
    assert f"{NAME} resolves to {others}, and this machine is {OWN};" in note["message"]
    assert "on port 80" in note["message"]
    assert "load balancer" in note["hint"]
    jsonschema.validate(looked(node, found), json.loads(text("node/status.schema.json")))


def test_of_one_that_leads_nowhere_it_says_so(node: Node) -> None:
    note = looked(node, "EAI_NONAME")["name"]
    assert note["code"] == "caddy.name-unknown"
    assert OWN in note["message"]
    assert "Name or service not known" in note["message"]
    assert "address" in note["hint"]


def test_the_note_is_gone_once_the_name_leads_here(node: Node) -> None:
    assert "name" in looked(node, "EAI_NONAME")
    assert "name" not in looked(node, OWN)


def test_it_is_no_failure(node: Node) -> None:
    node.python("from llm_node import status; status.record('serve', 'done')")
    document = looked(node, "198.51.100.9")
    assert (document["ready"], document["code"]) == (True, None)


def test_who_does_not_know_its_own_address_says_nothing(node: Node) -> None:
    node.path("/srv/llm/secrets/tls.crt").unlink()
    assert "name" not in looked(node, "198.51.100.9")


@pytest.mark.parametrize(("server", "told"), [("127.0.0.53", True), ("::1", True), ("100.100.2.136", False)])
def test_a_resolver_that_the_watch_may_not_call_says_nothing_of_the_name(node: Node, server: str, told: bool) -> None:
    """A resolver elsewhere is out of the unit's reach (IPAddressDeny=any): its silence is not the name's."""
    node.path("/etc/resolv.conf").write_text(f"options edns0\nnameserver {server}\n")
    assert ("name" in looked(node, "EAI_AGAIN")) is told


def test_the_machines_own_resolver_is_asked(node: Node) -> None:
    """No name ends in ``.invalid`` (RFC 6761), and ``localhost`` is loopback."""
    said = node.python("from llm_node import naming; print(naming.verdict('llm.invalid', 80)[0])")
    assert said.strip() == "caddy.name-unknown"
    said = node.python("from llm_node import naming; print(naming.verdict('localhost', 80)[0])")
    assert said.strip() == "caddy.name-elsewhere"


@pytest.mark.parametrize("request_", [gpu_node(), replace(gpu_node(), domain=NAME)])
def test_a_name_that_nobody_else_signs_for_is_not_looked_up(request_: Any) -> None:
    files = {each["path"]: each["content"] for each in bootstrap.settings(request_)["files"]}
    assert "name" not in json.loads(files["/opt/llm/watch.json"])


def test_the_watch_looks_once_a_minute(node: Node) -> None:
    code = (
        "import sys; from llm_node import watch, naming; seen = []; naming.note = seen.append; "
        "watch.look = lambda ready: len(seen) or True; "
        "turns = iter(range(5)); watch.time.sleep = lambda _: next(turns, None) is None and sys.exit(); "
    )
    said = node.python(code + "import atexit; atexit.register(lambda: print(len(seen), seen[0]['name'])); watch.main()")
    assert said.strip() == f"1 {NAME}"
