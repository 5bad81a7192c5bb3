"""What a role.yaml may say: a mistake has its place, all are told at once, and a stranger's role keeps to itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import roles
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.roles import registry
from tests.bootstrap.samples import gpu_node
from tests.roles.sample import COMPOSE, ROLE, installed, node_with_ledger


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    registry.forget()


def refused(folder: Path, role: str = ROLE, compose: str = COMPOSE) -> list[Finding]:
    with installed(folder, role=role, compose=compose), pytest.raises(Refusal) as told:
        bootstrap.settings(node_with_ledger())
    return list(told.value.findings)


def with_line(old: str, new: str) -> str:
    assert old in ROLE
    return ROLE.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("title: Ledger", "titel: Ledger", "titel: there is no such key; did you mean title?"),
        ("title: Ledger", "title: 7", "title: 7 is not a text"),
        ("memory_gib: 3", "memory_gib: three", "needs.memory_gib: 'three' is not a whole number"),
        ("memory_gib: 3", "memory_gib: -1", "needs.memory_gib: -1 is not between 0 and 16000"),
        ("loopback: [7300, 7301]", "loopback: 7300", "loopback: 7300 is not a list"),
        ("loopback: [7300, 7301]", "loopback: [7300]", "loopback leaves out 7301"),
        ("port: 18500", "port: 70000", "listeners.api.port: 70000 is not between 1 and 65535"),
        ('to: "127.0.0.1:7300"', 'to: "0.0.0.0:7300"', "listeners.api.to: '0.0.0.0:7300' is not 127.0.0.1 and a port"),
        ("key: gate", "key: nobody", "listeners.api.key: 'nobody' is none of gate, own, front, none"),
        ("key: gate", "key: none", "a listener that nobody asks a key of says why"),
        ("protocol: grpc, key: own", "protocol: grpc, key: gate", "the gateway checks no keys of gRPC"),
        ('paths: "^/api/"', "paths: '^/a\"'", "would end the pattern in Caddy's configuration"),
        (":2.4.1", ":latest", "has neither a version nor a digest"),
        (":2.4.1", "", "has neither a version nor a digest"),
        ("{url: api}", "{url: apj}", "output endpoint: there is no listener or secret of that name"),
        ("{name: ledger}", "{name: ledger, socket: true}", "neither llm-ledger.socket nor a compose file"),
        ("roles: [gateway, docker]", "roles: [docker]", "listeners are Caddy's: it needs the role caddy"),
        ("roles: [gateway, docker]", "roles: [caddy, docker]", "it needs the role gateway"),
        ("roles: [gateway, docker]", "roles: [gateway]", "needs the role docker"),
        ("id: 490", "id: 1000", "users.llm-ledger.id: 1000 is not between 470 and 499"),
        ("title: the ledger's password, ", "", "secrets.ledger_password.title: it is missing"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, place: str) -> None:
    found = refused(tmp_path, with_line(old, new))
    assert {each.code for each in found} == {"roles.bad-role"}
    assert any(place in each.message for each in found), [each.message for each in found]


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    wrong = with_line("title: Ledger\n", "").replace("port: 18500", "port: 0").replace("keeps: books", "keep: books")
    assert len(refused(tmp_path, wrong)) == 3


@pytest.mark.parametrize("text", ["", "[]", "title: [", "a: &a [*a]", "\x00"])
def test_what_is_no_role_at_all_is_refused_without_a_traceback(tmp_path: Path, text: str) -> None:
    assert {each.code for each in refused(tmp_path, text)} == {"roles.bad-role"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("home: /srv/llm/ledger}", "home: /srv/llm/ledger, early: true}"),
        ("ledger: {owner: llm-ledger}", "ledger: {owner: llm-ledger, early: true}"),
        ("  ledger: {owner: llm-ledger}", "  secrets: {owner: llm-ledger}"),
        ("service: {name: ledger}", "service: {name: gate}"),
        ("file: ledger.env", "file: tls.key"),
        ("ledger_password:", "tls_private_key:"),
        ("  ledger.crashes:", "  vllm.crashes:"),
        ("hints:", "files:\n  - {path: /etc/sudoers.d/ledger, template: compose.yaml.j2}\nhints:"),
        ("hints:", "stages:\n  - {name: ledger, title: x, starts: user-data}\nhints:"),
    ],
)
def test_a_strangers_role_takes_nothing_that_is_another_roles(tmp_path: Path, old: str, new: str) -> None:
    found = refused(tmp_path, with_line(old, new))
    assert {each.code for each in found} == {"roles.bad-role"}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"127.0.0.1:7300:7300"', '"7300:7300"', "roles.open-port"),
        ('"127.0.0.1:7300:7300"', '"0.0.0.0:7300:7300"', "roles.open-port"),
        ('"127.0.0.1:7300:7300"', "{target: 7300, published: 7300}", "roles.open-port"),
        ("restart:", "privileged: true\n    restart:", "roles.bad-compose"),
        ("restart:", "network_mode: host\n    restart:", "roles.bad-compose"),
        ("{{ image.ledger }}", "registry.example.com/acme/other:1.0", "roles.bad-compose"),
        ("    pull_policy: never\n", "", "roles.bad-compose"),
        ("    mem_limit: {{ memory_gib }}g\n", "", "roles.bad-compose"),
        ("services:", "service:", "roles.bad-compose"),
        ("{{ image.ledger }}", "{{ imag.ledger }}", "roles.bad-template"),
        ("{{ image.ledger }}", "{{ image.ledger ", "roles.bad-template"),
    ],
)
def test_a_compose_file_that_would_open_the_machine_is_refused(tmp_path: Path, old: str, new: str, code: str) -> None:
    assert old in COMPOSE
    assert {each.code for each in refused(tmp_path, compose=COMPOSE.replace(old, new))} == {code}


def test_two_roles_that_want_the_same_port_are_refused(tmp_path: Path) -> None:
    taken = ROLE.replace("7301", "8080")
    assert {each.code for each in refused(tmp_path, taken)} == {"roles.port-taken"}


def test_a_role_of_ours_cannot_be_replaced(tmp_path: Path) -> None:
    with installed(tmp_path, name="weaviate"), pytest.raises(Refusal, match=r"roles\.twice"):
        registry.every()
    assert registry.role("weaviate").manifest.title == "Weaviate"


def test_a_package_that_cannot_be_loaded_is_told_and_ours_go_on(tmp_path: Path) -> None:
    with installed(tmp_path) as code:
        (code / "__init__.py").write_text("raise RuntimeError('half installed')\n")
        with pytest.raises(Refusal, match=r"roles\.bad-entry-point.*half installed"):
            registry.role("ledger")
        assert bootstrap.settings(gpu_node())


def test_a_role_that_nobody_brings_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean weaviate"):
        registry.role("weavaite")


def test_a_folder_of_several_roles_has_each_by_its_own_name(tmp_path: Path) -> None:
    with installed(tmp_path) as code:
        for name in ("ledger", "teller"):
            (code / name).mkdir()
            text = ROLE.replace("ledger", name).replace("Ledger", name)
            (code / name / "role.yaml").write_text(text)
        (code / "role.yaml").unlink()
        registry.forget()
        assert {"ledger", "teller"} == registry.every().keys() - registry.built_in().keys()


def test_our_own_roles_come_through_the_door_that_others_use() -> None:
    import tomllib

    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][registry.GROUP] == {registry.OURS.name: registry.OURS.value}
    assert registry.OURS.load()() == roles.registry.OURS.load()()


@pytest.mark.parametrize("name", sorted(registry.built_in()))
def test_every_fact_of_a_role_of_ours_has_its_source_and_date(name: str) -> None:
    raw = yaml.safe_load(registry.role(name).text("role.yaml"))
    rows = [
        *raw.get("install", {}).get("images", {}).values(),
        *raw.get("install", {}).get("environments", {}).values(),
    ]
    rows += [raw["install"]["packages"]] if "packages" in raw.get("install", {}) else []
    for row in rows:
        assert len(row["source"]) > 3
        assert row["source_date"].startswith("20")


def test_users_have_a_number_each_and_ports_an_owner() -> None:
    numbers = [each.id for role in registry.built_in().values() for each in role.manifest.users.values()]
    ports = [port for role in registry.built_in().values() for port in role.manifest.loopback]
    assert len(numbers) == len(set(numbers))
    assert len(ports) == len(set(ports))
