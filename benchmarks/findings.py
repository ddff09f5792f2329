# SPDX-License-Identifier: Apache-2.0
"""What a check needs, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.backends import OURS, Backend
from benchmarks.cases import Effort
from benchmarks.loading import Facts
from benchmarks.measuring import Measuring
from benchmarks.sides import Outcome, Side

HEAD = ("check", "measured", "at most", "met")


class Finding(NamedTuple):
    """A row of the table, one text for each column of HEAD, and a remark."""

    title: str
    measured: str
    at_most: str
    met: str
    remark: str = ""


@dataclass(frozen=True)
class Place:
    """The environment of a check: a backend with the event set.

    :param sides: runs commands on our side
    """

    backend: Backend
    facts: Facts
    make_side: Callable[[str], Side]
    sides: Measuring
    effort: Effort

    def scaled(self, count: int) -> int:
        """Scale down a number of events if the run is only a trial."""
        return count // self.effort.writes

    def run(self, **command) -> Outcome:
        """Run a command on our side that must succeed."""
        return self.sides.run(OURS, **command)


def make_finding(title: str, measured: str, at_most: str, met: bool, remark: str = "") -> Finding:
    """Return a finding that meets its requirement or not."""
    return Finding(title, measured, at_most, "yes" if met else "NO", remark)
