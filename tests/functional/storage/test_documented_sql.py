# SPDX-License-Identifier: Apache-2.0
"""The statements for database administrators work, and the example of rows is how its event is stored."""

import contextlib
import json
import re
import subprocess

from panko.ingest.importer import line_events, read_lines
from tests.functional.storage.workers import connected
from tests.unit.doc.blocks import ROOT, blocks_of

ADMINISTRATION = list(blocks_of(ROOT / "doc/source/operate/database.rst"))
EXAMPLE, ROWS, POSTGRESQL_ROW = (block.text for block in blocks_of(ROOT / "doc/source/contributor/storage/example.rst"))
MESSAGE_ID = json.loads(EXAMPLE)["message_id"]
TIMES = {
    database: " ".join(expression.split())
    for database, expression in re.findall(
        r"(?:On|on) (MariaDB|SQLite)(?: the time is)? ``([^`]+)``",
        (ROOT / "doc/source/operate/database.rst").read_text(),
    )
}
STATEMENTS = [
    statement.strip()
    for block in ADMINISTRATION
    if block.language == "sql"
    for statement in re.sub(r"--.*", "", block.text).split(";")
    if statement.strip()
]
MYSQL = [statement for statement in STATEMENTS if "innodb" in statement]


@contextlib.contextmanager
def stored(url, **more):
    """Yield an engine for a database with the event of the example, optionally with other members."""
    line = json.dumps({**json.loads(EXAMPLE), **more}).encode()
    with connected(url) as storage:
        storage.upgrade()
        storage.record_events([event for read in read_lines("-", [line]) for event in line_events(read)])
        yield storage._engine


def execute(engine, statement):
    """Execute a statement in a transaction of its own, and return its rows."""
    with engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        return result.fetchall() if result.returns_rows else []


def test_statements_for_postgresql_work(postgresql_url):
    with stored(postgresql_url) as engine:
        for statement in STATEMENTS:
            if statement not in MYSQL:
                assert execute(engine, statement) or not statement.startswith("SELECT"), statement


def test_statements_for_mariadb_work(mysql_url):
    (statement,) = MYSQL
    with stored(mysql_url) as engine:
        database = execute(engine, "SELECT database()")[0][0]
        assert execute(engine, statement.replace("'panko'", f"'{database}'"))
        assert execute(engine, f"SELECT {TIMES['MariaDB']} FROM event e") == [("2026-01-02 03:00:50.599354",)]


def test_the_time_of_an_event_in_sqlite(sqlite_url):
    with stored(sqlite_url) as engine:
        assert execute(engine, f"SELECT {TIMES['SQLite']} FROM event e") == [("2026-01-02 03:00:50",)]


def test_a_compressed_notification_can_be_read(postgresql_url):
    (command,) = [block.text for block in ADMINISTRATION if block.language == "bash"]
    raw = {"payload": {"text": "x" * 2000}}
    with stored(postgresql_url, raw=raw):
        command = command.replace("…", MESSAGE_ID).replace(" panko |", f" '{postgresql_url}' |")
        assert json.loads(subprocess.check_output(["bash", "-euo", "pipefail", "-c", command], timeout=60)) == raw


def test_the_example_of_rows_is_what_sqlite_stores(sqlite_url):
    with stored(sqlite_url) as engine:
        tables = [row[0] for row in execute(engine, "SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for table in tables for row in execute(engine, f"SELECT * FROM {table}")]
    values = {
        value.decode(errors="replace") if isinstance(value, bytes) else str(value) for row in rows for value in row
    }
    shown = re.sub(r",\n\s+\[", ",[", ROWS)  # The line breaks that the page has added.
    for value in re.findall(r"(?:=|^ +event_id|\bkey) +(.+)$", shown, re.MULTILINE):
        parts = value.split() if re.fullmatch(r"[\d ]+", value) else [value]
        assert all(part in values or any(each.startswith(f"{part}\n") for each in values) for part in parts), value


def test_the_example_of_a_row_is_what_postgresql_stores(postgresql_url):
    with stored(postgresql_url) as engine:
        ((raw, keys),) = execute(engine, "SELECT raw, keys FROM event")
    shown = dict(re.findall(r"^(\w+) +\| (.+)$", POSTGRESQL_ROW, re.MULTILINE))
    assert shown["raw"] == f"\\x{bytes(raw).hex()}"
    assert sorted(map(int, shown["keys"].strip("{}").split(","))) == sorted(keys)
