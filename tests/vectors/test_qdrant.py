"""Qdrant behind the real Caddy: what a client's library asks for gets through, and nothing else does.

Qdrant's own server is on no package registry and was not run. What stands in its place on loopback asks for the key as
its documentation says (qdrant.tech/documentation/security): the header ``api-key`` or a bearer token; without a key it
answers ``/``, ``/healthz``, ``/livez`` and ``/readyz`` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.bootstrap.samples import engine_node, serve
from tests.gateway.front import free_port
from tests.vectors.front import Front, fronted

pytestmark = pytest.mark.artefact

KEY = "k" * 40
OPEN = ("/", "/healthz", "/livez", "/readyz")
# What qdrant-client 1.20.0 asks for (qdrant_client/http/api/*.py of its wheel), without what is for who runs Qdrant.
CLIENTS = (
    *OPEN,
    "/aliases",
    "/collections",
    "/collections/aliases",
    *(f"/collections/documents{each}" for each in ("", "/aliases", "/exists", "/facet", "/index", "/index/city")),
    *(f"/collections/documents/points{each}" for each in ("", "/7", "/batch", "/count", "/delete", "/payload")),
    *(f"/collections/documents/points/payload/{each}" for each in ("clear", "delete")),
    *(f"/collections/documents/points/query{each}" for each in ("", "/batch", "/groups")),
    *(
        f"/collections/documents/points/{each}"
        for each in ("scroll", "vectors", "vectors/delete", "search/matrix/pairs")
    ),
    "/collections/documents/vectors/title",
    "/collections/documents/points?wait=true",
)
OTHERS = (
    *("/cluster", "/cluster/peer/1", "/cluster/recover", "/cluster/telemetry"),
    *("/metrics", "/telemetry", "/issues", "/quotas", "/snapshots", "/snapshots/all.snapshot", "/dashboard"),
    *(f"/collections/documents/{each}" for each in ("cluster", "shards", "shards/delete", "optimizations")),
    *(f"/collections/documents/snapshots{each}" for each in ("", "/recover", "/upload", "/a.snapshot")),
    *(f"/collections/documents/shards/0/snapshots{each}" for each in ("", "/recover")),
    "/collections/documents/points/../snapshots",
    "/collections/documents%2Fsnapshots",
    "/collections//snapshots",
    "/Collections/documents",
)


class Standin(BaseHTTPRequestHandler):
    """Asks for the key as Qdrant does."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        given = self.headers.get("api-key") or self.headers.get("Authorization", "").removeprefix("Bearer ")
        free = self.path.partition("?")[0] in OPEN
        self.send_response(200 if free or given == KEY else 401)
        self.end_headers()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with serve(Standin) as url:
        behind = {6333: int(url.rpartition(":")[2]), 6334: free_port()}
        with fronted(Path(tmp_path_factory.mktemp("front")), engine_node("qdrant"), behind) as found:
            yield found


@pytest.mark.parametrize("path", CLIENTS)
def test_what_a_client_asks_for_passes_with_the_key(front: Front, path: str) -> None:
    assert front.asked(18444, path, api_key=KEY)[0] == 200
    assert front.asked(18444, path, Authorization=f"Bearer {KEY}")[0] == 200


@pytest.mark.parametrize("path", [each for each in CLIENTS if each not in OPEN])
def test_without_the_key_nothing_is_told(front: Front, path: str) -> None:
    assert front.asked(18444, path)[0] == 401
    assert front.asked(18444, path, api_key=KEY[:-1])[0] == 401


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_for_who_runs_it_is_not_there_even_with_the_key(front: Front, path: str) -> None:
    assert front.asked(18444, path, api_key=KEY)[0] == 404
