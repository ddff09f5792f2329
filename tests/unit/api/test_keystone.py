# SPDX-License-Identifier: Apache-2.0
"""A token is requested once for each credential and cached until it expires; no secret is kept."""

import threading
import time

import pytest
from keystoneauth1.exceptions import ClientException, ConnectFailure

from panko.api import keystone
from panko.api.keystone import REFUSAL_SECONDS, Credential, CredentialRefused, Token, TokenCache

CREDENTIAL = Credential("id", "a-secret-that-is-nowhere-else")
OTHER = Credential("id", "another")


class Issuer:
    """Issues numbered tokens, or fails, counts how often it was asked, and tells a time that tests set."""

    def __init__(self, lifetime=1000.0, pause=0.0):
        self.asked = 0
        self.now = 0.0
        self.lifetime = lifetime
        self.pause = pause
        self.error = None

    def __call__(self, credential):
        self.asked += 1
        time.sleep(self.pause)
        if self.error:
            raise self.error
        return Token(f"token-{self.asked}", self.now + self.lifetime)

    def clock(self):
        return self.now


def make_tokens(issuer):
    return TokenCache(issuer, issuer.clock)


def test_a_token_is_used_again():
    issuer = Issuer()
    tokens = make_tokens(issuer)
    assert [tokens.get(CREDENTIAL) for _ in range(3)] == ["token-1"] * 3
    assert tokens.get(OTHER) == "token-2"


@pytest.mark.parametrize("lifetime", [60.0, -60.0])
def test_a_token_is_not_used_after_its_end(lifetime):
    issuer = Issuer(lifetime)
    tokens = make_tokens(issuer)
    assert tokens.get(CREDENTIAL) == "token-1"
    issuer.now += 60
    assert tokens.get(CREDENTIAL) == "token-2"


def test_a_token_that_was_forgotten_is_replaced_once():
    tokens = make_tokens(Issuer())
    first = tokens.get(CREDENTIAL)
    tokens.forget(CREDENTIAL, first)
    second = tokens.get(CREDENTIAL)
    # Another request that had the first one finds out later.
    tokens.forget(CREDENTIAL, first)
    assert (tokens.get(CREDENTIAL), second) == ("token-2", "token-2")


def test_a_credential_that_was_refused_is_not_asked_about_for_a_while():
    issuer = Issuer()
    tokens = make_tokens(issuer)
    issuer.error = CredentialRefused()
    for _ in range(5):
        with pytest.raises(CredentialRefused):
            tokens.get(CREDENTIAL)
    assert issuer.asked == 1
    issuer.error = None
    assert tokens.get(OTHER) == "token-2"
    issuer.now += REFUSAL_SECONDS
    assert tokens.get(CREDENTIAL) == "token-3"


def test_a_keystone_that_is_away_is_asked_again():
    issuer = Issuer()
    issuer.error = ConnectFailure("away")
    tokens = make_tokens(issuer)
    with pytest.raises(ClientException):
        tokens.get(CREDENTIAL)
    issuer.error = None
    assert tokens.get(CREDENTIAL) == "token-2"


@pytest.mark.parametrize(
    ("error", "expected"), [(None, "token-1"), (CredentialRefused(), CredentialRefused), (ConnectFailure("x"), None)]
)
def test_of_many_that_ask_at_once_one_asks_keystone(error, expected):
    issuer = Issuer(pause=0.3)
    issuer.error = error
    tokens, answers = make_tokens(issuer), []

    def ask():
        try:
            answers.append(tokens.get(CREDENTIAL))
        except CredentialRefused:
            answers.append(CredentialRefused)
        except ClientException:
            answers.append(None)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 16
    assert issuer.asked == 1


def test_what_is_known_is_bounded_and_guesses_do_not_push_out_what_is_known(monkeypatch):
    monkeypatch.setattr(keystone, "MAX_CACHED_CREDENTIALS", 4)
    issuer = Issuer()
    tokens = make_tokens(issuer)
    assert tokens.get(CREDENTIAL) == "token-1"
    issuer.error = CredentialRefused()
    for number in range(20):
        with pytest.raises(CredentialRefused):
            tokens.get(Credential("id", f"guess {number}"))
    assert tokens.get(CREDENTIAL) == "token-1"
    issuer.error = None
    for number in range(20):
        tokens.get(Credential(f"id {number}", "s"))
    assert tokens.get(CREDENTIAL) != "token-1"


def test_no_secret_is_held():
    tokens = make_tokens(Issuer())
    tokens.get(CREDENTIAL)
    held, seen = [vars(tokens)], set()
    while held:
        each = held.pop()
        assert each is not CREDENTIAL
        assert CREDENTIAL.secret not in repr(each)
        if id(each) not in seen and isinstance(each, (dict, list, tuple)):
            seen.add(id(each))
            held += [*each.items()] if isinstance(each, dict) else each
