# SPDX-License-Identifier: Apache-2.0
"""Events of all years, most of them at the edges of the time index, and filters for them."""

import datetime
import random
from collections.abc import Iterable, Iterator

from panko.storage.filters import OPERATORS, Scope, TraitFilter
from panko.storage.models import Event, Trait
from tests.functional.storage.builders import has, in_scope, meets, ordered, trait

EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)
BUCKET = datetime.timedelta(microseconds=1 << 34)
"""Time range of one key of the index: 4.8 hours."""

WRAP = 1024
"""Number of buckets after which the keys repeat."""

NOW = (datetime.datetime(2024, 1, 15, 12) - EPOCH) // BUCKET
FIRST = (datetime.datetime.min - EPOCH) // BUCKET
LAST = (datetime.datetime.max - EPOCH) // BUCKET

CROWDS = {
    NOW: 400,
    **{NOW + number: 100 for number in (-3, -2, -1, 1, 2)},
    **{NOW + sign * WRAP * wraps: 25 for wraps in (1, 2, 50) for sign in (-1, 1)},
    **{NOW + WRAP + number: 15 for number in (-1, 1)},
    **dict.fromkeys((-1, 0, 1), 15),
    **dict.fromkeys((FIRST, FIRST + 1, LAST - 1, LAST), 5),
}
"""Number of events by bucket; buckets are counted from 1970."""

SCATTERED = 6
"""Number of further events at random times of the years 1 to 9999."""

BALLAST = 5000
"""Number of events that match no filter; more than are read one by one."""

INTEGERS = sorted(
    {
        each
        for power in range(64)
        for base in (1 << power, (1 << power) + (1 << power >> 6), (3 << power >> 1))
        for sign in (-1, 1)
        for each in (sign * base - 1, sign * base, sign * base + 1)
        if -(2**63) <= each < 2**63
    }
)
"""Integers near powers of two, near the first 1/64 after each, and near the middle between them."""

FLOATS = sorted(
    {
        *(sign * base * 10.0**power for sign in (-1, 1) for base in (1, 1.5) for power in range(-320, 309, 19)),
        *(-1.7976931348623157e308, -5e-324, -0.0, 5e-324, 2.2250738585072014e-308, 0.1 + 0.2, 0.3, 2.0**53),
        1.7976931348623157e308,
    }
)
TIMES = [
    datetime.datetime.min,
    *(EPOCH + number * BUCKET + edge * MICROSECOND for number in sorted(CROWDS)[2:-2] for edge in (-1, 0, 1)),
    datetime.datetime.max,
]
TEXTS = ["", " ", "A", "a", "a ", "ab", "é", "e\u0301", "\uffee", "\U0001f600", "x" * 300, "5", "5.0"]

SORTS = [
    (("generated", "asc"),),
    (("generated", "desc"),),
    (("generated", "asc"), ("message_id", "desc")),
    (("generated", "desc"), ("message_id", "asc")),
]
SCOPES = [
    Scope(),
    Scope("p"),
    Scope("p", unowned=True),
    Scope("p", "u"),
    Scope("p", "u", unowned=True),
    Scope("rare"),
    Scope("rare", unowned=True),
    Scope("absent"),
    Scope(unowned=True),
]

NEEDLE = has("rare", "needle")
"""Few events match this: one at each edge of each crowded bucket."""


def make_events() -> list[Event]:
    """Return about 1,300 events, always the same, in a random order."""
    chance = random.Random(34)
    events = [_event(chance, number, *place) for number, place in enumerate(_places(chance))]
    chance.shuffle(events)
    return events


def make_ballast() -> list[Event]:
    """Return events of another type, project and traits, most of them newer than the largest crowd."""
    chance = random.Random(35)
    begin, middle, end = (EPOCH + (NOW + number) * BUCKET for number in (-30, -1, 30))
    events = []
    for number in range(BALLAST):
        first, last = chance.choice([(begin, middle), (middle, middle + 3 * BUCKET), (middle, end), (middle, end)])
        generated = first + chance.randrange((last - first) // MICROSECOND) * MICROSECOND
        traits = trait("other", number), trait("project_id", "ballast"), trait("filler", f"x{number}")
        events.append(Event(f"b{number * 7919 % 10007:05}", "ballast", generated, traits, {}))
    return events


def _places(chance: random.Random) -> Iterator[tuple[datetime.datetime, bool]]:
    """Yield the times of the events, and whether the event is at an edge."""
    for bucket, count in CROWDS.items():
        begin = max(EPOCH + bucket * BUCKET, datetime.datetime.min) if bucket > FIRST else datetime.datetime.min
        end = datetime.datetime.max if bucket >= LAST else EPOCH + (bucket + 1) * BUCKET - MICROSECOND
        yield begin, True
        yield end, True
        steps = [chance.randrange((end - begin) // MICROSECOND) for _ in range(count // 3)]
        for _ in range(count - 2):  # Some times occur several times.
            yield begin + chance.choice(steps or [1]) * MICROSECOND, False
    years = (datetime.datetime.max - datetime.datetime.min) // MICROSECOND
    for _ in range(SCATTERED):
        yield datetime.datetime.min + chance.randrange(years) * MICROSECOND, False


def _event(chance: random.Random, number: int, generated: datetime.datetime, is_edge: bool) -> Event:
    traits = [trait("state", chance.choice(["active"] * 20 + ["error", *TEXTS]))]
    traits += [trait("size", INTEGERS[number * 7919 % len(INTEGERS)])]
    traits += [trait("load", FLOATS[number * 7919 % len(FLOATS)])] * (number % 2)
    traits += [trait("at", TIMES[number * 7919 % len(TIMES)])] * (number % 3 > 0)
    traits += [trait("small", chance.randrange(10)) for _ in range(chance.randrange(3))]
    traits += [trait("mixed", chance.choice([5, "5", 5.0, TIMES[5]]))] * (number % 5 == 0)
    traits += [trait("only", f"v{number}")] * (number % 10 == 0) + [NEEDLE_TRAIT] * is_edge
    traits += _owner(chance)
    chance.shuffle(traits)
    type_ = chance.choice(["common"] * 30 + ["other"] * 10 + ["rare.type"])
    # The order of message_ids is unrelated to any other.
    return Event(f"m{number * 7919 % 10007:05}", type_, generated, tuple(traits), {"n": number})


def _owner(chance: random.Random) -> list[Trait]:
    project = chance.choice(["p"] * 8 + ["q"] * 8 + [None] * 4 + [5, "p" * 100])
    project = "rare" if chance.random() < 0.01 else project
    user = chance.choice(["u", "v", None])
    owner = {"project_id": project, "user_id": user}
    return [trait(name, value) for name, value in owner.items() if value is not None]


NEEDLE_TRAIT = trait(NEEDLE.key, NEEDLE.value)


def matching(
    events: Iterable[Event],
    filters: Iterable[TraitFilter] = (),
    scope: Scope = SCOPES[0],
    start_timestamp: datetime.datetime | None = None,
    end_timestamp: datetime.datetime | None = None,
    event_type: Iterable[str] = (),
) -> list[Event]:
    """Return the events that match a filter, compared in Python."""
    return [
        each
        for each in events
        if (start_timestamp is None or each.generated >= start_timestamp)
        and (end_timestamp is None or each.generated <= end_timestamp)
        and (not event_type or each.event_type in event_type)
        and all(meets(each, one) for one in filters)
        and in_scope(each, scope)
    ]


def page(events: list[Event], visible: list[Event], sort: tuple, limit: int | None, marker: str | None) -> list[str]:
    """Return the message_ids of a page of these events; the marker is one of the visible events."""
    order = ordered(visible, sort)
    wanted = {each.message_id for each in events}
    return [name for name in order[order.index(marker) + 1 if marker else 0 :] if name in wanted][:limit]


def comparisons(name: str, values: list) -> Iterator[TraitFilter]:
    """Yield filters that compare a trait with values: two operators per value, or all if there are few values."""
    operators = list(OPERATORS)
    for number, value in enumerate(values):
        few = [operators[number % 6], operators[(number + 2 + number // 6) % 6]]
        for op in operators if len(values) < 6 else dict.fromkeys(few):
            yield has(name, value, op)


def random_filters(chance: random.Random) -> list[TraitFilter]:
    """Return one to three random filters; many of them match few events."""
    pool = [
        has("size", chance.choice(INTEGERS), chance.choice(list(OPERATORS))),
        has("size", chance.choice([2**62, 2**63 - 1, -(2**63), -(2**62), 0]), chance.choice(list(OPERATORS))),
        has("load", chance.choice(FLOATS), chance.choice(list(OPERATORS))),
        has("at", chance.choice(TIMES), chance.choice(list(OPERATORS))),
        has("small", chance.randrange(10), chance.choice(list(OPERATORS))),
        has("state", chance.choice(["active", "error", *TEXTS]), chance.choice(["eq", "eq", *OPERATORS])),
        has("mixed", chance.choice([5, "5", 5.0, TIMES[5]]), chance.choice(list(OPERATORS))),
        has("only", f"v{chance.randrange(0, 1300, 10)}"),
        NEEDLE,
        has("absent", chance.choice([1, "x", 0.5])),
        has("project_id", chance.choice(["p", "q", "rare"])),
    ]
    return chance.sample(pool, chance.choice([1, 1, 2, 3]))


def random_times(chance: random.Random) -> dict[str, datetime.datetime]:
    """Return a random start, end, both or neither; often at an edge."""
    start, end = sorted(chance.sample(TIMES, 2))
    times = {"start_timestamp": start, "end_timestamp": end}
    return {name: times[name] for name in chance.choice([(), (), times, ["start_timestamp"], ["end_timestamp"]])}
