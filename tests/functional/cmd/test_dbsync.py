# SPDX-License-Identifier: Apache-2.0
"""panko-dbsync creates the schema, and reports what it did or why it could not."""

import sqlite3

from tests.functional.cmd.processes import free_port, run, said


def test_it_creates_the_schema_and_the_directory_of_an_sqlite_file(tmp_path, configure):
    file = tmp_path / "new" / "deep" / "panko.sqlite"
    done = run("panko-dbsync", "--config-file", configure(url=f"sqlite:///{file}"))
    assert done.returncode == 0
    assert done.stdout == f"The schema is up to date now: sqlite:///{file}\n"
    assert file.stat().st_size


def test_a_second_run_changes_nothing(configure):
    config_file = configure()
    run("panko-dbsync", "--config-file", config_file)
    done = run("panko-dbsync", "--config-file", config_file)
    assert done.returncode == 0
    assert done.stdout.startswith("The schema was up to date: sqlite:///")


def test_schema_before_the_first_release_is_reported_with_what_to_do(tmp_path, config_file):
    with sqlite3.connect(tmp_path / "panko.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    connection.close()
    done = run("panko-dbsync", "--config-file", config_file)
    assert done.returncode == 1
    (line,) = said(done)
    assert "has the schema 0002 of a version before the first release." in line
    assert "Give [database] connection an empty database and run panko-dbsync." in line


def test_a_directory_that_cannot_be_created_is_one_line(tmp_path, configure):
    (tmp_path / "file").write_text("")
    done = run("panko-dbsync", "--config-file", configure(url=f"sqlite:///{tmp_path}/file/panko.sqlite"))
    assert done.returncode == 1
    assert len(said(done)) == 1
    assert said(done)[0].startswith("panko-dbsync: the directory of the database cannot be created: ")


def test_an_unknown_scheme_names_the_installed_drivers(configure):
    done = run("panko-dbsync", "--config-file", configure(url="oracle://somewhere"))
    assert done.returncode == 1
    assert len(said(done)) == 1
    assert "'oracle'" in said(done)[0]
    assert "log, mariadb, mysql, opensearch, postgresql, sqlite" in said(done)[0]


def test_an_unreachable_database_is_one_line_without_its_password(configure):
    url = f"postgresql://panko:secret@127.0.0.1:{free_port()}/panko"
    done = run("panko-dbsync", "--config-file", configure(url=url))
    assert done.returncode == 1
    assert len(said(done)) == 1
    assert "secret" not in done.stdout + done.stderr


def test_missing_configuration_file_is_reported_in_one_line():
    done = run("panko-dbsync", "--config-file", "/nowhere/panko.conf")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "panko-dbsync: Failed to find some config files: /nowhere/panko.conf",
    ]
