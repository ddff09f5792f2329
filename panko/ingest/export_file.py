# SPDX-License-Identifier: Apache-2.0
"""Files of an export that was stopped: where the last complete event ends, and what was asked for."""

import contextlib
import dataclasses
import datetime
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from panko.ingest.exporter import Selection
from panko.storage.filters import Place
from panko.storage.models import format_time
from panko.storage.serialization import find_place

REQUEST_SUFFIX = ".request"
"""What the name of the file with the request has after the name of the file with the events."""

REQUEST_FORMAT = 1

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
MAX_FRAME_HEADER_BYTES = 18
BLOCK_HEADER_BYTES = 3
CHECKSUM_BYTES = 4
RLE_BLOCK = 1
"""The parts of a zstd frame, see RFC 8878."""

READ_BYTES = 64 * 1024


class UnusableFile(Exception):
    """An export cannot go on in a file; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an export was asked for.

    :param arguments: what the command was given, by name; an export goes on only with the same
    :param is_zstd: whether the events are compressed; the same holds for it
    :param selection: what the arguments meant when the export began: ``2h`` is another time whenever it is read
    """

    arguments: dict[str, Any]
    is_zstd: bool
    selection: Selection

    def to_json(self) -> str:
        """Return the request as JSON."""
        return json.dumps({"format": REQUEST_FORMAT, **dataclasses.asdict(self)}, default=format_time, indent=2)

    def differences(self, other: "Request") -> list[str]:
        """Return in words what another request asks for that this one does not."""
        given = [{**each.arguments, "compressed": each.is_zstd} for each in (self, other)]
        return [
            f"{name} was {before}, now {now}"
            for name in sorted({*given[0], *given[1]})
            for before, now in [[each.get(name) for each in given]]
            if before != now
        ]

    @classmethod
    def from_json(cls, document: str) -> "Request":
        """Return the request of :meth:`to_json`.

        :raises ValueError: if it is something else; or KeyError or TypeError
        """
        members = json.loads(document)
        if members["format"] != REQUEST_FORMAT:
            raise ValueError(f"format {members['format']} is unknown")
        given = members["selection"]
        times = (given["start"], given["end"], given["now"])
        start, end, now = (time and datetime.datetime.fromisoformat(time) for time in times)
        selection = Selection(start, end, tuple(given["types"]), given["project"], tuple(given["where"]), now)
        return cls(dict(members["arguments"]), members["is_zstd"], selection)


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file that is open for the rest of an export.

    :param descriptor: of the file; what is written goes to its end
    :param selection: the events of the export
    :param after: the place of the last event in the file; None: the file is empty
    """

    descriptor: int
    selection: Selection
    after: Place | None


@contextlib.contextmanager
def open_file(path: Path, request: Request) -> Iterator[ExportFile]:
    """Open a file for an export, and cut what an earlier export has written only in part.

    The file is locked while it is open, and is on the disk at the end.

    :raises UnusableFile: if it holds something else, or another export, or one that is running
    :raises OSError: if it cannot be read or written
    """
    with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666), "r+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnusableFile(f"another panko-export is writing {path}") from None
        size = stream.seek(0, os.SEEK_END)
        selection = _take_up(path, request) if size else _begin(path, request)
        end, line = _find_last_line(stream, size, request.is_zstd, path)
        try:
            after = find_place(line) if line else None
        except (ValueError, KeyError, TypeError) as error:
            raise UnusableFile(f"the last line of {path} is no event: name another file, or delete it") from error
        stream.truncate(end)
        yield ExportFile(stream.fileno(), selection, after)
        os.fsync(stream.fileno())


def _begin(path: Path, request: Request) -> Selection:
    """Write down what the file will hold, before it holds any of it."""
    request_path = _request_path(path)
    draft = request_path.with_name(f"{request_path.name}.new")
    with open(draft, "w") as stream:
        stream.write(request.to_json() + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(request_path)
    return request.selection


def _take_up(path: Path, request: Request) -> Selection:
    """Return what the file holds a part of.

    :raises UnusableFile: if it is not what is asked for now
    """
    request_path = _request_path(path)
    advice = "Name another file, or delete both files to begin again"
    try:
        begun = Request.from_json(request_path.read_text())
    except FileNotFoundError:
        raise UnusableFile(
            f"{path} is not empty, and {request_path}, which would say what was exported to it, is missing: "
            "name another file, or delete it"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableFile(f"{request_path} cannot be read: {error}. {advice}") from error
    if differences := begun.differences(request):
        raise UnusableFile(f"{path} holds another export ({'; '.join(differences)}). {advice}")
    return begun.selection


def _request_path(path: Path) -> Path:
    return path.with_name(path.name + REQUEST_SUFFIX)


def _find_last_line(stream: BinaryIO, size: int, is_zstd: bool, path: Path) -> tuple[int, bytes]:
    """Find the end of the last complete line or frame, and return it and the last line; empty: there is none.

    :raises UnusableFile: if the file is damaged
    """
    if not is_zstd:
        end = _find_newline(stream, size) + 1
        begin = _find_newline(stream, end - 1) + 1
        stream.seek(begin)
        return end, stream.read(end - begin)
    begin = end = 0
    try:
        while (following := _find_frame_end(stream, end, size)) is not None:
            begin, end = end, following
        stream.seek(begin)
        lines = zstandard.ZstdDecompressor().decompress(stream.read(end - begin)) if end else b""
    except (zstandard.ZstdError, ValueError) as error:
        raise UnusableFile(
            f"{path} is damaged after byte {begin}: {error}. Delete it, and export again to a new file"
        ) from error
    return end, lines.removesuffix(b"\n").rpartition(b"\n")[2]


def _find_newline(stream: BinaryIO, end: int) -> int:
    """Return the position of the last newline before another position; -1: there is none."""
    while end > 0:
        begin = max(0, end - READ_BYTES)
        stream.seek(begin)
        found = stream.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found
        end = begin
    return -1


def _find_frame_end(stream: BinaryIO, begin: int, size: int) -> int | None:
    """Return the end of the zstd frame that begins at a position; None if it is incomplete.

    Only the headers of the frame and its blocks are read, since the library tells the end of a frame only to those who
    decompress it.

    :raises ValueError: if no frame begins there
    """
    stream.seek(begin)
    header = stream.read(MAX_FRAME_HEADER_BYTES)
    if header[: len(ZSTD_MAGIC)] != ZSTD_MAGIC[: len(header)]:
        raise ValueError("no zstd frame begins there")
    try:
        parameters = zstandard.get_frame_parameters(header)
        end = begin + zstandard.frame_header_size(header)
    except zstandard.ZstdError:
        return None
    is_last = False
    while not is_last:
        stream.seek(end)
        block = stream.read(BLOCK_HEADER_BYTES)
        if len(block) < BLOCK_HEADER_BYTES:
            return None
        fields = int.from_bytes(block, "little")
        is_last, block_type, length = bool(fields & 1), fields >> 1 & 3, fields >> 3
        end += BLOCK_HEADER_BYTES + (1 if block_type == RLE_BLOCK else length)
    end += CHECKSUM_BYTES if parameters.has_checksum else 0
    return end if end <= size else None
