# SPDX-License-Identifier: Apache-2.0
"""JSON values that are not a line each: an array of gigabytes, or values that are indented over many lines."""

import codecs
import io
import json
import re
from collections.abc import Iterator

from panko.ingest.decoding import parse_integer
from panko.ingest.importer import BadInput, Element, Line, Record
from panko.storage.errors import InvalidEvent

PIECE_CHARACTERS = 256 * 1024

MAX_MEMBER_CHARACTERS = 64 * 1024 * 1024
"""Maximum size of an event or a message."""

MAX_ERROR_DISTANCE = 16
"""How far before the end of a truncated text the parser reports an error, unless a string is truncated."""

_DECODER = json.JSONDecoder(parse_int=parse_integer)
_SPACE = re.compile(r"[ \t\n\r]*")
_LINE_END = re.compile(r"[ \t\r]*\n?")
_TRUNCATED = "it is truncated, or a bracket is missing: the input ends within a value"


class LongValue:
    """A JSON value of any layout and size; the members of an array are read one by one.

    After :meth:`records`:

    * ``number`` is the number of its last line
    * ``rest`` is what was read after it
    * ``has_lines`` is whether it has several lines, so that others may have, too

    :param number: number of the line in which it begins
    :param line: that line, or as much of it as was read
    :param more: what was read after the line
    :param reader: what comes after that
    """

    def __init__(self, source: str, number: int, line: bytes, more: bytes, reader: io.BufferedReader):
        self.number = number
        self.rest = b""
        self.has_lines = False
        self._source = source
        self._first_number = number
        self._line = line
        self._reader = reader
        # Bytes that are not UTF-8 become surrogates, so that the rest can become bytes again.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = self._decoder.decode(line + more)
        self._position = 0
        self._is_at_line_start = False
        self._is_between_members = False

    def records(self) -> Iterator[Record]:
        """Yield the members of an array, or the one value; if it is not JSON, what is wrong with it."""
        try:
            if self._next_character() == "[":
                self._position += 1
                yield from self._read_members()
            else:
                yield self._read(None)
        except InvalidEvent as error:
            yield from self._recover(error)
        else:
            self.has_lines = self.number > self._first_number
            self._end_line()

    def _read_members(self) -> Iterator[Record]:
        index = 0
        while (mark := self._next_character()) != "]" or index:
            index += 1
            yield self._read(index)
            mark = self._next_character()
            self._is_between_members = mark != ","
            if mark != ",":
                break
            self._position += 1
        if mark != "]":
            raise InvalidEvent(f"it is not JSON: , or ] is missing after event {index}" if mark else _TRUNCATED)
        self._position += 1

    def _read(self, index: int | None) -> Record:
        """Return the next value.

        :raises InvalidEvent: if it is not JSON
        """
        self._next_character()
        number = self.number
        while True:
            try:
                document, end = _DECODER.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                if not self._may_continue(error):
                    raise InvalidEvent(f"it is not JSON: {error.msg}") from error
                if not self._read_more():
                    raise InvalidEvent(_TRUNCATED) from error
            except RecursionError as error:
                raise InvalidEvent("it cannot be read as JSON: it is nested too deeply") from error
            else:
                # A number may continue.
                if end < len(self._text) or self._text[end - 1] in ']}"' or not self._read_more():
                    break
        text = self._text[self._position : end]
        self._skip(end)
        if not text.isascii() and _has_surrogates(text):
            return BadInput(Element(self._source, number, index, None).place, "it is not UTF-8")
        return Element(self._source, number, index, document, len(text))

    def _may_continue(self, error: json.JSONDecodeError) -> bool:
        """Return whether the parser stopped because the value is not read to its end."""
        return error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - MAX_ERROR_DISTANCE

    def _next_character(self) -> str:
        """Skip white space, and return the first character after it; an empty text if the input ends."""
        while True:
            match = _SPACE.match(self._text, self._position)
            self._skip(match.end() if match else self._position)
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._read_more():
                return ""

    def _skip(self, end: int) -> None:
        if end > self._position:
            self.number += self._text.count("\n", self._position, end)
            self._is_at_line_start = self._text[end - 1] == "\n"
            self._position = end

    def _read_more(self) -> bool:
        """Read at least as much again as is not parsed yet; return whether there was more.

        :raises InvalidEvent: if a value is too large
        """
        pieces = [self._text[self._position :]]
        wanted = max(len(pieces[0]), PIECE_CHARACTERS)
        if wanted > MAX_MEMBER_CHARACTERS:
            raise InvalidEvent(f"one value is larger than {MAX_MEMBER_CHARACTERS // 1024**2} MiB")
        length = 0
        while length < wanted and (content := self._reader.read1(PIECE_CHARACTERS)):
            pieces.append(self._decoder.decode(content))
            length += len(pieces[-1])
        self._text = "".join(pieces)
        self._position = 0
        return length > 0

    def _recover(self, error: InvalidEvent) -> Iterator[Record]:
        """Report an error, and continue in the next line if the value begins and fails in one line.

        In a later line, continue only before a value at the start of a line: the value before it was truncated.
        """
        is_at_value = self._is_at_line_start and self._text[self._position : self._position + 1] in ("{", "[")
        if self.number > self._first_number and self._is_between_members and is_at_value:
            yield BadInput(f"{self._source}:{self.number}", str(error))
            self.number -= 1
            self._keep_rest()
        elif self.number > self._first_number:
            yield BadInput(f"{self._source}:{self.number}", f"{error}; the rest of the input is not read")
            while self._reader.read1(PIECE_CHARACTERS):
                pass
        else:
            # The same error as for any other line.
            is_whole = self._line.endswith(b"\n")
            place = f"{self._source}:{self.number}"
            yield Line(self._source, self.number, self._line) if is_whole else BadInput(place, str(error))
            self._skip_line()

    def _skip_line(self) -> None:
        while (end := self._text.find("\n", self._position)) < 0:
            self._position = len(self._text)
            if not self._read_more():
                return
        self._position = end + 1
        self._keep_rest()

    def _end_line(self) -> None:
        """Skip the end of the line that the value ends in."""
        match = _LINE_END.match(self._text, self._position)
        self._skip(match.end() if match else self._position)
        # Whoever reads the next line counts it.
        self.number -= 1
        self._keep_rest()

    def _keep_rest(self) -> None:
        undecoded, _ = self._decoder.getstate()
        self.rest = self._text[self._position :].encode(errors="surrogateescape") + undecoded
        self._text = ""


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
