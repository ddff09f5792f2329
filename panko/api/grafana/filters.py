# SPDX-License-Identifier: Apache-2.0
"""Filters: ad hoc filters, texts in the filter language, and the selection of events that a request describes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wsme.exc import ClientSideError

from panko.api.filters import FILTER, Selection, add_texts, restrict
from panko.api.grafana.request import JsonObject, TimeRange
from panko.api.query import ALL_TENANTS_FILTER, EVENT_FIELDS, parse_filters
from panko.storage.aggregates import PROJECT_ID
from panko.storage.conditions import Comparison, Condition, Pattern, Subject
from panko.storage.errors import InvalidFilter, excerpt
from panko.storage.filters import EventFilter, TraitFilter
from panko.storage.models import TRAIT_TYPES_BY_LABEL, TraitType

MAX_AD_HOC_FILTERS = 100
MAX_ALTERNATIVES = 50
"""Maximum number of alternatives in a regular expression."""

OPERATORS_BY_SYMBOL = {"=": "eq", "!=": "ne", "<": "lt", ">": "gt"}
OPERATORS_BY_REGEX_SYMBOL = {"=~": "eq", "!~": "ne"}

TYPE_SEPARATOR = "::"
"""Separates the type from the name of a trait, as in ``integer::vcpus``."""

SUBJECTS = {"event_type": Subject.EVENT_TYPE, "message_id": Subject.MESSAGE_ID}

_REGEX = re.compile(
    r"(?P<start>\^)?(?P<group>\((?:\?:)?)?(?P<body>(?:\\.|[^\\()^$])*)(?P<close>\))?(?P<end>\$)?", re.DOTALL
)
_REGEX_TOKEN = re.compile(r"(?P<any>\.\*)|(?P<or>\|)|\\(?P<escaped>\W)|(?P<plain>[^\\|*+?\[\]{}])", re.DOTALL)

# Quoted values with commas between them, and what must not be searched for them.
_QUOTED_LISTS = re.compile(r"""'[^']*'|(?P<list>"(?:[^"\\]|\\.)*"(?:,"(?:[^"\\]|\\.)*")*)""", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class FieldFilter:
    """A filter in the form of ``q`` of /v2/events."""

    field: str
    op: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class AdHoc:
    """The filters of a request besides its payloads; all must hold.

    :param filters: those that ``q`` can have; several event types, or message_ids, are alternatives
    :param conditions: those that ``q`` cannot have
    """

    filters: tuple[FieldFilter, ...] = ()
    conditions: tuple[Condition, ...] = ()


NO_AD_HOC = AdHoc()


def read_ad_hoc_filters(body: JsonObject) -> AdHoc:
    """Return the ad hoc filters of a request; filters without a key are ignored.

    :raises ClientSideError: if one is invalid
    """
    filters, conditions = [], []
    # All are read first, so that an error in the lists is reported before one in a filter.
    for given in [each for name in ("filters", "adhocFilters") for each in body.objects(name, MAX_AD_HOC_FILTERS)]:
        if not (key := given.text("key")):
            continue
        symbol, value = given.text("operator") or "=", given.text("value")
        if symbol in OPERATORS_BY_REGEX_SYMBOL:
            conditions.append(_compare_with_regex(given, key, OPERATORS_BY_REGEX_SYMBOL[symbol], value))
        elif symbol not in OPERATORS_BY_SYMBOL:
            symbols = " ".join((*OPERATORS_BY_SYMBOL, *OPERATORS_BY_REGEX_SYMBOL))
            raise given.error("operator", f"one of {symbols} (others are not supported)")
        elif symbol == "!=" and key in SUBJECTS:
            conditions.append(Comparison(SUBJECTS[key], TraitType.TEXT, "ne", (value,)))
        else:
            filters.append(make_filter(key, value, OPERATORS_BY_SYMBOL[symbol]))
    return AdHoc(tuple(filters), tuple(conditions))


def _compare_with_regex(given: JsonObject, key: str, operator: str, text: str) -> Comparison:
    """Return the comparison of a key with the alternatives of a regular expression.

    :raises ClientSideError: if the expression is not a simple one, or the key has none
    """
    values = parse_regex(text)
    if values is None:
        expected = "an expression of texts, .* and |, such as ^(a|b)$ or a.*,"
        raise given.error("value", f"{expected} in place of {excerpt(text, 50)}")
    if key in (*EVENT_FIELDS, ALL_TENANTS_FILTER) and key not in SUBJECTS:
        raise given.error("key", f"a key that can be compared with texts ({key} cannot)")
    if key in SUBJECTS:
        return Comparison(SUBJECTS[key], TraitType.TEXT, operator, values)
    trait_type, name = split_key(key)
    return Comparison(name, trait_type or TraitType.TEXT, operator, _convert(given, trait_type, name, values))


def _convert(given: JsonObject, trait_type: TraitType | None, name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the alternatives as values of a type; None: they are texts."""
    if trait_type in (None, TraitType.TEXT):
        return values
    try:
        # A pattern is no value of these types, which str shows.
        return tuple(TraitFilter(name, trait_type, value).value for value in values)
    except InvalidFilter as error:
        raise given.error("value", f"alternatives of the type {trait_type.label}") from error


def parse_regex(text: str) -> tuple[str | Pattern, ...] | None:
    """Return the alternatives of a regular expression that must match a whole value; None if it is not a simple one.

    It consists of texts and ``.*``, with ``|`` between the alternatives; around them may be ``^`` and ``$``, and
    parentheses. A dot that no star follows is a dot, as most people mean it. ``^`` alone is valid if the alternatives
    end with ``.*``, and ``$`` if they begin with it: so it does not matter whether the reader thinks of whole values.
    """
    match = _REGEX.fullmatch(text)
    if match is None or bool(match["group"]) != bool(match["close"]):
        return None
    alternatives: list[list[str]] = [[""]]
    position = 0
    for token in _REGEX_TOKEN.finditer(match["body"]):
        if token.start() != position:
            return None
        position = token.end()
        if token["or"]:
            alternatives.append([""])
        elif token["any"]:
            alternatives[-1].append("")
        else:
            alternatives[-1][-1] += token["escaped"] or token["plain"]
    if position != len(match["body"]) or len(alternatives) > MAX_ALTERNATIVES:
        return None
    if not _are_whole(match, alternatives):
        return None
    return tuple(parts[0] if len(parts) == 1 else Pattern(tuple(_join_stars(parts))) for parts in alternatives)


def _are_whole(match: re.Match[str], alternatives: list[list[str]]) -> bool:
    """Return whether each alternative matches the same values, whether or not it must match a whole one."""
    if not (match["start"] or match["end"]):
        return True
    if not match["group"] and len(alternatives) > 1:
        return False  # In ^a|b$, each sign belongs to one alternative.
    starred_end = all(len(parts) > 1 and not parts[-1] for parts in alternatives)
    starred_start = all(len(parts) > 1 and not parts[0] for parts in alternatives)
    return bool(match["start"] or starred_start) and bool(match["end"] or starred_end)


def _join_stars(parts: list[str]) -> Iterable[str]:
    """Yield the texts between stars, of which several that follow each other are one."""
    return (part for number, part in enumerate(parts) if part or number in (0, len(parts) - 1))


def make_filter(key: str, value: str, operator: str = "eq") -> FieldFilter:
    """Return the filter on a key of the form ``[type::]name``; without a type, a trait is a string."""
    trait_type, name = split_key(key)
    return FieldFilter(name, operator, trait_type.label if trait_type else "", value)


def split_key(key: str) -> tuple[TraitType | None, str]:
    """Return the type (None if it is missing) and the name in ``[type::]name``."""
    label, separator, name = key.partition(TYPE_SEPARATOR)
    return (TRAIT_TYPES_BY_LABEL[label], name) if separator and label in TRAIT_TYPES_BY_LABEL else (None, key)


def read_texts(payload: JsonObject, name: str) -> list[str]:
    """Return the texts in the filter language in a member: a text with one in each line, or a list of such texts."""
    lines = (line.strip() for text in payload.texts(name) for line in text.splitlines())
    return [expand_lists(line) for line in lines if line]


def expand_lists(text: str) -> str:
    """Return a text in which lists that Grafana's format ``doublequote`` writes are lists of the filter language.

    ``a = "x","y"`` and ``a = ("x","y")`` become ``a = ("x" OR "y")``: without that, they would be errors.
    """

    def expand(match: re.Match[str]) -> str:
        values = _QUOTED.findall(match["list"] or "")
        if len(values) < 2:
            return match[0]
        listed = " OR ".join(values)
        around = text[: match.start()].endswith("(") and text[match.end() :].startswith(")")
        return listed if around else f"({listed})"

    return _QUOTED_LISTS.sub(expand, text)


def read_selection(payload: JsonObject, times: TimeRange, ad_hoc: AdHoc = NO_AD_HOC) -> Selection:
    """Return the events that meet the members of a payload, a time range and the ad hoc filters.

    :raises ClientSideError: if the payload is invalid
    """
    if payload.members.get(FILTER):
        # Other requests have this argument; if it were ignored, the response would have all events.
        raise payload.error(FILTER, "the name `filters`, with an s,")
    event_types, projects = payload.names("event_type"), payload.names(PROJECT_ID)
    if len(projects) > 1:
        raise payload.error(PROJECT_ID, "one project, or none for all,")
    own = EventFilter(
        start_timestamp=times.start,
        end_timestamp=times.end,
        event_type=event_types,
        traits_filter=tuple(TraitFilter(PROJECT_ID, TraitType.TEXT, project) for project in projects),
    )
    event_filter = restrict(own, *_read_conditions(ad_hoc))
    selection = Selection(event_filter, payload.boolean("all_tenants"), uses_language=bool(ad_hoc.conditions))
    try:
        return add_texts(selection, read_texts(payload, "filters"))
    except InvalidFilter as error:
        raise ClientSideError(f"{payload.path}filters: {error}") from error


def _read_conditions(ad_hoc: AdHoc) -> Iterable[Condition]:
    """Yield the conditions of ad hoc filters.

    :raises ClientSideError: if the API does not support a filter
    """
    if any(each.field == ALL_TENANTS_FILTER for each in ad_hoc.filters):
        raise ClientSideError(f"{ALL_TENANTS_FILTER} is a member of its own, not a filter")
    of_q = parse_filters(ad_hoc.filters)[0]
    yield of_q.condition
    yield from ad_hoc.conditions
    for subject, names in ((Subject.EVENT_TYPE, of_q.event_type), (Subject.MESSAGE_ID, of_q.message_id)):
        if names:
            yield Comparison(subject, TraitType.TEXT, "eq", names)
