# SPDX-License-Identifier: Apache-2.0
"""What an event is to meet, piece by piece: from a filter to SQL."""

import math
import sys
from collections.abc import Sequence

import sqlalchemy as sa

from panko.storage.filters import OPERATORS, EventFilter, TraitFilter
from panko.storage.models import TraitType, is_storable
from panko.storage.sqlalchemy.dialects import Dialect
from panko.storage.sqlalchemy.keys import name_key, text_key
from panko.storage.sqlalchemy.queries import ids_of
from panko.storage.sqlalchemy.tables import EVENT_TYPE


def matches_nothing(event_filter: EventFilter) -> bool:
    """Whether no event that can be stored is asked for."""
    names = (event_filter.event_type, event_filter.message_id)
    return any(given and not any(map(is_storable, given)) for given in names) or any(
        trait_filter.matches_nothing() or finite(trait_filter) is None for trait_filter in event_filter.traits_filter
    )


def meets(index: sa.Table, trait_filter: TraitFilter) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a row of a trait's index meets, whose event has such a trait."""
    if trait_filter.type is TraitType.TEXT:
        return [index.c.key == text_key(trait_filter.key, trait_filter.value)]
    compares = OPERATORS[trait_filter.op](index.c.value, trait_filter.value)
    return [index.c.key == name_key(trait_filter.key), compares]


def of_event_types(column: sa.Column, names: Sequence[str], dialect: Dialect) -> sa.ColumnElement[bool]:
    """Return the condition that a column has the id of one of these event types."""
    storable = list(filter(is_storable, names))
    if len(storable) == 1:
        return column == ids_of(EVENT_TYPE.c.name == storable[0]).scalar_subquery()
    return column.in_(ids_of(dialect.is_one_of(EVENT_TYPE.c.name, storable)))


def finite(trait_filter: TraitFilter) -> TraitFilter | None:
    """Return a filter on a finite number that says the same; None where no event can meet it.

    Stored floats are finite, and not every database takes an infinite one in a comparison.
    """
    value = trait_filter.value
    if trait_filter.type is not TraitType.FLOAT or math.isfinite(value):
        return trait_filter
    if not OPERATORS[trait_filter.op](0.0, value):
        return None
    op = "le" if value > 0 else "ge"
    return TraitFilter(trait_filter.key, TraitType.FLOAT, math.copysign(sys.float_info.max, value), op)
