# SPDX-License-Identifier: Apache-2.0
"""A client gets the form of answer that it asks for, and JSON where it does not care."""

import pytest

from panko.api.negotiation import accepts_gzip, choose_content_type, choose_error_type


@pytest.mark.parametrize(
    "accept",
    [
        *(None, "", "*/*", "application/json", "application/*", "application/json;q=0.1"),
        *("application/json, text/plain, */*", "application/json;q=0.9,text/plain", "text/plain, */*;q=0.1"),
        *("application/xml, */*", "text/xml, application/json", "application/json;q=0.5, application/xml;q=0.5"),
        *("application/json; charset=utf-8", "APPLICATION/JSON", "text/html,*/*;q=0.8", "this is / no, header;;;"),
    ],
)
def test_json_is_for_who_takes_it_and_does_not_prefer_xml(accept):
    assert choose_content_type(accept) == "application/json"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("application/xml", "application/xml"),
        ("text/xml", "text/xml"),
        ("text/xml; charset=utf-8", "text/xml"),
        ("text/*", "text/xml"),
        ("text/xml, application/xml", "application/xml"),
        ("text/xml, application/xml;q=0.9", "text/xml"),
        ("application/json;q=0.5, application/xml", "application/xml"),
        ("text/html, application/xml;q=0.9, */*;q=0.8", "application/xml"),
        ("*/*;q=0.1, text/xml", "text/xml"),
    ],
)
def test_xml_is_for_who_prefers_it(accept, chosen):
    assert choose_content_type(accept) == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/png", "text/plain", "application/json;q=0"])
def test_nothing_is_for_who_takes_neither(accept):
    assert choose_content_type(accept) is None
    assert choose_error_type(accept) == "application/json"


def test_only_what_is_offered_is_chosen():
    assert choose_content_type("application/xml", ("application/json",)) is None
    assert choose_content_type("application/xml, */*;q=0.1", ("application/json",)) == "application/json"


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br", "gzip;q=0.5", "deflate;q=0.9, gzip;q=0.9", "*"])
def test_gzip_is_for_who_asks(accepted):
    assert accepts_gzip(accepted)


@pytest.mark.parametrize("accepted", [None, "", "identity", "br", "gzip;q=0", "identity, gzip;q=0.5", ";;"])
def test_gzip_is_not_for_who_does_not(accepted):
    assert not accepts_gzip(accepted)
