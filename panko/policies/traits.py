# SPDX-License-Identifier: Apache-2.0
"""Rules for traits."""

from oslo_policy import policy

from panko.policies import base

INDEX = "telemetry:traits:index"
SHOW = "telemetry:traits:show"
VALUES = "telemetry:traits:values"

RULES = [
    policy.DocumentedRuleDefault(
        INDEX,
        f"rule:{base.SEGREGATION}",
        "List the names and types of an event type's traits. If the rule segregation does not match the caller, only "
        "those of events that the caller may see are listed.",
        [{"path": "/v2/event_types/{event_type}/traits", "method": "GET"}],
        scope_types=base.SCOPES,
    ),
    policy.DocumentedRuleDefault(
        SHOW,
        f"rule:{base.SEGREGATION}",
        "List the values of a trait in all events of a type. If the rule segregation does not match the caller, only "
        "those of events that the caller may see are listed.",
        [{"path": "/v2/event_types/{event_type}/traits/{trait_name}", "method": "GET"}],
        scope_types=base.SCOPES,
    ),
    policy.DocumentedRuleDefault(
        VALUES,
        "",
        "List the distinct values of a trait in the newest events that the caller may list.",
        [
            {"path": "/v2/event_types/{event_type}/traits/{trait_name}/values", "method": "GET"},
            {"path": "/grafana/variable", "method": "POST"},
            {"path": "/grafana/tag-values", "method": "POST"},
        ],
        scope_types=base.SCOPES,
    ),
]
