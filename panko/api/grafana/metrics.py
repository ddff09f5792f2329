# SPDX-License-Identifier: Apache-2.0
"""Metrics: what a panel can show, and the fields of their payloads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panko.policies import event_counts, events

NEWEST = "newest"
SORT_DIRECTIONS_BY_ORDER = {NEWEST: "desc", "oldest": "asc"}

NO_GROUPS = "none"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a payload, as Grafana's query builder shows it.

    :param type: the type of the input element
    :param options: label and value of each choice; None: Grafana requests them, or anything can be entered
    """

    name: str
    label: str
    type: str
    options: tuple[tuple[str, str], ...] | None = None
    placeholder: str = ""

    def describe(self) -> dict[str, Any]:
        """Return the field in the form of the protocol."""
        options = None if self.options is None else [{"label": label, "value": value} for label, value in self.options]
        described = {"name": self.name, "label": self.label, "type": self.type, "placeholder": self.placeholder}
        return described if options is None else {**described, "options": options}


EVENT_TYPE_FIELD = Field("event_type", "Event types", "multi-select", placeholder="all")
PROJECT_FIELD = Field("project_id", "Project", "select", placeholder="all")
TRAITS_FIELD = Field("traits", "Traits", "multi-select", placeholder="all")
GROUP_BY_FIELD = Field("group_by", "Group by", "select", placeholder=NO_GROUPS)
TOP_FIELD = Field("top", "Top", "input", placeholder="10")
INTERVAL_FIELD = Field("interval", "Interval", "input", placeholder="auto")
ORDER_FIELD = Field("order", "Order", "select", (("Newest first", "newest"), ("Oldest first", "oldest")), NEWEST)
LIMIT_FIELD = Field("limit", "Limit", "input", placeholder="100")
REGION_FIELD = Field("region", "Region", "input", placeholder=".start .end .error")
REGION_BY_FIELD = Field("region_by", "Region by", "input", placeholder="request_id")
FILTERS_FIELD = Field("filters", "Filters", "textarea", placeholder="all lines must hold: vcpus >= 4")
ALL_TENANTS_FIELD = Field("all_tenants", "All projects", "select", (("Yes", "True"), ("No", "False")), "where allowed")
_COMMON_FIELDS = (FILTERS_FIELD, ALL_TENANTS_FIELD)


@dataclass(frozen=True, slots=True)
class Metric:
    """What a panel can show.

    :param rule: the policy rule that allows it
    :param fields: the fields of its payload
    """

    name: str
    label: str
    rule: str
    fields: tuple[Field, ...]

    def describe(self) -> dict[str, Any]:
        """Return the metric in the form of the protocol."""
        return {"value": self.name, "label": self.label, "payloads": [field.describe() for field in self.fields]}


EVENTS = Metric(
    "events",
    "Events (table)",
    events.INDEX,
    (EVENT_TYPE_FIELD, PROJECT_FIELD, TRAITS_FIELD, ORDER_FIELD, LIMIT_FIELD, *_COMMON_FIELDS),
)
EVENT_COUNTS = Metric(
    "event_counts",
    "Event counts (time series)",
    event_counts.INDEX,
    (EVENT_TYPE_FIELD, PROJECT_FIELD, GROUP_BY_FIELD, TOP_FIELD, INTERVAL_FIELD, *_COMMON_FIELDS),
)
ANNOTATIONS = Metric(
    "annotations",
    "Annotations",
    events.INDEX,
    (EVENT_TYPE_FIELD, PROJECT_FIELD, TRAITS_FIELD, LIMIT_FIELD, REGION_FIELD, REGION_BY_FIELD, *_COMMON_FIELDS),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in (EVENTS, EVENT_COUNTS, ANNOTATIONS)}
