# SPDX-License-Identifier: Apache-2.0
"""What the rules of all resources share: their scopes, and the two rules that tell who is limited."""

from oslo_policy import policy

CONTEXT_IS_ADMIN = "context_is_admin"
SEGREGATION = "segregation"

SCOPES = ["system", "project"]
"""Tokens of both kinds may pass every rule: a project's administrator and a system reader alike."""

RULES = [
    policy.RuleDefault(
        CONTEXT_IS_ADMIN,
        "role:admin",
        "Who is an administrator.",
        scope_types=SCOPES,
    ),
    policy.RuleDefault(
        SEGREGATION,
        f"rule:{CONTEXT_IS_ADMIN} or (role:reader and system_scope:all)",
        "Whom the API does not limit to the events of their own user and project.",
        scope_types=SCOPES,
    ),
]
