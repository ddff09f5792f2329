# SPDX-License-Identifier: Apache-2.0
"""What writers stored and what readers of the feed read, and the rules for both."""

import collections
import datetime
import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

SHOWN = 5
"""How many events an error text names."""


class Log:
    """A file of JSON objects, one per line, that survives SIGKILL: a line that was not written as a whole is ignored.

    :param path: the file; it is created, or an incomplete last line is removed
    """

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        content = path.read_bytes()
        complete = content[: content.rfind(b"\n") + 1]
        os.truncate(self._file, len(complete))
        self.entries: list[dict[str, Any]] = [json.loads(line) for line in complete.splitlines()]

    def add(self, **entry: Any) -> None:
        """Append an object."""
        os.write(self._file, json.dumps(entry).encode() + b"\n")
        self.entries.append(entry)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a log."""
    log = Log(path)
    log.close()
    return log.entries


@dataclass(frozen=True)
class Given:
    """An event in one call of a writer, with begin and end of the call by the monotonic clock.

    :param copy: its identity: an event that is sent again has the same message_id, and another copy
    :param ended: None if no call reported that it stored the event or found it stored
    """

    copy: str
    message_id: str
    event_type: str
    generated: datetime.datetime
    began: float
    ended: float | None

    def left_over(self) -> "Given":
        """Return the event as one that was stored before a round."""
        return replace(self, began=-math.inf, ended=-math.inf)


def given_by(path: Path) -> Iterator[Given]:
    """Yield the events of a writer's log."""
    entries = read_log(path)
    for entry, following in zip(entries, [*entries[1:], {}], strict=False):
        for copy, message_id, event_type, generated in entry.get("events", ()):
            time = datetime.datetime.fromisoformat(generated)
            yield Given(copy, message_id, event_type, time, entry["began"], following.get("ended"))


@dataclass(frozen=True)
class Step:
    """One page of the feed, with begin and end of the call.

    :param copies: the events that were read, in order
    """

    began: float
    ended: float
    is_gone: bool
    copies: Sequence[str]


@dataclass(frozen=True)
class Reader:
    """What one reader has read.

    :param event_type: the only type that it asked for; None: all
    :param from_now: whether it began after the newest event, and not with the oldest
    """

    name: str
    event_type: str | None
    from_now: bool
    steps: Sequence[Step]

    @property
    def copies(self) -> list[str]:
        """All events in the order of reading."""
        return [copy for step in self.steps for copy in step.copies]


@dataclass(frozen=True)
class History:
    """All that happened in a round.

    :param given: all events of all writers by copy, also those that were stored before the round
    :param stored: the copies that are stored at the end
    :param readers: the readers, which have read up to the end
    :param deletes: whether anything deleted events
    :param cleared: begin and end of ``clear``; None: it was not called
    :param expired_before: older events may have been deleted
    :param trims_by_time: whether the feed may have forgotten events that are still stored, because it is kept so short
    :param nodes: number of database servers, of which each may know a commit of another one later
    """

    given: Mapping[str, Given]
    stored: Sequence[str]
    readers: Sequence[Reader]
    expired_before: datetime.datetime
    deletes: bool = False
    cleared: tuple[float, float] | None = None
    trims_by_time: bool = False
    nodes: int = 1

    def faults(self) -> list[str]:
        """Return what breaks a rule."""
        found = [*self._of_writers()]
        for reader in self.readers:
            found += (f"{reader.name}: {fault}" for fault in self._of_reader(reader))
        for one, other in itertools.combinations(self.readers, 2):
            found += _of_order(one, other)
        return found

    def _may_be_deleted(self, copy: str) -> bool:
        event = self.given[copy]
        was_cleared = self.cleared is not None and event.began < self.cleared[1]
        return was_cleared or (self.deletes and event.generated < self.expired_before)

    def _of_writers(self) -> Iterator[str]:
        """Check that all acknowledged events are stored once, and no others."""
        unknown = set(self.stored) - set(self.given)
        if unknown:
            yield f"stored, but sent by nobody: {_some(unknown)}"
        names = collections.Counter(self.given[copy].message_id for copy in self.stored if copy in self.given)
        yield from (f"stored twice: {name}" for name, count in names.items() if count > 1)
        lost = {
            event.message_id
            for event in self.given.values()
            if event.ended is not None and not self._may_be_deleted(event.copy)
        } - set(names)
        if lost:
            yield f"acknowledged, but not stored: {_some(lost)}"

    def _of_reader(self, reader: Reader) -> Iterator[str]:
        copies = reader.copies
        read, stored = set(copies), set(self.stored)
        if len(read) < len(copies):
            yield f"read twice: {_some(copy for copy, count in collections.Counter(copies).items() if count > 1)}"
        unknown = read - set(self.given)
        if unknown:
            yield f"read, but sent by nobody: {_some(unknown)}"
        vanished = {copy for copy in read - stored - unknown if not self._may_be_deleted(copy)}
        if vanished:
            yield f"read, but not stored, although nobody can have deleted it: {_some(vanished)}"
        others = {copy for copy in read - unknown if reader.event_type not in (None, self.given[copy].event_type)}
        if others:
            yield f"read, but not of type {reader.event_type}: {_some(others)}"
        missed = self._required(reader) - read
        if missed:
            yield f"missed: {_some(missed)}"
        yield from self._of_start(reader, read - unknown)
        yield from self._of_gone(reader, stored)

    def _required(self, reader: Reader) -> set[str]:
        """Return the stored events that the reader must have read: those whose storing began after it."""
        begin = reader.steps[0].ended if reader.from_now or self.trims_by_time else -math.inf
        if self.trims_by_time:
            # What was unread when its cursor had become too old, it cannot read any more.
            begin = max([begin, *(step.ended for step in reader.steps if step.is_gone)])
        return {
            copy
            for copy in self.stored
            if copy in self.given
            and self.given[copy].began > begin
            and reader.event_type in (None, self.given[copy].event_type)
        }

    def _of_start(self, reader: Reader, read: set[str]) -> Iterator[str]:
        """Check that a reader from now on gets no event whose storing had ended before."""
        if not reader.from_now or self.nodes > 1:
            return
        began = reader.steps[0].began
        early = {copy for copy in read if (ended := self.given[copy].ended) is not None and ended < began}
        if early:
            yield f"read, but stored before the reader began: {_some(early)}"

    def _of_gone(self, reader: Reader, stored: set[str]) -> Iterator[str]:
        """Check that no cursor was refused without reason.

        The feed forgets only entries at its beginning. So if a cursor is gone, all events before it are deleted.
        """
        before: set[str] = set()
        for number, step in enumerate(reader.steps):
            if step.is_gone and not self.deletes:
                yield f"step {number}: gone, although nothing was deleted"
            elif step.is_gone and not self.trims_by_time and before & stored:
                yield f"step {number}: gone, although events that it had read are stored: {_some(before & stored)}"
            before.update(step.copies)


def _of_order(one: Reader, other: Reader) -> Iterator[str]:
    """Check that two readers got the events that both got in the same order."""
    both = set(one.copies) & set(other.copies)
    orders = ([copy for copy in reader.copies if copy in both] for reader in (one, other))
    for first, second in zip(*orders, strict=False):
        if first != second:
            yield f"{one.name} and {other.name} have a different order from {first} and {second} on"
            return


def _some(copies: Any) -> str:
    names = sorted(copies)
    return f"{len(names)} ({', '.join(names[:SHOWN])})"
