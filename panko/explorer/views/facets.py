# SPDX-License-Identifier: Apache-2.0
"""Facets: the values that the newest matching events have, with counts and links that include or exclude each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from panko.explorer.search import MAX_FILTER_CHARACTERS, Search
from panko.filter_language import write_comparison, write_existence
from panko.policies import event_counts, traits
from panko.storage.aggregates import BY_EVENT_TYPE, MAX_EXAMINED_EVENTS, TraitValues
from panko.storage.base import Connection
from panko.storage.errors import excerpt
from panko.storage.filters import EventFilter
from panko.storage.models import TraitType

ALWAYS_SHOWN = ("event_type", "project_id", "user_id", "service")

RULES = {"event_type": event_counts.INDEX}
"""The policy rules that allow facets, as they allow the same lists in Grafana; :data:`OTHER_RULE` for all others."""

OTHER_RULE = traits.VALUES

MAX_LISTED_VALUES = 20
"""Values of a facet that are listed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A link that adds a filter, or removes it again.

    :param text: the filter; empty: it would be too long
    :param is_chosen: whether the page has it
    """

    text: str
    url: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value, and how many of the examined events have it.

    :param value: truncated if it is long
    :param type: type of the trait, empty for a string
    :param share: how many, in percent of the most frequent value
    """

    value: str
    type: str
    count: int
    share: int
    include: Choice
    exclude: Choice


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of a trait or of the event type.

    :param values: the most frequent first
    :param has_others: whether there are values that are not listed
    :param missing: filter for the events without the trait; None: the event type, which each has
    :param present: filter for those that have it
    :param remove_url: the page without this facet; None: every page has it
    """

    name: str
    values: tuple[FacetValue, ...]
    has_others: bool
    missing: Choice | None
    present: Choice | None
    remove_url: str | None


@dataclass(frozen=True, slots=True)
class Facets:
    """All facets of a page.

    :param events: number of examined events
    :param is_complete: whether these are all that match
    :param forbidden: names of the facets that the policy does not allow
    """

    facets: tuple[Facet, ...]
    events: int
    is_complete: bool
    forbidden: tuple[str, ...] = ()


def names_of(search: Search) -> tuple[str, ...]:
    """Return the names of the facets of a page."""
    return tuple(dict.fromkeys((*ALWAYS_SHOWN, *search.facet)))


def rule_of(name: str) -> str:
    """Return the policy rule that allows a facet."""
    return RULES.get(name, OTHER_RULE)


def read_facets(storage: Connection, event_filter: EventFilter, search: Search, allowed: Sequence[str]) -> Facets:
    """Read the values of facets.

    :param allowed: names of the facets that the policy allows
    :raises ScanTimeout: if the search takes too long
    :raises StorageError: if the values cannot be read
    """
    names = [name for name in allowed if name != BY_EVENT_TYPE]
    found = storage.summarize_newest(names, event_filter, MAX_EXAMINED_EVENTS)
    facets = [
        _make_type_facet(found.event_types, search)
        if name == BY_EVENT_TYPE
        else _make_trait_facet(name, found.traits[name], search)
        for name in allowed
    ]
    forbidden = tuple(name for name in names_of(search) if name not in allowed)
    return Facets(tuple(facets), found.events, found.complete, forbidden)


def _make_type_facet(found: Sequence[tuple[str, int]], search: Search) -> Facet:
    counts = [(name, TraitType.TEXT, count) for name, count in found]
    values = _make_values(BY_EVENT_TYPE, counts[:MAX_LISTED_VALUES], search, is_trait=False)
    return Facet(BY_EVENT_TYPE, values, len(counts) > MAX_LISTED_VALUES, None, None, None)


def _make_trait_facet(name: str, found: TraitValues, search: Search) -> Facet:
    counts = [(each.type.format(each.value), each.type, each.count) for each in found.values]
    present = write_existence(name)
    missing, has = _choose(search, f"NOT {present}"), _choose(search, present)
    is_everywhere = found.events <= sum(count for *_, count in counts) and not missing.is_chosen
    remove_url = search.url(facet=tuple(each for each in search.facet if each != name))
    return Facet(
        name,
        _make_values(name, counts[:MAX_LISTED_VALUES], search),
        len(counts) > MAX_LISTED_VALUES,
        None if is_everywhere else missing,
        None if is_everywhere else has,
        None if name in ALWAYS_SHOWN else remove_url,
    )


def _make_values(
    name: str, counts: Iterable[tuple[str, TraitType, int]], search: Search, is_trait: bool = True
) -> tuple[FacetValue, ...]:
    counts = list(counts)
    most = max((count for *_, count in counts), default=1)
    values = []
    for value, type_, count in counts:
        text = write_exact(name, value, type_, is_trait)
        values.append(
            FacetValue(
                excerpt(value),
                "" if type_ is TraitType.TEXT else type_.label,
                count,
                _share(count, most),
                _choose(search, text),
                _choose(search, text and f"NOT {text}"),
            )
        )
    return tuple(values)


def _share(count: int, most: int) -> int:
    """Return a count in percent of the largest one, at least 1."""
    return max(1, round(100 * count / most))


def write_exact(name: str, value: str, type_: TraitType, is_trait: bool = True) -> str:
    """Return the filter for the events that have this value, of this type; empty if it would be too long."""
    text = write_comparison(name, value, type_, is_trait)
    if type_ is not TraitType.TEXT and not text.startswith(f"{type_.label}::"):
        # Without its type, the number 4 also finds the text "4".
        text = f"{type_.label}::{text}"
    return text if len(text) <= MAX_FILTER_CHARACTERS else ""


def _choose(search: Search, text: str) -> Choice:
    if not text:
        return Choice("", "", is_chosen=False)
    is_chosen = text in search.filter
    return Choice(text, search.remove(text) if is_chosen else search.add(text), is_chosen)
