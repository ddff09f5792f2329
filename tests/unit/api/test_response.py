# SPDX-License-Identifier: Apache-2.0
"""Responses have the format that the client accepts; short ones are sent whole, large ones streamed or aborted."""

import gzip
import itertools
import logging
import random
import tracemalloc
import xml.etree.ElementTree as ElementTree
import zlib

import orjson
import pytest
import webob

from panko.api.errors import ResponseAborted
from panko.api.response import CHUNK_BYTES, MAX_UNSTREAMED_BYTES, accepts_gzip, choose_content_type
from panko.storage.errors import StorageUnavailable
from tests.unit.api.memory import ADMIN, MemoryConnection, make_application, make_client

LONG = 3 * MAX_UNSTREAMED_BYTES // 10_000
"""How many documents make a long answer."""


def document(number=0, text=None):
    """Return an event's document; without a text it is of 10,000 bytes, which shrink by half."""
    if text is None:
        text = random.Random(number).randbytes(5000).hex()
    return orjson.dumps(
        {
            "message_id": f"id-{number}",
            "event_type": "kind",
            "traits": [{"name": "filling", "value": text, "type": "string"}],
            "generated": "2024-01-01T00:00:00",
            "raw": {},
        }
    )


def stream(storage, **headers):
    """Return a response that is read by the one who asked, as a server does."""
    request = webob.Request.blank("/events?limit=1000000", headers={**ADMIN, **headers})
    return request.get_response(make_application(storage))


def long_answer():
    return [document(number) for number in range(LONG)]


def test_no_events_are_an_empty_array():
    response = make_client(MemoryConnection()).get("/events", headers=ADMIN)
    assert response.body == b"[]"
    assert response.content_length == 2


def test_a_short_answer_has_a_length_and_has_let_go_of_the_storage():
    storage = MemoryConnection([document(1), document(2)])
    response = stream(storage)
    assert storage.closed == 1
    assert response.content_length == len(response.body)
    assert [event["message_id"] for event in response.json] == ["id-1", "id-2"]


def test_a_long_answer_is_streamed_in_chunks():
    storage = MemoryConnection(long_answer())
    response = stream(storage)
    assert response.content_length is None
    assert storage.given < len(storage.documents) / 2
    chunks = list(response.app_iter)
    assert max(map(len, chunks)) < 2 * CHUNK_BYTES
    assert orjson.loads(b"".join(chunks)) == [orjson.loads(given) for given in storage.documents]


def test_memory_does_not_grow_with_an_answer():
    # The document is one object, so what is in memory is what the answer keeps.
    storage = MemoryConnection(itertools.repeat(document(), 8 * LONG))
    tracemalloc.start()
    try:
        size = sum(len(chunk) for chunk in stream(storage).app_iter)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 20 * MAX_UNSTREAMED_BYTES
    assert peak < 4 * MAX_UNSTREAMED_BYTES


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_answer_that_fails_on_the_way_is_broken_off_and_logged_once(caplog, encoding):
    cause = ValueError("SELECT secrets")
    storage = MemoryConnection([*long_answer(), cause])
    response = stream(storage, **{"Accept-Encoding": encoding})
    chunks = []
    with caplog.at_level(logging.WARNING), pytest.raises(ResponseAborted) as raised:
        chunks.extend(response.app_iter)
    response.app_iter.close()
    assert raised.value.__cause__ is None
    assert "secrets" not in str(raised.value)
    assert [record.exc_info[1] for record in caplog.records] == [cause]
    assert storage.closed == 1
    sent = b"".join(chunks)
    if encoding == "gzip":
        reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
        sent = reader.decompress(sent)
        assert not reader.eof
    assert sent.startswith(b"[{")
    assert not sent.endswith(b"]")


def test_an_error_before_the_first_chunk_is_an_error_response():
    storage = MemoryConnection([document(), StorageUnavailable("away")])
    response = stream(storage)
    assert response.status_code == 503
    assert storage.closed == 1


def test_a_client_that_goes_away_frees_the_storage():
    storage = MemoryConnection(long_answer())
    body = stream(storage).app_iter
    next(body)
    body.close()
    assert storage.closed == 1


def test_a_client_that_goes_away_at_once_frees_the_storage():
    storage = MemoryConnection(long_answer())
    stream(storage).app_iter.close()
    assert storage.closed == 1


@pytest.mark.parametrize("count", [3, LONG])
def test_an_answer_is_compressed_for_a_client_that_asks(count):
    storage = MemoryConnection([document(number) for number in range(count)])
    response = stream(storage, **{"Accept-Encoding": "gzip, deflate"})
    assert response.content_encoding == "gzip"
    sent = b"".join(response.app_iter)
    assert len(sent) < count * 6000
    assert orjson.loads(gzip.decompress(sent)) == [orjson.loads(given) for given in storage.documents]


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "identity, gzip;q=0.5", "garbage;;"])
def test_an_answer_is_plain_for_a_client_that_does_not_ask(accepted):
    response = stream(MemoryConnection([document()] * 3), **{"Accept-Encoding": accepted})
    assert response.content_encoding is None
    assert response.json


def test_a_small_answer_is_not_worth_compression():
    response = stream(MemoryConnection(), **{"Accept-Encoding": "gzip"})
    assert response.content_encoding is None
    assert response.body == b"[]"


def test_caches_are_told_what_an_answer_depends_on():
    assert set(stream(MemoryConnection()).vary) == {"Accept", "Accept-Encoding"}


def test_xml_is_streamed_too():
    storage = MemoryConnection(long_answer())
    response = stream(storage, Accept="application/xml")
    assert response.content_length is None
    root = ElementTree.fromstring(b"".join(response.app_iter))
    assert [item.find("message_id").text for item in root][:2] == ["id-0", "id-1"]
    assert len(root) == len(storage.documents)


def test_xml_replaces_characters_that_it_cannot_hold():
    given = "a\x01\x0b\ufffe\U0010ffff\t<&>\"'é\U0001f600"
    storage = MemoryConnection([document(text=given)])
    root = ElementTree.fromstring(stream(storage, Accept="text/xml").body)
    assert root.find("item/traits/item/value").text == "a\ufffd\ufffd\ufffd\U0010ffff\t<&>\"'é\U0001f600"


def test_xml_has_raw_as_the_text_of_its_json():
    raw = '{"whole":1180591620717411303424,"part":0.1,"text":"\\u0000é","list":[null,true]}'
    given = f'{{"message_id":"1","event_type":"k","traits":[],"generated":"2024-01-01T00:00:00.5","raw":{raw}}}'
    root = ElementTree.fromstring(stream(MemoryConnection([given.encode()]), Accept="text/xml").body)
    assert root.find("item/raw").text == raw.replace("é", "\\u00e9")
    assert root.find("item/generated").text == "2024-01-01T00:00:00.500000"


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
    response = stream(MemoryConnection(), Accept=accept)
    assert (response.status_code, response.content_type) == (406, "application/json")


def test_only_what_is_offered_is_chosen():
    assert choose_content_type("application/xml", ("application/json",)) is None
    assert choose_content_type("application/xml, */*;q=0.1", ("application/json",)) == "application/json"


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br", "gzip;q=0.5", "deflate;q=0.9, gzip;q=0.9", "*"])
def test_gzip_is_for_who_asks(accepted):
    assert accepts_gzip(accepted)


@pytest.mark.parametrize("accepted", [None, "", "identity", "br", "gzip;q=0", "identity, gzip;q=0.5", ";;"])
def test_gzip_is_not_for_who_does_not(accepted):
    assert not accepts_gzip(accepted)
