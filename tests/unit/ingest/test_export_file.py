# SPDX-License-Identifier: Apache-2.0
"""An export goes on where its file ends, wherever it was cut; a file of something else is left as it is."""

import datetime
import json
import os

import pytest
import zstandard

from panko.ingest.export_file import READ_BYTES, Request, UnusableFile, open_file
from panko.ingest.exporter import Selection, make_encoder
from panko.storage.filters import Place
from panko.storage.models import Event
from panko.storage.serialization import serialize_event

NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, 5)


def line(number, raw=None):
    event = Event(f"id-{number}", "kind", NOON + datetime.timedelta(seconds=number), (), raw or {})
    return serialize_event(event) + b"\n"


def request(is_zstd=False, **arguments):
    return Request(
        {"--since": "2h", "--type": ["a"], **arguments},
        is_zstd,
        Selection(NOON, None, ("a",), "p", ("a = 1", "b : x"), NOON),
    )


def begin(path, asked):
    with open_file(path, asked) as file:
        assert (file.selection, file.after) == (asked.selection, None)


LINES = [line(number, {"text": "é\n" * (number % 2)}) for number in range(1, 7)]


def batches(is_zstd):
    """Return what is written one after the other: three times two lines."""
    return [make_encoder(is_zstd)(b"".join(LINES[begin : begin + 2])) for begin in (0, 2, 4)]


def decoded(content, is_zstd):
    """Return what was written, decompressed."""
    if not is_zstd:
        return content
    return zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress(content)


@pytest.mark.parametrize("is_zstd", [False, True])
def test_an_export_goes_on_wherever_its_file_was_cut(tmp_path, is_zstd):
    path = tmp_path / "events"
    begin(path, request(is_zstd))
    whole = b"".join(batches(is_zstd))
    frames = [len(b"".join(batches(is_zstd=True)[:count])) for count in range(4)]
    for size in range(1, len(whole) + 1, 1 if is_zstd else 2):
        path.write_bytes(whole[:size])
        number = whole.count(b"\n", 0, size)
        if is_zstd:
            number = 2 * max(count for count in range(4) if frames[count] <= size)
        with open_file(path, request(is_zstd)) as file:
            expected = Place(NOON + datetime.timedelta(seconds=number), f"id-{number}") if number else None
            assert (size, file.after) == (size, expected)
            os.write(file.descriptor, make_encoder(is_zstd)(b"".join(LINES[number:])))
        assert decoded(path.read_bytes(), is_zstd) == b"".join(LINES)


@pytest.mark.parametrize("length", [READ_BYTES - 200, READ_BYTES, 3 * READ_BYTES])
@pytest.mark.parametrize("is_zstd", [False, True])
def test_lines_may_be_longer_than_what_is_read_at_a_time(tmp_path, length, is_zstd):
    path = tmp_path / "events"
    begin(path, request(is_zstd))
    # Blocks of all types of zstd: compressed, raw and of one byte repeated.
    content = {"same": "x" * length, "random": os.urandom(length).hex()}
    path.write_bytes(make_encoder(is_zstd)(line(1, content) + line(2, content)) + make_encoder(is_zstd)(line(3))[:-1])
    with open_file(path, request(is_zstd)) as file:
        assert file.after.message_id == "id-2"


def test_times_ago_keep_the_meaning_that_they_had_at_the_beginning(tmp_path):
    path = tmp_path / "events"
    begin(path, request())
    path.write_bytes(line(1))
    later = Request(request().arguments, False, Selection(NOON + datetime.timedelta(hours=1)))
    with open_file(path, later) as file:
        assert file.selection == request().selection


def test_a_file_without_events_is_begun_again(tmp_path):
    path = tmp_path / "events"
    begin(path, request())
    other = Request({"--since": None}, False, Selection())
    begin(path, other)
    path.write_bytes(line(1))
    with open_file(path, other) as file:
        assert file.selection == other.selection


@pytest.mark.parametrize(
    ("asked", "difference"),
    [
        (request(**{"--since": "3h"}), "(--since was 2h, now 3h)"),
        (request(**{"--type": []}), "(--type was ['a'], now [])"),
        (request(database="other"), "(database was None, now other)"),
        (request(is_zstd=True), "(compressed was False, now True)"),
    ],
)
def test_a_file_of_another_export_is_left_as_it_is(tmp_path, asked, difference):
    path = tmp_path / "events"
    begin(path, request())
    path.write_bytes(line(1)[:-1])
    with pytest.raises(UnusableFile) as caught, open_file(path, asked):
        pass
    assert str(caught.value) == (
        f"{path} holds another export {difference}. Name another file, or delete both files to begin again"
    )
    assert path.read_bytes() == line(1)[:-1]


@pytest.mark.parametrize(
    ("written", "content", "is_zstd", "message"),
    [
        (None, b"mine\n", False, "is not empty, and"),
        ("{", line(1), False, "cannot be read: "),
        ("[]", line(1), False, "cannot be read: "),
        (json.dumps({"format": 2}), line(1), False, "format 2 is unknown"),
        ("as before", b"mine\n", False, "the last line of"),
        ("as before", b'{"message_id":"1"}\n', False, "the last line of"),
        ("as before", b"mine\n", True, "is damaged after byte 0: no zstd frame begins there"),
        ("as before", batches(True)[0] + b"mine\n", True, "is damaged after byte"),
        ("as before", batches(True)[0][:-1] + b"\0", True, "is damaged after byte 0"),
    ],
)
def test_an_unusable_file_is_left_as_it_is(tmp_path, written, content, is_zstd, message):
    path = tmp_path / "events"
    if written is not None:
        begin(path, request(is_zstd))
        if written != "as before":
            path.with_name("events.request").write_text(written)
    path.write_bytes(content)
    with pytest.raises(UnusableFile, match=message), open_file(path, request(is_zstd)):
        pass
    assert path.read_bytes() == content


def test_two_exports_never_write_the_same_file(tmp_path):
    path = tmp_path / "events"
    with open_file(path, request()) as file:
        os.write(file.descriptor, line(1))
        with pytest.raises(UnusableFile, match="another panko-export is writing"), open_file(path, request()):
            pass
    assert path.read_bytes() == line(1)
