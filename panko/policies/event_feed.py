# SPDX-License-Identifier: Apache-2.0
"""Rules for the feed of events."""

from oslo_policy import policy

from panko.policies import base

INDEX = "telemetry:event_feed:index"

FOLLOW_EVENTS: policy.Operation = {"path": "/v2/event_feed", "method": "GET"}

RULES = [
    policy.DocumentedRuleDefault(
        INDEX,
        "",
        "Follow the events that the caller may list, in the order in which they become readable.",
        [FOLLOW_EVENTS],
        scope_types=base.SCOPES,
    ),
]
