# SPDX-License-Identifier: Apache-2.0
"""A cursor or a place tells nothing, and is valid only for its caller, its purpose and its filters."""

import datetime
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsme.exc import InvalidInput

from panko.api import cursors
from panko.api.cursors import PlaceCipher, Secret, cursor_cipher
from panko.api.policy import Identity
from panko.storage.conditions import comparisons_of
from panko.storage.errors import NotSupported
from panko.storage.filters import EventFilter, Place, Scope, TraitFilter
from panko.storage.models import TraitType
from tests.unit.api.memory import MemoryConnection

SECRET = bytes(range(32))
OTHER_SECRET = bytes(range(1, 33))
CALLER = Identity("u", "p", ("member",))
CURSOR_BYTES = 16
CURSOR_CHARACTERS = 59

NAMES = st.sampled_from(["u", "p", 'u","p'])
IDENTITIES = st.builds(Identity, st.none() | NAMES, st.none() | NAMES)
TIMES = st.sampled_from([None, datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, microsecond=1)])
TRAITS = [
    TraitFilter("a", TraitType.TEXT, "1"),
    TraitFilter("a", TraitType.TEXT, "1", "ne"),
    TraitFilter("a", TraitType.TEXT, "2"),
    TraitFilter("a", TraitType.INTEGER, 1),
    TraitFilter("b", TraitType.TEXT, "1"),
]
LISTS = st.lists(NAMES, max_size=2)
FILTERS = st.builds(EventFilter, TIMES, TIMES, LISTS, LISTS, st.lists(st.sampled_from(TRAITS), max_size=2))
CURSORS = st.binary(min_size=CURSOR_BYTES, max_size=CURSOR_BYTES)
MESSAGE_IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=255)
PLACES = st.builds(Place, st.datetimes(), MESSAGE_IDS)


def bound(identity, event_filter, all_tenants):
    """Return what a cursor is bound to, in another form than the code's."""
    return (
        (identity.project_id, identity.user_id, all_tenants),
        (event_filter.start_timestamp, event_filter.end_timestamp),
        (frozenset(event_filter.event_type), frozenset(event_filter.message_id)),
        frozenset(comparisons_of(event_filter.condition)),
    )


def refuses(cipher, text):
    with pytest.raises(InvalidInput) as raised:
        cipher.decrypt(text)
    return raised.value.faultstring


@given(IDENTITIES, IDENTITIES, FILTERS, FILTERS, st.booleans(), st.booleans(), CURSORS)
def test_a_cursor_is_valid_for_its_caller_and_filters_only(one, other, mine, others, all_mine, all_others, content):
    text = cursor_cipher(SECRET, one, mine, all_mine).encrypt(content)
    for identity in (one, other):
        for event_filter in (mine, others):
            for all_tenants in (all_mine, all_others):
                reader = cursor_cipher(SECRET, identity, event_filter, all_tenants)
                if bound(one, mine, all_mine) == bound(identity, event_filter, all_tenants):
                    assert reader.decrypt(text) == content
                else:
                    refuses(reader, text)


def test_a_cursor_is_valid_for_its_filters_on_traits_only():
    lists = [(), *((trait,) for trait in TRAITS), *itertools.permutations(TRAITS, 2)]
    for mine, others in itertools.product(lists, lists):
        text = cursor_cipher(SECRET, CALLER, EventFilter(traits_filter=mine), False).encrypt(bytes(CURSOR_BYTES))
        reader = cursor_cipher(SECRET, CALLER, EventFilter(traits_filter=others), False)
        if set(mine) == set(others):
            assert reader.decrypt(text) == bytes(CURSOR_BYTES)
        else:
            refuses(reader, text)


@given(IDENTITIES, IDENTITIES, PLACES)
def test_a_place_is_valid_for_its_caller_only(one, other, place):
    text = PlaceCipher(SECRET, one).encrypt(place)
    assert PlaceCipher(SECRET, one).decrypt(text) == place
    if (one.user_id, one.project_id) != (other.user_id, other.project_id):
        refuses(PlaceCipher(SECRET, other), text)


@given(CURSORS, CURSORS)
def test_cursors_have_one_length_and_never_the_same_text(one, other):
    cipher = cursor_cipher(SECRET, CALLER, EventFilter(), False)
    texts = [cipher.encrypt(content) for content in (one, one, other)]
    assert {len(text) for text in texts} == {CURSOR_CHARACTERS}
    assert len(set(texts)) == 3


@given(st.datetimes(), st.datetimes(), MESSAGE_IDS)
def test_the_length_of_a_place_shows_no_time(one, other, message_id):
    cipher = PlaceCipher(SECRET, CALLER)
    assert len(cipher.encrypt(Place(one, message_id))) == len(cipher.encrypt(Place(other, message_id)))


@given(CURSORS, PLACES)
def test_any_changed_bit_is_refused(content, place):
    feed, places = cursor_cipher(SECRET, CALLER, EventFilter(), False), PlaceCipher(SECRET, CALLER)
    for cipher, text in ((feed, feed.encrypt(content)), (places, places.encrypt(place))):
        for index, character in enumerate(text[-20:], len(text) - 20):
            for bit in range(7):
                refuses(cipher, text[:index] + chr(ord(character) ^ 1 << bit) + text[index + 1 :])


@given(CURSORS, st.data())
def test_any_other_text_is_refused(content, data):
    cipher = cursor_cipher(SECRET, CALLER, EventFilter(), False)
    text = cipher.encrypt(content)
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    between = data.draw(st.text(max_size=4))
    changed = text[:start] + between + text[end:]
    if changed != text:
        refuses(cipher, changed)


def test_a_cursor_is_no_place_and_a_place_is_no_cursor():
    """Even if a place has as many bytes as a cursor."""
    feed, places = cursor_cipher(SECRET, CALLER, EventFilter(), False), PlaceCipher(SECRET, CALLER)
    place = places.encrypt(Place(datetime.datetime(2024, 1, 1), "8 bytes."))
    assert len(place) == CURSOR_CHARACTERS
    assert "field/attribute cursor" in refuses(feed, place)
    assert "field/attribute after" in refuses(places, feed.encrypt(bytes(CURSOR_BYTES)))


def test_a_database_with_another_secret_refuses_it():
    text = cursor_cipher(SECRET, CALLER, EventFilter(), False).encrypt(bytes(CURSOR_BYTES))
    refuses(cursor_cipher(OTHER_SECRET, CALLER, EventFilter(), False), text)


def test_scope_and_roles_do_not_bind():
    """The policy may change while a reader waits; it decides each time what the reader sees."""
    text = cursor_cipher(SECRET, CALLER, EventFilter(), False).encrypt(bytes(CURSOR_BYTES))
    changed = Identity("u", "p", ("admin",))
    scoped = EventFilter(scope=Scope("p", unowned=True))
    assert cursor_cipher(SECRET, changed, scoped, False).decrypt(text) == bytes(CURSOR_BYTES)


def test_lone_surrogates_of_a_filter_are_no_error():
    event_filter = EventFilter(event_type=("\ud800",), traits_filter=(TraitFilter("a", TraitType.TEXT, "\udfff"),))
    cipher = cursor_cipher(SECRET, CALLER, event_filter, False)
    assert cipher.decrypt(cipher.encrypt(bytes(CURSOR_BYTES))) == bytes(CURSOR_BYTES)


class SecretConnection(MemoryConnection):
    """A storage with a secret."""

    secret = SECRET
    reads = 0

    def get_secret(self):
        self.reads += 1
        return self.secret


def test_the_secret_is_read_again_after_a_while(monkeypatch):
    storage = SecretConnection()
    secret = Secret(storage)
    assert [secret.read(), secret.read()] == [SECRET, SECRET]
    assert storage.reads == 1
    storage.secret = OTHER_SECRET
    now = cursors.time.monotonic()
    monkeypatch.setattr(cursors.time, "monotonic", lambda: now + cursors.SECRET_SECONDS + 1)
    assert [secret.read(), secret.read()] == [OTHER_SECRET, OTHER_SECRET]
    assert storage.reads == 2


def test_a_driver_without_a_secret_has_no_cursors():
    with pytest.raises(NotSupported):
        Secret(MemoryConnection()).read()
