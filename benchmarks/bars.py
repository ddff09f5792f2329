# SPDX-License-Identifier: Apache-2.0
"""What each case must reach: times faster than Panko 10.0, near to its floor, and as large tables grow."""

from benchmarks.summaries import BY_STATE, HOURLY, RECENT, VALUES

BACKENDS = ("postgresql", "mysql", "sqlite")

BY_TIME = (15, 200, 60)
HTTP_TENANT = (100, 500, 300)
REQUIRED: dict[tuple[str, str], tuple[float | None, float | None, float | None]] = {
    ("record_events", "batches of 100"): (40, 35, 14),
    ("record_events", "batches of 1,000"): (55, 40, 25),
    ("publisher", "64 threads"): (20, 15, 60),
    ("POST", "arrays of 100, 4 clients"): (40, None, None),
    ("collector", "from a full queue"): (30, None, None),
    ("storage", "newest 100"): BY_TIME,
    ("storage", "first 100"): BY_TIME,
    ("storage", "deep marker"): BY_TIME,
    ("storage", "time window"): (15, 8, 60),
    ("storage", "one type"): (15, 8, 60),
    ("storage", "text trait equals, rare"): (100, 500, 500),
    ("storage", "text trait equals, common"): (40, 500, 300),
    ("storage", "tenant newest 100"): (100, 500, 300),
    ("storage", "admin newest 100"): (400, 1000, 500),
    ("storage", "integer range, rare"): (18, 30, 10),
    ("storage", "integer range, common"): (8, 30, 10),
    ("storage", "two traits"): (20, 30, 50),
    ("storage", "two traits, rare"): (20, 30, 50),
    ("storage", "event types"): (1.5, 1.5, 1.5),
    ("storage", "trait names"): (100, 50, 50),
    ("documents", "text trait equals, rare"): (400, 500, 500),
    ("documents", "text trait equals, common"): (120, 500, 300),
    ("documents", "tenant newest 100"): (400, 500, 300),
    ("documents", "admin newest 100"): (700, 1000, 500),
    ("http", "page of 100, all tenants"): (20, 200, 40),
    ("http", "page of 1,000, all tenants"): (25, 100, 25),
    ("http", "page of 100, admin"): HTTP_TENANT,
    ("http", "page of 100, member"): HTTP_TENANT,
    ("http", "limit=100000"): (20, 20, 20),
    ("expiry", "10% of the table"): (3, 2, 2),
}
"""Times faster, by group and name of the case, on each of BACKENDS, with 200,000 events; None: nothing is asked."""

AT_MOST_OF_FLOOR = {
    ("record_events", "batches of 1,000"): 2.0,
    ("http", "page of 100, all tenants"): 4.0,
    **{(group, HOURLY): 2.0 for group in ("counts", "http")},
    **{(group, name): 3.0 for group in ("counts", "http") for name in (RECENT, VALUES)},
}
"""How many times the floor's time a case may take, on PostgreSQL."""

AT_MOST_OF_MEDIAN = {("record_events", "batches of 100"): 5.0}
"""How many times the median of a case's calls their 99th percentile may be."""

PEAK_MEMORY = 200 * 10**6
"""Bytes that the process may hold which answers limit=100000."""

SLOWER_BY_EXPIRY = 2.0
"""How many times its time a read may take while expiry runs."""

GROWTH = {2_000_000: 1.5, 10_000_000: 2.0}
"""How many times its time at 200,000 events a page may take at a larger size."""

GROWTH_OF_INGEST = 2.0
"""How many times its time at 200,000 events ingest may take at 2 million."""

GROWTH_OF_COUNTS = {RECENT, VALUES}
PAGE_GROUPS = ("storage", "documents", "http")
PAGES = {
    *("newest 100", "first 100", "deep marker", "time window", "one type"),
    *("text trait equals, rare", "text trait equals, common", "tenant newest 100", "admin newest 100"),
    *("integer range, rare", "integer range, common", "two traits", "two traits, rare"),
    *("page of 100, all tenants", "page of 1,000, all tenants", "page of 100, admin", "page of 100, member"),
}
"""The reads of events, and not of what names them."""

CLIENT = 1.3
"""How many times the process time of ``openstack token issue`` a page of events may take."""

SLOWER_BY_CLEAN_UP = 1.5
"""How many times its time a read may take while the expirer removes names that no event has any more."""

MAX_WRITE_SECONDS = 0.2
"""Seconds that a write may take meanwhile."""

SLOWER_BY_PENDING_KEYS = 2.0
"""How many times its time a rare text may take to find while PostgreSQL's list of pending keys is full."""

NAMES_OF_MANY_SHAPES = 0.02
"""Seconds that event types or trait names may take with 10,000 shapes."""

EXPIRED_DAY = 1.0
"""Seconds that are aimed at for the expiry of a day of 2 million events."""

SLOWER_THAN_BEFORE = 1.1
SLOWER_COUNT_BY_STATE = 1.5
"""How many times an earlier commit's time a case may take, by the median of several turns."""

DISK = {"postgresql": 1000, "mysql": 1600, "sqlite": 900}
"""Bytes that an event may take on disk."""

STORAGE = {"documents": "storage"}
"""The call by which the API reads events is held to what is asked of the other one where nothing else is said."""


def required(group: str, name: str, backend: str) -> float | None:
    """Return how many times faster a case is to be on a backend; None where nothing is said."""
    bars = REQUIRED.get((group, name)) or REQUIRED.get((STORAGE.get(group, group), name))
    return bars[BACKENDS.index(backend)] if bars else None


def of_floor(group: str, name: str, backend: str) -> float | None:
    """Return how many times the floor's time a case may take on a backend; None where nothing is said."""
    return AT_MOST_OF_FLOOR.get((group, name)) if backend == "postgresql" else None


def slower_than_before(name: str) -> float:
    """Return how many times an earlier commit's time a case may take."""
    return SLOWER_COUNT_BY_STATE if name == BY_STATE else SLOWER_THAN_BEFORE


def growth(group: str, name: str, events: int) -> float | None:
    """Return how many times its time at 200,000 events a case may take at a size; None where nothing is said."""
    if group == "record_events":
        return GROWTH_OF_INGEST if events in GROWTH else None
    bounded = name in GROWTH_OF_COUNTS if group == "counts" else group in PAGE_GROUPS and name in PAGES
    return GROWTH.get(events) if bounded else None
