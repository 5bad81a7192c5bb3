"""A role that somebody else's package brings, with no Python but its entry point, gets all that ours get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import cli
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import caddy, order, registry
from pulumi_llm.roles.requests import ServiceRole
from tests.bootstrap.samples import gpu_node, vector_node
from tests.bootstrap.test_node_apply import ready_node, restarted, up
from tests.roles.sample import installed, node_with_ledger


@pytest.fixture(autouse=True)
def _package(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path / "site"):
        yield


def settings() -> dict[str, Any]:
    return bootstrap.settings(node_with_ledger())


def files() -> dict[str, dict[str, Any]]:
    return {each["path"]: each for each in settings()["files"]}


def test_it_is_found_by_its_entry_point() -> None:
    assert "ledger" in registry.every()
    assert "ledger" not in registry.built_in()


def test_its_unit_starts_its_compose_file_in_a_project_of_its_own() -> None:
    unit = files()["/etc/systemd/system/llm-ledger.service"]
    assert "Description=llm: Ledger\n" in unit["content"]
    # --remove-orphans in a project that two services share would stop the other.
    assert "--project-name llm-ledger --file /opt/llm/ledger/compose.yaml up" in unit["content"]
    assert "llm-ledger.service" in settings()["services"]


def test_its_compose_file_is_filled_in_and_restarts_it() -> None:
    row = files()["/opt/llm/ledger/compose.yaml"]
    service = yaml.safe_load(row["content"])["services"]["ledger"]
    assert service["image"] == "registry.example.com/acme/ledger:2.4.1"
    assert service["mem_limit"] == "3g"
    assert service["user"] == "490"
    assert row["restart"] == ["llm-ledger.service"]


def test_what_is_asked_of_it_goes_before_what_its_role_says() -> None:
    rows = bootstrap.settings(node_with_ledger(memory_gib=7, ports={"api": 19000}))["files"]
    content = {each["path"]: each["content"] for each in rows}
    assert "mem_limit: 7g" in content["/opt/llm/ledger/compose.yaml"]
    assert "\n:19000 {" in content["/opt/llm/gateway/Caddyfile"]


def test_its_image_is_fetched_by_the_stage_for_images() -> None:
    supply = json.loads(files()["/opt/llm/supply.json"]["content"])
    assert "registry.example.com/acme/ledger:2.4.1" in supply["images"]
    assert "images" in settings()["stages"]


def test_docker_comes_with_it() -> None:
    node = gpu_node(roles=(*[each for each in gpu_node().roles if each.role != "weaviate"], ServiceRole(role="ledger")))
    document = bootstrap.settings(node)
    supply = json.loads(next(each["content"] for each in document["files"] if each["path"].endswith("supply.json")))
    assert "docker.io" in supply["services"]
    assert supply["images"] == ["registry.example.com/acme/ledger:2.4.1"]


def test_its_folder_and_its_user_come_with_the_settings() -> None:
    assert settings()["folders"] == {"ledger": "llm-ledger"}
    assert 'u llm-ledger 490 "Ledger" /srv/llm/ledger\n' in files()["/etc/sysusers.d/llm.conf"]["content"]


def test_user_data_does_not_grow_with_it() -> None:
    assert bootstrap.user_data(node_with_ledger()) == bootstrap.user_data(gpu_node())


def test_its_secret_is_asked_for_and_written_for_it_alone() -> None:
    document = settings()
    assert "ledger_password" in document["secrets"]["required"]
    row = next(each for each in document["secret_files"] if each["path"].endswith("/ledger.env"))
    assert row == {
        "path": "/srv/llm/secrets/ledger.env",
        "owner": "root",
        "format": "env",
        "entries": {"ledger_password": "LEDGER_PASSWORD"},
        "restart": ["llm-ledger.service"],
    }


def test_its_health_is_watched_and_its_container_is_looked_at() -> None:
    watch = json.loads(files()["/opt/llm/watch.json"]["content"])
    assert watch["health"]["ledger"] == "http://127.0.0.1:7300/healthz"
    assert "llm-ledger.service" in watch["services"]
    assert watch["containers"] == {"ledger": ["llm-ledger-ledger-1"]}
    assert "llm-ledger.service" in files()["/etc/systemd/system/llm-watch.service"]["content"]


def test_its_hints_travel_and_what_it_says_nothing_about_has_one_all_the_same() -> None:
    hints = settings()["hints"]
    assert hints["ledger.crashes"] == "is its database whole? docker logs llm-ledger-ledger-1"
    for kind in ("port-taken", "missing-file", "permission-denied", "disk-full", "out-of-memory"):
        assert hints[f"ledger.{kind}"]


def test_its_ports_are_opened_with_what_answers_there() -> None:
    ports = order.ports(node_with_ledger())
    assert ports[18500] == "Ledger (HTTPS)"
    assert ports[18501] == "Ledger stream (TLS)"


def test_what_its_paths_leave_out_and_what_has_no_key_does_not_reach_it() -> None:
    text = caddy.caddyfile(node_with_ledger())
    site = text[text.index("\n:18500 {") : text.index("\n:18501 {")]
    assert '@api expression `{http.request.uri}.matches("^/api/") && !' in site
    assert site.index("forward_auth 127.0.0.1:4000") < site.index("reverse_proxy 127.0.0.1:7300")
    assert "request_header -Authorization" in site
    assert "respond 404" in site


def test_the_gateways_key_cannot_be_asked_for_where_there_is_no_gateway() -> None:
    with pytest.raises(Refusal, match=r"roles\.not-asked"):
        bootstrap.settings(vector_node().having(ServiceRole(role="ledger")))


def test_a_node_puts_its_folder_where_nobody_else_looks_into_it(tmp_path: Path) -> None:
    node = ready_node(tmp_path / "node", node_with_ledger())
    calls = up(node, node_with_ledger())
    folder = node.path("/srv/llm/ledger")
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "llm-ledger.service" in restarted(calls)
    assert "LEDGER_PASSWORD=" in node.path("/srv/llm/secrets/ledger.env").read_text()


def test_a_node_that_loses_it_stops_it_and_deletes_its_secret_and_not_its_data(tmp_path: Path) -> None:
    node = ready_node(tmp_path / "node", node_with_ledger())
    up(node, node_with_ledger())
    calls = up(node, gpu_node())
    assert "systemctl disable --now llm-ledger.service" in calls
    assert not node.path("/srv/llm/secrets/ledger.env").exists()
    assert node.path("/srv/llm/ledger").is_dir()


def test_what_its_service_said_is_read_from_its_own_container(tmp_path: Path) -> None:
    node = ready_node(tmp_path / "node", node_with_ledger())
    up(node, node_with_ledger())
    node.fake("docker", "echo the books do not balance")
    done = node.run("logs", "ledger")
    assert "the books do not balance" in done.stdout
    assert "docker logs --tail 1000 llm-ledger-ledger-1" in node.calls


def test_its_codes_are_explained_as_ours_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "ledger.crashes"]) == 0
    assert "is its database whole?" in capsys.readouterr().out
    assert cli.main(["explain", "ledger.not-ready"]) == 0
    assert "llm-node logs ledger" in capsys.readouterr().out


def test_what_is_in_its_way_is_told_by_its_own_name(tmp_path: Path) -> None:
    node = ready_node(tmp_path / "node", node_with_ledger())
    up(node, node_with_ledger())
    node.fake("systemctl", "printf 'ActiveState=active\\nSubState=running\\nNRestarts=0\\n'")
    node.fake("docker", 'if [ "$1" = inspect ]; then echo 5; else echo "panic: the books do not balance"; fi')
    watch = json.loads(node.path("/opt/llm/watch.json").read_text())
    watch["health"] = {"ledger": "http://127.0.0.1:9/"}
    node.path("/opt/llm/watch.json").write_text(json.dumps(watch))
    assert node.python("from llm_node import watch; print(watch.look(False))").strip() == "False"
    told = node.stage("serve")
    assert (told["state"], told["code"]) == ("failed", "ledger.crashes")
    assert "the books do not balance" in told["message"]
    assert told["hint"] == "is its database whole? docker logs llm-ledger-ledger-1"
