# SPDX-License-Identifier: Apache-2.0
"""Events of the years 1 to 9999, which several modules of the contract test with."""

import datetime

from tests.functional.storage.builders import event, trait

MICROSECOND = datetime.timedelta(microseconds=1)
FAR_TIMES = [
    datetime.datetime.min,
    datetime.datetime.min + MICROSECOND,
    datetime.datetime(1582, 10, 15),
    datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime.datetime(1970, 1, 1),
    datetime.datetime(1999, 12, 31, 23, 59, 59),
    datetime.datetime(2024, 2, 29, 12),
    datetime.datetime(2038, 1, 19, 3, 14, 7, 999999),
    datetime.datetime(2038, 1, 19, 3, 14, 8),
    datetime.datetime(2106, 2, 7, 6, 28, 16),
    datetime.datetime.max - MICROSECOND,
    datetime.datetime.max,
]
FAR_EVENTS = [
    event(
        f"{name}{number:02}",
        trait("state", ("even", "odd")[number % 2]),
        trait("number", number),
        trait("at", time),
        *[trait("project_id", "p")] * (number % 2),
        type_=f"type.{number}",
        generated=time,
    )
    for number, time in enumerate(FAR_TIMES)
    for name in "ba"
]
"""Two events of each time; every second time has a project. The number is the index of the time in FAR_TIMES."""
