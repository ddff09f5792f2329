# SPDX-License-Identifier: Apache-2.0
"""Applications on every database with the same events, and reproducible examples for comparisons with an oracle."""

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from panko import service
from panko.api import app
from panko.storage import get_connection
from panko.storage.models import Event
from tests.conftest import DATABASES
from tests.functional.api.conftest import NOAUTH, write_config

BATCH = 1000
"""Events that are recorded in one call."""

AT_ONCE = 10
"""Examples of one seed; with more, hypothesis makes most of them by copying parts of others."""

FIRST_EXAMPLES = 300
"""Number of requests that are not slow tests."""


@contextlib.contextmanager
def load_applications(
    request: pytest.FixtureRequest, events: Sequence[Event], directory: Path, databases: Iterable[str] = DATABASES
) -> Iterator[dict[str, app.Application]]:
    """Yield an application for each database that is installed, on a new database that contains the events."""
    loaded = {}
    with contextlib.ExitStack() as stack:
        for name in databases:
            if name == "sqlite":
                url = f"sqlite:///{directory / 'panko.sqlite'}"
            else:
                try:
                    server = request.getfixturevalue(f"{name}_server")
                except pytest.skip.Exception:
                    continue
                url = stack.enter_context(_database(server))
            conf = service.prepare_service([], config_files=[str(write_config(directory, url))], share=True)
            record(events, url, conf)
            loaded[name] = stack.enter_context(contextlib.closing(app.load_app(conf, NOAUTH)))
        yield loaded


@contextlib.contextmanager
def _database(server: Any) -> Iterator[str]:
    """Create a database on a server, and drop it after the block."""
    name = f"panko_oracle_{secrets.token_hex(8)}"
    yield server.create_database(name)
    server.drop_database(name)


def record(events: Sequence[Event], url: str, conf: Any) -> None:
    """Store events in a new database."""
    connection = get_connection(url, conf)
    connection.upgrade()
    for start in range(0, len(events), BATCH):
        connection.record_events(events[start : start + BATCH])
    connection.close()


def make_runner(seed: int, number: int, first: int, end: int) -> Callable[..., None]:
    """Return a function that calls another with values of strategies, for some of the examples of a seed.

    :param number: number of all examples, for the error text
    """
    limited = hypothesis.settings(
        max_examples=AT_ONCE, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )

    def run(check: Callable[..., None], *strategies: Any, one_of: int = 1) -> None:
        given = limited(hypothesis.given(*strategies)(check))
        for begun in range(first // one_of, end // one_of, AT_ONCE):
            try:
                hypothesis.seed(f"{seed} {begun}")(given)()
            except BaseException as error:
                error.add_note(f"The same again: pytest --oracle-seed {seed} --oracle-examples {number}")
                raise

    return run


def require_all(applications: dict[str, Any], databases: Sequence[str] = DATABASES) -> None:
    """Skip the test after the comparison if not all databases were available."""
    missing = [name for name in databases if name not in applications]
    if missing:
        pytest.skip(f"compared {', '.join(applications)} alone, without {', '.join(missing)}")
