"""What the seam of roles has for vector stores: TLS of their own, a status without HTTP, a port that is called."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._commands._status import targets_of
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import ServiceRole, caddy, order, registry
from tests.bootstrap.samples import engine_node, proxy_node, serve, supplied
from tests.roles.sample import ROLE, installed
from tests.test_components import SERVER, plan_of
from tests.vectors.front import fronted


def refused(folder: Path, **changes: str) -> str:
    """What is said of the sample role with lines of it replaced."""
    text = ROLE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    with installed(folder, role=text), pytest.raises(Refusal) as found:
        registry.role("ledger")
    return str(found.value)


def test_a_service_that_ends_tls_itself_has_no_site_of_caddys_and_its_port_is_open() -> None:
    node = engine_node("pgvector")
    assert ":18446 {" not in caddy.caddyfile(node)
    assert order.ports(node) == {18444: "PostgreSQL and status (HTTPS)", 18446: "PostgreSQL (TLS)"}


def test_two_that_want_one_port_are_refused_whoever_listens_there() -> None:
    node = engine_node("pgvector").having(ServiceRole(role="pgvector", ports={"sql": 18444}))
    with pytest.raises(Refusal, match=r"bootstrap\.bad-port"):
        bootstrap.check(node)


def test_beside_a_gateway_the_status_has_no_second_port() -> None:
    node = proxy_node().having(ServiceRole(role="pgvector"))
    assert 18444 not in order.ports(node)
    assert 18446 in order.ports(node)
    plan = plan_of(llm.ModelServer, {**SERVER, "vectors": True, "vectors_engine": "pgvector"})
    opened = json.dumps([each.inputs for each in plan.resources if "firewall" in each.name])
    assert "18446" in opened
    assert "18444" not in opened


@pytest.mark.artefact
def test_on_a_machine_of_its_own_the_status_is_there_and_nothing_else(tmp_path: Path) -> None:
    class Page(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200 if self.headers.get("Authorization") == "Bearer planted" else 401)
            self.end_headers()

    with (
        serve(Page) as page,
        fronted(tmp_path, engine_node("pgvector"), {4100: int(page.rpartition(":")[2])}) as front,
    ):
        assert front.asked(18444, "/status")[0] == 401
        assert front.asked(18444, "/status", Authorization="Bearer planted")[0] == 200
        for path in ("/", "/metrics", "/status/", "/status?x=1"):
            assert front.asked(18444, path, Authorization="Bearer planted")[0] == 404


def test_the_status_of_one_that_speaks_no_http_is_asked_at_its_own_port() -> None:
    told: dict[str, Any] = {
        "vectors_engine": "pgvector",
        "vectors_endpoint": "postgresql://llm@203.0.113.9:18446/vectors?sslmode=verify-full",
        "vectors_key": "planted",
        "vectors_address": "203.0.113.9",
        "vectors_certificate_authority": "PEM",
    }
    (target,) = targets_of(told, "dev")
    assert (target.name, target.endpoint, target.key) == ("vectors", "https://203.0.113.9:18444", "planted")


def test_the_watch_calls_a_port_where_no_http_is_spoken(tmp_path: Path) -> None:
    node = supplied(tmp_path / "node", engine_node("pgvector"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        asked = f"from llm_node import watch; print(watch.answer('x.not-ready', 'tcp://127.0.0.1:{port}'))"
        assert node.python(asked).strip() == "None"
    told = node.python(
        "from llm_node import watch\nfrom llm_node.system import Failure\n"
        f"try: watch.answer('pgvector.not-ready', 'tcp://127.0.0.1:{port}')\n"
        "except Failure as failure: print(failure.code, failure.retry)"
    )
    assert told.strip() == "pgvector.not-ready True"


def test_the_certificate_is_written_for_it_and_it_starts_anew_with_another() -> None:
    rows = {each["path"]: each for each in bootstrap.settings(engine_node("pgvector"))["secret_files"]}
    for name, secret in (("crt", "tls_certificate"), ("key", "tls_private_key")):
        row = rows[f"/srv/llm/secrets/pgvector.{name}"]
        assert row["owner"] == "llm-pgvector"
        assert row["entries"] == {secret: ""}
        assert row["restart"] == ["llm-pgvector.service"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("protocol: grpc, key: own", "protocol: tls, key: own", "asks for its key itself, and Caddy leads nowhere"),
        ('to: "127.0.0.1:7301", protocol: grpc, key: own', "protocol: tls, key: gate", "asks for its key itself"),
        ('to: "127.0.0.1:7301", protocol: grpc', "protocol: grpc", "leads to a port on loopback"),
        ("{url: api}", "{url: api, before: x}", "are of an authority"),
        ('health: {url: "http://127.0.0.1:7300/healthz"}', 'health: {url: "tcp://10.0.0.1:80"}', "tcp://127.0.0.1"),
        ("title: Ledger\n", "title: Ledger\ndefault: true\n", "is of an argument"),
    ],
)
def test_what_does_not_go_together_in_a_role_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in refused(tmp_path / "site", **{old: new})


def test_the_unit_is_held_to_its_memory_and_its_folder() -> None:
    files = {each["path"]: each["content"] for each in bootstrap.settings(engine_node("pgvector"))["files"]}
    unit = files["/etc/systemd/system/llm-pgvector.service"].splitlines()
    for line in (
        *("MemoryMax=8G", "User=llm-pgvector", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict"),
        *("ReadWritePaths=/srv/llm/pgvector", "ProtectHome=yes", "PrivateDevices=yes", "RestrictSUIDSGID=yes"),
    ):
        assert line in unit
    conf = files["/opt/llm/pgvector/postgresql.conf"]
    assert "shared_buffers = 2048MB" in conf
    assert "ssl = on" in conf
