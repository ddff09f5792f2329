# SPDX-License-Identifier: Apache-2.0
"""A configuration and a database for the commands."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from panko import service, storage
from panko.storage.base import Connection
from tests.functional.cmd.processes import run

HEAD = """
[database]
connection = {url}
max_retries = 0
"""


@pytest.fixture
def configure(tmp_path: Path, sqlite_url: str) -> Callable[..., str]:
    """Write a configuration file with further sections, and return its path; the default database is SQLite."""

    def write(sections: str = "", url: str = sqlite_url, name: str = "panko.conf") -> str:
        path = tmp_path / name
        path.write_text(HEAD.format(url=url) + sections)
        return str(path)

    return write


@pytest.fixture
def config_file(configure: Callable[..., str]) -> str:
    """A configuration file for an SQLite database with the current schema."""
    path = configure()
    done = run("panko-dbsync", "--config-file", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def connection(config_file: str) -> Connection:
    """A storage connection to the database of the configuration file."""
    conf = service.prepare_service([], config_files=[config_file], share=True)
    connection = storage.get_connection_from_config(conf)
    yield connection
    connection.close()


@pytest.fixture
def event_line() -> Callable[..., bytes]:
    """Return a line with a JSON event; arguments override its members."""

    def make(message_id: str, **members) -> bytes:
        event = {"message_id": message_id, "event_type": "t", "generated": "2026-01-02T03:04:05", "traits": []}
        return json.dumps(event | members).encode() + b"\n"

    return make
