# SPDX-License-Identifier: Apache-2.0
"""The indices: their names, fields and settings.

Events are in an index for each period of their own time, so that one that is delivered again meets itself. The feed's
entries, and what there is once, have an index each.
"""

import datetime
import re
from typing import Any

VERSION = 1
"""Version of the fields below. A greater one may add fields, which panko-dbsync adds to existing indices."""

PERIODS = ("day", "week", "month", "year")

OTHER = "other"
"""The period of events whose own period has no index, see :class:`~panko.storage.opensearch.indices.Indices`."""

_KEYWORD = {"type": "keyword", "norms": False}
_STORED = {"type": "keyword", "index": False, "doc_values": False, "store": True}

EVENT_FIELDS: dict[str, Any] = {
    # Microseconds since 1970.
    "generated": {"type": "long"},
    # Seconds since 1970, as aggregations compute with 53 bits.
    "second": {"type": "long", "index": False},
    "message_id": _KEYWORD,
    "event_type": _KEYWORD,
    # As panko.storage.owners writes them; absent if the event has no such trait.
    "project": _KEYWORD,
    "user": _KEYWORD,
    # Grows in the order of recording.
    "recorded": {"type": "long"},
    # Names and types of the traits, which most events share, and an id made of them.
    "shape": {"type": "keyword", "index": False},
    "shape_id": _KEYWORD,
    # Hashes of the text traits, by which candidates are found.
    "keys": {"type": "keyword", "doc_values": False, "norms": False},
    # The other traits as 128 bits: a hash of name and type, then the value, in order. In a window of time they are
    # compared one by one, by 23 bytes an event; the index alone would look up all events of a range each time.
    "numbers": {"type": "ip"},
    # The values of all traits, one a line, and the notification as JSON.
    "values": _STORED,
    "raw": _STORED,
    # The same if they are large, and their size, so that they are read a few at a time.
    "large_values": _STORED,
    "large_raw": _STORED,
    "size": {"type": "long", "index": False},
}

ENTRY_FIELDS: dict[str, Any] = {
    "position": {"type": "long"},
    "placed": {"type": "long"},
    "entry": {"type": "object", "enabled": False},
}
"""The feed's entries, see :mod:`panko.storage.opensearch.journal`."""

META_FIELDS: dict[str, Any] = {"content": {"type": "object", "enabled": False}}


def mappings(fields: dict[str, Any], has_source: bool = True) -> dict[str, Any]:
    """Return the mappings of an index.

    :param has_source: whether it stores its documents beside their stored fields
    """
    found: dict[str, Any] = {"dynamic": "strict", "properties": fields, "_meta": {"panko": VERSION}}
    return found if has_source else found | {"_source": {"enabled": False}}


def index_settings(shards: int, replicas: int, active_shards: int) -> dict[str, Any]:
    """Return the settings of an index.

    :param active_shards: copies that must be there before a write
    """
    return {
        "number_of_shards": shards,
        "number_of_replicas": replicas,
        "write.wait_for_active_shards": str(active_shards),
        # These are the defaults, but an operator's template for all indices may have others, which would lose events.
        "translog.durability": "request",
        "default_pipeline": "_none",
        "final_pipeline": "_none",
    }


def event_settings(shards: int, replicas: int, active_shards: int) -> dict[str, Any]:
    """Return the settings of an index of events; see :func:`index_settings`."""
    return {
        "index": {
            **index_settings(shards, replicas, active_shards),
            # So that the newest events are found without sorting all others.
            "sort.field": ["generated", "message_id"],
            "sort.order": ["desc", "desc"],
            "refresh_interval": "1s",
        }
    }


def period_name(time: datetime.datetime, period: str) -> str:
    """Return the name of the period, one of PERIODS, that a time belongs to, such as ``2026-11``."""
    if period == "day":
        return f"{time:%Y-%m-%d}"
    if period == "week":
        year, week, _ = time.isocalendar()
        return f"{year}-w{week:02}"
    return f"{time:%Y-%m}" if period == "month" else f"{time:%Y}"


_PERIOD = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?|-w(\d\d))?")


def period_end(name: str) -> datetime.datetime | None:
    """Return when a period ends that :func:`period_name` has named; None if that is unknown, as of OTHER."""
    match = _PERIOD.fullmatch(name)
    if not match:
        return None
    year, month, day, week = (int(part or 0) for part in match.groups())
    try:
        if match[4]:
            return datetime.datetime.fromisocalendar(year, week, 1) + datetime.timedelta(weeks=1)
        if match[3]:
            return datetime.datetime(year, month, day) + datetime.timedelta(days=1)
        if match[2]:
            last = datetime.datetime(year, month, 28) + datetime.timedelta(days=4)  # Some day of the next month.
            return last.replace(day=1)
        return datetime.datetime(year + 1, 1, 1)
    except (ValueError, OverflowError):
        return None  # Such as of month 13.
