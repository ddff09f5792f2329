# SPDX-License-Identifier: Apache-2.0
"""HTTP responses: content negotiation, rendering as JSON, XML, lines or CSV, streaming, compression and errors."""

import abc
import contextlib
import functools
import itertools
import json
import re
import threading
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import webob
import wsme.rest.json
import wsme.rest.xml
import wsme.types
from oslo_middleware.request_id import ENV_REQUEST_ID
from webob.acceptparse import AcceptEncodingValidHeader, AcceptValidHeader, create_accept_encoding_header
from webob.acceptparse import create_accept_header as parse_accept

from panko.api.errors import Fault, ResponseAborted, TooManyStreams, log_failure, log_fault, make_fault
from panko.api.tables import render_csv

JSON = "application/json"
XML_TYPES = ("application/xml", "text/xml")
CONTENT_TYPES = (JSON, *XML_TYPES)
"""The content types of responses; of those that a client likes equally, the first is sent."""

NDJSON = "application/x-ndjson"
CSV = "text/csv"
EVENT_TYPES = (*CONTENT_TYPES, NDJSON, CSV)
"""The content types of lists of events."""

CHUNK_BYTES = 64 * 1024
"""Size of the chunks of a streamed response."""

MAX_UNSTREAMED_BYTES = 1024 * 1024
"""A response of up to this size is sent whole: the database connection is free before the client reads it, its length
is known, and an error while it is read from the database becomes an error response. Larger ones are streamed."""

MIN_GZIP_BYTES = 1024
"""Size from which compression is worth it."""

GZIP_LEVEL = 1
"""It reduces events to a tenth of their size; higher levels gain little and take several times as long."""

KEEP_ERROR = "panko.keep_error"
"""Environ key: this error response is already in Panko's format."""

_BODY_HEADERS = ("content-type", "content-length", "content-encoding")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@functools.lru_cache(maxsize=256)
def choose_content_type(accept: str | None, offers: Sequence[str] = CONTENT_TYPES) -> str | None:
    """Return the offer that an Accept header prefers, the first one of equals; None if it accepts none of them.

    A missing, empty or invalid header accepts anything. Parameters of a media range, such as a charset, are ignored.
    """
    header = parse_accept(accept or None)
    if isinstance(header, AcceptValidHeader):
        ranges = (f"{name.partition(';')[0]};q={quality}" for name, quality, *_ in header.parsed)
        header = parse_accept(", ".join(ranges))
    acceptable = header.acceptable_offers(offers)
    return acceptable[0][0] if acceptable else None


@functools.lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether an Accept-Encoding header accepts gzip and does not prefer an uncompressed response."""
    header = create_accept_encoding_header(accept_encoding or None)
    if not isinstance(header, AcceptEncodingValidHeader):
        return False
    qualities = {coding.lower(): quality for coding, quality in header.parsed}
    gzip = qualities.get("gzip", qualities.get("*", 0))
    return gzip > 0 and gzip >= qualities.get("identity", 0)


class LinkedResult(abc.ABC):
    """A result that is one page of several.

    :ivar columns: names of the traits that have a column in CSV; None: see :func:`~panko.api.tables.render_csv`
    """

    columns: Sequence[str] | None = None

    @abc.abstractmethod
    def __iter__(self) -> Iterator[bytes]:
        """Yield the documents or pieces of the page; see :func:`render`."""

    @abc.abstractmethod
    def find_next(self) -> str | None:
        """Return the URL of the next page after some documents of this one have been read; None if there is none."""


def respond(
    result: bytes | Iterable[bytes], result_type: Any, content_type: str, request: webob.Request
) -> webob.Response:
    """Return the response with the result of a controller's method.

    Up to MAX_UNSTREAMED_BYTES are read from the result here, so an error until then is raised before anything is sent.
    A result that is bytes is in memory as it is, and never streamed.

    :param result: see :func:`render`; it is closed when it is not needed any more, if it can be closed
    :param result_type: see :func:`render`
    :raises TooManyStreams: if it is to be streamed, and as many responses as allowed are being streamed already
    :raises Exception: what the result raises
    """
    response = webob.Response(content_type=content_type)
    response.vary = ("Accept", "Accept-Encoding")
    pieces = render(result, result_type, content_type)
    head: list[bytes] = []
    length = 0
    is_streamed = False
    with contextlib.ExitStack() as stack:
        stack.callback(close_iterable, result)
        for piece in pieces:
            head.append(piece)
            length += len(piece)
            if length > MAX_UNSTREAMED_BYTES and not isinstance(result, bytes):
                if not request.panko.stream_slots.acquire(blocking=False):
                    raise TooManyStreams
                stack.callback(request.panko.stream_slots.release)
                is_streamed = True
                break
        if isinstance(result, LinkedResult) and (url := result.find_next()):
            response.headers["Link"] = f'<{url}>; rel="next"'
        compressed = length > MIN_GZIP_BYTES and accepts_gzip(request.headers.get("Accept-Encoding"))
        if compressed:
            response.content_encoding = "gzip"
        if is_streamed:
            chunks = _chunks(itertools.chain(head, pieces))
            response.app_iter = Stream(_gzip(chunks) if compressed else chunks, result, request)
            stack.pop_all()  # The stream closes the result and frees the slot.
        else:
            body = b"".join(head)
            response.body = b"".join(_gzip([body])) if compressed else body
    return response


def render(result: bytes | Iterable[bytes], result_type: Any, content_type: str) -> Iterator[bytes]:
    """Yield the pieces of a response's body.

    :param result: a JSON document, or an iterable: of the JSON documents of an array's members if the result type is an
        array, and of the pieces of one JSON document if it is None
    :param result_type: WSME type of the result; None if it is sent as JSON only
    :param content_type: one of :data:`CONTENT_TYPES`; of :data:`EVENT_TYPES` if the documents are events
    """
    if isinstance(result, bytes):
        yield result if content_type == JSON else _to_xml("result", result_type, result)
    elif result_type is None:
        yield from result
    elif content_type == NDJSON:
        for document in result:
            yield document
            yield b"\n"
    elif content_type == CSV:
        yield from render_csv(result, result.columns if isinstance(result, LinkedResult) else None)
    elif content_type == JSON:
        separator = b"["
        for document in result:
            yield separator
            yield document
            separator = b","
        yield b"[]" if separator == b"[" else b"]"
    else:
        yield b"<result>"
        for document in result:
            yield _to_xml("item", result_type.item_type, document)
        yield b"</result>"


def _to_xml(name: str, datatype: Any, document: bytes) -> bytes:
    """Return a JSON document of a WSME type as an XML element."""
    value = wsme.rest.json.fromjson(datatype, json.loads(document))
    return _serialize_xml(wsme.rest.xml.toxml(datatype, name, value))


def _serialize_xml(root: ElementTree.Element) -> bytes:
    for element in root.iter():
        element.text = element.text and _NOT_IN_XML.sub("\ufffd", element.text)
    return ElementTree.tostring(root)


class Stream:
    """The body of a streamed response, which the WSGI server iterates over and closes.

    It holds one of the stream slots of the request until it is closed.

    :param chunks: the bytes to send
    :param result: where they come from; it is closed when the server has sent all, or the client has disconnected
    """

    def __init__(self, chunks: Iterator[bytes], result: bytes | Iterable[bytes], request: webob.Request):
        self._chunks = chunks
        self._result = result
        self._slots: threading.Semaphore | None = request.panko.stream_slots
        self._request_id = request.environ.get(ENV_REQUEST_ID)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except StopIteration:
            raise
        except Exception as error:
            log_failure("Request %s failed after its response had begun", self._request_id, error)
            # Without the cause, so that the server does not log it a second time.
            raise ResponseAborted("a response was aborted") from None

    def close(self) -> None:
        """Close the result, and with it the database connection that it reads from, and free the slot."""
        try:
            close_iterable(self._chunks)
            close_iterable(self._result)
        finally:
            slots, self._slots = self._slots, None
            if slots is not None:
                slots.release()


def close_iterable(iterable: Any) -> None:
    """Close an iterable if it can be closed."""
    close = getattr(iterable, "close", None)
    if close is not None:
        close()


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in chunks of about CHUNK_BYTES."""
    held: list[bytes] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= CHUNK_BYTES:
            yield b"".join(held)
            held, length = [], 0
    if held:
        yield b"".join(held)


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield chunks compressed. An aborted response lacks the end that decompressors check for."""
    compressor = zlib.compressobj(GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16)
    for chunk in chunks:
        data = compressor.compress(chunk)
        if data:
            yield data
    yield compressor.flush()


def respond_to_error(error: Exception, request: webob.Request) -> webob.Response:
    """Return the response that reports an exception to the client; log it unless it is the client's error."""
    fault = make_fault(error)
    log_fault(error, fault, request.environ.get(ENV_REQUEST_ID))
    return respond_with_fault(fault, request)


def respond_with_fault(fault: Fault, request: webob.Request) -> webob.Response:
    """Return the response that reports an error, as JSON unless the client prefers XML."""
    request.environ[KEEP_ERROR] = True
    content_type = choose_content_type(request.headers.get("Accept")) or JSON
    response = webob.Response(render_fault(fault, content_type), fault.status, content_type=content_type)
    response.headers.update({name: text for name, text in fault.headers.items() if name.lower() not in _BODY_HEADERS})
    response.vary = (*(response.vary or ()), "Accept")
    return response


def render_fault(fault: Fault, content_type: str) -> bytes:
    """Return the body of an error response."""
    if content_type == JSON:
        # Not orjson: the texts repeat what the client sent, which may contain a lone surrogate.
        return json.dumps({**fault.members, "error_message": dict(fault.body)}).encode()
    root = ElementTree.Element("error_message")
    error = ElementTree.SubElement(root, "error")
    ElementTree.SubElement(error, "faultcode").text = fault.code
    ElementTree.SubElement(error, "faultstring").text = fault.text
    ElementTree.SubElement(error, "debuginfo")
    return _serialize_xml(root)
