# SPDX-License-Identifier: Apache-2.0
"""Rules for counts of events."""

from oslo_policy import policy

from panko.policies import base

INDEX = "telemetry:event_counts:index"

RULES = [
    policy.DocumentedRuleDefault(
        INDEX,
        "",
        "Count the events that the caller may list. In Grafana, also list their types.",
        [
            {"path": "/v2/event_counts", "method": "GET"},
            {"path": "/grafana/query", "method": "POST"},
            {"path": "/grafana/variable", "method": "POST"},
        ],
        scope_types=base.SCOPES,
    ),
]
