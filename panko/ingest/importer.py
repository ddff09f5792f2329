# SPDX-License-Identifier: Apache-2.0
"""Lines of JSON events, from files or a pipe, stored batch by batch."""

import codecs
import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from panko.ingest import decoding
from panko.ingest.shifting import shift_event
from panko.storage.base import Connection
from panko.storage.errors import EventsRefused, InvalidEvent, excerpt
from panko.storage.validation import CheckedEvent

BATCH_SIZE = 500
"""Events of one call to storage: many enough that a transaction costs little, few enough that progress shows."""

NO_SHIFT = datetime.timedelta()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an input, without interpretation; ``number`` counts from 1."""

    source: str
    number: int
    content: bytes

    @property
    def place(self) -> str:
        """Where the line stands, as editors and compilers write it."""
        return f"{self.source}:{self.number}"


@dataclass(frozen=True, slots=True)
class Counts:
    """What an import has done so far.

    :param lines: lines that are done with, whatever became of them
    :param refused: events, or whole lines that hold none, that were not stored
    """

    lines: int = 0
    stored: int = 0
    duplicates: int = 0
    refused: int = 0


def read_lines(source: str, stream: Iterable[bytes]) -> Iterator[Line]:
    """Yield the lines of an input, without the byte order mark that some editors put before the first."""
    for number, content in enumerate(stream, start=1):
        yield Line(source, number, content.removeprefix(codecs.BOM_UTF8) if number == 1 else content)


def line_events(line: Line, shift: datetime.timedelta = NO_SHIFT) -> Iterator[CheckedEvent | InvalidEvent]:
    """Yield the events of a line, which is one event, an array of them or blank; for a bad one, what is wrong.

    :param shift: what all times of an event are moved by
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


def newest_time(lines: Iterable[Line]) -> datetime.datetime | None:
    """Return when the newest event of all these lines was generated; None where no line holds an event."""
    return max(
        (event.generated for line in lines for event in line_events(line) if isinstance(event, CheckedEvent)),
        default=None,
    )


class Importer:
    """Stores the events of lines, in batches, and counts them.

    ``counts`` holds what is durable: after an exception of storage, the lines that were done before it.

    :param connection: storage
    :param complain: is told of each event that was not stored: the line it stood in, and the reason
    :param shift: what all times of an event are moved by
    :param batch_size: number of events of one call to storage
    """

    def __init__(
        self,
        connection: Connection,
        complain: Callable[[Line, str], None],
        shift: datetime.timedelta = NO_SHIFT,
        batch_size: int = BATCH_SIZE,
    ):
        self.counts = Counts()
        self._connection = connection
        self._complain = complain
        self._shift = shift
        self._batch_size = batch_size
        self._batch: list[tuple[Line, CheckedEvent]] = []
        self._read = Counts()

    def add(self, line: Line) -> None:
        """Take a line; where that fills a batch, store it.

        :raises StorageUnavailable: where the database failed; a second import of the same lines stores the rest
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
        """Store what was taken and is not stored yet.

        :raises StorageUnavailable: as :meth:`add`
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
        self._complain(line, excerpt(reason))
        self._read = replace(self._read, refused=self._read.refused + 1)
