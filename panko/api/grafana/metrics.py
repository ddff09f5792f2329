# SPDX-License-Identifier: Apache-2.0
"""What can be put on a panel, and what each of it can be told by its payload."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panko.policies import event_counts, events

EVENTS = "events"
EVENT_COUNTS = "event_counts"
ANNOTATIONS = "annotations"

NEWEST = "newest"
OLDEST = "oldest"
ORDERS = {NEWEST: "desc", OLDEST: "asc"}
"""The orders of events by their time: what each is called, and storage's direction."""

NO_GROUPS = "none"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a payload.

    :param kind: the type that the query builder has for it
    :param options: label and value of each choice; None: they are loaded from the data, or there are none
    """

    name: str
    label: str
    kind: str
    options: tuple[tuple[str, str], ...] | None = None
    placeholder: str = ""

    def document(self) -> dict[str, Any]:
        """Return the field as the query builder reads it."""
        document = {"name": self.name, "label": self.label, "type": self.kind, "placeholder": self.placeholder}
        if self.options is not None:
            document["options"] = [{"label": label, "value": value} for label, value in self.options]
        return document


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that can be put on a panel, whom the policy lets see it, and the fields of its payload."""

    name: str
    label: str
    rule: str
    fields: tuple[Field, ...]

    def document(self) -> dict[str, Any]:
        """Return the metric as the query builder reads it."""
        return {"value": self.name, "label": self.label, "payloads": [field.document() for field in self.fields]}


EVENT_TYPE = Field("event_type", "Event types", "multi-select", placeholder="all")
PROJECT = Field("project_id", "Project", "select", placeholder="all")
TRAITS = Field("traits", "Traits", "multi-select", placeholder="all")
GROUP_BY = Field("group_by", "Group by", "select", placeholder=NO_GROUPS)
TOP = Field("top", "Top", "input", placeholder="10")
INTERVAL = Field("interval", "Interval", "input", placeholder="auto")
ORDER = Field("order", "Order", "select", (("Newest first", NEWEST), ("Oldest first", OLDEST)), NEWEST)
LIMIT = Field("limit", "Limit", "input", placeholder="100")
FILTERS = Field("filters", "Filters", "textarea", placeholder="one in each line: vcpus>=4")
ALL_TENANTS = Field("all_tenants", "All projects", "select", (("Yes", "True"), ("No", "False")), "where allowed")

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            EVENTS, "Events (table)", events.INDEX, (EVENT_TYPE, PROJECT, TRAITS, ORDER, LIMIT, FILTERS, ALL_TENANTS)
        ),
        Metric(
            EVENT_COUNTS,
            "Event counts (time series)",
            event_counts.INDEX,
            (EVENT_TYPE, PROJECT, GROUP_BY, TOP, INTERVAL, FILTERS, ALL_TENANTS),
        ),
        Metric(
            ANNOTATIONS,
            "Annotations",
            events.INDEX,
            (EVENT_TYPE, PROJECT, TRAITS, LIMIT, FILTERS, ALL_TENANTS),
        ),
    )
}
"""The metrics by name."""
