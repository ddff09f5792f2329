# SPDX-License-Identifier: Apache-2.0
"""Export of events: what to export, and the JSON lines or zstd frames that are written."""

import datetime
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import zstandard

from panko.filter_language import parse_all
from panko.storage.base import Connection
from panko.storage.filters import EventFilter, Page, Place, Scope

EXPORT_BATCH_BYTES = 1024 * 1024
"""Size of the lines that are written at a time. With zstd they are a frame of their own."""

BATCH_SECONDS = 1
"""How long lines wait for others of their batch."""

ZSTD_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are exported.

    :param start: events generated at this time or later; naive UTC
    :param end: events generated at this time or earlier
    :param types: of one of these event types; empty: of any
    :param project: of this project; None: of any
    :param where: that meet all of these texts in the filter language
    :param now: the time to which times such as ``-2h`` in these texts are relative
    """

    start: datetime.datetime | None = None
    end: datetime.datetime | None = None
    types: tuple[str, ...] = ()
    project: str | None = None
    where: tuple[str, ...] = ()
    now: datetime.datetime | None = None

    def filter(self, after: Place | None = None) -> EventFilter:
        """Return the filter for these events; those before the time of a place may be left out.

        :raises FilterSyntaxError: if a text is not in the filter language
        """
        times = [each for each in (self.start, after and after.generated) if each]
        return EventFilter(
            start_timestamp=max(times, default=None),
            end_timestamp=self.end,
            event_type=self.types,
            condition=parse_all(self.where, self.now).condition,
            scope=Scope(project_id=self.project),
        )


def read_batches(connection: Connection, selection: Selection, after: Place | None) -> Iterator[tuple[int, bytes]]:
    """Yield the events as lines, each as the JSON object that the API returns, in the order of time and message_id.

    :param after: where the last export ended; None: begin with the first event
    :returns: pairs of the number of lines, and the lines
    :raises StorageUnavailable: if the database fails; what was yielded before is complete
    """
    lines: list[bytes] = []
    size = 0
    for document in connection.get_documents(selection.filter(), Page(after=after)):
        if not lines:
            began = time.monotonic()
        lines.append(document)
        size += len(document) + 1
        if size >= EXPORT_BATCH_BYTES or time.monotonic() - began >= BATCH_SECONDS:
            yield len(lines), _join(lines)
            lines, size = [], 0
    if lines:
        yield len(lines), _join(lines)


def _join(lines: list[bytes]) -> bytes:
    return b"\n".join([*lines, b""])


def make_encoder(is_zstd: bool) -> Callable[[bytes], bytes]:
    """Return the function that makes of a batch what is written: a zstd frame, or the lines themselves."""
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True).compress if is_zstd else bytes
