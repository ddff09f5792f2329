# SPDX-License-Identifier: Apache-2.0
"""What the policy allows one caller to do, and which events the caller may see."""

import functools
from dataclasses import dataclass

from panko.api.errors import ProjectNotAuthorized, Refused
from panko.api.policy import Identity, Policy, Rules
from panko.policies import base, events
from panko.storage.filters import EVERYTHING, Scope


@dataclass(frozen=True)
class Authorization:
    """The decisions of the policy for one request, all by the same version of the rules."""

    policy: Policy
    identity: Identity

    @functools.cached_property
    def _rules(self) -> Rules:
        # Read late: requests that need no rule are served even if the policy file is broken.
        return self.policy.rules()

    @property
    def _is_limited(self) -> bool:
        return not self._rules.may(base.SEGREGATION, self.identity)

    def require_known(self) -> None:
        """Raise Refused unless the caller is identified well enough to see any events."""
        if not self.identity.is_complete or (self.identity.is_system and self._is_limited):
            raise Refused

    def require(self, rule: str) -> None:
        """Raise Refused unless the caller is known and the rule allows the request."""
        self.require_known()
        if not self._rules.may(rule, self.identity):
            raise Refused

    def require_create(self) -> None:
        """Raise Refused unless the caller may store events, even a caller who may not see any."""
        if not self.identity.is_complete or not self._rules.may(events.CREATE, self.identity):
            raise Refused

    def require_catalog(self, rule: str) -> None:
        """Check that the rule allows the caller to see event types and traits.

        :raises ProjectNotAuthorized: if it does not, and the caller is limited to the events of a project
        :raises Refused: if it does not for another reason
        """
        identity = self.identity
        in_project = identity.is_complete and identity.project_id is not None
        if in_project and self._is_limited and not self._rules.may(rule, identity):
            raise ProjectNotAuthorized(identity.project_id)
        self.require(rule)

    def event_scope(self, all_tenants: bool) -> Scope:
        """Return the scope of the events that the caller may see.

        :param all_tenants: whether the events of all projects are requested
        :raises Refused: if the caller may not see the events of all projects
        """
        if all_tenants:
            if not self._rules.may(events.ALL_TENANTS, self.identity):
                raise Refused
            return EVERYTHING
        if self._is_limited:
            return self._limited_scope()
        return Scope(project_id=self.identity.project_id, unowned=True)

    def grafana_scope(self, all_tenants: bool | None) -> Scope:
        """Return the scope of the events that the caller may see in Grafana.

        :param all_tenants: whether the events of all projects are requested; None: they are if the caller may see them
        :raises Refused: if the caller may not see the events of all projects
        """
        if all_tenants is None:
            all_tenants = self._rules.may(events.ALL_TENANTS, self.identity)
        return self.event_scope(all_tenants)

    def catalog_scope(self) -> Scope:
        """Return the scope of the events whose event types and traits the caller may see."""
        return self._limited_scope() if self._is_limited else EVERYTHING

    def _limited_scope(self) -> Scope:
        identity = self.identity
        whole_project = self._rules.may(events.PROJECT_EVENTS, identity)
        return Scope(project_id=identity.project_id, user_id=None if whole_project else identity.user_id)
