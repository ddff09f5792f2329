# SPDX-License-Identifier: Apache-2.0
"""Times and durations in the arguments of commands."""

import datetime
from argparse import ArgumentTypeError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from panko.moments import parse_duration, parse_moment
from panko.storage.models import parse_time

MINUTE = datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("90s", 90), ("15m", 900), ("2h", 7200), ("1d12h", 129600), ("1w", 604800), ("0s", 0)],
        *[("1.5h", 5400), ("0.25s", 0.25), ("1d1.5h", 91800), ("9999999d", 9999999 * 86400)],
    ],
)
def test_a_duration_is_parsed(text, seconds):
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "5", "1.5", ".5h", "1.h", "2 h", "-2h", "1h2d", "2x", "1" + "0" * 20 + "d"])
def test_the_error_names_an_invalid_duration(text):
    with pytest.raises(ArgumentTypeError, match=repr(text)):
        parse_duration(text)


def utc_now():
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


@pytest.mark.parametrize(("text", "hours"), [("now", 0), ("2h", 2), ("1.5h", 1.5), (" 1d12h ", 36)])
def test_a_time_is_a_duration_before_now(text, hours):
    ago = utc_now() - datetime.datetime.fromisoformat(parse_moment(text))
    assert -MINUTE < ago - datetime.timedelta(hours=hours) < MINUTE


def test_today_and_yesterday_begin_at_midnight_in_utc():
    before = utc_now().date()
    today = datetime.datetime.fromisoformat(parse_moment("today"))
    yesterday = datetime.datetime.fromisoformat(parse_moment("yesterday"))
    assert before <= today.date() <= utc_now().date()
    assert today - yesterday in (DAY, datetime.timedelta())  # Midnight may pass between the two.
    assert {today.time(), yesterday.time()} == {datetime.time()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05"),
        ("2026-01-02T03:04:05.5+01:30", "2026-01-02T01:34:05.500000"),
        ("2026-01-02 03:04-0100", "2026-01-02T04:04:00"),
        ("2026-01-02T03", "2026-01-02T03:00:00"),
        ("20260102T030405,1234567", "2026-01-02T03:04:05.123456"),
        ("2026-1-2", "2026-01-02T00:00:00"),
        ("2026-02", "2026-02-01T00:00:00"),
        ("2026", "2026-01-01T00:00:00"),
        ("20260102", "2026-01-02T00:00:00"),
        ("1767323045", "2026-01-02T03:04:05"),
        ("1767323045500", "2026-01-02T03:04:05.500000"),
    ],
)
def test_a_time_in_iso_8601_or_since_1970_becomes_naive_utc(text, expected):
    assert parse_moment(text) == expected


@given(
    st.from_regex(
        r"\A[0-9]{4}(-?[0-9]{1,2}(-?[0-9]{1,2}([ T][0-9]{2}(:?[0-9]{2})?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?)?)?\Z"
    )
)
@example("0001-1-1T00-30")
@example("2026-01-02T03:04+0199")
@example("2026-0102")
@example("0001-01-01T00:00+01")
def test_a_time_means_the_same_as_in_the_api(text):
    try:
        expected = parse_time(text)
    except ValueError:
        expected = None
    try:
        found = datetime.datetime.fromisoformat(parse_moment(text))
    except ArgumentTypeError:
        found = None
    if expected is not None or not text.isdigit():
        assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        *["", "tomorow", "2 hours", "-2h", "2026-13-01", "2026-02-30", "202601", "5", "123456789"],
        *["2026-01-02T25:00", "2026-01-02x03:04", "000111T00"],
    ],
)
def test_the_error_for_a_time_lists_the_forms(text):
    with pytest.raises(ArgumentTypeError) as caught:
        parse_moment(text)
    message = str(caught.value)
    assert message.startswith(f"{text!r} is not a time: expected ")
    for form in ("90s", "1.5h", "now", "today", "yesterday", "ISO 8601", "2026-01-31T12:00"):
        assert form in message


def test_the_error_repeats_only_the_beginning_of_a_long_text():
    for parse in (parse_duration, parse_moment):
        with pytest.raises(ArgumentTypeError) as caught:
            parse("9" * 5000)
        assert f"'{'9' * 200}…'" in str(caught.value)


@pytest.mark.parametrize("text", ["999999d", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_the_error_names_a_time_outside_the_calendar(text):
    with pytest.raises(ArgumentTypeError, match="is outside the years 1 to 9999"):
        parse_moment(text)
