# SPDX-License-Identifier: Apache-2.0
"""Import of JSON events, from the lines of files or of a pipe."""

import codecs
import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from panko.ingest import decoding
from panko.storage.base import Connection
from panko.storage.errors import EventsRefused, InvalidEvent, excerpt
from panko.storage.models import Trait, TraitType
from panko.storage.validation import CheckedEvent

DEFAULT_BATCH_SIZE = 500
"""Events of one call to storage: enough to make transactions cheap, and few enough to see progress."""

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


@dataclass(frozen=True, slots=True)
class Counts:
    """What an import has done so far.

    :param lines: lines handled, whatever the result
    :param refused: events that were not stored, and lines that hold no event
    """

    lines: int = 0
    stored: int = 0
    duplicates: int = 0
    refused: int = 0


def read_lines(source: str, stream: Iterable[bytes]) -> Iterator[Line]:
    """Yield the lines of an input, without the byte order mark that some editors write at its start."""
    for number, content in enumerate(stream, start=1):
        yield Line(source, number, content.removeprefix(codecs.BOM_UTF8) if number == 1 else content)


def line_events(line: Line, shift: datetime.timedelta = NO_SHIFT) -> Iterator[CheckedEvent | InvalidEvent]:
    """Yield the events of a line, which is one event, an array of events or blank; an error for each bad one.

    :param shift: added to all times of the events
    """
    if not line.content.strip():
        return
    try:
        documents = decoding.parse_events(line.content)
    except InvalidEvent as error:
        yield error
        return
    for document in documents:
        try:
            yield shift_event(decoding.decode_event(document), shift)
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


def newest_time(lines: Iterable[Line]) -> datetime.datetime | None:
    """Return when the newest event of these lines was generated; None if they hold no event."""
    return max(
        (event.generated for line in lines for event in line_events(line) if isinstance(event, CheckedEvent)),
        default=None,
    )


class Importer:
    """Stores the events of lines in batches, and counts them.

    ``counts`` covers only what is durable. Only batches that were stored are counted; a failed batch is not.

    :param connection: storage
    :param report: called for each event that was not stored, with its line and the reason
    :param shift: added to all times of the events
    :param batch_size: events of one call to storage
    """

    def __init__(
        self,
        connection: Connection,
        report: Callable[[Line, str], None],
        shift: datetime.timedelta = NO_SHIFT,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ):
        self.counts = Counts()
        self._connection = connection
        self._report = report
        self._shift = shift
        self._batch_size = batch_size
        self._batch: list[tuple[Line, CheckedEvent]] = []
        self._read = Counts()

    def add(self, line: Line) -> None:
        """Add a line to the batch, and store the batch if it is full.

        :raises StorageUnavailable: if the database fails; importing the same lines again stores the rest
        """
        for event in line_events(line, self._shift):
            if isinstance(event, InvalidEvent):
                self._refuse(line, str(event))
            else:
                self._batch.append((line, event))
        self._read = replace(self._read, lines=self._read.lines + 1)
        if len(self._batch) >= self._batch_size:
            self.flush()

    def flush(self) -> None:
        """Store the current batch.

        :raises StorageUnavailable: as for :meth:`add`
        """
        stored, duplicates = self._record() if self._batch else (0, 0)
        self._batch = []
        self._read = replace(
            self._read, stored=self._read.stored + stored, duplicates=self._read.duplicates + duplicates
        )
        self.counts = self._read

    def _record(self) -> tuple[int, int]:
        try:
            recorded = self._connection.record_events([event for _, event in self._batch])
        except EventsRefused as error:
            lines = {id(event): line for line, event in self._batch}
            for refusal in error.refusals:
                self._refuse(lines[id(refusal.event)], refusal.reason)
            return error.stored, error.duplicates
        return recorded.stored, recorded.duplicates

    def _refuse(self, line: Line, reason: str) -> None:
        self._report(line, excerpt(reason))
        self._read = replace(self._read, refused=self._read.refused + 1)
