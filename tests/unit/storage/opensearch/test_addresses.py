# SPDX-License-Identifier: Apache-2.0
"""Tests of the addresses of clusters."""

import pytest

from panko.storage.errors import StorageMisconfigured
from panko.storage.opensearch.addresses import Address

ADDRESSES = {
    "opensearch://node": Address((("node", 9200),), "panko", False),
    "opensearch://node/": Address((("node", 9200),), "panko", False),
    "opensearch://127.0.0.1:9211/panko-2.x": Address((("127.0.0.1", 9211),), "panko-2.x", False),
    "opensearch+https://a,b:9201,[::1]:9202/cloud": Address((("a", 9200), ("b", 9201), ("::1", 9202)), "cloud", True),
    "opensearch://panko:secret@a,b/p": Address((("a", 9200), ("b", 9200)), "p", False, "panko", "secret"),
    "opensearch://panko@a": Address((("a", 9200),), "panko", False, "panko", ""),
    "opensearch://us%40er:p%2Fa%25%C3%A9@a": Address((("a", 9200),), "panko", False, "us@er", "p/a%é"),
    # Also characters that a URL would have quoted.
    "opensearch://panko:p@s:s/w?o#rd@a:1/p": Address((("a", 1),), "p", False, "panko", "p@s:s/w?o#rd"),
}

INVALID = {
    "elasticsearch://node": "neither opensearch",
    "opensearch+http://node": "neither opensearch",
    "opensearch://": "'' is not a host",
    "opensearch://a,,b": "'' is not a host",
    "opensearch://a:0": "'a:0' is not a host",
    "opensearch://a:65536": "'a:65536' is not a host",
    "opensearch://a:http": "'a:http' is not a host",
    "opensearch://a/Panko": "prefix 'Panko'",
    "opensearch://a/-panko": "prefix '-panko'",
    "opensearch://a/pan*ko": "prefix",
    "opensearch://a/a/b": "prefix 'a/b'",
    f"opensearch://a/{'p' * 101}": "prefix",
    "opensearch://a/panko?tls=true": "no parameters",
    "opensearch://user:hunter2@a:b/panko": "'a:b' is not a host",
    "opensearch://user:hunter2@/panko": "'' is not a host",
    "opensearch://user:hun/ter2@a/PANKO": "prefix 'PANKO'",
}


@pytest.mark.parametrize(("url", "address"), ADDRESSES.items())
def test_url_is_an_address(url: str, address: Address) -> None:
    assert Address.parse(url) == address


@pytest.mark.parametrize(("url", "text"), INVALID.items())
def test_invalid_url_is_an_error_without_the_password(url: str, text: str) -> None:
    with pytest.raises(StorageMisconfigured) as raised:
        Address.parse(url)
    assert text in raised.value.detail
    assert "hun" not in raised.value.detail


def test_password_is_not_shown() -> None:
    assert "secret" not in repr(Address.parse("opensearch://panko:secret@a"))
