# SPDX-License-Identifier: Apache-2.0
"""What the policy lets one caller do and see."""

import functools

from panko.api.errors import ProjectNotAuthorized, Refused
from panko.api.policy import Identity, Policy, Rules
from panko.policies import base, events
from panko.storage.filters import EVERYTHING, Scope


class Access:
    """What one caller may do and see, by the rules at the time of the first question.

    :param policy: the application's policy
    :param identity: who is asking
    """

    def __init__(self, policy: Policy, identity: Identity):
        self._policy = policy
        self._identity = identity

    @functools.cached_property
    def _rules(self) -> Rules:
        return self._policy.rules()

    def _may(self, rule: str) -> bool:
        return self._rules.may(rule, self._identity)

    @property
    def _is_limited(self) -> bool:
        return not self._may(base.SEGREGATION)

    def require_known(self) -> None:
        """Return where there are events that the caller may see, whatever they want to know of them.

        :raises Refused: else
        """
        if not self._identity.is_complete or (self._identity.is_system and self._is_limited):
            raise Refused

    def require(self, rule: str) -> None:
        """Return where the caller is known and the rule holds for them.

        :raises Refused: else
        """
        self.require_known()
        if not self._may(rule):
            raise Refused

    def require_creation(self) -> None:
        """Return where the caller is known and may store events; what they may see does not matter.

        :raises Refused: else
        """
        if not self._identity.is_complete or not self._may(events.CREATE):
            raise Refused

    def require_details(self, rule: str) -> None:
        """Return where the rule lets the caller into event types and traits.

        :raises ProjectNotAuthorized: where it does not, and the caller is limited to a project's events
        :raises Refused: where it does not for another reason
        """
        if self._identity.is_complete and not self._identity.is_system and self._is_limited and not self._may(rule):
            raise ProjectNotAuthorized(self._identity.project_id)
        self.require(rule)

    def scope_of_events(self, all_tenants: bool) -> Scope:
        """Return which events the caller sees.

        :param all_tenants: the request is for those of all projects
        :raises Refused: where they are not for the caller
        """
        if all_tenants:
            if not self._may(events.ALL_TENANTS):
                raise Refused
            return EVERYTHING
        if self._is_limited:
            return self._limited_scope()
        return Scope(project_id=self._identity.project_id, unowned=True)

    def scope_of_grafana(self, all_tenants: bool | None) -> Scope:
        """Return which events the caller sees in Grafana.

        :param all_tenants: the request is for those of all projects; None: it is where they are for the caller
        :raises Refused: where they are not for the caller
        """
        return self.scope_of_events(self._may(events.ALL_TENANTS) if all_tenants is None else all_tenants)

    def scope_of_details(self) -> Scope:
        """Return which events the event types and traits come from that the caller sees."""
        return self._limited_scope() if self._is_limited else EVERYTHING

    def _limited_scope(self) -> Scope:
        identity = self._identity
        whole_project = self._may(events.PROJECT_EVENTS)
        return Scope(project_id=identity.project_id, user_id=None if whole_project else identity.user_id)
