# SPDX-License-Identifier: Apache-2.0
"""How much faster than Panko 10.0 each case is to be, and how near to its floor."""

from benchmarks.summaries import HOURLY, RECENT, VALUES

BACKENDS = ("postgresql", "mysql", "sqlite")

BY_TIME = (15, 200, 60)
HTTP_TENANT = (100, 500, 300)
REQUIRED: dict[tuple[str, str], tuple[float | None, float | None, float | None]] = {
    ("record_events", "batches of 100"): (30, 20, 12),
    ("record_events", "batches of 1,000"): (45, 30, 25),
    ("publisher", "64 threads"): (15, 8, 8),
    ("POST", "arrays of 100, 4 clients"): (20, None, None),
    ("collector", "from a full queue"): (20, None, None),
    ("storage", "newest 100"): BY_TIME,
    ("storage", "first 100"): BY_TIME,
    ("storage", "deep marker"): BY_TIME,
    ("storage", "time window"): (15, 8, 60),
    ("storage", "one type"): (15, 8, 60),
    ("storage", "text trait equals, rare"): (100, 500, 500),
    ("storage", "text trait equals, common"): (40, 500, 300),
    ("storage", "tenant newest 100"): (100, 500, 300),
    ("storage", "admin newest 100"): (400, 1000, 500),
    ("storage", "integer range, rare"): (8, 30, 10),
    ("storage", "integer range, common"): (8, 30, 10),
    ("storage", "two traits"): (8, 30, 50),
    ("storage", "two traits, rare"): (8, 30, 50),
    ("storage", "event types"): (1.5, 1.5, 1.5),
    ("storage", "trait names"): (100, 50, 50),
    ("http", "page of 100, all tenants"): (9, 200, 40),
    ("http", "page of 1,000, all tenants"): (25, 100, 25),
    ("http", "page of 100, admin"): HTTP_TENANT,
    ("http", "page of 100, member"): HTTP_TENANT,
    ("http", "limit=100000"): (20, 20, 20),
    ("expiry", "10% of the table"): (2, 2, 2),
}
"""Times faster, by group and name of the case, on each of BACKENDS, with 200,000 events; None: nothing is asked."""

AT_MOST_OF_FLOOR = {
    ("record_events", "batches of 1,000"): 2.0,
    ("http", "page of 100, all tenants"): 4.0,
    **{(group, HOURLY): 2.0 for group in ("counts", "http")},
    **{(group, name): 3.0 for group in ("counts", "http") for name in (RECENT, VALUES)},
}
"""How many times the floor's time a case may take."""

PEAK_MEMORY = 200 * 10**6
"""Bytes that the process may hold which answers limit=100000."""

SLOWER_BY_EXPIRY = 2.0
"""How many times its time a read may take while expiry runs."""

GROWTH = 1.5
"""How many times its time at 200,000 events a read may take at 2 million."""

GROWTH_OF_COUNTS = {RECENT, VALUES}
GROWTH_READS = {
    *("newest 100", "first 100", "deep marker", "time window", "one type"),
    *("text trait equals, rare", "text trait equals, common", "tenant newest 100", "admin newest 100"),
}
"""The reads that this holds for."""

CLIENT = 1.3
"""How many times the process time of ``openstack token issue`` a page of events may take."""

DISK = 2.0
"""How many times Panko 10.0's bytes an event may take on disk."""


STORAGE = {"documents": "storage"}
"""Both calls by which ours reads events are held to what is asked of the storage."""


def required(group: str, name: str, backend: str) -> float | None:
    """Return how many times faster a case is to be on a backend; None where nothing is said."""
    bars = REQUIRED.get((STORAGE.get(group, group), name))
    return bars[BACKENDS.index(backend)] if bars else None


def growth(group: str, name: str) -> float | None:
    """Return how many times its time at 200,000 events a case may take at 2 million; None where nothing is said."""
    bounded = {"storage": GROWTH_READS, "counts": GROWTH_OF_COUNTS}.get(group, ())
    return GROWTH if name in bounded else None
