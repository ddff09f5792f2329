# SPDX-License-Identifier: Apache-2.0
"""Reads with texts in the filter language, which Panko 10.0 lacks, and what they are compared with."""

import datetime

from benchmarks import dataset
from benchmarks.loading import Facts
from benchmarks.reads import Read

DAY = datetime.timedelta(days=1)
RARE_VALUES = 10

ONE_RARE, SEVERAL_RARE = "rare value", f"one of {RARE_VALUES} rare values"
ONE_TYPE, PREFIX = "one type", "prefix of types"
ONE_RARE_TYPE, RARE_PREFIX = "one rare type", "prefix of rare types"
WORD, DAY_WORD, DAY_TEXT = "common word", "absent word in a day", "absent text in a day"
COMMON_TEXT = "text that many names contain"
TIMES = {SEVERAL_RARE: (ONE_RARE, 3.0), PREFIX: (ONE_TYPE, 2.0), RARE_PREFIX: (ONE_RARE_TYPE, 2.0)}
"""Cases, each with another one and the maximum ratio of their times."""


def filtered(facts: Facts) -> list[Read]:
    """Return the reads to measure on an event set."""
    middle = datetime.datetime.fromisoformat(facts.generated)
    day = (middle.isoformat(), (middle + DAY).isoformat())
    rare = [facts.resource_id, *dataset.instances()[: RARE_VALUES - 1]]
    reads = [
        (ONE_RARE, f"resource_id = {rare[0]}"),
        (SEVERAL_RARE, f"resource_id = ({' OR '.join(rare)})"),
        ("common number", "vcpus = 4"),
        ("rare number", "disk_gb = 1990"),
        ("range of numbers", "disk_gb >= 1990"),
        (ONE_TYPE, f"event_type = {dataset.TYPES[0]}"),
        (PREFIX, "event_type = compute.instance.*"),
        (ONE_RARE_TYPE, f"event_type = {dataset.TYPES[-1]}"),
        (RARE_PREFIX, "event_type = identity.project.*"),
        ("no type of a prefix", "NOT event_type = compute.*"),
        (COMMON_TEXT, "display_name : VM-1"),
        (WORD, "error"),
        ("no common value", "NOT state = error"),
        ("prefix of types and a text", "event_type = identity.project.* display_name : vm-199"),
    ]
    in_a_day = [
        (DAY_TEXT, "display_name : nowhere"),
        (DAY_WORD, "nowhere"),
        ("hopeless NOT in a day", "NOT vcpus >= 0"),
    ]
    return [
        *(Read(name, filter=text) for name, text in reads),
        *(Read(name, filter=text, window=day) for name, text in in_a_day),
    ]
