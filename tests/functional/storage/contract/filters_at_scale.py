# SPDX-License-Identifier: Apache-2.0
"""Trait filters among many events, where a database uses an index instead of reading every event."""

import itertools
import random

import pytest

from panko.storage.filters import OPERATORS, Page, Scope
from panko.storage.models import TraitType
from tests.functional.storage.builders import NOON, VALUES, at, event, found, has, in_scope, meets, ordered, trait, walk

SORTS = [(), (("generated", "desc"),), (("generated", "asc"), ("message_id", "desc")), (("message_id", "asc"),)]
SCOPES = [Scope(), Scope("p"), Scope("p", unowned=True), Scope(unowned=True)]


def crowd(number: int = 600):
    """Return older events that match none of the filters."""
    return [event(f"crowd {i}", trait("other", i), generated=at(days=-1, seconds=i % 50)) for i in range(number)]


class FiltersAtScale:
    """Behaviours of pages with trait filters among many events."""

    @pytest.mark.parametrize("type_", TraitType)
    def test_traits_compare_among_many_events(self, storage, type_):
        """Also if the index of another filter is used, and this filter is checked on each event."""
        values = VALUES[type_]
        events = [event(f"m{i:03}", trait("x", value), trait("all", "yes")) for i, value in enumerate(values)]
        storage.record_events(crowd() + events)
        for op, compare in OPERATORS.items():
            for value in values[::3]:
                expected = [f"m{i:03}" for i, each in enumerate(values) if compare(each, value)]
                page = {"limit": len(values) + 1}
                assert found(storage, has("x", value, op), pagination=page) == expected, (op, value)
                assert found(storage, has("x", value, op), has("all", "yes"), pagination=page) == expected, (op, value)

    @pytest.mark.parametrize("type_", [type_ for type_ in TraitType if type_ is not TraitType.TEXT])
    def test_text_that_looks_like_another_trait_is_text(self, storage, type_):
        """Whatever part of the stored JSON a text imitates."""
        before, after = '{"name":"x","value":"', f'","type":"{type_.label}"}}'
        value = VALUES[type_][-1]
        pieces = (
            before,
            after,
            f"\\{after}",
            f"9{after}",
            f"{before}9{after}",
            f'\\","{after}',
            "\\",
            '"',
            "\n",
            "\n9",
        )
        texts = [trait("x", text + more) for text, more in itertools.product(pieces, ("", *pieces))]
        texts.append(trait("all", "yes"))
        storage.record_events([event("m0", *texts), event("m1", *texts, trait("x", value)), *crowd()])
        for op in ("le", "ge", "ne"):
            expected = [] if op == "ne" else ["m1"]
            filters = has("x", value, op), has("all", "yes")
            assert found(storage, *filters, pagination={"limit": 3}) == expected, op

    @pytest.mark.parametrize("type_", TraitType)
    def test_pages_cover_many_matching_events(self, storage, type_):
        """For a range that nearly all events are in."""
        values = VALUES[type_]
        events = [
            event(f"m{i:04}", trait("x", values[i % len(values)]), generated=at(hours=i % 9)) for i in range(1200)
        ]
        storage.record_events(crowd() + events)
        for trait_filter in (has("x", values[1], "ge"), has("x", values[2], "ne"), has("x", values[-1], "le")):
            expected = ordered([each for each in events if meets(each, trait_filter)], ())
            assert walk(storage, 450, (), trait_filter) == expected

    def test_pages_are_full_if_several_traits_of_an_event_match(self, storage):
        values = [trait("x", value) for value in (1, 5, 5, 6, 7, 8, 9)]
        events = [event(f"m{i}", *values, generated=at(hours=i)) for i in range(20)]
        storage.record_events(crowd() + events)
        everything = ordered(events, ())
        for op, size in itertools.product(OPERATORS, (1, 2, 7)):
            assert found(storage, has("x", 5, op), pagination={"limit": size}) == everything[:size], op
            assert walk(storage, size, (), has("x", 5, op)) == everything, op

    def test_pages_cover_many_events_of_one_instant(self, storage):
        """In whichever order they were recorded."""
        names = [i * 7919 % 1500 for i in range(1500)]
        events = [event(f"m{name:04}", trait("x", name % 3), trait("t", "y")) for name in names]
        storage.record_events(crowd() + events)
        for sort in SORTS[:3]:
            expected = ordered(events, sort)
            assert walk(storage, 400, sort, has("t", "y")) == expected
            assert walk(storage, 400, sort, has("x", 0, "ge")) == expected
            thirds = [name for name in expected if int(name[1:]) % 3 == 1]
            assert walk(storage, 400, sort, has("x", 1), has("t", "y")) == thirds

    def test_random_pages_are_as_in_python(self, storage):
        chance = random.Random(8977)
        events = [_random_event(chance, number) for number in range(1800)]
        storage.record_events(events)
        for _ in range(70):
            filters = _random_filters(chance)
            scope, sort = chance.choice(SCOPES), chance.choice(SORTS)
            start = chance.choice([None, None, at(minutes=chance.randrange(250))])
            types = chance.choice([[], [], ["rare type"], ["type", "rare type"]])
            visible = [each for each in events if in_scope(each, scope)]
            marker = chance.choice([None, chance.choice(visible).message_id])
            limit = chance.choice([1, 10, 100, 1000])
            matching = {
                each.message_id
                for each in visible
                if (start is None or each.generated >= start)
                and (not types or each.event_type in types)
                and all(meets(each, trait_filter) for trait_filter in filters)
            }
            order = ordered(visible, sort)
            after = order[order.index(marker) + 1 :] if marker else order
            expected = [name for name in after if name in matching][:limit]
            criteria = {"scope": scope, "start_timestamp": start, "event_type": types}
            assert found(storage, *filters, pagination=Page(limit, marker, sort), **criteria) == expected, filters


def _random_event(chance: random.Random, number: int):
    owner = chance.choice(["p", "q", None])
    traits = [
        *([trait("project_id", owner)] if owner else []),
        *(trait("size", chance.randrange(100)) for _ in range(chance.randrange(4))),
        *(trait("load", chance.choice([-0.0, 0.0, 0.1, 0.5, 1.5])) for _ in range(chance.randrange(2))),
        *(trait("at", at(hours=chance.randrange(5))) for _ in range(chance.randrange(2))),
        trait("state", chance.choice(["active"] * 20 + ["error", "ERROR", "é"])),
        *([trait("rare", number)] if chance.random() < 0.004 else []),
    ]
    type_ = "rare type" if chance.random() < 0.01 else "type"
    return event(f"m{number * 7919 % 2503:04}", *traits, generated=at(minutes=chance.randrange(250)), type_=type_)


def _random_filters(chance: random.Random):
    pool = [
        ("size", chance.randrange(100)),
        ("size", chance.choice([0, 99])),
        ("load", chance.choice([0.0, -0.0, 0.1, 2.0])),
        ("at", at(hours=chance.randrange(5))),
        ("state", chance.choice(["active", "error", "f"])),
        ("state", "active"),
        ("rare", chance.randrange(1800)),
        ("absent", NOON),
    ]
    chosen = chance.sample(pool, chance.choice([1, 1, 2, 3]))
    return [has(key, value, chance.choice(["eq", *OPERATORS])) for key, value in chosen]
