# SPDX-License-Identifier: Apache-2.0
"""Cursors of the feed and places in lists, as opaque texts that are valid only for the caller who got them."""

import base64
import hmac
import json
import os
import time
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from wsme.exc import InvalidInput

from panko.api.policy import Identity
from panko.storage.base import Connection
from panko.storage.conditions import NO_EVENT, Comparison, comparisons_of
from panko.storage.filters import EventFilter, Place
from panko.storage.models import from_microseconds, to_microseconds

SECRET_SECONDS = 60
"""How long a process uses the secret that it has read: a database may be created again while the API runs."""

NONCE_BYTES = 12
TIME_BYTES = 8

CURSOR = "cursor"
AFTER = "after"
"""The arguments of requests that hold such texts."""


class Secret:
    """The secret of a database, read again from time to time.

    :param storage: the application's storage driver
    """

    def __init__(self, storage: Connection):
        self._storage = storage
        self._known = (b"", 0.0)

    def read(self) -> bytes:
        """Return the secret.

        :raises NotSupported: if the driver has none
        """
        value, expires = self._known
        if time.monotonic() >= expires:
            value = self._storage.get_secret()
            self._known = value, time.monotonic() + SECRET_SECONDS
        return value


class Cipher:
    """Encrypts bytes as text for one purpose, one caller and one set of details.

    Each has a key of its own. So nobody can use a text for anything else, and no key encrypts so many texts that its
    random nonces repeat. The same bytes give another text each time: equal texts would show that nothing was stored.

    :param secret: the database's secret
    :param argument: the argument in which clients send the text; the text is valid for no other argument
    :param identity: the caller; another user, or the same in another project, has another key
    :param details: JSON values of which the text depends, too
    """

    def __init__(self, secret: bytes, argument: str, identity: Identity, *details: Any):
        self._argument = argument
        bound = json.dumps([argument, identity.project_id, identity.user_id, *details]).encode()
        self._aead = AESGCM(hmac.digest(secret, bound, "sha256"))

    def encrypt(self, content: bytes) -> str:
        """Return bytes as text, whose length depends only on theirs."""
        nonce = os.urandom(NONCE_BYTES)
        return encode_base64(nonce + self._aead.encrypt(nonce, content, None))

    def decrypt(self, text: str) -> bytes:
        """Return the bytes of a text.

        :raises InvalidInput: if the text is not exactly one that this cipher has made
        """
        try:
            encrypted = decode_base64(text)
            return self._aead.decrypt(encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:], None)
        except (ValueError, InvalidTag) as error:
            filters = " with the same filters" if self._argument == CURSOR else ""
            reason = f"It is not what this user got in this project{filters}. Begin again without it."
            raise InvalidInput(self._argument, text, reason) from error


def encode_base64(data: bytes) -> str:
    """Return bytes as base64url in its shortest form."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64(text: str) -> bytes:
    """Return the bytes that a text encodes.

    :raises ValueError: if the text is not the only one that encodes them
    """
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode_base64(data) != text:  # Python ignores other characters, and the last bits.
        raise ValueError("It is not base64url in its shortest form.")
    return data


def cursor_cipher(
    secret: bytes, identity: Identity, event_filter: EventFilter, all_tenants: bool, texts: Sequence[str] = ()
) -> Cipher:
    """Return the cipher for a caller's cursors of the feed.

    :param event_filter: the conditions of ``q``; its scope is ignored, as the policy decides it each time
    :param all_tenants: whether the events of all projects are requested
    :param texts: the request's texts in the filter language, as given: what a relative time means changes
    """
    more = [sorted({text.strip() for text in texts})] if texts else []
    return Cipher(secret, CURSOR, identity, all_tenants, _canonical(event_filter), *more)


def _canonical(event_filter: EventFilter) -> Sequence[Any]:
    """Return the conditions of a filter as a JSON value that is equal for filters that match the same events."""
    times = event_filter.start_timestamp, event_filter.end_timestamp
    return (
        [bound and bound.isoformat() for bound in times],
        sorted(event_filter.event_type),
        sorted(event_filter.message_id),
        sorted(set(map(_canonical_comparison, comparisons_of(event_filter.condition)))),
        # Only then: cursors of earlier versions stay valid.
        *([True] if event_filter.condition == NO_EVENT else []),
    )


def _canonical_comparison(comparison: Comparison) -> tuple[str, ...]:
    return str(comparison.subject), comparison.type.label, comparison.op, *map(str, comparison.values)


class PlaceCipher:
    """Encrypts the places of events in lists, for one caller.

    :param secret: the database's secret
    """

    def __init__(self, secret: bytes, identity: Identity):
        self._cipher = Cipher(secret, AFTER, identity)

    def encrypt(self, place: Place) -> str:
        """Return a place as text."""
        microseconds = to_microseconds(place.generated)
        return self._cipher.encrypt(microseconds.to_bytes(TIME_BYTES, signed=True) + place.message_id.encode())

    def decrypt(self, text: str) -> Place:
        """Return the place of a text.

        :raises InvalidInput: if the text is not exactly one that this cipher has made
        """
        content = self._cipher.decrypt(text)
        microseconds = int.from_bytes(content[:TIME_BYTES], signed=True)
        return Place(from_microseconds(microseconds), content[TIME_BYTES:].decode())
