# SPDX-License-Identifier: Apache-2.0
"""Inputs are read in every layout and compression, with bounded memory; what is wrong is reported with its place."""

import gzip
import io
import json
import os
import threading
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from panko.ingest import inputs, long_values
from panko.ingest.importer import Element, Line
from panko.ingest.inputs import Input
from panko.storage.errors import InvalidEvent

MIB = 1024 * 1024
LAYOUTS = {
    "compact": {"separators": (",", ":")},
    "usual": {},
    "indented": {"indent": 2},
    "tabs": {"indent": "\t"},
    "flat": {"indent": 0},
}


def event(message_id, **members):
    return {"message_id": message_id, "event_type": "t", "generated": "2026-01-02T03:04:05"} | members


EVENTS = [event("1", raw={"a": [1, -2.5e300, None]}), event("2", traits=[["é", 1, '日本 " \\']]), event("3", raw=2**70)]


def records(content):
    return list(Input("f", io.BytesIO(content)).records())


def documents(content):
    return [document for record in records(content) for document in record.documents()]


def outcome(content):
    """Return the message_ids of the events of an input, and the places and reasons of what cannot be read."""
    found, refused = [], []
    for record in records(content):
        try:
            found += [document["message_id"] for document in record.documents() if "message_id" in document]
        except InvalidEvent as error:
            refused.append((record.place, str(error)))
    return found, refused


@pytest.fixture(params=[1, 7, 64, 4096])
def small_pieces(request, monkeypatch):
    """Read inputs in pieces of some bytes, which divide values everywhere."""
    monkeypatch.setattr(inputs, "MAX_LINE_BYTES", max(request.param, 64))
    monkeypatch.setattr(inputs, "BUFFER_BYTES", request.param)
    monkeypatch.setattr(inputs, "ZSTD_PIECE_BYTES", request.param)
    monkeypatch.setattr(long_values, "PIECE_CHARACTERS", request.param)


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\r\n \n"])
def test_an_array_is_read_in_every_layout(small_pieces, layout, start, ascii_only):
    content = start + json.dumps(EVENTS, ensure_ascii=ascii_only, **LAYOUTS[layout]).encode()
    for end in (b"", b"\n", b" \r\n\n"):
        assert documents(content + end) == EVENTS


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_follow_each_other_in_every_layout(small_pieces, layout):
    """As jq writes events, and as several responses are appended to one file."""
    texts = [json.dumps(each, **LAYOUTS[layout]).encode() for each in EVENTS]
    arrays = [json.dumps([each, event("x")], **LAYOUTS[layout]).encode() for each in EVENTS]
    assert documents(b"\n".join(texts)) == EVENTS
    assert documents(b"\n".join(arrays)) == [each for some in EVENTS for each in (some, event("x"))]
    assert documents(b"[]\n" + b"\n".join(arrays + texts)) == documents(b"\n".join(arrays)) + EVENTS


def test_indented_arrays_need_no_line_end_between_them():
    text = json.dumps(EVENTS, indent=1).encode()
    assert documents(text + text + b"\n" + text) == EVENTS * 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(
    st.lists(st.dictionaries(st.text(), json_values, max_size=3), min_size=2),
    st.sampled_from(list(LAYOUTS)),
    st.booleans(),
    st.integers(1, 40),
)
def test_any_array_is_what_json_says(values, layout, ascii_only, piece):
    text = json.dumps(values, ensure_ascii=ascii_only, **LAYOUTS[layout])
    content = text.encode(errors="surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "MAX_LINE_BYTES", piece)
        patch.setattr(long_values, "PIECE_CHARACTERS", piece)
        assert documents(content) == values


def test_numbers_at_the_end_of_a_piece_are_read_to_their_end(small_pieces):
    assert documents(b"[\n" + b"1234567890, " * 30 + b"1]") == [1234567890] * 30 + [1]


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000])
def test_a_number_too_long_for_python_leaves_the_other_events(number):
    assert documents(f'[\n{{"n": {number}}},\n{{"n": 1}}]'.encode())[1] == {"n": 1}


def test_lines_stay_lines():
    content = b'{"a": 1}\n\n[{"a": 2}, {"a": 3}]\n{"a"\n{"a": 4}'
    assert [(type(each), each.number) for each in records(content)] == [(Line, number) for number in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize("bad", [b"{", b'{"a": {', b'{"a": "', b'["a": "', b"[{", b"x", b"{}}"])
def test_a_bad_line_leaves_the_others(bad):
    """Also the first one, which could be the beginning of a longer value."""
    line = json.dumps(event("1")).encode() + b"\n"
    for content, number in ((bad + b"\n" + line + line, 1), (line + bad + b"\n" + line, 2), (line + line + bad, 3)):
        found, refused = outcome(content)
        assert found[-1:] == ["1"]
        assert found.count("1") == 2
        assert [place for place, _ in refused] == [f"f:{number}"]


def test_events_before_the_end_of_a_truncated_response_are_read(small_pieces):
    whole = json.dumps([event(str(n)) for n in range(20)]).encode()
    found, refused = outcome(whole[:1000])
    assert found == [str(n) for n in range(len(found))]
    assert len(found) > 10
    assert refused == [
        ("f:1", "it is truncated, or a bracket is missing: the input ends within a value"),
    ]


def test_an_error_in_an_indented_array_ends_the_input(small_pieces):
    text = json.dumps([event("1"), event("2"), event("3")], indent=2).replace('"2",', '"2"')
    found, refused = outcome(text.encode())
    assert found == ["1"]
    assert refused == [("f:7", "it is not JSON: Expecting ',' delimiter; the rest of the input is not read")]


def test_a_truncated_array_leaves_the_lines_after_it(small_pieces):
    """Also if it is first, and so could continue in the next line."""
    line = json.dumps(event("1")).encode() + b"\n"
    for bad in (b"[\n", b"[" + line, b"[" + line.rstrip() + b",\n"):
        found, refused = outcome(bad + line + line + line)
        assert found.count("1") == 3 + bad.count(b"message_id")
        assert len(refused) == 1
        assert records(bad + line + line + line)[-1].number == 4


@pytest.mark.parametrize("text", ["[\n{} {}]", "[\n{};]", "[\n{}}"])
def test_a_missing_comma_is_reported(text):
    assert outcome(text.replace("{}", json.dumps(event("1"))).encode())[1] == [
        ("f:2", "it is not JSON: , or ] is missing after event 1; the rest of the input is not read")
    ]


def test_what_is_not_utf8_leaves_the_other_events():
    content = b'[\n{"message_id": "1"},\n{"message_id": "\xff"},\n{"message_id": "3"}]'
    assert outcome(content) == (["1", "3"], [("f:3 (event 2)", "it is not UTF-8")])


def test_too_deep_nesting_is_reported():
    found, refused = outcome(b'[\n{"message_id": "1"},\n' + b"[" * 100_000)
    assert found == ["1"]
    assert [place for place, _ in refused] == ["f:3"]


def test_the_place_of_an_event_is_its_line_and_position():
    assert [each.place for each in records(b'[\n{"a": 1}, {"a":\n 2},\n\n{"a": 3}\n]\n')] == [
        *("f:2 (event 1)", "f:2 (event 2)", "f:5 (event 3)"),
    ]


def test_the_size_of_an_event_is_known():
    assert [each.size for each in records(b'[\n{"a": 1}, {"a":\n 20}\n]\n{}\n')] == [8, 10, 3]


def test_lines_are_counted_after_an_array():
    content = b'[\n{"a": 1}\n]\n{"a": 2}\n'
    assert [(type(each), each.number) for each in records(content)] == [(Element, 2), (Line, 4)]


def compress_in_parts(compress, content, parts=3):
    """Return several gzip members or zstd frames, as programs write that append to a file."""
    size = -(-len(content) // parts)
    return b"".join(compress(content[at : at + size]) for at in range(0, len(content), size))


COMPRESSIONS = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd without size": lambda content: zstandard.ZstdCompressor(write_content_size=False).compress(content),
    "zstd after other data": lambda content: b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab" + zstandard.compress(content),
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compression_is_recognized(small_pieces, compression):
    compress = COMPRESSIONS[compression]
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in EVENTS)
    for content in (lines, json.dumps(EVENTS, indent=2).encode()):
        assert documents(compress(content)) == EVENTS
        assert documents(compress_in_parts(compress, content)) == EVENTS


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_truncated_or_damaged_compression_is_reported(compression):
    compress = COMPRESSIONS[compression]
    lines = [json.dumps(event(str(n), raw=os.urandom(50).hex())).encode() + b"\n" for n in range(5000)]
    whole = compress(b"".join(lines))
    for bad in (whole[: len(whole) // 2], whole[:-3], whole + b"garbage", whole + whole[:20]):
        found, refused = outcome(bad)
        assert len(found) >= (5000 if len(bad) > len(whole) else 1)
        ((place, reason),) = refused[-1:]
        assert place == "f"
        assert reason.startswith("its compressed data is damaged or truncated: ")


@pytest.mark.parametrize("start", [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08junkjunk"])
def test_the_start_of_a_compressed_file_alone_is_reported(start):
    ((_, reason),) = outcome(start)[1]
    assert reason.startswith("its compressed data is damaged or truncated: ")


def test_an_empty_input_has_no_records():
    for content in (b"", gzip.compress(b""), zstandard.compress(b"")):
        assert records(content) == []


def test_what_an_input_is_instead_of_events_is_reported_once():
    assert outcome(b"<html>\n<body>\n</body>\n</html>\n") == (
        [],
        [("f", "it is an HTML page: check the address that it comes from")],
    )


def test_lines_of_a_pipe_are_read_as_they_arrive():
    reader, writer = os.pipe()
    line = json.dumps(event("1")).encode() + b"\n"
    with open(reader, "rb") as stream, open(writer, "wb", buffering=0) as sink:
        arrived = iter(Input("f", stream).records())
        # The first bytes alone are too few to recognize a compression.
        thread = threading.Thread(target=lambda: [sink.write(line[at : at + 1]) for at in range(len(line))])
        thread.start()
        assert next(arrived).content == line
        thread.join()
        sink.write(line + line)
        assert [next(arrived).number, next(arrived).number] == [2, 3]
        sink.close()
        assert list(arrived) == []


def test_the_bytes_that_were_read_are_counted():
    content = gzip.compress(json.dumps(EVENTS).encode())
    source = Input("f", io.BytesIO(content))
    assert source.bytes_read == 0
    list(source.records())
    assert source.bytes_read == len(content)


class Endless(io.RawIOBase):
    """An array, or lines, of many events, made when they are read."""

    def __init__(self, text, size):
        self._text = text
        self._rest = b"["
        self._left = size

    def readable(self):
        return True

    def read1(self, size):
        while len(self._rest) < size and self._left > 0:
            self._rest += self._text
            self._left -= len(self._text)
        content, self._rest = self._rest[:size], self._rest[size:]
        return content


def test_memory_does_not_grow_with_an_array():
    text = json.dumps(event("1", raw="x" * 1000)).encode() + b", "
    peaks = []
    for size in (4 * MIB, 32 * MIB):
        tracemalloc.start()
        count = sum(1 for _ in Input("f", Endless(text, size)).records())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count > size // len(text) // 2
    assert peaks[1] < peaks[0] + 2 * MIB
    assert peaks[1] < 40 * MIB


def test_one_value_that_never_ends_is_reported(monkeypatch):
    monkeypatch.setattr(long_values, "MAX_MEMBER_CHARACTERS", 8 * MIB)
    ((_, reason),) = outcome(b'[{"message_id": "' + b"x" * (40 * MIB))[1]
    assert reason == "one value is larger than 8 MiB"
