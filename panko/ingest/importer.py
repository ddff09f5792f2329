# SPDX-License-Identifier: Apache-2.0
"""Import of events: what was read from files, pipes or another Panko is stored in batches, and counted."""

import codecs
import datetime
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from panko.ingest import decoding
from panko.storage.base import Connection
from panko.storage.errors import EventsRefused, InvalidEvent, excerpt
from panko.storage.models import Trait, TraitType
from panko.storage.validation import CheckedEvent

DEFAULT_BATCH_SIZE = 500
"""Events of one call to storage: enough to make transactions cheap, and few enough to see progress."""

MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Size of what a batch was read from, from which it is stored although it has fewer events: parsed, it is many times as
large."""

NO_SHIFT = datetime.timedelta()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an input, not parsed; ``number`` counts from 1."""

    source: str
    number: int
    content: bytes

    @property
    def place(self) -> str:
        """The line's source and number, in the form that editors and compilers use."""
        return f"{self.source}:{self.number}"

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self.content)

    def documents(self) -> list[Any]:
        """Return the events of the line, not decoded.

        :raises InvalidEvent: if it is not JSON
        """
        return decoding.parse_events(self.content) if self.content.strip() else []


@dataclass(frozen=True, slots=True)
class Element:
    """One value of an input that is not read by lines: parsed JSON.

    :param index: counts from 1 if it is of an array
    :param size: number of characters of its JSON, if known
    """

    source: str
    number: int | None
    index: int | None
    document: Any
    size: int = 0

    @property
    def place(self) -> str:
        """The source, the line in which the value begins, and its position in its array."""
        line = "" if self.number is None else f":{self.number}"
        return f"{self.source}{line}" if self.index is None else f"{self.source}{line} (event {self.index})"

    def documents(self) -> list[Any]:
        """Return the events of the value, not decoded."""
        return [self.document]


@dataclass(frozen=True, slots=True)
class BadInput:
    """The rest of an input, which cannot be read for a reason."""

    place: str
    reason: str

    def documents(self) -> list[Any]:
        """Raise the reason.

        :raises InvalidEvent: always
        """
        raise InvalidEvent(self.reason)


Record = Line | Element | BadInput
"""What is read from an input at once."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What an import has done so far.

    :param lines: lines handled, whatever the result; without what is not read by lines
    :param refused: events that were not stored, and what holds no event
    """

    lines: int = 0
    stored: int = 0
    duplicates: int = 0
    refused: int = 0


def read_lines(source: str, stream: Iterable[bytes]) -> Iterator[Line]:
    """Yield the lines of an input, without the byte order mark that some editors write at its start."""
    for number, content in enumerate(stream, start=1):
        yield Line(source, number, content.removeprefix(codecs.BOM_UTF8) if number == 1 else content)


def line_events(record: Record, shift: datetime.timedelta = NO_SHIFT) -> Iterator[CheckedEvent | InvalidEvent]:
    """Yield the events of a line, or of what else was read at once; an error for each bad one.

    :param record: blank, one event, a message with events, or an array of these or of such arrays
    :param shift: added to all times of the events
    """
    try:
        documents = record.documents()
    except InvalidEvent as error:
        yield error
        return
    if any(type(document) is list for document in documents):
        arrays = [document if type(document) is list else [document] for document in documents]
        documents = list(itertools.chain.from_iterable(arrays))
    for document in documents:
        try:
            if type(document) is dict and "generated" in document:
                yield shift_event(decoding.decode_event(document), shift)
                continue
            members = decoding.unpack_events(document)
        except InvalidEvent as error:
            yield error
            continue
        for member in members:
            try:
                yield shift_event(decoding.decode_event(member), shift)
            except InvalidEvent as error:
                yield error


def shift_event(event: CheckedEvent, shift: datetime.timedelta) -> CheckedEvent:
    """Return an event with ``shift`` added to its time of generation and to its traits that are times.

    The raw notification is not changed.

    :raises InvalidEvent: if a time would be outside the years 1 to 9999
    """
    if not shift:
        return event
    try:
        return replace(
            event,
            generated=event.generated + shift,
            traits=tuple(_shift_trait(trait, shift) for trait in event.traits),
        )
    except OverflowError as error:
        raise InvalidEvent(f"its times cannot be moved by {shift}: {error}") from error


def _shift_trait(trait: Trait, shift: datetime.timedelta) -> Trait:
    return trait._replace(value=trait.value + shift) if trait.dtype == TraitType.DATETIME else trait


def newest_time(records: Iterable[Record]) -> datetime.datetime | None:
    """Return when the newest event of these was generated; None if they hold no event."""
    return max(
        (event.generated for record in records for event in line_events(record) if isinstance(event, CheckedEvent)),
        default=None,
    )


class Importer:
    """Stores the events of what is read in batches, and counts them.

    ``counts`` covers only what is durable. Only batches that were stored are counted; a failed batch is not.

    :param connection: storage
    :param report: called for each event that was not stored, with what it was read in and the reason
    :param shift: added to all times of the events
    :param batch_size: events of one call to storage
    """

    def __init__(
        self,
        connection: Connection,
        report: Callable[[Record, str], None],
        shift: datetime.timedelta = NO_SHIFT,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ):
        self.counts = Counts()
        self._connection = connection
        self._report = report
        self._shift = shift
        self._batch_size = batch_size
        self._batch: list[tuple[Record, CheckedEvent]] = []
        self._batch_bytes = 0
        self._read = Counts()

    def add(self, record: Record) -> None:
        """Add a line, or what else was read at once, to the batch, and store the batch if it is full.

        :raises StorageUnavailable: if the database fails; importing the same input again stores the rest
        """
        for event in line_events(record, self._shift):
            if isinstance(event, InvalidEvent):
                self._refuse(record, str(event))
            else:
                self._batch.append((record, event))
        if isinstance(record, Line):
            self._read = replace(self._read, lines=self._read.lines + 1)
        if not isinstance(record, BadInput):
            self._batch_bytes += record.size
        if len(self._batch) >= self._batch_size or self._batch_bytes >= MAX_BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Store the current batch.

        :raises StorageUnavailable: as for :meth:`add`
        """
        stored, duplicates = self._record() if self._batch else (0, 0)
        self._batch, self._batch_bytes = [], 0
        self._read = replace(
            self._read, stored=self._read.stored + stored, duplicates=self._read.duplicates + duplicates
        )
        self.counts = self._read

    def _record(self) -> tuple[int, int]:
        try:
            recorded = self._connection.record_events([event for _, event in self._batch])
        except EventsRefused as error:
            records = {id(event): record for record, event in self._batch}
            for refusal in error.refusals:
                self._refuse(records[id(refusal.event)], refusal.reason)
            return error.stored, error.duplicates
        return recorded.stored, recorded.duplicates

    def _refuse(self, record: Record, reason: str) -> None:
        self._report(record, excerpt(reason))
        self._read = replace(self._read, refused=self._read.refused + 1)
