# SPDX-License-Identifier: Apache-2.0
"""The statements of the page that create a database and a user, and what this user may do."""

import re
import secrets

import pytest

from tests.functional.cmd.processes import run
from tests.functional.install.pages import blocks
from tests.servers import PostgreSQL, Server

pytestmark = pytest.mark.slow


def url(server: Server, name: str) -> str:
    """Return the URL of the user's database, on PostgreSQL by a socket: other users may not use TCP in the tests."""
    if isinstance(server, PostgreSQL):
        return f"postgresql://{name}:secret@/{name}?host={server.path('run')}&port={server.port}"
    return f"mysql://{name}:secret@127.0.0.1:{server.port}/{name}"


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_the_new_user_can_create_the_tables(kind, request, tmp_path):
    server = request.getfixturevalue(f"{kind}_server")
    name = f"panko_{secrets.token_hex(4)}"
    (block,) = [block for block in blocks("venv") if block.language == kind]
    try:
        for statement in re.sub(r"\bpanko\b", name, block.text).split(";")[:-1]:
            server.execute(statement)
        config_file = tmp_path / "panko.conf"
        config_file.write_text(f"[database]\nconnection = {url(server, name)}\n")
        done = run("panko-dbsync", "--config-file", str(config_file))
        assert done.returncode == 0, done.stderr
    finally:
        server.drop_database(name)
        server.execute(f"DROP ROLE IF EXISTS {name}" if kind == "postgresql" else f"DROP USER IF EXISTS {name}")
