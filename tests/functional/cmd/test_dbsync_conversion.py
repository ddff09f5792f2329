# SPDX-License-Identifier: Apache-2.0
"""panko-dbsync converts a database of Panko 10, and reports what it does."""

import contextlib
import hashlib
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import termios
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.functional import panko10
from tests.functional.cmd.processes import COMMANDS, TIMEOUT, environment, run, said
from tests.unit.doc.blocks import all_blocks

PLAN = (
    "The database was made by Panko 10, and has 46 events. Its tables are renamed to panko10_*, and the events are "
    "converted. This needs about 1 MiB more disk space; the old tables use 1 MiB until panko-dbsync --drop-old."
)


@pytest.fixture
def old_engine(sqlite_url):
    """An engine for a database of Panko 10; tests/functional/storage/test_conversion.py has the other databases."""
    engine = sa.create_engine(sqlite_url, poolclass=sa.NullPool)
    panko10.load(engine)
    return engine


@pytest.fixture
def dbsync(sqlite_url, configure, tmp_path, old_engine):
    """A function that runs panko-dbsync on that database, with a log in a directory of its own."""
    (tmp_path / "log").mkdir()
    path = configure(f"[DEFAULT]\nlog_file = {tmp_path}/log/panko.log\n", url=sqlite_url)

    def run_it(*arguments):
        return run("panko-dbsync", "--config-file", path, *arguments)

    return run_it


@pytest.fixture
def report(tmp_path):
    """A function that returns the rows in the files of rejected rows."""

    def read(directory=tmp_path / "log"):
        files = list(Path(directory).glob("panko10-not-converted-*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    return read


def test_check_says_what_would_be_done_and_a_run_does_it(dbsync, report):
    assert (dbsync("--check").returncode, dbsync("--check").stdout) == (2, f"{PLAN}\n")
    done = dbsync()
    assert (done.returncode, said(done)) == (0, [])
    plan, schema, converted = done.stdout.splitlines()
    assert plan == PLAN
    assert schema.startswith("The schema is up to date now: ")
    assert converted == "All 46 events of Panko 10 are converted."
    check = dbsync("--check")
    assert check.returncode == 0
    assert check.stdout.splitlines()[1].startswith(
        "All events of Panko 10 are converted. panko-dbsync --drop-old would"
    )
    again = dbsync()
    assert (again.returncode, again.stdout.splitlines()[1:]) == (0, [converted])
    dropped = dbsync("--drop-old")
    assert dropped.returncode == 0
    assert dropped.stdout == "The tables of Panko 10 are dropped, after a check of all 46 events.\n"
    last = dbsync("--drop-old")
    assert last.returncode == 1
    assert said(last) == ["panko-dbsync: the database has no tables of Panko 10 to drop"]
    assert dbsync("--check").returncode == 0
    assert report() == []


def test_rejected_rows_are_reported_once_beside_the_log(dbsync, report, old_engine):
    panko10.insert(old_engine, "trait_int", [(7000, "lost", 1), (1, "nothing", None)])
    done = dbsync()
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "All 46 events of Panko 10 are converted, except for 2 rows."
    (line,) = said(done)
    assert line.startswith("panko-dbsync: 2 rows of Panko 10 were not converted: ")
    rows = report()
    assert sorted(each["reason"] for each in rows) == ["its event is missing", "trait nothing has no value"]
    again = dbsync()
    assert (again.returncode, said(again)) == (0, [])
    assert report() == rows
    assert dbsync("--drop-old").returncode == 0
    assert report() == rows


def test_an_unfinished_conversion_is_continued(dbsync, old_engine):
    dbsync()
    with old_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE panko10_conversion SET step = 'event', place = 20, done = 26")
    check = dbsync("--check")
    assert check.returncode == 2
    assert "26 of 46 events of Panko 10 are converted. The others would be converted" in check.stdout
    refused = dbsync("--drop-old")
    assert refused.returncode == 1
    assert said(refused) == ["panko-dbsync: Only 26 of 46 events of Panko 10 are converted. Run panko-dbsync to go on."]
    assert dbsync().returncode == 0
    assert dbsync("--drop-old").returncode == 0


def test_a_report_that_cannot_be_written_is_not_lost(dbsync, report, old_engine, tmp_path):
    panko10.insert(old_engine, "trait_int", [(1, "nothing", None)])
    blocked = tmp_path / "log" / "panko10-not-converted-panko-sqlite.jsonl"
    blocked.mkdir()
    failed = dbsync()
    assert failed.returncode == 1
    assert said(failed)[0].startswith("panko-dbsync: the rows that were not converted cannot be written to ")
    refused = dbsync("--drop-old")
    assert said(refused) == ["panko-dbsync: 1 rows are not reported yet: run panko-dbsync first, which does that"]
    blocked.rmdir()
    assert (dbsync().returncode, len(report())) == (1, 1)
    assert sorted(os.listdir(blocked.parent)) == sorted(["panko.log", blocked.name])


def test_without_a_log_file_rejected_rows_are_in_the_working_directory(configure, tmp_path, sqlite_url, monkeypatch):
    _fill(tmp_path / "panko.sqlite")
    _sqlite(tmp_path / "panko.sqlite", "INSERT INTO trait_int VALUES (7000, 'lost', 1)")
    done = subprocess.run(
        [COMMANDS / "panko-dbsync", "--config-file", configure()],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert done.returncode == 1
    (line,) = (tmp_path / "panko10-not-converted-panko-sqlite.jsonl").read_text().splitlines()
    assert json.loads(line)["row"] == {"event_id": 7000, "key": "lost", "value": 1}


def test_check_and_drop_old_exclude_each_other(configure):
    done = run("panko-dbsync", "--config-file", configure(), "--check", "--drop-old")
    assert done.returncode == 1
    assert said(done) == ["panko-dbsync: --check changes nothing, so it cannot be used with --drop-old"]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["panko.sqlite", "a b#.sqlite"])
def test_check_does_not_change_a_file(configure, tmp_path, name):
    """Not even its journal mode; a missing file is not created, and so is its directory."""
    file = tmp_path / "new" / name
    path = configure(url=f"sqlite:///{file}")
    done = run("panko-dbsync", "--config-file", path, "--check")
    assert done.returncode == 2
    assert done.stdout == f"The file would be created, with the schema: sqlite:///{file}\n"
    assert not file.parent.exists()
    file.parent.mkdir()
    _fill(file)
    before = digest(file)
    done = run("panko-dbsync", "--config-file", path, "--check")
    assert (done.returncode, done.stdout) == (2, f"{PLAN}\n")
    assert digest(file) == before
    assert os.listdir(file.parent) == [name]


def test_check_of_other_schemas(configure, config_file, tmp_path):
    """An old revision and an empty database can be upgraded; the tables of another program cannot."""
    assert run("panko-dbsync", "--config-file", config_file, "--check").returncode == 0
    file = tmp_path / "panko.sqlite"
    _sqlite(file, "UPDATE alembic_version SET version_num = '0101'")
    done = run("panko-dbsync", "--config-file", config_file, "--check")
    assert done.returncode == 2
    assert done.stdout == f"The database sqlite:///{file} has the schema 0101, not 0102. Run panko-dbsync.\n"
    _sqlite(file, "UPDATE alembic_version SET version_num = 'feed'")
    done = run("panko-dbsync", "--config-file", config_file, "--check")
    assert done.returncode == 1
    assert "unknown schema feed" in said(done)[0]


def _sqlite(path, statement):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def _fill(path):
    """Make a file a database of Panko 10."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript((panko10.HERE / "sqlite.sql").read_text())


@pytest.mark.slow
def test_commands_of_the_page_do_what_it_says(configure, postgresql_url):
    """``doc/source/upgrade/database.rst``: check, convert, go back by SQL, convert again, and drop the old tables."""
    blocks = [block for block in all_blocks() if block.page == "upgrade/database.rst"]
    plan, drop = (block.text for block in blocks if block.language == "console")
    (back,) = (block.text for block in blocks if block.language == "sql")
    engine = panko10.engine_of(postgresql_url)
    panko10.load(engine)
    before = _rows(engine)
    path = configure(url=postgresql_url)

    def follow(text):
        return [
            run(*line.removeprefix("# ").replace("/etc/panko/panko.conf", path).split())
            for line in text.splitlines()
            if line.startswith("# ")
        ]

    check, converted = follow(plan)
    assert check.returncode == 2
    assert _generalize(check.stdout) in _generalize(plan)
    assert converted.returncode == 0
    assert _generalize(converted.stdout.splitlines()[-1]) in _generalize(plan)
    panko10.execute(engine, back)
    assert _rows(engine) == before
    follow(plan)
    assert [done.returncode for done in follow(drop)] == [0]
    assert not any(name.startswith("panko10_") for name in sa.inspect(engine).get_table_names())


def _generalize(text):
    return " ".join(re.sub(r"[\d,]+", "1", text).split())


def _rows(engine):
    """Return all rows of the tables of Panko 10."""
    with engine.connect() as connection:
        return {name: sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {name}"))) for name in panko10.TABLES}


@pytest.mark.slow
def test_ctrl_c_ends_with_a_line_and_the_next_run_goes_on(configure, postgresql_url):
    """With a progress bar on a terminal."""
    engine = panko10.engine_of(postgresql_url)
    panko10.load(engine)
    path = configure(url=postgresql_url)
    assert run("panko-dbsync", "--config-file", path).returncode == 0
    panko10.execute(engine, "UPDATE panko10_conversion SET step = 'event', place = 20, done = 26")
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    command = [COMMANDS / "panko-dbsync", "--config-file", path]
    with (
        engine.begin() as connection,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, env=environment()) as process,
    ):
        # The conversion waits for this lock, so that it is interrupted before its end.
        connection.exec_driver_sql("LOCK TABLE event IN SHARE MODE")
        shown = ""
        while "26.0/46.0 [" not in shown:
            shown += os.read(controller, 1000).decode()
        process.send_signal(signal.SIGINT)
        process.wait(TIMEOUT)
        os.close(terminal)
        shown += os.read(controller, 100_000).decode()
        os.close(controller)
    assert process.returncode == 130
    assert shown.splitlines()[-1] == (
        "Interrupted: 26 of 46 events of Panko 10 are converted. Run panko-dbsync again to go on."
    )
    done = run("panko-dbsync", "--config-file", path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "All 46 events of Panko 10 are converted."
