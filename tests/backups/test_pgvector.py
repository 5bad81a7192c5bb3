"""PostgreSQL with pgvector, run for real as Ubuntu has it: dumped, wiped, and put back with the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backups.node import Node
from tests.vectors.noble import USER, Cluster, cluster

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]
PASSWORD = "p" * 40
FILL = (
    "CREATE TABLE items (id int PRIMARY KEY, body text, embedding vector(3)); "
    "INSERT INTO items SELECT n, 'text ' || n, ARRAY[n, n % 7, 1]::vector FROM generate_series(1, 500) n; "
    "CREATE INDEX ON items USING hnsw (embedding vector_l2_ops)"
)
NEAR = "SELECT id, body FROM items ORDER BY embedding <-> '[17.2,3.1,1]' LIMIT 3"


class Store(Node):
    """The folder of a node with the cluster that the other tests start, its programs run in Ubuntu's root."""

    def __init__(self, made: Cluster) -> None:
        self.cluster = made
        enter = made.folder / "enter"
        super().__init__(
            made.folder,
            "pgvector",
            replaced={
                "18446": str(made.port),
                '["setpriv", "--reuid", "llm-pgvector", "--regid", "llm-pgvector", "--clear-groups"]': f'["{enter}"]',
            },
        )
        inside = made.inside('"$@"')
        enter.write_text(f"#!/bin/sh\nexec {' '.join(inside[:-1])} '{inside[-1]}' sh \"$@\"\n")
        enter.chmod(0o755)
        data = made.folder / "srv/llm/pgvector"
        owned = f'chown {USER}:{USER} {data} && exec "$@"'
        prepare = ["sh", "-c", owned, "sh", *made.inside(made.unit["ExecStartPre"])]
        self.unit(
            before=prepare,
            argv=made.inside(made.unit["ExecStart"]),
            after=made.inside(made.unit["ExecStartPost"]),
            signal="SIGINT",
        )

    def sql(self, statement: str) -> str:
        code, said = self.cluster.sql(statement, password=PASSWORD)
        assert code == 0, said
        return said


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with cluster(Path(tmp_path_factory.mktemp("pgvector"))) as made:
        node = Store(made)
        made.password(PASSWORD)
        (made.folder / "srv/llm").chmod(0o755)
        try:
            node.systemctl("start")
            yield node
        finally:
            node.close()


def test_what_was_wiped_answers_as_before(store: Store) -> None:
    store.sql(FILL)
    before = store.sql(NEAR)
    made = store.ask("make")
    assert made.get("error") is None, made
    assert (made["engine"], made["count"]) == ("pgvector", 500)
    assert made["version"].startswith("16.")
    store.sql("DROP TABLE items")
    store.take(made)
    assert store.restore(made).get("count") == 500
    assert store.sql(NEAR) == before
    store.sql("INSERT INTO items VALUES (1000, 'later', '[1,2,3]')")  # it is still the caller's own table
    assert "hnsw" in store.sql("SELECT indexdef FROM pg_indexes WHERE tablename = 'items'")


def test_a_restore_that_is_killed_leaves_the_store_as_it_was(store: Store) -> None:
    store.sql(FILL)
    made = store.ask("make")
    store.sql("DELETE FROM items WHERE id > 100")
    store.take(made)
    answer = store.kill_work(
        store.path("/srv/llm/backup/before").exists, "restore", manifest=made, key=store.key.read_text()
    )
    assert answer["error"]["code"] == "backup.died"
    assert store.sql("SELECT count(*) FROM items") == "100\n"
    assert not store.path("/srv/llm/backup/under-way.json").exists()
