# SPDX-License-Identifier: Apache-2.0
"""What makes races in the feed likely: pauses and small limits; and a feed that is wrong, to see that it is found."""

import dataclasses
import random
import time
from collections.abc import Sequence
from types import ModuleType

import orjson
import sqlalchemy as sa

from panko.storage import delivery
from panko.storage.base import Connection
from panko.storage.feed import FeedEvent, FeedPage, FeedRequest, Start
from panko.storage.opensearch import feed_reader as opensearch_feed_reader
from panko.storage.opensearch import journal as opensearch_journal
from panko.storage.opensearch import journal_trimmer
from panko.storage.sqlalchemy import feed_reader, journal, journal_reader
from panko.storage.sqlalchemy.tables import EVENT

SMALL_LIMITS: Sequence[tuple[ModuleType, str, float]] = (
    (feed_reader, "FIRST_ENTRIES", 2),
    (feed_reader, "MAX_ENTRIES", 3),
    (feed_reader, "MAX_ROWS", 3),
    (delivery, "MAX_FEED_EVENTS", 50),
    (delivery, "MAX_FEED_BYTES", 4000),
    (feed_reader, "MAX_PLACED_ENTRIES", 3),
    (journal_reader, "MAX_ENTRIES", 3),
    (journal_reader, "MAX_LISTED_IDS", 5),
    (opensearch_feed_reader, "MAX_FEED_HITS", 3),
    (opensearch_feed_reader, "MAX_SMALL_OPERATIONS", 10),
    (opensearch_journal, "STATE_INTERVAL", 4),
    (opensearch_journal, "MAX_NEW_ENTRIES", 2),
    (opensearch_journal, "MAX_RECENT_ENTRIES", 3),
    (journal_trimmer, "MAX_REMOVED_ENTRIES", 3),
    (journal, "MAX_PLACED_ENTRIES", 3),
    (journal, "MAX_UNPLACED_ENTRIES", 5),
    (journal, "MAX_TRIMMED_ENTRIES", 3),
    (journal, "RECENT_SECONDS", 0),
    (journal, "FULL_SEARCH_SECONDS", 0.1),
)
"""Limits with which a call needs several statements for what it otherwise does at once."""


def shrink_limits() -> None:
    """Make the limits of this process small."""
    for module, name, value in SMALL_LIMITS:
        assert hasattr(module, name), name
        setattr(module, name, value)


def pause(storage: Connection, chance: random.Random, before_reads: bool) -> None:
    """Let transactions wait before they commit, so that others with later ids commit first.

    Sequencers also wait when they have drawn a position: on PostgreSQL they do the rest in one statement.

    :param before_reads: also wait between the statements of a read, so that the database changes meanwhile
    """
    if not hasattr(storage, "_engine"):
        pause_requests(storage, chance, before_reads)
        return
    has_sequencers = storage._engine.dialect.name != "sqlite"
    # On SQLite, all other writers wait, too.
    longest = 0.15 if has_sequencers else 0.02

    def wait(*arguments: object) -> None:
        time.sleep(chance.choices([0, chance.uniform(0, longest / 8), chance.uniform(0, longest)], [6, 3, 1])[0])

    def wait_before(connection: object, cursor: object, statement: str, *others: object) -> None:
        if statement.upper().startswith("COMMIT") or (has_sequencers and "INSERT INTO journal_entry" in statement):
            wait()
        elif before_reads and chance.random() < 0.1:
            time.sleep(chance.uniform(0, 0.05))

    sa.event.listen(storage._engine, "commit", wait)
    sa.event.listen(storage._engine, "before_cursor_execute", wait_before)


def pause_requests(storage: Connection, chance: random.Random, before_reads: bool) -> None:
    """Let requests to OpenSearch that create entries, or move the begin of the feed, wait before they are sent.

    :param before_reads: sometimes let other requests wait, too
    """
    send = storage._client._request

    def wait_and_send(method: str, path: str, *others: object) -> object:
        if "-feed/_" in path and method == "PUT":
            time.sleep(chance.choices([0, chance.uniform(0, 0.02), chance.uniform(0, 0.15)], [6, 3, 1])[0])
        elif before_reads and chance.random() < 0.1:
            time.sleep(chance.uniform(0, 0.05))
        return send(method, path, *others)

    storage._client._request = wait_and_send


def read_naively(storage: Connection) -> None:
    """Replace the feed of a connection by one in the order of ids, which writers take before they commit."""

    def read_feed(requests: Sequence[FeedRequest]) -> list[FeedPage]:
        return [_read_by_id(storage, request) for request in requests]

    storage.read_feed = read_feed


def _read_by_id(storage: Connection, request: FeedRequest) -> FeedPage:
    with storage._engine.connect() as connection:
        last = 0 if request.start is Start.OLDEST else connection.scalar(sa.select(sa.func.max(EVENT.c.id))) or 0
        last = int.from_bytes(request.start) if isinstance(request.start, bytes) else last
        columns = sa.select(EVENT.c.id, EVENT.c.message_id).where(EVENT.c.id > last)
        ids = connection.execute(columns.order_by(EVENT.c.id).limit(request.limit)).all()
    names = [message_id for _, message_id in ids]
    event_filter = dataclasses.replace(request.event_filter, message_id=names or ["none"])
    documents = {orjson.loads(each)["message_id"]: each for each in storage.get_documents(event_filter)}
    events = [FeedEvent(id_.to_bytes(16), documents[name]) for id_, name in ids if name in documents]
    return FeedPage(events, (ids[-1].id if ids else last).to_bytes(16), more=len(ids) == request.limit)
