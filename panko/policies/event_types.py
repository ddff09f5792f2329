# SPDX-License-Identifier: Apache-2.0
"""Rules for event types."""

from oslo_policy import policy

from panko.policies import base

INDEX = "telemetry:event_types:index"

RULES = [
    policy.DocumentedRuleDefault(
        INDEX,
        f"rule:{base.SEGREGATION}",
        "List event types. Callers without the rule segregation get only those of events that they may see.",
        [
            {"path": "/v2/event_types", "method": "GET"},
            {"path": "/v2/event_types/{event_type}", "method": "GET"},
        ],
        scope_types=base.SCOPES,
    ),
]
