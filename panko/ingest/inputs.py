# SPDX-License-Identifier: Apache-2.0
"""Inputs of an import: files and pipes, compressed or not, with events in lines or in JSON of any layout."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import zstandard

from panko.ingest.decoding import parse_json
from panko.ingest.importer import BadInput, Line, Record
from panko.ingest.long_values import LongValue
from panko.ingest.recognition import START_BYTES, describe_start

BUFFER_BYTES = 256 * 1024

MAX_LINE_BYTES = 4 * 1024 * 1024
"""A longer line is parsed piece by piece, so that memory stays bounded."""

GZIP = b"\x1f\x8b"
ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
"""The start of a zstd frame: an ordinary one, or one with other data, which pzstd writes first."""

ZSTD_PIECE_BYTES = 4096
"""Compressed bytes at once: few, since a byte can become many thousands."""


class _RawInput(io.RawIOBase):
    """Counts the bytes that are read from a stream, and does not close it."""

    def __init__(self, stream: Any):
        self._stream = stream
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        # read1 returns what a pipe has, without waiting for more, and what precedes damaged data.
        content = self._stream.read1(len(buffer))
        buffer[: len(content)] = content
        self.count += len(content)
        return len(content)


class _Prefixed(io.RawIOBase):
    """Returns some bytes before those of a stream."""

    def __init__(self, start: bytes, stream: io.RawIOBase):
        self._start = start
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        content, self._start = self._start[: len(buffer)], self._start[len(buffer) :]
        buffer[: len(content)] = content
        # More than the first bytes, by which alone an input cannot be recognized.
        return len(content) + (self._stream.readinto(buffer[len(content) :]) or 0)


class _ZstdInput(io.RawIOBase):
    """Decompresses the frames of a stream, and raises EOFError if the last one is truncated.

    The library's own reader returns what it has in that case, as if nothing were missing.
    """

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._compressed = b""
        self._content = memoryview(b"")
        self._frame = self._new_frame()
        self._is_between_frames = True

    @staticmethod
    def _new_frame() -> Any:
        return zstandard.ZstdDecompressor().decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._content:
            self._compressed = self._compressed or self._stream.read(ZSTD_PIECE_BYTES)
            if not self._compressed:
                if self._is_between_frames:
                    return 0
                raise EOFError("it ends within a frame")
            self._content = memoryview(self._frame.decompress(self._compressed))
            self._is_between_frames = self._frame.eof
            self._compressed = b""
            if self._frame.eof:
                self._compressed = self._frame.unused_data
                self._frame = self._new_frame()
        count = min(len(buffer), len(self._content))
        buffer[:count] = self._content[:count]
        self._content = self._content[count:]
        return count


class Input:
    """A file or a pipe with events.

    :param source: its name, for reports
    :param stream: what to read; it is not closed
    """

    def __init__(self, source: str, stream: BinaryIO):
        self.source = source
        self._raw = _RawInput(stream)
        self._reader: io.BufferedReader
        self._rest = b""
        """What comes before the rest of the reader."""

    @property
    def bytes_read(self) -> int:
        """Number of bytes read so far, of which some may be in a buffer."""
        return self._raw.count

    def records(self) -> Iterator[Record]:
        """Yield the lines of the input, or the values in JSON that is not one value per line."""
        try:
            self._reader = self._open()
            reason = describe_start(self._reader.peek(START_BYTES)[:START_BYTES])
            if reason is None:
                yield from self._read_lines()
                return
        except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
            reason = f"its compressed data is damaged or truncated: {error}"
        except OSError as error:
            reason = f"it cannot be read: {error.strerror or error}"
        yield BadInput(self.source, reason)

    def _open(self) -> io.BufferedReader:
        """Return a reader that decompresses the input if necessary."""
        start = b""
        while len(start) < 4 and (content := self._raw.read(4 - len(start))):
            start += content
        reader: io.BufferedReader = io.BufferedReader(_Prefixed(start, self._raw), BUFFER_BYTES)
        if start.startswith(GZIP):
            return io.BufferedReader(_RawInput(gzip.GzipFile(fileobj=reader)), BUFFER_BYTES)
        if ZSTD.match(start):
            return io.BufferedReader(_ZstdInput(reader), BUFFER_BYTES)
        return reader

    def _read_lines(self) -> Iterator[Record]:
        number = 0
        # Whether a line that is not JSON may be the beginning of a longer value, or is just a bad line: the first value
        # may be one, and the others if there was one.
        may_continue, had_lines = True, False
        while content := self._read_line():
            number += 1
            if number == 1:
                content = content.removeprefix(codecs.BOM_UTF8)
            if len(content) < MAX_LINE_BYTES and not (may_continue and _is_beginning(content)):
                may_continue = had_lines or (may_continue and content.strip() in (b"", b"[]"))
                yield Line(self.source, number, content)
                continue
            value = LongValue(self.source, number, content, self._rest, self._reader)
            yield from value.records()
            number, self._rest = value.number, value.rest
            may_continue = had_lines = had_lines or value.has_lines

    def _read_line(self) -> bytes:
        if not self._rest:
            return self._reader.readline(MAX_LINE_BYTES)
        line, newline, self._rest = self._rest.partition(b"\n")
        return line + newline if newline else line + self._reader.readline(MAX_LINE_BYTES)


def _is_beginning(line: bytes) -> bool:
    """Return whether a line may be the beginning of a JSON array or object that continues on the next line."""
    if line.lstrip()[:1] not in (b"[", b"{"):
        return False
    try:
        parse_json(line)
    except (ValueError, RecursionError):
        return True
    return False
