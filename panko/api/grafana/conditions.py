# SPDX-License-Identifier: Apache-2.0
"""Conditions on events: written as the ``openstack event`` command takes them, or as Grafana's ad hoc filters."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from wsme.exc import ClientSideError

from panko.api.grafana.members import Members
from panko.api.query import ALL_TENANTS, EVENT_FIELDS, parse_filters
from panko.storage.filters import EventFilter
from panko.storage.models import INT64, TRAIT_TYPES_BY_LABEL, TraitType

OPERATORS = {"=": "eq", "==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
AD_HOC_OPERATORS = ("=", "!=", "<", ">")
MOST_AD_HOC = 100
TYPED = "::"
"""What stands between the type and the name of a trait."""

_CONDITION = re.compile(r"(?:(?P<type>\w+)::)?+(?P<name>[^<>=!]+)(?P<op><=|>=|!=|==|=|<|>)(?P<value>.*)", re.DOTALL)
_QUOTED = re.compile(r"(?P<quote>[\"'])(?P<text>.*)(?P=quote)", re.DOTALL)
_LITERALS = {
    TraitType.INTEGER: re.compile(r"[+-]?\d{1,19}", re.ASCII),
    # With a point, as 12e4 may well be the beginning of an identifier.
    TraitType.FLOAT: re.compile(r"[+-]?(\d+\.\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE),
    TraitType.DATETIME: re.compile(
        r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII | re.IGNORECASE
    ),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter as /v2/events takes it."""

    field: str
    op: str
    type: str
    value: str


def parse_condition(text: str, name: str) -> Condition:
    """Return the condition that ``[type::]name operator value`` means.

    Without a type the value decides: what looks like a number or a time is one, unless it is in quotes.

    :param name: what the error calls it
    :raises ClientSideError: where it is not of that form
    """
    match = _CONDITION.fullmatch(text)
    if not match or not match["name"].strip():
        raise ClientSideError(f"{name}: conditions of the form [type::]name operator value, such as vcpus>=4, expected")
    field, value = match["name"].strip(), match["value"].strip()
    if quoted := _QUOTED.fullmatch(value):
        value = quoted["text"]
    if field in EVENT_FIELDS:
        return Condition(field, OPERATORS[match["op"]], "", value)
    # A type that there is none of is refused where all filters are read.
    kind = match["type"] or (TraitType.TEXT if quoted else _guess(value)).label
    return Condition(field, OPERATORS[match["op"]], kind, value)


def _guess(value: str) -> TraitType:
    kind = next((kind for kind, literal in _LITERALS.items() if literal.fullmatch(value)), TraitType.TEXT)
    # No integer trait has more than 64 bits, but an identifier may be of many digits.
    return TraitType.TEXT if kind is TraitType.INTEGER and int(value) not in INT64 else kind


def conditions_of(payload: Members, name: str) -> list[Condition]:
    """Return the conditions that a member holds: a text with one in each line, or a list of such texts."""
    lines = (line.strip() for text in payload.texts(name) for line in text.splitlines())
    return [parse_condition(line, f"{payload.path}{name}") for line in lines if line]


def ad_hoc_conditions_of(body: Members) -> list[Condition]:
    """Return the conditions that the ad hoc filters of a dashboard are."""
    filters = [each for name in ("filters", "adhocFilters") for each in body.objects(name, MOST_AD_HOC)]
    return [_ad_hoc_condition(each) for each in filters if each.text("key")]


def _ad_hoc_condition(given: Members) -> Condition:
    kind, name = split_key(given.text("key"))
    operator = given.text("operator") or "="
    if operator not in AD_HOC_OPERATORS:
        raise given.wrong("operator", f"one of {' '.join(AD_HOC_OPERATORS)} (others cannot be asked for)")
    return Condition(name, OPERATORS[operator], kind.label if kind else "", given.text("value"))


def split_key(key: str) -> tuple[TraitType | None, str]:
    """Return the type, if there is one, and the name that ``[type::]name`` holds."""
    kind, separator, name = key.partition(TYPED)
    return (TRAIT_TYPES_BY_LABEL[kind], name) if separator and kind in TRAIT_TYPES_BY_LABEL else (None, key)


def filter_of(conditions: Iterable[Condition]) -> EventFilter:
    """Return what the events are to meet; several event types, or message_ids, are any of them.

    :raises ClientSideError: where a condition is none that can be asked for
    """
    given = list(conditions)
    if any(condition.field == ALL_TENANTS for condition in given):
        raise ClientSideError(f"{ALL_TENANTS} is a member of its own, and no condition")
    return parse_filters(given)[0]
