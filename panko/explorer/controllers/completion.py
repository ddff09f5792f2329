# SPDX-License-Identifier: Apache-2.0
"""Completion of the text in the search box."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson
import pecan
import webob
from wsme.exc import ClientSideError

from panko.api.errors import Refused
from panko.api.grafana.variables import list_traits
from panko.api.hooks import Context
from panko.api.routing import Resource
from panko.explorer.context import select_events
from panko.explorer.controllers.decorators import expose_page
from panko.explorer.search import Search
from panko.filter_language import write_name
from panko.filter_language.comparisons import FIELDS
from panko.filter_language.completion import ComparedName, Gap, find_gap, write_value
from panko.policies import event_counts, events, traits
from panko.storage.aggregates import BY_EVENT_TYPE, MAX_GROUPS, CountQuery
from panko.storage.deadlines import within
from panko.storage.errors import SEARCH_TIMEOUTS, InvalidFilter, NotSupported
from panko.storage.filters import EventFilter
from panko.storage.models import TraitType

MAX_OPTIONS = 50

MAX_COMPLETION_SECONDS = 1
"""How long the search for names and values may take; without an answer by then, there are none."""

EXAMINED_EVENTS = 2000
"""How many of the newest events are examined for the values of a trait."""

MAX_OPTION_CHARACTERS = 255
"""Longer values are not proposed."""

TIMES = ("-15m", "-1h", "-6h", "-24h", "-7d", "-30d")

FIELD_NAMES = ("event_type", "generated", "message_id")


class Option(NamedTuple):
    """A text that can stand at the position.

    :param kind: what it is, in a word or two
    """

    text: str
    kind: str


class CompletionController(Resource):
    """Completion of a filter."""

    @expose_page
    def get_all(self) -> webob.Response:
        """Return what can be written at the argument ``position`` of the argument ``text``, both in characters.

        It is a JSON object with ``options``, and where they begin (``from``) and end (``to``) in the text. Names and
        values are those of the newest events that belong to the page, and that the caller may see.
        """
        arguments = pecan.request.GET
        context: Context = pecan.request.panko
        context.authorization.require_known()
        text, given = arguments.get("text", ""), arguments.get("position", "")
        is_number = given.isascii() and given.isdigit() and len(given) < 9
        position = min(int(given), len(text)) if is_number else len(text)
        gap = find_gap(text, position)
        if gap is None:
            found = {"from": position, "to": position, "options": []}
        else:
            options = [each._asdict() for each in list_options(context, gap)]
            found = {"from": gap.begin, "to": gap.end, "options": options[:MAX_OPTIONS]}
        return webob.Response(orjson.dumps(found), content_type="application/json")


def list_options(context: Context, gap: Gap) -> Iterator[Option]:
    """Yield the texts that can be written in a gap, the best first."""
    if gap.value_of:
        yield from _list_values(context, gap, gap.value_of)
        return
    # What follows begins behind a blank.
    yield from (Option(f"{each} ", "operator") for each in gap.operators if not gap.typed)
    keywords = [Option(f"{each} ", "keyword") for each in gap.keywords if each.startswith(gap.typed.upper())]
    # Somebody who writes small letters rather means a name.
    is_name = gap.takes_name and (not gap.typed or gap.typed != gap.typed.upper())
    if not is_name:
        yield from keywords
    if gap.takes_name:
        fields = () if gap.name_type else FIELD_NAMES
        names = [*fields, *_read_names(context, gap.name_type)]
        for name in _match(names, gap.typed):
            yield Option(f"{write_name(name)} ", "field" if name in fields else "trait")
    if is_name:
        yield from keywords


def _match(texts: Iterable[str], typed: str) -> list[str]:
    """Return the texts that contain what was typed; those that begin with it are first."""
    wanted = typed.casefold()
    found = [each for each in dict.fromkeys(texts) if wanted in each.casefold()]
    return sorted(found, key=lambda each: not each.casefold().startswith(wanted))


def _read_names(context: Context, type_: TraitType | None) -> list[str]:
    """Return the names of the traits of the newest events."""
    event_filter = _select(context, events.INDEX)
    if event_filter is None:
        return []
    try:
        with within(MAX_COMPLETION_SECONDS):
            found = list_traits(context.storage, event_filter)
    except (*SEARCH_TIMEOUTS, NotSupported):
        return []
    # A name of an event's own field means that field, unless a type stands before it.
    return [each.name for each in found if type_ in (None, each.type) and (type_ or each.name not in FIELDS)]


def _list_values(context: Context, gap: Gap, compared: ComparedName) -> Iterator[Option]:
    if compared.is_field and compared.name != BY_EVENT_TYPE:
        if FIELDS[compared.name].subject.value == "generated" and compared.operator not in ("=", "=="):
            yield from (Option(each, "time") for each in TIMES if each.startswith(gap.typed))
        return
    rule, kind = (event_counts.INDEX, "event type") if compared.is_field else (traits.VALUES, "value")
    event_filter = _select(context, rule)
    if event_filter is None:
        return
    try:
        with within(MAX_COMPLETION_SECONDS):
            if compared.is_field:
                values = _read_event_types(context, event_filter, gap)
            else:
                values = _read_trait_values(context, event_filter, gap, compared)
    except (*SEARCH_TIMEOUTS, NotSupported):
        return
    for value in _match(values, gap.typed):
        yield Option(values[value], kind)


def _select(context: Context, rule: str) -> EventFilter | None:
    """Return the filter for the page's events; None if the policy does not allow it, or another filter is invalid."""
    try:
        search = dataclasses.replace(Search.parse(pecan.request.GET), search="")
        event_filter = select_events(search, rule).event_filter
    except (Refused, ClientSideError, InvalidFilter, NotSupported):
        return None
    return dataclasses.replace(event_filter, scan_seconds=MAX_COMPLETION_SECONDS)


def _read_event_types(context: Context, event_filter: EventFilter, gap: Gap) -> dict[str, str]:
    """Return event types, and each as the filter has it."""
    counts = context.storage.count_events(event_filter, CountQuery(group_by=BY_EVENT_TYPE, limit=MAX_GROUPS))
    return {each.group: write_value(each.group, gap.is_quoted) for each in counts if each.group is not None}


def _read_trait_values(context: Context, event_filter: EventFilter, gap: Gap, compared: ComparedName) -> dict[str, str]:
    """Return the values of a trait, and each as the filter has it."""
    found = context.storage.get_trait_values(compared.name, event_filter, EXAMINED_EVENTS).values
    is_text = compared.operator == ":" or gap.is_quoted
    wanted = TraitType.TEXT if is_text and compared.type is None else compared.type
    values: dict[str, str] = {}
    for each in found:
        value = each.type.format(each.value)
        if wanted in (None, each.type) and len(value) <= MAX_OPTION_CHARACTERS:
            is_string = each.type is TraitType.TEXT
            zone = "Z" if each.type is TraitType.DATETIME else ""
            values.setdefault(value, write_value(value, gap.is_quoted) if is_string else f"{value}{zone}")
    return values
