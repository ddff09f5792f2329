# SPDX-License-Identifier: Apache-2.0
"""Tests of connection URLs as logs and commands may show them."""

import pytest

from panko.storage.urls import redact_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://u:p%40@db/panko?password=x", "mysql://db/panko"),
        ("mysql+pymysql://u:p/q@db:3306/panko?charset=utf8", "mysql+pymysql://db:3306/panko"),
        ("postgresql://u:p?q@db/panko", "postgresql://db/panko"),
        ("postgresql://u:p:q@r@db/panko", "postgresql://db/panko"),
        ("postgresql://u@/panko?host=/run/postgresql", "postgresql:///panko"),
        ("postgresql://db/panko?user=u&password=p@q", "postgresql://db/panko"),
        ("opensearch+https://u:p@h1:9200,h2:9200/prefix?x=y", "opensearch+https://h1:9200,h2:9200/prefix"),
        ("opensearch://u:p@h1,v:q@h2/prefix", "opensearch://h2/prefix"),
        ("opensearch://h1:9200,h2:9200/prefix?x=y", "opensearch://h1:9200,h2:9200/prefix"),
        ("sqlite:////var/lib/a@b.sqlite", "sqlite:////var/lib/a@b.sqlite"),
        ("sqlite:////var/lib/a:b@c.sqlite", "sqlite:////var/lib/a:b@c.sqlite"),
    ],
)
def test_a_url_is_shown_without_user_password_and_parameters(url, shown):
    """Even if the password has a character that should be quoted, which SQLAlchemy accepts."""
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://u:p%40@db/panko?password=x", "mysql://u@db/panko"),
        ("opensearch+https://u:p@h1:9200,h2:9200/prefix?x=y", "opensearch+https://u@h1:9200,h2:9200/prefix"),
        ("postgresql://u:p:q@r@db/panko", "postgresql://u@db/panko"),
        ("postgresql://u@/panko", "postgresql://u@/panko"),
        ("postgresql://:p@db/panko", "postgresql://db/panko"),
        ("sqlite:////var/lib/a:b@c.sqlite", "sqlite:////var/lib/a:b@c.sqlite"),
    ],
)
def test_a_url_may_be_shown_with_its_user(url, shown):
    assert redact_url(url, keep_user=True) == shown
