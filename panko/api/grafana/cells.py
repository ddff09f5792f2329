# SPDX-License-Identifier: Apache-2.0
"""What stands in the cells of a table of events: a trait has one column, whatever events have of it."""

from collections.abc import Iterable
from typing import Any

from panko.api.grafana.times import to_milliseconds, to_zoned
from panko.storage.aggregates import PROJECT_ID
from panko.storage.models import Event, Trait, TraitType

TRAIT_PREFIX = "traits."
"""What stands before the name of a trait where it names a column."""


def first_traits(event: Event) -> dict[str, Trait]:
    """Return the traits of an event by name: of several of one name the first recorded."""
    traits: dict[str, Trait] = {}
    for trait in event.traits:
        traits.setdefault(trait.name, trait)
    return traits


def project_of(event: Event) -> str | None:
    """Return the project that an event is of: as for the scope, its first string trait of that name."""
    return next((t.value for t in event.traits if t.name == PROJECT_ID and t.dtype == TraitType.TEXT), None)


def to_text(trait_type: TraitType, value: Any) -> str:
    """Return a value of a trait as text, a time with its zone."""
    return to_zoned(value) if trait_type is TraitType.DATETIME else trait_type.format(value)


def to_json(trait: Trait) -> Any:
    """Return a trait's value as JSON has it: a number, or a text."""
    if trait.dtype in (TraitType.INTEGER, TraitType.FLOAT):
        return trait.value
    return to_text(trait.dtype, trait.value)


def column_type(dtypes: Iterable[int]) -> str:
    """Return Grafana's type for a column that holds traits of these types."""
    found = set(dtypes)
    if found == {TraitType.DATETIME}:
        return "time"
    return "number" if found and found <= {TraitType.INTEGER, TraitType.FLOAT} else "string"


def cell(trait: Trait | None, kind: str) -> Any:
    """Return a trait's value in a column of a type; None: the event has no such trait."""
    if trait is None:
        return None
    if kind == "number":
        return trait.value
    return to_milliseconds(trait.value) if kind == "time" else to_text(trait.dtype, trait.value)
