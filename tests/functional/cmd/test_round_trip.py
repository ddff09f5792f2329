# SPDX-License-Identifier: Apache-2.0
"""What panko-export writes, panko-import stores exactly: another export has the same bytes."""

import datetime
import os

import pytest

from benchmarks import dataset
from panko import service, storage
from panko.storage.base import Connection
from panko.storage.filters import EventFilter
from panko.storage.models import Event, Trait, TraitType
from tests.conftest import DATABASES
from tests.functional.api.conftest import load_json, parse_event
from tests.functional.cmd.processes import run

EVENTS, BATCH = int(os.environ.get("PANKO_TEST_EXPORTED_EVENTS", "20000")), 1000
MANY_EVENTS_SECONDS = 600
"""Seconds until a test fails because a command does not end."""

NOON = datetime.datetime(2026, 1, 2, 12)
TEXT, INTEGER, FLOAT, DATETIME = TraitType

ODD_TRAITS = (
    *(Trait("float", FLOAT, value) for value in (-0.0, 0.1, 5e-324, 1.7976931348623157e308, 1e16, -1.5)),
    *(Trait("integer", INTEGER, value) for value in (-(2**63), 2**63 - 1, 0)),
    *(Trait("text", TEXT, value) for value in ("", " é\u2028\U0001f600 ", "2", "2026-01-02", "true", "a" * 70_000)),
    *(Trait("time", DATETIME, value) for value in (datetime.datetime.min, datetime.datetime.max, NOON)),
    *(Trait("same", type_, value) for type_, value in ((TEXT, "4"), (INTEGER, 4), (FLOAT, 4.0), (TEXT, "4"))),
    Trait('"},{"', Trait.NONE_TYPE, "no type"),
)
ODD_RAWS = (
    *([], [1], None, 0, "text", False, {"a": {}}, {"": None}, {"nul": "\x00", "half": "\ud800", "line": "\r\n\u2028"}),
    *({"big": 2**200}, {"float": 1e300}, {"payload": {"text": '","raw":'}}),
)


def odd_events():
    """Return events that a careless export would change."""
    yield Event("many traits", "odd", NOON, ODD_TRAITS)
    for number, raw in enumerate(ODD_RAWS):
        yield Event(f"raw {number}", "odd", NOON + datetime.timedelta(microseconds=number), raw=raw)
    for number, moment in enumerate((datetime.datetime.min, datetime.datetime.max, NOON.replace(microsecond=999999))):
        yield Event(f"time {number} \u00e9\n", 'odd "type"', moment)


@pytest.fixture
def connect(configure):
    """Return the configuration file for a database, and a connection to it."""
    connections = []

    def connect(url: str) -> tuple[str, Connection]:
        config_file = configure(url=url, name=f"{len(connections)}.conf")
        conf = service.prepare_service([], config_files=[config_file], share=True)
        connections.append(storage.get_connection_from_config(conf))
        connections[-1].upgrade()
        return config_file, connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def succeed(*line, **more):
    done = run(*line, timeout=MANY_EVENTS_SECONDS, **more)
    assert done.returncode == 0, done.stderr
    return done


def assert_round_trip(config_file, connection, directory, names):
    """Export, import into the empty database and export again, by files of these names; return the first export."""
    for path in (directory / name for name in names):
        succeed("panko-export", "--config-file", config_file, "--output", str(path))
        if path.name == names[0]:
            connection.clear()
            assert not list(connection.get_events(EventFilter()))
            succeed("panko-import", "--config-file", config_file, str(path))
    first, second = ((directory / name).read_bytes() for name in names)
    assert first == second
    return first


@pytest.mark.parametrize("any_url", DATABASES, indirect=True)
def test_the_conformance_events_and_odd_ones_survive(tmp_path, any_url, connect):
    config_file, connection = connect(any_url)
    events = [*map(parse_event, load_json("events.json")), *odd_events()]
    connection.record_events(events)
    before = list(connection.get_events(EventFilter()))
    lines = assert_round_trip(config_file, connection, tmp_path, ["first.jsonl", "second.jsonl"])
    assert lines.count(b"\n") == len({event.message_id for event in events})
    after = list(connection.get_events(EventFilter()))
    assert [event.message_id for event in after] == [event.message_id for event in before]
    # Also what is equal but not the same, as -0.0, or is not in the lines.
    assert repr(after) == repr(before)


def assert_move(source, target):
    """Copy the events of a database to another one through a pipe; return what was written."""
    done = succeed("panko-export", "--config-file", source)
    written = done.stdout.encode()
    succeed("panko-import", "--config-file", target, "-", stdin=written)
    return written


def test_events_move_from_sql_to_opensearch_and_back(sqlite_url, opensearch_url, postgresql_url, connect):
    (source, connection), (middle, _), (target, last) = map(connect, (sqlite_url, opensearch_url, postgresql_url))
    connection.record_events([*map(parse_event, load_json("events.json")), *odd_events()])
    first, second = assert_move(source, middle), assert_move(middle, target)
    assert first == second == succeed("panko-export", "--config-file", target).stdout.encode()
    assert sorted(map(repr, last.get_events(EventFilter()))) == sorted(map(repr, connection.get_events(EventFilter())))


@pytest.mark.slow
@pytest.mark.parametrize("any_url", ["postgresql", "opensearch"], indirect=True)
def test_many_events_survive_in_a_compressed_file(tmp_path, any_url, connect):
    config_file, connection = connect(any_url)
    for batch in dataset.batches(dataset.events(EVENTS, raw=True), BATCH):
        connection.record_events(batch)
    assert_round_trip(config_file, connection, tmp_path, ["first.jsonl.zst", "second.jsonl.zst"])
