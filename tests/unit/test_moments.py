# SPDX-License-Identifier: Apache-2.0
"""Times and durations in the arguments of commands."""

import datetime
from argparse import ArgumentTypeError

import pytest

from panko.moments import parse_duration, parse_moment


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("1d12h", 129600), ("1w", 604800), ("0s", 0)]
)
def test_a_duration_is_parsed(text, seconds):
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "5", "2 h", "-2h", "1h2d", "2x", "1" + "0" * 20 + "d"])
def test_the_error_names_an_invalid_duration(text):
    with pytest.raises(ArgumentTypeError, match=repr(text)):
        parse_duration(text)


def test_a_time_is_a_duration_before_now_or_left_to_the_api():
    before = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    ago = before - datetime.datetime.fromisoformat(parse_moment("2h"))
    assert abs(ago - datetime.timedelta(hours=2)) < datetime.timedelta(minutes=1)
    for text in ("2026-01-02T03:04:05Z", "20260102", "", "yesterday"):
        assert parse_moment(text) == text
    with pytest.raises(ArgumentTypeError, match="before the year 1"):
        parse_moment("999999d")
