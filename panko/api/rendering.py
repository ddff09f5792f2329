# SPDX-License-Identifier: Apache-2.0
"""Results as JSON or XML: short answers whole, long ones streamed with bounded memory."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from typing import Any

import wsme.rest.json
import wsme.rest.xml
import wsme.types

from panko.api.errors import Fault
from panko.api.negotiation import JSON

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(result: bytes | Iterable[bytes], result_type: Any, content_type: str) -> Iterator[bytes]:
    """Yield the pieces of an answer.

    :param result: a JSON document, or those of an array's members
    :param result_type: the WSME type of the result
    :param content_type: one of :data:`~panko.api.negotiation.CONTENT_TYPES`
    """
    if not wsme.types.isarray(result_type):
        yield result if content_type == JSON else _xml("result", result_type, result)
    elif content_type == JSON:
        yield from _json_array(result)
    else:
        yield b"<result>"
        for document in result:
            yield _xml("item", result_type.item_type, document)
        yield b"</result>"


def _json_array(documents: Iterable[bytes]) -> Iterator[bytes]:
    before = b"["
    for document in documents:
        yield before
        yield document
        before = b","
    yield b"[]" if before == b"[" else b"]"


def _xml(name: str, datatype: Any, document: bytes) -> bytes:
    """Return a JSON document of a WSME type as an XML element of that name."""
    value = wsme.rest.json.fromjson(datatype, json.loads(document))
    return _serialize(wsme.rest.xml.toxml(datatype, name, value))


def _serialize(root: ElementTree.Element) -> bytes:
    for element in root.iter():
        element.text = element.text and _NOT_IN_XML.sub("\ufffd", element.text)
    return ElementTree.tostring(root)


def render_fault(fault: Fault, content_type: str) -> bytes:
    """Return the body of an answer that tells of a fault."""
    if content_type == JSON:
        # Not orjson: the texts repeat what the client sent, where a lone surrogate may be.
        return json.dumps({"error_message": dict(fault.body)}).encode()
    root = ElementTree.Element("error_message")
    error = ElementTree.SubElement(root, "error")
    ElementTree.SubElement(error, "faultcode").text = fault.code
    ElementTree.SubElement(error, "faultstring").text = fault.text
    ElementTree.SubElement(error, "debuginfo")
    return _serialize(root)
