# SPDX-License-Identifier: Apache-2.0
"""Applications made from configuration files, and their events."""

import datetime
import itertools
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import webtest

from panko import service
from panko.api import app
from panko.storage import get_connection
from panko.storage.base import Connection
from panko.storage.models import Event, Trait
from tests.servers.opensearch import OpenSearch

CONFORMANCE = Path(__file__).with_name("conformance")

NOAUTH = "panko+noauth"
ADMIN = {"X-User-Id": "adm", "X-Project-Id": "proj-0", "X-Roles": "admin"}
MEMBER = {"X-User-Id": "user-0", "X-Project-Id": "proj-0", "X-Roles": "member"}
SYSTEM = {"X-User-Id": "auditor", "X-Roles": "reader", "OpenStack-System-Scope": "all"}

LoadApp = Callable[..., webtest.TestApp]

ON_OPENSEARCH = {"test_gabbits", "test_grafana", "test_grafana_rows", "test_grafana_visibility", "test_visibility"}
"""Modules whose tests run on SQLite and on OpenSearch: the queries of the drivers have no code in common."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of some modules on another database too."""
    if "filled_url" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in ON_OPENSEARCH:
        metafunc.parametrize("filled_url", ["sqlite", "opensearch"], indirect=True)


def load_json(name: str) -> Any:
    return json.loads((CONFORMANCE / name).read_text())


def parse_event(form: dict[str, Any]) -> Event:
    """Return the event of a member of ``events.json``."""
    traits = [
        Trait(name, dtype, datetime.datetime.fromisoformat(value) if dtype == Trait.DATETIME_TYPE else value)
        for name, dtype, value in form["traits"]
    ]
    generated = datetime.datetime.fromisoformat(form["generated"])
    return Event(form["message_id"], form["event_type"], generated, traits, form["raw"])


def fill(url: str) -> None:
    """Create the schema of a database, and record the conformance events in it."""
    connection: Connection = get_connection(url, service.prepare_service([], config_files=[], share=True))
    connection.upgrade()
    connection.record_events([parse_event(form) for form in load_json("events.json")])
    connection.close()


def write_config(directory: Path, url: str, more: str = "") -> Path:
    """Write a panko.conf into the directory of the application's other files."""
    path = directory / "panko.conf"
    # oslo.config replaces what follows a dollar sign.
    path.write_text(f"[database]\nconnection = {url.replace('$', '$$')}\nmax_retries = 0\n{more}")
    return path


@pytest.fixture
def load_app(tmp_path: Path) -> Iterator[LoadApp]:
    """A function that makes an application: ``load_app(url, policy="…", config="…")``."""
    services = []
    numbers = itertools.count()

    def load(
        url: str, *, name: str = NOAUTH, config: str = "", policy: str | None = None, paste: str | None = None
    ) -> webtest.TestApp:
        directory = tmp_path / f"etc-{next(numbers)}"
        directory.mkdir()
        for file, text in (("policy.yaml", policy), ("api_paste.ini", paste)):
            if text is not None:
                (directory / file).write_text(text)
        path = write_config(directory, url, config)
        services.append(app.load_app(service.prepare_service([], config_files=[str(path)], share=True), name))
        return webtest.TestApp(services[-1])

    yield load
    for loaded in services:
        loaded.close()


@pytest.fixture(scope="session")
def filled_sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of an SQLite database with the conformance events; tests must not change them."""
    url = f"sqlite:///{tmp_path_factory.mktemp('filled') / 'panko.sqlite'}"
    fill(url)
    return url


@pytest.fixture(scope="session")
def filled_opensearch_url(opensearch_server: OpenSearch) -> Iterator[str]:
    """The URL of an OpenSearch database with the conformance events; tests must not change them."""
    name = f"panko_filled_{secrets.token_hex(8)}"
    url = opensearch_server.create_database(name)
    fill(url)
    yield url
    opensearch_server.drop_database(name)


@pytest.fixture
def filled_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database with the conformance events, SQLite by default; tests must not change them."""
    return request.getfixturevalue(f"filled_{getattr(request, 'param', 'sqlite')}_url")


@pytest.fixture
def api(load_app: LoadApp, filled_url: str) -> webtest.TestApp:
    """The application that trusts identity headers, on the conformance events."""
    return load_app(filled_url)


@pytest.fixture(scope="module")
def hostile_client(module_url, tmp_path_factory):
    """A client of the application on the conformance events, on each database; tests must not change them."""
    fill(module_url)
    path = write_config(tmp_path_factory.mktemp("hostile"), module_url)
    loaded = app.load_app(service.prepare_service([], config_files=[str(path)], share=True), NOAUTH)
    yield webtest.TestApp(loaded, lint=False)
    loaded.close()


@pytest.fixture
def send(hostile_client, caplog):
    """A function that sends a request, and fails if the service has an internal error."""

    def request(path, method="GET", body=b"", expected=None, **headers):
        sent = {**ADMIN, **{name.replace("_", "-"): value for name, value in headers.items()}}
        content = body if isinstance(body, bytes) else body.encode()
        response = hostile_client.request(path, method=method, headers=sent, body=content, expect_errors=True)
        assert response.status_int < 500, response.text
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
        if expected is not None:
            assert response.status_int == expected, response.text
        return response

    return request


def message_ids(response: webtest.TestResponse) -> list[str]:
    return [event["message_id"] for event in response.json]
