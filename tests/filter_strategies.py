# SPDX-License-Identifier: Apache-2.0
"""Random filters about events, as trees of :mod:`tests.filter_oracle`."""

import datetime
import math
from typing import Any

from hypothesis import strategies as st

from panko.storage.models import INT64, Event
from tests.filter_oracle import LABELS, All, Any_, Bare, Compares, Literal, Negated, Node, can_be_bare, can_be_unquoted

EQUALITY = ("=", "!=")
ORDERING = ("<", "<=", ">", ">=")
ANY_TEXTS = ("", " ", "*", "a", "OR", "a b", "4", "1e3", "x(1)", 'say "a"', "it's", "C:\\", "-2h", "2026-01-02", "\x00")
ANY_NUMBERS = (
    "0",
    "-0",
    "4",
    "+4.",
    ".5",
    "4.5",
    "1e3",
    "0.1",
    "0.1000000000000000001",
    "-1e-400",
    "9e18",
    "1e19",
    "-1e999999999",
)
ANY_TIMES = ("2026-01-02", "2026-01-02T03:00Z", "0001-01-01", "9999-12-31T23:59:59.999999")
RELATIVE_TIMES = ("-1s", "-90m", "-2h", "-7d", "-10w")
NUMBER_FORMATS = ("{}", "+{}", "{}0e-1", "{}.0", "{}.", "{}e0", "0{}", "{}.5", "{}.0000000000000000000001")


def literals_of_text(text: str) -> st.SearchStrategy[Literal]:
    """Return literals for a text, quoted or not, sometimes with wildcards for parts of it."""

    @st.composite
    def cut(draw: st.DrawFn) -> tuple[str, ...]:
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=4)))
        return (
            text[: cuts[0]],
            *(text[a:b] for a, b in zip(cuts[1::2], cuts[2::2], strict=False) if a < b),
            text[cuts[-1] :],
        )

    parts = st.just((text,)) | st.just((text,)) | cut()
    return st.builds(_make_literal, parts, st.booleans())


def _make_literal(parts: tuple[str, ...], is_quoted: bool) -> Literal:
    return Literal(parts, is_quoted or not can_be_unquoted(parts))


def plain(literal: Literal) -> bool:
    return len(literal.parts) == 1


def unquoted(text: str) -> Literal:
    return Literal((text,), is_quoted=False)


def literals_of_number(value: int | float) -> st.SearchStrategy[Literal]:
    """Return literals for a number and its neighbours, also for such that no trait can have."""
    if isinstance(value, int):
        texts = [str(each) for each in (value, value, value - 1, value + 1) if each in INT64]
        written = st.builds(_format_number, st.sampled_from(NUMBER_FORMATS), st.sampled_from(texts))
    else:
        near = [value, value, math.nextafter(value, -math.inf), math.nextafter(value, math.inf)]
        finite = [each for each in near if math.isfinite(each)]
        written = st.sampled_from([*map(repr, finite), *(f"{each:.20e}" for each in finite)])
    return (written | st.sampled_from(ANY_NUMBERS)).map(unquoted)


def _format_number(form: str, text: str) -> str:
    return f"-{form.lstrip('+').format(text[1:])}" if text.startswith("-") else form.format(text)


def literals_of_time(value: datetime.datetime) -> st.SearchStrategy[Literal]:
    least = datetime.timedelta.resolution
    near = [value, max(value, value.min + least) - least, min(value, value.max - least) + least]
    texts = [value.isoformat(), *(f"{each.isoformat()}Z" for each in near), f"{value:%Y-%m-%d}".zfill(10)]
    if value.year in range(2, 9998):
        texts.append(
            value.replace(tzinfo=datetime.UTC)
            .astimezone(datetime.timezone(datetime.timedelta(hours=-11.5)))
            .isoformat()
        )
    return st.sampled_from([*texts, *ANY_TIMES]).map(unquoted)


def literals_of(label: str, value: Any) -> st.SearchStrategy[Literal]:
    """Return literals that are compared with traits of a type."""
    if label == "string":
        return literals_of_text(value) | st.sampled_from(ANY_TEXTS).flatmap(literals_of_text)
    return literals_of_time(value) if label == "datetime" else literals_of_number(value)


@st.composite
def comparisons_of(draw: st.DrawFn, name: str, label: str, value: Any, is_field: bool) -> Compares:
    """Return a comparison, often with one value of an event."""
    literals = literals_of(label, value)
    typed = None if is_field else draw(st.sampled_from([None, None, None, label]))
    operators = [*EQUALITY, *EQUALITY]
    if not (is_field and label == "string"):
        operators += ORDERING
    if label == "string" or (typed is None and not is_field):
        operators.append(":")
    operator = draw(st.sampled_from(operators))
    if operator in EQUALITY:
        if typed is None and not is_field:
            literals = literals | literals | st.sampled_from(ANY_TEXTS).flatmap(literals_of_text)
            literals = literals | st.sampled_from([*ANY_NUMBERS, *ANY_TIMES]).map(unquoted)
        return Compares(name, operator, tuple(draw(st.lists(literals, min_size=1, max_size=3))), typed)
    if operator == ":":
        if draw(st.integers(0, 4)) == 0:
            return Compares(name, operator, (Literal(("", ""), is_quoted=False),), typed)
        found = draw(st.lists(st.sampled_from(parts_of(str(value))), min_size=1, max_size=2))
        return Compares(name, operator, tuple(_make_literal((each,), draw(st.booleans())) for each in found), typed)
    literal = draw(literals.filter(plain))
    if label == "string":
        # Without quotes, some texts are an error, as they look like times.
        literal = Literal(literal.parts, is_quoted=not literal.text[:1].isalpha() or not can_be_unquoted(literal.parts))
    return Compares(name, operator, (literal,), typed)


def parts_of(text: str) -> list[str]:
    """Return parts of a text, in different cases."""
    middle = text[len(text) // 3 : len(text) // 3 + 3]
    return [middle, middle.swapcase(), text, text[:2], text[-2:].upper(), "k", "\u212a"]


@st.composite
def comparisons_about(draw: st.DrawFn, event: Event, has_relative: bool) -> Node:
    """Return a comparison or a bare value that an event often meets."""
    fields = [("event_type", "string", event.event_type), ("message_id", "string", event.message_id)]
    fields += [("generated", "datetime", event.generated)]
    traits = [(trait.name, LABELS[trait.dtype], trait.value) for trait in event.traits]
    kind = draw(st.sampled_from(["field", "trait", "trait", "trait", "other", "bare", "time"]))
    if kind == "time":
        time = draw(st.sampled_from(RELATIVE_TIMES if has_relative else ("-1h",)))
        return Compares("generated", draw(st.sampled_from(ORDERING)), (unquoted(time),))
    if kind == "bare":
        texts = [value for _, label, value in fields[:2] + traits if label == "string"]
        text = draw(st.sampled_from(parts_of(draw(st.sampled_from(texts)))))
        return Bare(Literal((text,), is_quoted=draw(st.booleans()) or not can_be_bare(text)))
    if kind == "field" or not traits:
        name, label, value = draw(st.sampled_from(fields))
        return draw(comparisons_of(name, label, value, is_field=True))
    name, label, value = draw(st.sampled_from(traits))
    if kind == "other":
        name = draw(st.sampled_from([name, "none", *(trait[0] for trait in traits)]))
    if name in ("event_type", "message_id", "generated", "start_timestamp", "end_timestamp", "all_tenants"):
        return Compares(name, "=", (Literal(("x",)),), "string")
    return draw(comparisons_of(name, label, value, is_field=False))


def filters_about(event: Event, has_relative: bool = True) -> st.SearchStrategy[Node]:
    """Return filters, whose comparisons an event often meets."""
    leaves = comparisons_about(event, has_relative)

    def extend(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        lists = st.lists(nodes, min_size=1, max_size=3).map(tuple)
        return lists.map(All) | lists.map(Any_) | nodes.map(Negated)

    return leaves | st.recursive(leaves, extend, max_leaves=6)
