# SPDX-License-Identifier: Apache-2.0
"""Tests of the owners of events."""

import pytest

from panko.storage.owners import is_plain_id, owner_text
from panko.storage.sqlalchemy.tables import OWNER_LENGTH


def test_the_text_of_an_owner_stays_what_databases_hold() -> None:
    assert owner_text("p" * 65) == "\x011c06fcb4f6f56c9489c7b5f591da9ad9b2a8d63ac2098262d63efc388c63aa83"


@pytest.mark.parametrize("owner", ["", "p", "p" * 64, "\U0001f600" * 64, " \x01"])
def test_short_owner_is_its_own_key(owner) -> None:
    assert owner_text(owner) == owner
    assert is_plain_id(owner_text(owner))


def test_owners_have_keys_of_their_own() -> None:
    """Also an id that looks like the key of another."""
    owners = ["", "p", "P", "p ", "\x01", "\x01\x01", *("p" * length for length in (63, 64, 65, 66, 1000))]
    owners += [owner_text(owner) for owner in owners if owner_text(owner) != owner]
    found = [owner_text(owner) for owner in owners]
    assert len(set(found)) == len(set(owners))
    assert max(map(len, found)) <= OWNER_LENGTH
    assert owner_text(None) not in found
    assert "\x01\x01" not in found
