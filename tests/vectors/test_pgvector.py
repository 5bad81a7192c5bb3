"""PostgreSQL with pgvector, run for real: Ubuntu 24.04's own packages with the files that a node gets."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vectors.noble import ROOT, USER, Cluster, cluster

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

FIRST, SECOND = "a" * 40, "b" * 40


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(Path(tmp_path_factory.mktemp("pgvector"))) as made:
        made.password(FIRST)
        made.start()
        yield made


def test_the_nearest_vector_is_found_over_tls_with_the_password(running: Cluster) -> None:
    lines = (
        "CREATE TABLE items (id int PRIMARY KEY, embedding vector(3)); "
        "INSERT INTO items VALUES (1, '[1,2,3]'), (2, '[9,1,1]'); "
        "CREATE INDEX ON items USING hnsw (embedding vector_cosine_ops); "
        "SELECT id FROM items ORDER BY embedding <=> '[1,2,2]' LIMIT 1"
    )
    code, said = running.sql(lines, password=FIRST)
    assert code == 0, said
    assert said.splitlines()[-1] == "1"
    assert running.sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", password=FIRST)[1] == "t\n"


@pytest.mark.parametrize(
    "options",
    [
        {"password": "c" * 40},
        {"password": ""},
        {"password": FIRST, "sslmode": "disable"},
        {"password": FIRST, "user": "postgres"},
        {"password": FIRST, "dbname": "postgres"},
        {"password": FIRST, "dbname": "template1"},
        {"password": FIRST, "replication": "true"},
    ],
    ids=["another password", "none", "no TLS", "the superuser", "its database", "the template", "a copy of everything"],
)
def test_nobody_comes_in_by_another_way(running: Cluster, options: dict[str, str]) -> None:
    code, said = running.sql("SELECT 1", **options)  # type: ignore[arg-type]
    assert code == 2, said


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "SELECT pg_read_file('/srv/llm/secrets/pgvector.password')",
        "CREATE EXTENSION dblink",
        "CREATE DATABASE other",
        "CREATE ROLE other",
        "ALTER SYSTEM SET port = 1",
    ],
)
def test_the_caller_is_no_superuser(running: Cluster, statement: str) -> None:
    code, said = running.sql(statement, password=FIRST)
    assert code == 1
    assert "permission denied" in said


def test_what_callers_ask_and_the_password_are_not_in_the_log(running: Cluster) -> None:
    running.sql("INSERT INTO nothing VALUES ('a sentence of somebody')", password=FIRST)
    log = running.log.read_text()
    assert "does not exist" in log
    assert "a sentence of somebody" not in log
    assert FIRST not in log


def test_it_starts_again_with_its_data_and_takes_a_new_password(running: Cluster) -> None:
    running.sql("CREATE TABLE kept (embedding vector(2)); INSERT INTO kept VALUES ('[1,2]')", password=FIRST)
    running.stop()
    running.password(SECOND)
    running.start()
    assert running.sql("SELECT embedding FROM kept", password=SECOND) == (0, "[1,2]\n")
    assert running.sql("SELECT 1", password=FIRST)[0] == 2
    running.stop()
    running.password(FIRST)
    running.start()


def test_a_cluster_whose_making_was_broken_off_is_made_anew(tmp_path_factory: pytest.TempPathFactory) -> None:
    with cluster(Path(tmp_path_factory.mktemp("broken"))) as made:
        half = made.folder / "srv/llm/pgvector/16.new"
        half.mkdir()
        (half / "PG_VERSION").write_text("16\n")
        for each in (half, half / "PG_VERSION"):
            os.chown(each, USER, USER)
        made.password(FIRST)
        made.start()
        assert made.sql("SELECT extname FROM pg_extension WHERE extname = 'vector'", password=FIRST) == (0, "vector\n")


def test_the_package_makes_no_cluster_of_its_own(running: Cluster) -> None:
    """Asked of Ubuntu's own program, which the package's script asks when it is installed."""
    folder = ROOT / "etc/postgresql-common/createcluster.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "createcluster.conf").write_bytes(
        (ROOT / "usr/share/postgresql-common/createcluster.conf").read_bytes()
    )
    asked = ["chroot", str(ROOT), "pg_conftool", "/etc/postgresql-common/createcluster.conf", "show", "-bs"]
    ours = Path(__file__).parents[2] / "templates/pgvector/createcluster.conf"
    (folder / "llm.conf").unlink(missing_ok=True)
    before = subprocess.run([*asked, "create_main_cluster"], capture_output=True, text=True)
    (folder / "llm.conf").write_bytes(ours.read_bytes())
    after = subprocess.run([*asked, "create_main_cluster"], capture_output=True, text=True)
    assert before.stdout != "off\n"
    assert after.stdout == "off\n"
