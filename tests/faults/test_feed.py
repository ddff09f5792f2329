# SPDX-License-Identifier: Apache-2.0
"""The feed skips nothing and repeats nothing, whatever its writers, sequencers and readers do or suffer.

``PANKO_TEST_FEED_ROUNDS`` is the number of rounds on each database (5).
"""

import contextlib
import datetime
import math
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from panko import service
from panko.storage import EventFilter, get_connection
from panko.storage.base import Connection
from panko.storage.feed import FeedRequest, Start
from tests.faults.feed_history import Given, History, Log, Reader, Step, read_log
from tests.faults.feed_rounds import KINDS, Feed
from tests.functional.storage.builders import ago, event, found
from tests.servers import ServerMissing
from tests.servers.galera import GaleraCluster

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("PANKO_TEST_FEED_ROUNDS", "5"))
NODES = 2
PAUSE = """
CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN PERFORM pg_sleep(CASE WHEN random() < 0.5 THEN random() * 0.05 ELSE 0 END); RETURN NULL; END$$;
CREATE TRIGGER pause AFTER INSERT ON journal_entry FOR EACH STATEMENT EXECUTE FUNCTION pause()
"""
SYNCHRONOUS = "?init_command=SET SESSION wsrep_sync_wait=7"


@contextlib.contextmanager
def feed_on(
    urls: Sequence[str], directory: Path, suffix: str = "", naive: bool = False, kind: type[Feed] = Feed
) -> Iterator[Feed]:
    """Return a feed on an empty database.

    :param urls: its URL on each server
    :param suffix: what is added to the URLs for connections that must see the commits of all servers
    :param kind: what runs its rounds
    """
    conf = service.prepare_service([], config_files=[], share=True)
    storages = [get_connection(f"{url}{suffix}", conf) for url in urls]
    try:
        storages[0].upgrade()
        pause_sequencers(storages[0])
        yield kind(urls, storages, directory, naive)
    finally:
        for storage in storages:
            storage.close()


def pause_sequencers(storage: Connection) -> None:
    """Let sequencers on PostgreSQL wait before they commit: they use one round trip, in which a client cannot pause."""
    if hasattr(storage, "_engine") and storage._engine.dialect.name == "postgresql":
        with storage._engine.begin() as connection:
            connection.exec_driver_sql(PAUSE)


@pytest.fixture
def two_nodes() -> Iterator[list[str]]:
    """The URLs of an empty database on both nodes of a cluster."""
    try:
        cluster = GaleraCluster(NODES)
    except ServerMissing as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    with cluster:
        yield cluster.create_database(f"panko_{secrets.token_hex(4)}")


def run_rounds(feed: Feed, numbers: Iterable[int] = range(ROUNDS)) -> None:
    for number in numbers:
        feed.run_round(number)
        if feed.totals["rounds"] % 100 == 0:
            print(dict(feed.totals), flush=True)
    print(f"\n{dict(feed.totals)}")


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mysql"])
def test_each_reader_gets_each_event_once_in_the_same_order(request, tmp_path, database):
    """While writers, sequencers, expirers and readers are killed."""
    with feed_on([request.getfixturevalue(f"{database}_url")], tmp_path) as feed:
        run_rounds(feed)


def test_readers_on_both_nodes_of_a_cluster_get_the_same_feed(two_nodes, tmp_path):
    """Also if they continue on the other node, which knows their cursor a moment later."""
    with feed_on(two_nodes, tmp_path, SYNCHRONOUS) as feed:
        run_rounds(feed)


def test_rounds_find_events_that_are_missed_because_they_are_committed_late(postgresql_url, tmp_path):
    """In a feed in the order of ids, which are given before the commit."""
    with feed_on([postgresql_url], tmp_path, naive=True) as feed, pytest.raises(AssertionError, match=r"missed: \d+"):
        run_rounds(feed, range(0, 100, len(KINDS)))  # Those without deletions.


@pytest.mark.parametrize("database", ["sqlite", "postgresql", "mysql"])
def test_unread_rest_of_a_trimmed_entry_is_not_skipped_silently(request, tmp_path, database):
    """The entry is too old, but its events are not: they were generated in the future."""
    with feed_on([request.getfixturevalue(f"{database}_url")], tmp_path) as feed:
        (storage,) = feed.storages
        storage.record_events(event(name, generated=ago(hours=-1)) for name in ("a", "b"))
        (page,) = storage.read_feed([FeedRequest(Start.OLDEST, EventFilter(), 1)])
        assert len(page.events) == 1
        time.sleep(1.1)  # An age is in whole seconds.
        storage.clear_expired_data(0)
        assert found(storage) == ["a", "b"]
        (page,) = storage.read_feed([FeedRequest(page.cursor, EventFilter(), 1)])
        assert page.is_gone or len(page.events) == 1


NOON = datetime.datetime(2026, 1, 1, 12)


def given(*copies: str, began: float = 1.0, ended: float | None = 2.0, age: int = 0) -> list[Given]:
    generated = NOON - datetime.timedelta(hours=age)
    return [Given(copy, copy.partition("#")[0], copy[0], generated, began, ended) for copy in copies]


def reader(*steps: str | None, name: str = "reader", event_type: str | None = None, from_now: bool = False) -> Reader:
    """Return a reader with the events of each step, separated by blanks; None: its cursor was gone."""
    found = [
        Step(number, number + 0.5, step is None, (step or "").split()) for number, step in enumerate(steps, start=1)
    ]
    return Reader(name, event_type, from_now, found)


def history(events: Sequence[Given], stored: str, *readers: Reader, **how) -> History:
    expired_before = NOON - datetime.timedelta(hours=1)
    return History({event.copy: event for event in events}, stored.split(), readers, expired_before, **how)


EVENTS = given("a1", "a2", "b1")
OLD = given("a0", age=2)
CLEARED = {"deletes": True, "cleared": (3.0, 4.0)}


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        (history(EVENTS, "a1 a2 b1"), history(EVENTS, "a1 a2"), "acknowledged, but not stored: 1 (b1)"),
        (history(given("a1", ended=None), ""), history(EVENTS, "a1 a2 b1 b2"), "stored, but sent by nobody"),
        (
            history(given("a1#0", "a1#1"), "a1#1"),
            history(given("a1#0", "a1#1"), "a1#0 a1#1"),
            "stored twice: a1",
        ),
        (
            history(EVENTS, "a1 a2 b1", reader("a1 a2", "b1")),
            history(EVENTS, "a1 a2 b1", reader("a1 a2", "a2 b1")),
            "reader: read twice: 1 (a2)",
        ),
        (
            history(EVENTS, "a1 a2 b1", reader("b1 a1 a2")),
            history(EVENTS, "a1 a2 b1", reader("b1 a1")),
            "reader: missed: 1 (a2)",
        ),
        (
            history(EVENTS, "a1 a2 b1", reader("a1 a2", event_type="a")),
            history(EVENTS, "a1 a2 b1", reader("a1 a2 b1", event_type="a")),
            "reader: read, but not of type a: 1 (b1)",
        ),
        (
            history(given("a1", ended=None), "", reader("")),
            history(given("a1", ended=None), "", reader("a1")),
            "reader: read, but not stored, although nobody can have deleted it: 1 (a1)",
        ),
        (
            history([*EVENTS, *OLD], "a1 a2 b1", reader("a0 a1 a2 b1"), deletes=True),
            history([*EVENTS, *OLD], "a1 a2 b1", reader("a0 a1 a2 b1")),
            "although nobody can have deleted it: 1 (a0)",
        ),
        (
            history([*EVENTS, *given("c1", began=5, ended=6)], "c1", reader("a1", "c1"), **CLEARED),
            history([*EVENTS, *given("c1", began=5, ended=6)], "", reader("a1", "c1"), **CLEARED),
            "although nobody can have deleted it: 1 (c1)",
        ),
        (
            history(given("a1", began=0.2, ended=0.5), "a1", reader("", from_now=True)),
            history(given("a1", began=0.2, ended=0.5), "a1", reader("", "a1", from_now=True)),
            "stored before the reader began: 1 (a1)",
        ),
        (
            history(given("a1", began=0.2, ended=3), "a1", reader("", "a1", from_now=True)),
            history(given("a1", began=1.7, ended=3), "a1", reader("", from_now=True)),
            "reader: missed: 1 (a1)",
        ),
        (
            history(OLD, "", reader("a0", None), deletes=True),
            history(OLD, "", reader("", None)),
            "reader: step 1: gone, although nothing was deleted",
        ),
        (
            history([*EVENTS, *OLD], "a1 a2 b1", reader("a0", None, "a1 a2 b1"), deletes=True),
            history([*EVENTS, *OLD], "a1 a2 b1", reader("a0 a1", None, "a2 b1"), deletes=True),
            "reader: step 1: gone, although events that it had read are stored: 1 (a1)",
        ),
        (
            history(EVENTS, "a1 a2 b1", reader("a1 a2", None, ""), deletes=True, trims_by_time=True),
            history(EVENTS, "a1 a2 b1", reader("a1 a2", None, ""), deletes=True),
            "reader: missed: 1 (b1)",
        ),
        (
            history(EVENTS, "a1 a2 b1", reader("a1 b1 a2"), reader("a1 a2", name="other", event_type="a")),
            history(EVENTS, "a1 a2 b1", reader("a2 b1 a1"), reader("a1 a2", name="other", event_type="a")),
            "reader and other have a different order from a2 and a1 on",
        ),
    ],
)
def test_rules_find_each_fault(right, wrong, fault):
    assert right.faults() == []
    assert [found for found in wrong.faults() if fault in found], wrong.faults()


def test_incomplete_line_of_a_killed_process_does_not_count(tmp_path):
    log = Log(tmp_path / "log")
    log.add(number=1)
    log.close()
    with (tmp_path / "log").open("a") as file:
        file.write('{"number": 2')
    log = Log(tmp_path / "log")
    log.add(number=3)
    log.close()
    assert read_log(tmp_path / "log") == [{"number": 1}, {"number": 3}]


def test_event_of_an_earlier_round_began_before_all_readers():
    assert given("a1")[0].left_over().began == -math.inf
