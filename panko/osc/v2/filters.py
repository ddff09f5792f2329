# SPDX-License-Identifier: Apache-2.0
"""Filters: the arguments that select events, and the query parameters that they become."""

import argparse
import re
from collections.abc import Iterable
from typing import NamedTuple

from panko.moments import TIME_FORMS, parse_moment

OPERATORS_BY_SYMBOL = {"=": "eq", "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
TRAIT_TYPES = ("string", "integer", "float", "datetime")

EVENT_FIELDS = ("event_type", "message_id", "start_timestamp", "end_timestamp", "all_tenants")
"""Fields that are not traits: the API ignores the type of a filter on them."""

WHERE_HELP = (
    "Condition in the filter language, such as 'vcpus >= 4 AND NOT display_name : test' or 'event_type = "
    "compute.instance.*' (repeat for several conditions, which must all be met)"
)

FILTER_HELP = (
    "Condition on a trait in the form of python-pankoclient, such as 'vcpus>=4', with one of = != < <= > >=. A value "
    "that looks like an integer, a number with a point or a time is compared with traits of that type; any other "
    "value, and any value in quotes, with strings. A type before the name overrides this: 'float::progress>50' "
    "(string, integer, float, datetime). Also event_type=, message_id=, start_timestamp>=, end_timestamp<= and "
    "all_tenants= (repeat for several conditions, which must all be met)"
)

_FILTER = re.compile(r"(?:(?P<type>\w+)::)?+(?P<name>[^<>=!]+)(?P<op><=|>=|!=|==|=|<|>)(?P<value>.*)", re.DOTALL)
_QUOTED = re.compile(r"(?P<quote>[\"'])(?P<text>.*)(?P=quote)", re.DOTALL)
_LITERALS = {
    "integer": re.compile(r"[+-]?\d{1,19}", re.ASCII),
    # The point is required: 12e4 may well be the beginning of an identifier.
    "float": re.compile(r"[+-]?(\d+\.\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE),
    "datetime": re.compile(
        r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII | re.IGNORECASE
    ),
}


class Filter(NamedTuple):
    """A filter in the form of the API.

    :param guessed: whether the type follows from the value alone
    """

    field: str
    op: str
    type: str
    value: str
    guessed: bool = False


ALL_PROJECTS = Filter("all_tenants", "eq", "", "True")


class Where(NamedTuple):
    """A condition in the filter language, which the service parses."""

    text: str


Condition = Filter | Where


def parse_where(text: str) -> Where:
    """Return a condition in the filter language.

    :raises ArgumentTypeError: if it is empty, as a variable of a script may be: all events would meet it
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("the condition is empty")
    return Where(text)


def parse_filter(text: str) -> Filter:
    """Parse ``[type::]name operator value``.

    If the type is missing, it follows from the value: a value that looks like a number or a time, unless it is quoted.

    :raises ArgumentTypeError: if the text does not have that form
    """
    match = _FILTER.fullmatch(text)
    if not match or not match["name"].strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form [type::]name operator value, such as 'vcpus>=4'")
    name, value = match["name"].strip(), match["value"].strip()
    if quoted := _QUOTED.fullmatch(value):
        value = quoted["text"]
    operator = OPERATORS_BY_SYMBOL[match["op"]]
    if name in EVENT_FIELDS:
        return Filter(name, operator, "", value)
    if match["type"] is None:
        trait_type = "string" if quoted else guess_type(value)
        return Filter(name, operator, trait_type, value, guessed=trait_type != "string")
    if match["type"] not in TRAIT_TYPES:
        raise argparse.ArgumentTypeError(
            f"{match['type']!r} in {text!r} is not one of the types {', '.join(TRAIT_TYPES)}"
        )
    return Filter(name, operator, match["type"], value)


def guess_type(value: str) -> str:
    """Return the type that the API should compare an unquoted value with."""
    guessed = next((name for name, literal in _LITERALS.items() if literal.fullmatch(value)), "string")
    # Integer traits have at most 64 bits; a longer number is an identifier.
    return "string" if guessed == "integer" and not -(2**63) <= int(value) < 2**63 else guessed


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that select events, except the end of the time range."""
    parser.add_argument(
        "--type",
        metavar="<event-type>",
        action="append",
        default=[],
        dest="event_types",
        help="Only events of this type (repeat for several types)",
    )
    add_conditions(parser)


def add_conditions(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that select events of a type."""
    parser.add_argument(
        "--where", metavar="<condition>", action="append", default=[], type=parse_where, help=WHERE_HELP
    )
    parser.add_argument(
        "--filter", metavar="<condition>", action="append", default=[], type=parse_filter, help=FILTER_HELP
    )
    parser.add_argument("--since", metavar="<time>", type=parse_moment, help=f"Only events since then: {TIME_FORMS}")
    add_all_projects(parser)


def add_until(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the end of the time range."""
    parser.add_argument(
        "--until", metavar="<time>", type=parse_moment, help="Only events until then; the same forms as --since"
    )


def add_all_projects(parser: argparse.ArgumentParser) -> None:
    """Add the argument that requests events of all projects."""
    parser.add_argument(
        "--all-projects",
        action="store_true",
        help="Include events of all projects (by default only administrators may see them)",
    )


def selected_conditions(parsed_args: argparse.Namespace) -> list[Condition]:
    """Return the conditions for the selected events, without those on their time."""
    types = (Filter("event_type", "eq", "", name) for name in getattr(parsed_args, "event_types", ()))
    conditions: list[Condition] = [*parsed_args.filter, *types, *parsed_args.where]
    return [*conditions, ALL_PROJECTS] if parsed_args.all_projects else conditions


def time_conditions(parsed_args: argparse.Namespace) -> list[Condition]:
    """Return the conditions on the time of the selected events."""
    times = (("start_timestamp", "ge", parsed_args.since), ("end_timestamp", "le", parsed_args.until))
    return [Filter(field, operator, "", time) for field, operator, time in times if time]


def to_query(conditions: Iterable[Condition]) -> list[tuple[str, str]]:
    """Return conditions as query parameters.

    A filter has all four, since the API pairs them by position.
    """
    pairs = []
    for each in conditions:
        if isinstance(each, Where):
            pairs.append(("filter", each.text))
        else:
            pairs += [(f"q.{name}", getattr(each, name)) for name in ("field", "op", "type", "value")]
    return pairs
