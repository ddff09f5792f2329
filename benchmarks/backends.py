# SPDX-License-Identifier: Apache-2.0
"""The databases to measure on: both sides use one server, which is started only for the benchmark."""

import abc
import contextlib
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pymysql
import sqlalchemy as sa

from tests.servers import MariaDB, PostgreSQL, Server

THEIRS, OURS = "theirs", "ours"
SIDES = (THEIRS, OURS)
BEFORE = "earlier"  # "before" is a reserved word of MariaDB.
"""An earlier commit of ours, if that is compared instead of Panko 10.0."""


def kind_of(side: str) -> str:
    """Return the one of SIDES that a side is measured like."""
    return THEIRS if side == THEIRS else OURS


class Backend(abc.ABC):
    """A database server, or files, with a database for each side.

    :param durable: whether commits reach the disk, as in production
    """

    name: ClassVar[str]
    warms_up: ClassVar[bool] = False
    """Whether the server becomes faster while it works, so that all reads are run once before they are measured."""

    @abc.abstractmethod
    def __init__(self, durable: bool = True): ...

    @property
    def title(self) -> str:
        """The name in headings, and in the names of kept data."""
        return self.name

    @abc.abstractmethod
    def start(self, saved: Path | None) -> None:
        """Start the server, empty or with a copy of what :meth:`save` has written."""

    @abc.abstractmethod
    def save(self, directory: Path) -> None:
        """Copy all data to a new directory, which later measurements do not change."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Stop the server, and remove data that are not saved."""

    @abc.abstractmethod
    def create(self, side: str) -> None:
        """Replace a side's database by an empty one."""

    @abc.abstractmethod
    def url(self, side: str) -> str:
        """Return the URL that a side's panko connects with."""

    def environment(self, side: str) -> dict[str, str]:
        """Return the environment variables that configure a side's panko."""
        # The publishers of both sides read this variable too, since they make their own configuration.
        return {"OS_DATABASE__CONNECTION": self.url(side)}

    @abc.abstractmethod
    def tidy(self, side: str) -> None:
        """Do the maintenance that the server does in the background: vacuum, statistics, flush."""

    @abc.abstractmethod
    def size(self, side: str) -> int:
        """Return the bytes on disk of a side's whole database."""

    @abc.abstractmethod
    def sizes(self, side: str) -> dict[str, int]:
        """Return the bytes of each table and index by name, as the server knows them after :meth:`tidy`."""

    @abc.abstractmethod
    def count(self, side: str) -> int:
        """Return the number of stored events."""

    @abc.abstractmethod
    def version(self) -> str:
        """Return name and version of the server."""

    def end_sessions(self, side: str) -> None:
        """End the sessions of a process that was killed."""


class SQLBackend(Backend):
    """A database that is read by SQL."""

    place: ClassVar[str] = "%s"
    """The placeholder for a value in a statement."""
    quote: ClassVar[str] = '"'
    """The quotation mark around a name."""

    @abc.abstractmethod
    def connect(self, side: str) -> contextlib.AbstractContextManager[Any]:
        """Return a context with a DBAPI connection, committed at its end."""

    def count(self, side: str) -> int:
        """Return the number of stored events."""
        return self.query(side, "SELECT count(*) FROM event")[0][0]

    def columns(self, side: str, table: str) -> tuple[str, ...]:
        """Return the names of a table's columns."""
        with self.connect(side) as connection:
            cursor = connection.cursor()
            cursor.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608
            return tuple(column[0] for column in cursor.description)

    def insert(self, cursor: Any, table: str, columns: Sequence[str], rows: Sequence[tuple]) -> None:
        """Insert rows in the fastest way that the driver has."""
        if rows:
            places = ", ".join(self.place for _ in columns)
            cursor.executemany(f"INSERT INTO {table} ({self._names(columns)}) VALUES ({places})", rows)  # noqa: S608

    def _names(self, columns: Sequence[str]) -> str:
        return ", ".join(f"{self.quote}{column}{self.quote}" for column in columns)

    def query(self, side: str, sql: str) -> list[tuple]:
        """Return the rows of a query."""
        with self.connect(side) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall()


class SQLite(SQLBackend):
    """A file for each side."""

    name = "sqlite"
    place = "?"
    pragmas: ClassVar[dict[str, str | int]] = {"foreign_keys": "ON", "cache_size": -16384, "wal_autocheckpoint": 16_000}
    """Settings as on our connections, for the floor."""

    def __init__(self, durable=True):
        self._directory: Path | None = None

    def start(self, saved):
        self._directory = Path(tempfile.mkdtemp(prefix="panko-bench-"))
        if saved:
            shutil.copytree(saved, self._directory, dirs_exist_ok=True)

    def save(self, directory):
        shutil.copytree(self._directory, directory)

    def stop(self):
        shutil.rmtree(self._directory, ignore_errors=True)

    def create(self, side):
        for path in self._directory.glob(f"{side}.sqlite*"):
            path.unlink()

    def _path(self, side: str) -> Path:
        return self._directory / f"{side}.sqlite"

    def url(self, side):
        return f"sqlite:///{self._path(side)}"

    @contextlib.contextmanager
    def connect(self, side):
        with contextlib.closing(sqlite3.connect(self._path(side), timeout=60)) as connection, connection:
            for name, value in self.pragmas.items():
                connection.execute(f"PRAGMA {name} = {value}")
            yield connection

    def tidy(self, side):
        self.query(side, "ANALYZE")
        self.query(side, "PRAGMA wal_checkpoint(TRUNCATE)")

    def size(self, side):
        return sum(path.stat().st_size for path in self._directory.glob(f"{side}.sqlite*"))

    def sizes(self, side):
        return dict(self.query(side, "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))

    def version(self):
        return f"SQLite {sqlite3.sqlite_version}"


class _ServerBackend(SQLBackend):
    """A private server of the kind that the tests use."""

    server_class: ClassVar[type[Server]]
    driver: ClassVar[str]
    options: ClassVar[str] = ""
    settings: ClassVar[dict[str, str]] = {}

    def __init__(self, durable=True):
        self._durable = durable
        self.server = self._make_server(self.server_class)

    def _make_server(self, server_class: type[Server]) -> Server:
        return server_class(durable=self._durable, settings=self.settings)

    def start(self, saved):
        if saved:
            self.server = self._make_server(restored(self.server_class, saved))
        self.server.start()

    def save(self, directory):
        self.server.stop()
        copy(self.server.path("data"), directory / "data")
        self.server.start()

    def stop(self):
        self.server.destroy()

    def create(self, side):
        self.server.drop_database(side)
        self.server.create_database(side)

    def url(self, side):
        url = self.server.url(side)
        # Panko 10.0 needs the driver and the options that it was deployed with.
        return url.replace(f"{self.name}:", f"{self.driver}:", 1) + self.options if side == THEIRS else url


def restored(server_class: type[Server], saved: Path) -> type[Server]:
    """Return a class of servers that start with saved data."""

    class Restored(server_class):
        set_up = ""  # The roles are among the data.

        def initialise(self):
            super().initialise()
            shutil.rmtree(self.path("data"), ignore_errors=True)
            copy(saved / "data", self.path("data"))

    return Restored


def copy(source: Path, target: Path) -> None:
    """Copy a directory with its owners, since the servers do not run as root."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", "--reflink=auto", source, target], check=True)  # noqa: S607


class PostgreSQLBackend(_ServerBackend):
    """PostgreSQL with its own defaults."""

    name = "postgresql"
    server_class = PostgreSQL
    driver = "postgresql+psycopg2"

    @contextlib.contextmanager
    def connect(self, side):
        with psycopg.connect(self.server.url(side)) as connection:
            yield connection

    def tidy(self, side):
        with psycopg.connect(self.server.url(side), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        self.server.execute("CHECKPOINT")

    def insert(self, cursor, table, columns, rows):
        with cursor.copy(f"COPY {table} ({self._names(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def size(self, side):
        relations = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
        return int(self.query(side, relations)[0][0])

    def sizes(self, side):
        relations = (
            "SELECT relname, CASE relkind WHEN 'i' THEN pg_relation_size(oid) ELSE pg_table_size(oid) END"
            " FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace"
        )
        return dict(self.query(side, relations))

    def version(self):
        return f"PostgreSQL {self.server.execute('SHOW server_version').split()[0]}"

    def end_sessions(self, side):
        sessions = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{side}'"  # noqa: S608
        self.server.execute(sessions)


class MariaDBBackend(_ServerBackend):
    """MariaDB with its own defaults, except for a buffer pool that is large enough for the data.

    It bypasses the system's cache, which the other databases profit from.
    """

    name = "mysql"
    quote = "`"
    server_class = MariaDB
    settings: ClassVar[dict[str, str]] = {"innodb-buffer-pool-size": "2G"}
    driver = "mysql+pymysql"
    options = "?charset=utf8"

    @contextlib.contextmanager
    def connect(self, side):
        url = sa.make_url(self.server.url(side))
        with pymysql.connect(host=url.host, port=url.port, user=url.username, database=side) as connection:
            yield connection
            connection.commit()

    def tidy(self, side):
        for (table,) in self.query(side, "SHOW TABLES"):
            self.query(side, f"ANALYZE TABLE {table}")

    def size(self, side):
        # The server only knows the sizes of tables that it has opened since its start.
        return sum(path.stat().st_size for path in self.server.path("data", side).glob("*.ibd"))

    def sizes(self, side):
        # The primary key is the table.
        name = "if(index_name = 'PRIMARY', table_name, concat(table_name, '.', index_name))"
        size = "CAST(stat_value * @@innodb_page_size AS SIGNED)"
        of_side = f"database_name = '{side}' AND stat_name = 'size'"
        sizes = f"SELECT {name}, {size} FROM mysql.innodb_index_stats WHERE {of_side}"  # noqa: S608
        lines = self.server.execute(sizes).splitlines()
        return {name: int(size) for name, size in (line.split("\t") for line in lines)}

    def version(self):
        return "MariaDB " + self.server.execute("SELECT version()").strip().partition("-")[0]

    def end_sessions(self, side):
        sessions = f"SELECT id FROM information_schema.processlist WHERE db = '{side}'"  # noqa: S608
        for session in self.server.execute(sessions).split():
            with contextlib.suppress(Exception):
                self.server.execute(f"KILL {session}")


SQL_BACKENDS: dict[str, type[SQLBackend]] = {
    backend.name: backend for backend in (SQLite, PostgreSQLBackend, MariaDBBackend)
}
