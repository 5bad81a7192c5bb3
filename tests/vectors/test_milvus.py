"""Milvus behind the real Caddy: what a client's library asks for gets through, and nothing else does.

Milvus's own server is on no package registry and was not run. What stands in its place asks for the password as its
documentation says (milvus.io/docs/authenticate.md): REST by ``Authorization: Bearer root:PASSWORD``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import yaml

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm.roles import registry
from tests.bootstrap.samples import engine_node, serve
from tests.vectors.front import Front, fronted

PASSWORD = "k" * 40
SERVICE = "/milvus.proto.milvus.MilvusService/"
# What pymilvus 3.0.2's MilvusClient calls for data (pymilvus/milvus_client), and what only who runs Milvus does.
CLIENTS = (
    *("Connect", "GetVersion", "ListDatabases", "CreateDatabase", "CreateCollection", "HasCollection"),
    *("DescribeCollection", "BatchDescribeCollection", "ShowCollections", "DropCollection", "RenameCollection"),
    *("CreateIndex", "DescribeIndex", "DropIndex", "GetIndexBuildProgress", "LoadCollection", "GetLoadState"),
    *("GetLoadingProgress", "ReleaseCollection", "Insert", "Upsert", "Delete", "Search", "HybridSearch", "Query"),
    *("Flush", "GetFlushState", "CreatePartition", "ShowPartitions", "CreateAlias", "ListAliases", "AlterIndex"),
)
OTHERS = (
    *("GetMetrics", "GetComponentStates", "LoadBalance", "Import", "ListImportTasks", "BackupRBAC", "RestoreRBAC"),
    *("CreateCredential", "DeleteCredential", "ListCredUsers", "CreateRole", "OperatePrivilege", "SelectGrant"),
    *("CreateResourceGroup", "TransferNode", "TransferReplica", "ReplicateMessage", "DumpMessages", "RegisterLink"),
    *("AddFileResource", "RestoreSnapshot", "RestoreExternalSnapshot", "ExportSnapshot", "RefreshExternalCollection"),
    "UpdateReplicateConfiguration",
)


class Standin(BaseHTTPRequestHandler):
    """Asks for the password as Milvus does."""

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200 if self.headers.get("Authorization") == f"Bearer root:{PASSWORD}" else 401)
        self.end_headers()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with serve(Standin) as url:
        behind = {19530: int(url.rpartition(":")[2])}
        with fronted(Path(tmp_path_factory.mktemp("front")), engine_node("milvus"), behind) as found:
            yield found


@pytest.mark.artefact
@pytest.mark.parametrize("path", ["collections/list", "entities/search", "entities/insert", "indexes/create"])
def test_rest_passes_with_the_password_and_only_with_it(front: Front, path: str) -> None:
    for token, code in ((f"root:{PASSWORD}", 200), ("root:Milvus", 401), (PASSWORD, 401), ("", 401)):
        asked = front.asked(18444, f"/v2/vectordb/{path}", "POST", b"{}", Authorization=f"Bearer {token}")
        assert asked[0] == code, token


@pytest.mark.artefact
@pytest.mark.parametrize(
    "path",
    [
        *(
            f"/v2/vectordb/{each}"
            for each in ("users/list", "roles/create", "jobs/import/create", "resource_groups/list")
        ),
        *(
            "/v2/vectordb/entities/../users/list",
            "/v2/vectordb//users/list",
            "/expr",
            "/metrics",
            "/healthz",
            "/webui/",
        ),
        *("/api/v1/collections", "/_cluster/configs", "/management/stop", "/eventlog", "/"),
    ],
)
def test_what_is_for_who_runs_it_is_not_there_even_with_the_password(front: Front, path: str) -> None:
    assert front.asked(18444, path, "POST", b"{}", Authorization=f"Bearer root:{PASSWORD}")[0] == 404


def test_the_calls_of_a_client_pass_by_name_and_no_other() -> None:
    pattern = registry.role("milvus").manifest.listeners["grpc"].paths
    assert all(re.search(pattern, f"{SERVICE}{each}") for each in CLIENTS)
    assert not [each for each in OTHERS if re.search(pattern, f"{SERVICE}{each}")]
    assert not re.search(pattern, "/milvus.proto.proxy.Proxy/InvalidateCollectionMetaCache")


def test_neither_port_9091_nor_etcds_is_reachable_and_log_in_is_on() -> None:
    files = {each["path"]: each["content"] for each in bootstrap.settings(engine_node("milvus"))["files"]}
    (service,) = yaml.safe_load(files["/opt/llm/milvus/compose.yaml"])["services"].values()
    assert service["ports"] == ["127.0.0.1:19530:19530"]
    assert service["environment"]["COMMON_SECURITY_AUTHORIZATIONENABLED"] == "true"
    etcd = yaml.safe_load(files["/opt/llm/milvus/embedEtcd.yaml"])
    assert etcd["listen-client-urls"] == "http://127.0.0.1:2379"
    assert registry.role("milvus").manifest.secrets["milvus_password"].variable == "COMMON_SECURITY_DEFAULTROOTPASSWORD"
