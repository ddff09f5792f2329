# SPDX-License-Identifier: Apache-2.0
"""Errors of the filter language: where a text is wrong, what was expected there, and an example that works."""

from panko.storage.errors import InvalidFilter, excerpt

MAX_SHOWN_CHARACTERS = 40
"""Maximum number of characters of a name or value that an error text repeats."""

EXAMPLE = "event_type = compute.instance.* AND vcpus >= 4"


class FilterSyntaxError(InvalidFilter):
    """A text is not a filter.

    :param position: where it is wrong, in characters from 1
    :param problem: what is there, and what was expected
    :param example: a filter that works
    :param number: which of several texts it is, from 1; None: there is only one
    """

    def __init__(self, position: int, problem: str, example: str = EXAMPLE, number: int | None = None):
        subject = "The filter" if number is None else f"Filter {number}"
        super().__init__(f"{subject} is invalid at character {position}: {problem}. Example: {example}")
        self.position, self.problem, self.example, self.number = position, problem, example, number

    def with_number(self, number: int) -> "FilterSyntaxError":
        """Return the error for one of several texts."""
        return FilterSyntaxError(self.position, self.problem, self.example, number)


def error_at(offset: int, problem: str, example: str = EXAMPLE) -> FilterSyntaxError:
    """Return the error at an offset, which begins at 0."""
    return FilterSyntaxError(offset + 1, problem, example)


def show(text: str) -> str:
    """Return a part of a filter for an error text, truncated and in backquotes."""
    return f"`{excerpt(text, MAX_SHOWN_CHARACTERS)}`"


def quote(text: str) -> str:
    """Return a text in double quotes as a filter has it, truncated."""
    escaped = excerpt(text, MAX_SHOWN_CHARACTERS).replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*")
    return f'"{escaped}"'
