# SPDX-License-Identifier: Apache-2.0
"""Events can be moved in time as a whole."""

import datetime

import pytest

from panko.ingest.shifting import shift_event
from panko.storage.errors import InvalidEvent
from panko.storage.models import Event, Trait
from panko.storage.validation import checked_event

DAY = datetime.timedelta(days=1)
EVENT = checked_event(
    Event(
        "1",
        "t",
        datetime.datetime(2026, 1, 2),
        (Trait("at", Trait.DATETIME_TYPE, datetime.datetime(2026, 1, 1)), Trait("host", Trait.TEXT_TYPE, "2026-01-01")),
        {"at": "2026-01-01"},
    )
)


def test_the_time_of_generation_and_traits_that_are_times_move():
    shifted = shift_event(EVENT, DAY)
    assert shifted.generated == datetime.datetime(2026, 1, 3)
    assert shifted.traits[0].value == datetime.datetime(2026, 1, 2)


def test_texts_and_the_raw_notification_stay_as_they_are():
    shifted = shift_event(EVENT, DAY)
    assert shifted.traits[1] == EVENT.traits[1]
    assert shifted.raw == EVENT.raw


def test_a_time_outside_the_calendar_is_refused():
    with pytest.raises(InvalidEvent, match="cannot be moved"):
        shift_event(EVENT, 3_000_000 * DAY)
