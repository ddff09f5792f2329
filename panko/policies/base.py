# SPDX-License-Identifier: Apache-2.0
"""The scopes of all rules, and the rules that other rules refer to."""

from oslo_policy import policy

CONTEXT_IS_ADMIN = "context_is_admin"
SEGREGATION = "segregation"

SCOPES = ["system", "project"]
"""Every rule applies to both kinds of tokens, so that project administrators and system readers are treated alike."""

RULES = [
    policy.RuleDefault(
        CONTEXT_IS_ADMIN,
        "role:admin",
        "Administrators.",
        scope_types=SCOPES,
    ),
    policy.RuleDefault(
        SEGREGATION,
        f"rule:{CONTEXT_IS_ADMIN} or (role:reader and system_scope:all)",
        "Callers who are not limited to the events of their own user and project.",
        scope_types=SCOPES,
    ),
]
