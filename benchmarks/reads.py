# SPDX-License-Identifier: Apache-2.0
"""The reads to measure, each as a storage call and as a request."""

import datetime
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks import dataset
from benchmarks.loading import Facts

NEWEST = (("generated", "desc"), ("message_id", "desc"))
OLDEST = (("generated", "asc"), ("message_id", "asc"))
WINDOW = datetime.timedelta(hours=1)
PAGE = 100
EVERYBODY, ADMIN, MEMBER = "everybody", "admin", "member"

Trait = tuple[str, str, Any, str]
"""Name, type, value and operator."""


@dataclass(frozen=True)
class Read:
    """A read of events, event types or trait names.

    :param caller: EVERYBODY for all events, or ADMIN or MEMBER of the busiest project for those that they see
    :param method: method of the storage
    :param event_type: event type to filter by, or argument of the method
    :param filter: a text in the filter language
    """

    name: str
    caller: str = EVERYBODY
    sort: tuple[tuple[str, str], ...] = NEWEST
    marker: str | None = None
    window: tuple[str, str] | None = None
    event_type: str | None = None
    traits: tuple[Trait, ...] = field(default=())
    limit: int = PAGE
    method: str = "get_events"
    filter: str | None = None

    def as_call(self) -> dict[str, Any]:
        """Return the arguments of the worker's ``read``."""
        if self.method in ("get_event_types", "get_trait_types"):
            return {"method": self.method, "event_type": self.event_type}
        filters: dict[str, Any] = {}
        if self.window:
            filters |= {"start_timestamp": self.window[0], "end_timestamp": self.window[1]}
        if self.event_type:
            filters["event_type"] = self.event_type
        if self.traits:
            filters["traits_filter"] = [{"key": n, type_: value, "op": op} for n, type_, value, op in self.traits]
        if self.filter:
            filters["filter"] = self.filter
        if self.caller == ADMIN:
            filters["admin_proj"] = _project()
        page = {"limit": self.limit, "marker": self.marker, "sort": self.sort}
        member = [_project(), _user()] if self.caller == MEMBER else None
        return {"method": self.method, "filters": filters, "page": page, "member": member}

    def as_request(self) -> dict[str, Any]:
        """Return the arguments of the worker's ``request``."""
        roles = "member" if self.caller == MEMBER else "admin"
        headers = {"X-Roles": roles, "X-Project-Id": _project(), "X-User-Id": _user()}
        if self.method == "get_event_types":
            return {"path": "/v2/event_types", "query": "", "headers": headers}
        if self.method == "get_trait_types":
            return {"path": f"/v2/event_types/{self.event_type}/traits", "query": "", "headers": headers}
        return {"path": "/v2/events", "query": urllib.parse.urlencode(list(self._arguments())), "headers": headers}

    def _arguments(self) -> Iterator[tuple[str, Any]]:
        for name, type_, value, op in self._conditions():
            yield from (("q.field", name), ("q.op", op), ("q.type", type_), ("q.value", value))
        if self.filter:
            yield "filter", self.filter
        yield "limit", self.limit
        for key, direction in self.sort if self.sort != OLDEST else ():  # The default order.
            yield "sort", f"{key}:{direction}"
        if self.marker:
            yield "marker", self.marker

    def _conditions(self) -> Iterator[Trait]:
        if self.caller == EVERYBODY:
            yield "all_tenants", "", "True", "eq"
        if self.window:
            yield "start_timestamp", "", self.window[0], "ge"
            yield "end_timestamp", "", self.window[1], "le"
        if self.event_type:
            yield "event_type", "", self.event_type, "eq"
        yield from self.traits


def _project() -> str:
    return dataset.projects()[0]


def _user() -> str:
    return dataset.users()[0]


def reads(facts: Facts) -> list[Read]:
    """Return the reads to measure on an event set."""
    middle = datetime.datetime.fromisoformat(facts.generated)
    window = (middle.isoformat(), (middle + WINDOW).isoformat())
    rare = ("resource_id", "string", facts.resource_id, "eq")
    common = ("state", "string", "error", "eq")
    busy_type = dataset.TYPES[0]
    return [
        Read("newest 100"),
        Read("first 100", sort=OLDEST),
        Read("deep marker", marker=facts.marker),
        Read("time window", sort=OLDEST, window=window),
        Read("one type", event_type=busy_type),
        Read("text trait equals, rare", traits=(rare,)),
        Read("text trait equals, common", traits=(common,)),
        Read("tenant newest 100", caller=MEMBER),
        Read("admin newest 100", caller=ADMIN),
        Read("integer range, rare", traits=(("disk_gb", "integer", 1990, "ge"),)),
        Read("integer range, common", traits=(("disk_gb", "integer", 100, "ge"),)),
        Read("two traits", traits=(common, ("vcpus", "integer", 32, "ge"))),
        Read("two traits, rare", traits=(common, ("service", "string", "compute.host-007", "eq"))),
        Read("event types", method="get_event_types"),
        Read("trait names", method="get_trait_types", event_type=busy_type),
    ]


def pages() -> list[Read]:
    """Return the pages that are measured only as requests."""
    return [
        Read("page of 100, all tenants", sort=OLDEST),
        Read("page of 1,000, all tenants", sort=OLDEST, limit=1000),
        Read("page of 100, admin", caller=ADMIN, sort=OLDEST),
        Read("page of 100, member", caller=MEMBER, sort=OLDEST),
    ]


def as_documents(read: Read) -> Read:
    """Return the same read with the call that returns JSON."""
    return replace(read, method="get_documents")


LARGE = Read("limit=100000", sort=OLDEST, limit=100_000)
"""The answer that must stream."""
