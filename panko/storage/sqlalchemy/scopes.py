# SPDX-License-Identifier: Apache-2.0
"""Scopes in SQL: conditions on the owners of events."""

import sqlalchemy as sa

from panko.storage.filters import Scope
from panko.storage.sqlalchemy.tables import OWNER


def owner_conditions_of(scope: Scope) -> frozenset[str]:
    """Return which conditions a scope sets on owners: any of "project", "user" (with a project) and "unowned"."""
    given = {"project": scope.project_id is not None, "user": scope.user_id is not None, "unowned": scope.unowned}
    return frozenset(name for name, is_given in given.items() if is_given)


def in_scope(owners: frozenset[str], owner_id: sa.ColumnElement[int]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that an owner is in a scope; none if the scope is everything.

    :param owners: see :func:`owner_conditions_of`
    """
    return [owner_id.in_(select_owners(owners))] if owners else []


def select_owners(owners: frozenset[str]) -> sa.Select:
    """Return the query for the ids of the owners in a scope.

    Its parameters are the texts of :func:`panko.storage.owners.owner_texts_of`.

    :param owners: see :func:`owner_conditions_of`
    """
    conditions = []
    if "project" in owners:
        of_project = OWNER.c.project_id == sa.bindparam("project")
        conditions.append(of_project & (OWNER.c.user_id == sa.bindparam("user")) if "user" in owners else of_project)
    if "unowned" in owners:
        conditions.append(OWNER.c.project_id.is_(None))
    return sa.select(OWNER.c.id).where(sa.or_(*conditions))
