# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a page's URL, for the person who has written it."""

from dataclasses import dataclass

from wsme.exc import ClientSideError

from panko.api.errors import make_fault
from panko.filter_language import FilterSyntaxError
from panko.storage.errors import InvalidFilter


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no answer.

    :param text: what is wrong, and what to do
    :param example: a filter that works; empty: it is not about the text of the search box
    :param position: where that text is wrong, in characters from 1; 0: it is not about it
    """

    text: str
    example: str = ""
    position: int = 0


def describe_problem(error: ClientSideError | InvalidFilter) -> Problem:
    """Return what is wrong."""
    if isinstance(error, FilterSyntaxError) and error.number is None:
        return Problem(error.problem, error.example, error.position)
    return Problem(make_fault(error).text)
