# SPDX-License-Identifier: Apache-2.0
"""Rules for events."""

from oslo_policy import policy

from panko.policies import base

INDEX = "telemetry:events:index"
FEED = "telemetry:event_feed:index"
SHOW = "telemetry:events:show"
ALL_TENANTS = "telemetry:events:all_tenants"
PROJECT_EVENTS = "telemetry:events:project_events"
CREATE = "telemetry:events:create"

LIST_EVENTS: policy.Operation = {"path": "/v2/events", "method": "GET"}
FOLLOW_EVENTS: policy.Operation = {"path": "/v2/event_feed", "method": "GET"}
QUERY: policy.Operation = {"path": "/grafana/query", "method": "POST"}
ROWS: policy.Operation = {"path": "/grafana/rows", "method": "GET"}
SHOW_EVENT: policy.Operation = {"path": "/v2/events/{message_id}", "method": "GET"}

RULES = [
    policy.DocumentedRuleDefault(
        INDEX,
        "",
        "List events.",
        [LIST_EVENTS, QUERY, ROWS],
        scope_types=base.SCOPES,
    ),
    policy.DocumentedRuleDefault(
        FEED,
        "",
        "Follow the events that the caller may list, in the order in which they become readable.",
        [FOLLOW_EVENTS],
        scope_types=base.SCOPES,
    ),
    policy.DocumentedRuleDefault(
        SHOW,
        "",
        "Show one event.",
        [SHOW_EVENT],
        scope_types=base.SCOPES,
    ),
    policy.DocumentedRuleDefault(
        ALL_TENANTS,
        f"rule:{base.SEGREGATION}",
        "List, show and follow the events of all projects if the request has all_tenants=True. Grafana shows them "
        "unless the request has all_tenants=False.",
        [LIST_EVENTS, SHOW_EVENT, FOLLOW_EVENTS, QUERY, ROWS],
        scope_types=base.SCOPES,
    ),
    policy.DocumentedRuleDefault(
        PROJECT_EVENTS,
        "!",
        "See the events of all users of the caller's project. It is checked if the rule segregation does not match the "
        "caller.",
        [LIST_EVENTS, SHOW_EVENT, FOLLOW_EVENTS],
        scope_types=base.SCOPES,
    ),
    policy.DocumentedRuleDefault(
        CREATE,
        f"rule:{base.CONTEXT_IS_ADMIN} or role:service",
        "Store events of any project: for Ceilometer's http publisher and other services.",
        [{"path": "/v2/events", "method": "POST"}],
        scope_types=base.SCOPES,
    ),
]
