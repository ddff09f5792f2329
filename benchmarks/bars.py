# SPDX-License-Identifier: Apache-2.0
"""Requirements for each case: how much faster than Panko 10.0, how close to its floor, how it may grow."""

from benchmarks.aggregates import BY_STATE, HOURLY, RECENT, VALUES
from benchmarks.filters import TIMES

FEED_READS = (("feed", "first 100"), ("feed", "100 of one transaction each"), ("http", "first 100 of the feed"))
"""Group and name of the reads of the feed that are compared with a page of 100."""

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
"""Required speed-up by group and name of the case on each of BACKENDS, with 200,000 events; None: no requirement."""

MAX_TIMES_PAGE = 2.0
"""Maximum ratio of the time of 100 events of the feed to that of a page, on each backend."""

MAX_FEED_SECONDS = 0.2
"""Maximum 99th percentile of the time from the end of a commit until a reader has received its events."""

MAX_OTHER_CLIENT_SECONDS = 1.0
"""Maximum 99th percentile of the time of other clients' requests while many readers wait for events."""

MAX_VIEW_SECONDS = 0.3
"""Maximum median of the time of the explorer's first view: the page, and its parts one after the other."""

MAX_VIEW_BYTES = 50_000
"""Maximum size of that view over the wire, with static files and without the rows of events."""

MAX_THREADS = 10
"""Maximum number of threads of each process meanwhile: none waits."""

MAX_EXPORT_SECONDS = 0.1
"""Maximum time in which panko-export writes 1,000 events, with their share of the start of its process."""

MAX_CONVERSION_SECONDS = 0.2
"""Maximum time in which panko-dbsync converts 1,000 events of Panko 10, with their share of its start."""

MAX_CONVERSION_MEGABYTES = 300
"""Maximum memory of that process."""

MAX_TIMES_FLOOR = {
    ("record_events", "batches of 1,000"): 2.0,
    ("http", "page of 100, all tenants"): 4.0,
    **{(group, HOURLY): 2.0 for group in ("counts", "http")},
    **{(group, name): 3.0 for group in ("counts", "http") for name in (RECENT, VALUES)},
    **dict.fromkeys(FEED_READS, MAX_TIMES_PAGE),
    **{("filter", name): times for name, (_, times) in TIMES.items()},
}
"""Maximum ratio of a case's time to its floor, on PostgreSQL; of the feed, everywhere."""

MAX_TIMES_MEDIAN = {("record_events", "batches of 100"): 5.0}
"""Maximum ratio of the 99th percentile of a case's calls to their median."""

MAX_PEAK_MEMORY_BYTES = 200 * 10**6
"""Maximum memory of the process that answers limit=100000."""

MAX_SLOWDOWN_BY_EXPIRY = 2.0
"""Maximum ratio of a read's time during expiry to its usual time."""

MAX_GROWTH = {2_000_000: 1.5, 10_000_000: 2.0}
"""Maximum ratio of a page's time with that many events to its time with 200,000."""

MAX_GROWTH_OF_INGEST = 2.0
"""Maximum ratio of ingest's time with larger tables to its time with 200,000 events."""

BOUNDED_COUNTS = {RECENT, VALUES}
PAGE_GROUPS = ("storage", "documents", "http", "feed")
PAGES = {
    *("newest 100", "first 100", "deep marker", "time window", "one type"),
    *("text trait equals, rare", "text trait equals, common", "tenant newest 100", "admin newest 100"),
    *("integer range, rare", "integer range, common", "two traits", "two traits, rare"),
    *(name for _, name in FEED_READS),
    *("page of 100, all tenants", "page of 1,000, all tenants", "page of 100, admin", "page of 100, member"),
}
"""The reads of events, without those of names."""

MAX_CLIENT_FACTOR = 1.3
"""Maximum ratio of the process time for a page of events to that of ``openstack token issue``."""

MAX_SLOWDOWN_BY_CLEANUP = 1.5
"""Maximum ratio of a read's time while the expirer removes unused names to its usual time."""

MAX_WRITE_SECONDS = 0.2
"""Maximum time of a write meanwhile."""

MAX_SLOWDOWN_BY_PENDING_KEYS = 2.0
"""Maximum ratio of a rare text's time while PostgreSQL's list of pending keys is full to its usual time."""

MAX_NAMES_SECONDS = 0.02
"""Maximum time of event types or trait names with 10,000 shapes."""

MAX_EXPIRED_DAY_SECONDS = 1.0
"""Target time for the expiry of one day of 2 million events."""

MAX_SLOWDOWN = 1.1
MAX_SLOWDOWN_OF_COUNT_BY_STATE = 1.5
"""Maximum ratio of a case's time to that of an earlier commit: the median of several turns."""

MAX_DISK_BYTES = {"postgresql": 1000, "mysql": 1600, "sqlite": 900}
"""Maximum size of an event on disk."""

MAX_MERGED_BYTES = 700
"""Maximum size of an event in OpenSearch: one copy, all segments merged."""

MIN_JUDGED_EVENTS = 100_000
"""Minimum number of events for the requirements of OpenSearch: fewer do not compress as well, and merge less."""

MIN_CLUSTER_RATES = {1: 15_000, 3: 8_000}
"""Minimum number of events a second that one client stores without a refresh, by number of nodes."""

MAX_CLUSTER_PAGE_SECONDS = 0.008
"""Maximum median of the time of a page of 100 on one node."""

MAX_DROP_SECONDS = 2.0
"""Maximum time in which a period of a million events is dropped."""

STORAGE = {"documents": "storage"}
"""The requirements for the API's call are those for the other one, unless it has its own."""


def required(group: str, name: str, backend: str) -> float | None:
    """Return the required speed-up of a case on a backend; None: no requirement."""
    bars = REQUIRED.get((group, name)) or REQUIRED.get((STORAGE.get(group, group), name))
    return bars[BACKENDS.index(backend)] if bars and backend in BACKENDS else None


def of_floor(group: str, name: str, backend: str) -> float | None:
    """Return the maximum ratio of a case's time to its floor on a backend; None: no requirement."""
    is_judged = backend == "postgresql" or (group, name) in FEED_READS
    return MAX_TIMES_FLOOR.get((group, name)) if is_judged else None


def cluster_seconds(group: str, name: str, nodes: int) -> float | None:
    """Return the maximum time of a case on OpenSearch, for ingest that of an event; None: no requirement."""
    if (group, name) == ("record_events", "batches of 1,000, not refreshed"):
        return 1 / MIN_CLUSTER_RATES[nodes] if nodes in MIN_CLUSTER_RATES else None
    is_page = group in PAGE_GROUPS and name in PAGES and "1,000" not in name
    return MAX_CLUSTER_PAGE_SECONDS if is_page and nodes == 1 else None


def slower_than_before(name: str) -> float:
    """Return the maximum ratio of a case's time to that of an earlier commit."""
    return MAX_SLOWDOWN_OF_COUNT_BY_STATE if name == BY_STATE else MAX_SLOWDOWN


def growth(group: str, name: str, events: int) -> float | None:
    """Return the maximum ratio of a case's time with that many events to that with 200,000; None: no requirement."""
    if group == "record_events":
        return MAX_GROWTH_OF_INGEST if events in MAX_GROWTH else None
    bounded = name in BOUNDED_COUNTS if group == "counts" else group in PAGE_GROUPS and name in PAGES
    return MAX_GROWTH.get(events) if bounded else None
