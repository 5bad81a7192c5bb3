"""PostgreSQL's own means: pg_dump of the database that callers use, and pg_restore in one transaction."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import IO

from llm_node.backup_store import Store
from llm_node.system import Failure, tail

PROGRAMS = "/usr/lib/postgresql/16/bin"
AS_ITS_USER = ["setpriv", "--reuid", "llm-pgvector", "--regid", "llm-pgvector", "--clear-groups"]
THERE = ["--host", "/run/llm-pgvector", "--port", "18446", "--username", "postgres"]
FILE = "vectors.dump"
ROWS = (
    "SELECT coalesce(sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', n.nspname, "
    "c.relname), false, true, '')))[1]::text::bigint), 0) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
)


def program(name: str, *options: str, take: IO[bytes] | None = None, give: IO[bytes] | None = None) -> str:
    """Run one of its programs as its user, by the socket; a Failure with its words."""
    argv = [*AS_ITS_USER, "env", "PGDATABASE=vectors", f"{PROGRAMS}/{name}", *THERE, *options]
    done = subprocess.run(
        argv, stdin=take or subprocess.DEVNULL, stdout=give or subprocess.PIPE, stderr=subprocess.PIPE
    )
    if done.returncode:
        raise Failure("backup.engine-failed", f"{name}: {tail(done.stderr.decode(errors='replace'))}")
    return (done.stdout or b"").decode()


def version(store: Store) -> str:
    """As it says itself: 16.15, without what the distribution writes behind."""
    return program("psql", "--no-psqlrc", "-Atc", "SHOW server_version").split()[0]


def count(store: Store) -> int:
    """The rows of all tables."""
    return int(program("psql", "--no-psqlrc", "-Atc", ROWS))


def dump(store: Store, folder: Path) -> None:
    """One file, of one moment, in its own format."""
    with (folder / FILE).open("wb") as file:
        program("pg_dump", "--format", "custom", give=file)


def load(store: Store, folder: Path) -> None:
    """Into the new database, all or nothing."""
    with (folder / FILE).open("rb") as file:
        options = ("--dbname", "vectors", "--clean", "--if-exists", "--exit-on-error", "--single-transaction")
        program("pg_restore", *options, take=file)
