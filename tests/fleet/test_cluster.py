"""The cluster of the tests itself: it is what it says, asks who comes, and ends with its tests."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.fleet.api import Api, Refused
from tests.fleet.cluster import CHECKOUT, Cluster, is_built, run_cluster, wait_until_ended

pytestmark = pytest.mark.fleet


def test_it_is_the_kubernetes_that_is_pinned(cluster: Cluster) -> None:
    pins = (CHECKOUT / "tools/fleet/kubernetes/go.mod").read_text()
    version = cluster.api.ask("GET", "/version")
    assert f"\tk8s.io/kubernetes {version['gitVersion']} " in pins
    assert version["gitVersion"].startswith(f"v{version['major']}.{version['minor']}.")


def test_who_brings_no_token_of_its_own_is_not_answered(cluster: Cluster) -> None:
    stranger = Api(cluster.api.port, "a-guess", cluster.api.authority)
    with pytest.raises(Refused, match="401"):
        stranger.ask("GET", "/api/v1/nodes")


def test_its_kubeconfig_is_read_by_its_owner_alone_and_leads_to_it(cluster: Cluster) -> None:
    assert cluster.kubeconfig.stat().st_mode & 0o077 == 0
    read = json.loads(cluster.kubeconfig.read_text())
    place, user = read["clusters"][0]["cluster"], read["users"][0]["user"]
    port = int(place["server"].rpartition(":")[2])
    assert Api(port, user["token"], Path(place["certificate-authority"])).ask("GET", "/readyz") == "ok"


def fail_in(folder: Path, seen: list[Cluster]) -> None:
    with run_cluster(folder) as short:
        seen.append(short)
        assert all(each.poll() is None for each in short.running)
        raise ZeroDivisionError


def test_it_ends_its_own_processes_also_where_a_test_fails(tmp_path: Path) -> None:
    if not is_built():
        pytest.skip("Kubernetes is not built: tools/fetch fleet")
    seen: list[Cluster] = []
    with pytest.raises(ZeroDivisionError):
        fail_in(tmp_path / "short", seen)
    ids = [each.pid for each in seen[0].started]
    port = seen[0].api.port
    assert len(ids) == 5
    assert all(wait_until_ended(each) for each in ids)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
