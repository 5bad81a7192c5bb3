"""What exists in the simulated clouds: one SQLite file, shared by the processes of all packages.

The file is ``clouds.sqlite`` in ``$PULUMI_LLM_SIM_HOME`` (:func:`open_store`); ``Store(None)`` keeps everything in
memory. Tables:

``resources``   one row a resource: package, type token, id, region, urn, properties (JSON, secrets redacted), time made
``addresses``   public IPv4 addresses in use, from the documentation ranges of RFC 5737
``spent``       faults that were to happen once and did

Changes go through :meth:`Store.transaction`, which takes SQLite's write lock at once, so that a rule which reads
before it writes (is this name free? is that disk attached?) holds for all processes.
"""

from __future__ import annotations

import ipaddress
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._provider_facts.values import Props, redact

if TYPE_CHECKING:
    import sqlite3

HOME = "PULUMI_LLM_SIM_HOME"
"""Environment variable naming the folder that holds the simulated clouds."""


def home_of(default: Path, named: Path | None = None) -> Path:
    """The folder of a simulation: ``named``, else ``$PULUMI_LLM_SIM_HOME``, else ``default``."""
    return (named or Path(os.environ.get(HOME) or default)).expanduser().resolve()


def home_beside(project: Path, named: Path | None = None) -> Path:
    """The folder of a simulation of the project in that folder, as :func:`home_of` finds it."""
    return home_of(project / ".pulumi-sim", named)


FILE = "clouds.sqlite"

WAIT = 60.0
"""Seconds that a process waits for another one's lock."""

PUBLIC_RANGES = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24")
"""Addresses for documentation (RFC 5737): nothing on the internet answers there."""

_SCHEMA = """
create table if not exists resources (
    package text not null, type text not null, id text not null, region text not null, urn text not null,
    properties text not null, made real not null, primary key (type, id, region));
create index if not exists by_type on resources (type, region);
create table if not exists addresses (address text primary key, type text not null, id text not null);
create table if not exists spent (fault text primary key);
"""


@dataclass(frozen=True)
class Record:
    """A resource that exists: its properties are inputs and outputs together, secrets redacted."""

    package: str
    type: str
    id: str
    region: str
    urn: str
    properties: Props = field(default_factory=dict)
    made: float = 0.0

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[-1]

    def get(self, key: str, default: Any = None) -> Any:
        """One property."""
        return self.properties.get(key, default)


Records = list[Record]
Values = list[Any]


class Store:
    """The resources that exist. Safe for several threads and processes."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._local = threading.local()
        self._lock = threading.RLock()
        self._memory: sqlite3.Connection | None = None
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection()

    def _connect(self, name: str) -> sqlite3.Connection:
        import sqlite3  # not in a plan, which has made nothing

        made = sqlite3.connect(name, timeout=WAIT, isolation_level=None, check_same_thread=False)
        if name != ":memory:":
            _write_ahead(made)
            made.execute("pragma synchronous=normal")
        made.executescript(_SCHEMA)
        return made

    def _connection(self) -> sqlite3.Connection:
        if self.file is None:  # a plan has a store for each cloud, and asks few of them
            with self._lock:
                if self._memory is None:
                    self._memory = self._connect(":memory:")
            return self._memory
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self._connect(str(self.file))
        return found

    @contextmanager
    def transaction(self) -> Iterator[Store]:
        """Take the write lock; keep everything on success, nothing when an exception leaves the block."""
        with self._lock:
            connection = self._connection()
            connection.execute("begin immediate")
            try:
                yield self
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")

    def put(self, record: Record) -> None:
        """Add a resource, or replace the one of the same type, id and region."""
        with self._lock:
            self._connection().execute(
                "insert or replace into resources values (?, ?, ?, ?, ?, ?, ?)",
                (
                    record.package,
                    record.type,
                    record.id,
                    record.region,
                    record.urn,
                    json.dumps(redact(record.properties)),
                    record.made or time.time(),
                ),
            )

    def get(self, type_: str, id_: str, region: str = "") -> Record | None:
        """A resource by type and id; with ``region`` only there, as a cloud's API answers."""
        return next(iter(self._select("type = ? and id = ?", type_, id_, region=region)), None)

    def list(self, *types: str, region: str = "", **properties: Any) -> Records:
        """The resources of the types whose properties have these plain values, oldest first."""
        condition = f"type in ({', '.join('?' * len(types))})"
        values: Values = [*types]
        for key, value in properties.items():
            condition += " and json_extract(properties, ?) is ?"
            values += [f"$.{key}", value]
        return self._select(condition, *values, region=region)

    def called(self, id_: str) -> Records:
        """The resources of that id, of any type."""
        return self._select("id = ?", id_)

    def everything(self) -> Records:
        """All that exists, oldest first."""
        return self._select("1 = 1")

    def _select(self, condition: str, *values: Any, region: str = "") -> Records:
        query = f"select * from resources where {condition}"  # noqa: S608 - conditions are ours, values are bound
        if region:
            query, values = f"{query} and region = ?", (*values, region)
        with self._lock:
            rows = self._connection().execute(f"{query} order by made", values).fetchall()
        return [Record(*row[:5], json.loads(row[5]), row[6]) for row in rows]  # type: ignore[call-arg]

    def remove(self, record: Record) -> None:
        """Remove a resource and free its public addresses."""
        with self._lock:
            connection = self._connection()
            connection.execute(
                "delete from resources where type = ? and id = ? and region = ?",
                (record.type, record.id, record.region),
            )
            connection.execute("delete from addresses where type = ? and id = ?", (record.type, record.id))

    def public_address(self, type_: str, id_: str) -> str | None:
        """A free public address, kept until the resource is removed; ``None`` when all are taken."""
        with self._lock:
            connection = self._connection()
            used = {row[0] for row in connection.execute("select address from addresses")}
            for network in PUBLIC_RANGES:
                for each in ipaddress.ip_network(network).hosts():
                    if str(each) not in used:
                        connection.execute("insert into addresses values (?, ?, ?)", (str(each), type_, id_))
                        return str(each)
        return None

    def free_addresses(self, type_: str, id_: str) -> None:
        """Give the public addresses of a resource back."""
        with self._lock:
            self._connection().execute("delete from addresses where type = ? and id = ?", (type_, id_))

    def spend(self, fault: str) -> bool:
        """Whether a fault that is to happen once may still happen; it may not again after this."""
        with self._lock:
            cursor = self._connection().execute("insert or ignore into spent values (?)", (fault,))
            return cursor.rowcount == 1


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log, which the file remembers. Processes that open a new file at once do it together, and
    SQLite does not wait for the lock of this statement whatever the timeout (sqlite.org, "WAL", 2026-11-28)."""
    import sqlite3

    until = time.monotonic() + WAIT
    while True:
        try:
            connection.execute("pragma journal_mode=wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def open_store(home: str | os.PathLike[str] | None = None) -> Store:
    """The store in ``home`` (default ``$PULUMI_LLM_SIM_HOME``); in memory when neither is given."""
    chosen = home or os.environ.get(HOME)
    return Store(Path(chosen) / FILE if chosen else None)
