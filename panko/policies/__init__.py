# SPDX-License-Identifier: Apache-2.0
"""Policy rules and their defaults, one module per resource."""

from collections.abc import Iterator

from oslo_policy import policy

from panko.policies import base, event_counts, event_types, events, traits


def list_rules() -> Iterator[policy.RuleDefault]:
    """Yield every rule with its default; ``oslopolicy-sample-generator`` calls this."""
    for module in (base, events, event_counts, event_types, traits):
        yield from module.RULES
