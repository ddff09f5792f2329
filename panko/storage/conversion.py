# SPDX-License-Identifier: Apache-2.0
"""Conversion of a database that Panko 10 made: what a storage driver offers for it."""

import abc
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConversionState:
    """How far a conversion is.

    :param events: events in the tables of Panko 10
    :param done: how many of these have been converted or rejected
    :param rejected: rows of the tables of Panko 10 that were rejected: events, traits and raw notifications
    :param is_begun: whether the tables of Panko 10 have been renamed
    :param is_complete: whether all of their rows have been converted or rejected
    :param is_reported: whether :meth:`Conversion.mark_reported` was called since
    """

    events: int
    done: int = 0
    rejected: int = 0
    is_begun: bool = False
    is_complete: bool = False
    is_reported: bool = False


@dataclass(frozen=True, slots=True)
class SpaceNeeded:
    """Bytes on disk.

    :param old: size of the tables of Panko 10
    :param new: estimated size of what is still to be converted
    """

    old: int
    new: int


class Conversion(abc.ABC):
    """The conversion of one database.

    It can be stopped at any time; :meth:`run` then goes on where it was stopped. All methods raise the errors of
    :class:`panko.storage.base.Connection`.
    """

    @abc.abstractmethod
    def read_state(self) -> ConversionState:
        """Return how far the conversion is."""

    @abc.abstractmethod
    def estimate_space(self) -> SpaceNeeded:
        """Return the disk space that the conversion needs."""

    @abc.abstractmethod
    def run(self, advance: Callable[[int], None]) -> None:
        """Convert what is not converted yet; the schema must be up to date.

        :param advance: called after each batch with its number of events
        :raises ConversionConflict: if another process is converting the same database
        """

    @abc.abstractmethod
    def rejected_rows(self) -> Iterator[str]:
        """Yield the rows that were rejected, each once, in the order in which they were found.

        Each is a JSON object in ASCII with the members ``table``, the name of the table in Panko 10, ``reason`` and
        ``row``, an object with the values by column.
        """

    @abc.abstractmethod
    def mark_reported(self) -> None:
        """Note that the rejected rows have been reported to the operator."""

    @abc.abstractmethod
    def verify(self, advance: Callable[[int], None]) -> None:
        """Check that all events of Panko 10 are stored, and that a sample of them is unchanged.

        :param advance: called after each batch with its number of events
        :raises ConversionIncomplete: if that is not the case, with what is missing
        """

    @abc.abstractmethod
    def drop_old(self) -> None:
        """Drop the tables of Panko 10, and all that is stored about the conversion.

        :raises SchemaMismatch: if tables of another program refer to them; nothing has been dropped then
        """
