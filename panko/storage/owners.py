# SPDX-License-Identifier: Apache-2.0
"""Owners of events: the project and the user, as they are stored, and as scopes ask for them."""

import hashlib

from panko.storage.filters import Scope
from panko.storage.models import is_storable

OWNER_TRAITS = ("project_id", "user_id")
"""The traits that name the project and the user that own an event."""

MARK = "\x01"
NO_TEXT = MARK
"""Stands for a project or user whose trait exists but is not a string."""

IMPOSSIBLE_OWNER = MARK * 2
"""A text that stands for no owner: what :func:`owner_text` returns never begins with two marks."""

MAX_OWNER_CHARACTERS = 64
"""A longer project or user id is stored as a hash."""

Owner = tuple[str | None, str | None]
"""A project and a user as they are stored, see :func:`owner_text`; None if the event has no such trait."""


def owner_text(value: str | None) -> str:
    """Return the text that is stored for a project or user: unique, and of at most 80 characters.

    :param value: the id; None if the event's trait of that name is not a text
    """
    if value is None:
        return NO_TEXT
    if len(value) <= MAX_OWNER_CHARACTERS and not value.startswith(MARK):
        return value
    return MARK + hashlib.blake2b(value.encode(), digest_size=32).hexdigest()


def is_plain_id(text: str) -> bool:
    """Return whether the text for a project or user is the id itself, not a hash."""
    return not text.startswith(MARK)


def owner_texts_of(scope: Scope) -> dict[str, str]:
    """Return the texts of the project and the user that a scope asks for; what it does not ask for is missing.

    :returns: texts of :func:`owner_text`, by "project" and "user"
    """
    owners = {"project": scope.project_id, "user": scope.user_id}
    return {
        name: owner_text(owner) if is_storable(owner) else IMPOSSIBLE_OWNER
        for name, owner in owners.items()
        if owner is not None
    }
