# SPDX-License-Identifier: Apache-2.0
"""Rules for event types."""

from oslo_policy import policy

from panko.policies import base

INDEX = "telemetry:event_types:index"

RULES = [
    policy.DocumentedRuleDefault(
        INDEX,
        f"rule:{base.SEGREGATION}",
        "List event types. If the rule segregation does not match the caller, only those of events that the caller may "
        "see are listed.",
        [
            {"path": "/v2/event_types", "method": "GET"},
            {"path": "/v2/event_types/{event_type}", "method": "GET"},
        ],
        scope_types=base.SCOPES,
    ),
]
