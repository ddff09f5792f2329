# SPDX-License-Identifier: Apache-2.0
"""Windows: the stretches of time that a search covers one after the other, so that none of them has many matches."""

from collections.abc import Sequence

SECOND = 1_000_000
"""Times are in microseconds; so are lengths."""

FIRST_LENGTH = 4 * 3600 * SECOND
"""Length of the first window if nothing is known."""

MAX_LENGTH = 20 * 366 * 86400 * SECOND
"""A window that would be longer has no end."""

MARGIN = 1.5
"""How many times longer a window is than it needs to be if events are spread evenly."""

MAX_WINDOW_GROWTH = 8
"""How many times longer than a window with matches the next one is at most."""

EMPTY_GROWTH = 64
"""How many times longer than an empty window the next one is."""

FEW = 0.25
"""Share of the wanted matches below which a window suggests that the whole rest has few."""

PROBE_WINDOWS = 3
"""Windows after which the whole rest may be tried again."""


class Windows:
    """The current window, and how to choose the next one. The bounds of windows are included.

    :param start: where the first window begins, in the direction of the search; None: unknown
    :param end: where the last window ends; None: nowhere
    :param descends: whether times become smaller on the way
    :param length: length of the first window; None: the whole rest
    :param may_probe: whether searching the whole rest costs little if it has few matches
    """

    def __init__(self, start: int | None, end: int | None, descends: bool, length: int | None, may_probe: bool = True):
        self.start = start
        self.end = end
        self.length = length
        self.is_over = False
        self._sign = -1 if descends else 1
        self._may_probe = may_probe
        self._unprobed = 0
        self._was_empty = False
        self._crowd: int | None = None
        self._crowd_length = 1
        if start is not None:
            self.move_to(start)

    @property
    def is_whole(self) -> bool:
        """Whether the window is the whole rest."""
        return self._last is None or self._last == self.end

    @property
    def is_instant(self) -> bool:
        """Whether the window cannot become shorter."""
        return self.start is not None and self._last == self.start

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        """The smallest and the greatest time of the window."""
        last = self.end if self._last is None else self._last
        return (self.start, last) if self._sign > 0 else (last, self.start)

    @property
    def _last(self) -> int | None:
        """The time at which the window ends; None: nowhere."""
        if self.length is None or self.start is None:
            return self.end
        last = self.start + self._sign * (self.length - 1)
        return last if self.end is None or (self.end - last) * self._sign > 0 else self.end

    def move_to(self, start: int | None) -> None:
        """Begin at a time; the length stays. None: there is nothing to search."""
        self.start = start
        self.is_over = start is None or (self.end is not None and (self.end - start) * self._sign < 0)

    def shrink(self, times: Sequence[int], wanted: int) -> None:
        """Choose a shorter window, as the current one has too many matches.

        :param times: those of some matches in it that follow each other, in order; none if all that were seen are at
            its start, and have been read
        """
        if not times:
            self.length = 1
            return
        before = self.length
        self._crowd, self._crowd_length = times[-1], _length_for(times, wanted)
        # Matches may be spread as there. If that has turned out to be wrong, there is a gap, whose end is approached;
        # on the way down it is skipped.
        self.length = self._halve() if self._was_empty and self._sign > 0 else self._crowd_length
        if before is None or before > 2 * SECOND:
            self.length = max(self.length, SECOND)
        if before is not None:
            self.length = max(1, min(self.length, before // 2))

    def continue_after(self, times: Sequence[int], wanted: int) -> None:
        """Continue at the time of the last match that was read, as there may be more.

        :param times: those of all that were read in this window, in order
        """
        self._unprobed += 1
        self._was_empty = False
        # An instant with many events says nothing about others.
        if self.length is not None and times[0] != times[-1]:
            length = _length_for(times, wanted)
            self.length = max(1, min(max(length, self.length // MAX_WINDOW_GROWTH), self.length * MAX_WINDOW_GROWTH))
        self.move_to(times[-1])

    def pass_on(self, found: int, wanted: int) -> None:
        """Continue beyond the window, of which all matches were read.

        :param found: how many they were
        """
        last = self._last
        if last is None or self.length is None:
            self.is_over = True
            return
        self._unprobed += 1
        self._was_empty = not found
        self.move_to(last + self._sign)
        growth = min(MAX_WINDOW_GROWTH, max(1.0, MARGIN * wanted / found)) if found else EMPTY_GROWTH
        self.length = max(SECOND, int(self.length * growth))
        if self._sign > 0 and self._crowd is not None and self._crowd > last:
            self.length = min(self.length, self._halve()) if found else self._halve()
        elif self.length > MAX_LENGTH or (self._may_probe and found < FEW * wanted and self._unprobed >= PROBE_WINDOWS):
            self.length, self._unprobed = None, 0

    def _halve(self) -> int:
        """Return the length of a window that ends half-way to where there are too many matches."""
        if self._crowd is None or self.start is None:
            return self._crowd_length
        return max(self._crowd_length, abs(self._crowd - self.start) // 2)


def _length_for(times: Sequence[int], wanted: int) -> int:
    """Return the length of a window that has as many matches as are wanted."""
    if not times:
        return 1
    return 1 + int(MARGIN * wanted * (abs(times[-1] - times[0]) + 1) / len(times))
