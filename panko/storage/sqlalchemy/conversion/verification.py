# SPDX-License-Identifier: Apache-2.0
"""Check that the events of Panko 10 are stored, before its tables are dropped."""

import datetime
import hashlib
import secrets
from collections.abc import Callable, Collection, Iterator

import sqlalchemy as sa
from oslo_utils import timeutils

from panko.storage.errors import ConversionIncomplete, excerpt
from panko.storage.filters import EventFilter
from panko.storage.models import Event, convert_datetime
from panko.storage.serialization import serialize_event
from panko.storage.sqlalchemy.conversion.old_events import OldEvents, decode_time
from panko.storage.sqlalchemy.conversion.progress import START
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.tables import EVENT

RANGE = 5000
"""Events that are looked up at a time."""

SAMPLES = 50
SAMPLE_EVENTS = 20
"""Number of random places, and of the events at each, whose content is compared."""

ReadEvents = Callable[[EventFilter], Iterator[Event]]


class Verification:
    """Compares the tables of Panko 10 with the stored events.

    :param engine: engine of the database
    :param dialect: dialect of the database
    :param read_events: returns stored events
    :param time_to_live: seconds after which events are deleted; 0 or less: never
    """

    def __init__(self, engine: sa.Engine, dialect: Dialect, read_events: ReadEvents, time_to_live: int):
        self._engine = engine
        self._dialect = dialect
        self._read_events = read_events
        self._time_to_live = time_to_live

    def check(self, old: OldEvents, rejected: Collection[int], advance: Callable[[int], None]) -> None:
        """Check that all events are stored that were neither rejected nor have expired, and the content of a sample.

        :param rejected: ids of rejected events in Panko 10
        :param advance: called with the number of events that were looked up
        :raises ConversionIncomplete: if one is missing or different
        """
        place = START
        while rows := old.read_message_ids(place, RANGE):
            wanted = {message_id: time for id_, message_id, time in rows if id_ not in rejected}
            stored = self._find_stored(list(wanted))
            self._require({name: time for name, time in wanted.items() if name not in stored})
            place = rows[-1][0] - 1
            advance(len(rows))
        self._compare_sample(old, rejected)

    def _find_stored(self, message_ids: list[str]) -> set[str]:
        condition = self._dialect.is_one_of(EVENT.c.message_id, message_ids)
        with self._dialect.reader(self._engine).connect() as connection:
            return set(connection.scalars(sa.select(EVENT.c.message_id).where(condition)))

    def _require(self, missing: dict[str, object]) -> None:
        """Check that missing events have expired.

        :param missing: times of the events by their message_ids
        """
        lost = [message_id for message_id, generated in missing.items() if not self._has_expired(generated)]
        if lost:
            raise ConversionIncomplete(
                f"{len(lost)} events of Panko 10 are missing, for example {excerpt(lost[0])}: were they deleted after "
                "the conversion? Its tables are kept."
            )

    def _has_expired(self, generated: object) -> bool:
        if self._time_to_live <= 0:
            return False
        age = timeutils.utcnow() - convert_datetime(decode_time(generated))
        return age > datetime.timedelta(seconds=self._time_to_live)

    def _compare_sample(self, old: OldEvents, rejected: Collection[int]) -> None:
        greatest = old.find_last() or 0
        places = [greatest, *(1 + secrets.randbelow(max(1, greatest)) for _ in range(SAMPLES - 1))]
        for place in places:
            batch = old.read(place, SAMPLE_EVENTS)
            events = [event for id_, event in batch.events if id_ not in rejected] if batch else []
            self._compare({event.message_id: _checksum(event) for event in events})

    def _compare(self, checksums: dict[str, bytes]) -> None:
        """Check that stored events have the checksums of those of Panko 10, by message_id."""
        if not checksums:
            return
        for stored in self._read_events(EventFilter(message_id=tuple(checksums))):
            if _checksum(stored) != checksums[stored.message_id]:
                raise ConversionIncomplete(
                    f"The event {excerpt(stored.message_id)} of Panko 10 is not the one that is stored with the same "
                    "message_id: its checksum differs. The tables of Panko 10 are kept."
                )


def _checksum(event: Event) -> bytes:
    return hashlib.sha256(serialize_event(event)).digest()
