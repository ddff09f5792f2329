# SPDX-License-Identifier: Apache-2.0
"""Pages of very many events of one instant, some of whose message_ids have a long common prefix.

``PANKO_TEST_INSTANT_EVENTS`` is the number of events (20000).
"""

import os
import random
import uuid
from collections.abc import Callable

import pytest

from panko.storage.filters import Scope
from tests.functional.storage.builders import at, event, found, has, trait, walk

COUNT = int(os.environ.get("PANKO_TEST_INSTANT_EVENTS", "20000"))
PREFIX = "req-" + "0" * 200
"""Prefix of half of the message_ids."""

ASCENDING, DESCENDING = (("generated", "asc"),), (("generated", "desc"),)
QUESTIONS = {
    "all": (lambda number: True, [], {}),
    "a common text": (lambda number: number % 3 > 0, [has("state", "active")], {}),
    "a rare text": (lambda number: number % 500 == 0, [has("rare", "yes")], {}),
    "a rare integer range": (lambda number: number >= COUNT - 50, [has("number", COUNT - 50, "ge")], {}),
    "a project": (lambda number: number % 7 == 0, [], {"scope": Scope("p")}),
    "a project's rare text": (lambda number: number % 3500 == 0, [has("rare", "yes")], {"scope": Scope("p")}),
}


def make_message_ids() -> list[str]:
    """Return message_ids in random order, half of them with a long common prefix, the others random."""
    chance = random.Random(20)
    names = [f"{PREFIX}{number:07}" for number in range(COUNT // 2)]
    names += [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(COUNT - len(names))]
    chance.shuffle(names)
    return names


NAMES = make_message_ids()
RARE = {name for number, name in enumerate(NAMES) if number % 500 == 0}


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mysql"])
def storage(request: pytest.FixtureRequest, connect_new: Callable):
    """A connection to a database with the events, and one before and after them, once of each kind."""
    connection = connect_new(request.param)
    connection.record_events(event(f"{time}", generated=at(microseconds=time)) for time in (-1, 1))
    for start in range(0, COUNT, 10_000):
        connection.record_events(_event(number) for number in range(start, min(start + 10_000, COUNT)))
    return connection


def _event(number: int):
    traits = [trait("state", "active" if number % 3 else "idle"), trait("number", number)]
    traits += [trait("rare", "yes")] * (number % 500 == 0) + [trait("project_id", "p")] * (number % 7 == 0)
    return event(NAMES[number], *traits)


@pytest.mark.parametrize("question", QUESTIONS)
def test_pages_cover_events_of_one_instant(storage, question):
    meets, filters, criteria = QUESTIONS[question]
    names = sorted(NAMES[number] for number in range(COUNT) if meets(number))
    if question == "all":
        names = ["-1", *names, "1"]
    size = max(len(names) // 12, 1)
    assert walk(storage, size, ASCENDING, *filters, **criteria) == names
    assert walk(storage, size, DESCENDING, *filters, **criteria) == names[::-1]


@pytest.mark.parametrize("sort", [ASCENDING, DESCENDING])
def test_page_may_begin_after_any_event_of_an_instant(storage, sort):
    order = sorted(NAMES, reverse=sort is DESCENDING)
    for place in [*range(0, COUNT, COUNT // 25), COUNT // 2 - 1, COUNT // 2, COUNT - 2]:
        page = {"limit": 9, "marker": order[place], "sort": sort}
        expected = order[place + 1 : place + 10]
        assert found(storage, event_type="sample.created", pagination=page) == [
            *expected,
            *["1" if sort is ASCENDING else "-1"] * (len(expected) < 9),
        ]
        rare = [name for name in order[place + 1 :] if name in RARE][:9]
        assert found(storage, has("rare", "yes"), pagination=page) == rare
