# SPDX-License-Identifier: Apache-2.0
"""Exceptions become errors that clients can parse, and that tell them nothing they should not know."""

import json
import logging
import xml.etree.ElementTree as ElementTree

import pytest
import webob.exc
from keystoneauth1.exceptions import ConnectFailure
from wsme.exc import ClientSideError, InvalidInput

from panko.api.errors import (
    InvalidConfiguration,
    NotFound,
    PolicyUnusable,
    ProjectNotAuthorized,
    Refused,
    log_fault,
    make_fault,
)
from panko.storage.errors import InvalidFilter, InvalidMarker, SchemaMismatch, StorageUnavailable
from tests.unit.api.memory import ADMIN, MemoryConnection, make_client

SECRET = "SELECT * FROM mysql://panko:secret@host/panko"


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ClientSideError("no"), 400, "no"),
        (ClientSideError("no", status_code=415), 415, "no"),
        (InvalidInput("limit", 1, "no"), 400, "Invalid input for field/attribute limit. Value: '1'. no"),
        (Refused(), 403, "RBAC Authorization Failed"),
        (ProjectNotAuthorized("p"), 401, "Not Authorized to access project p"),
        (NotFound("Event", "1"), 404, "Event 1 Not Found"),
        (InvalidMarker("m"), 400, "Marker m not found."),
        (InvalidFilter("no"), 400, "no"),
    ],
)
def test_what_is_the_clients_fault_is_told_in_words(error, status, text):
    fault = make_fault(error)
    assert (fault.status, fault.text) == (status, text)
    assert fault.body == {"faultcode": "Client", "faultstring": text, "debuginfo": None}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StorageUnavailable(SECRET), 503),
        (SchemaMismatch(SECRET), 503),
        (ConnectFailure(SECRET), 503),
        (PolicyUnusable(SECRET), 500),
        (ValueError(SECRET), 500),
        (KeyError(SECRET), 500),
    ],
)
def test_what_is_the_services_fault_is_not_told(error, status):
    fault = make_fault(error)
    assert fault.status == status
    assert fault.body["faultcode"] == "Server"
    assert SECRET not in json.dumps(fault.body)
    assert ("Retry-After" in fault.headers) is (status == 503)


def test_what_the_driver_lacks_is_501_and_no_line_of_the_log(caplog):
    """It says which of its capabilities it lacks, and clients can read these beforehand."""
    client = make_client(MemoryConnection())
    answer = client.get("/event_counts", headers=ADMIN, status=501)
    assert "events:count" in answer.json["error_message"]["faultstring"]
    assert "traits:values" in client.get("/event_types/t/traits/n/values", headers=ADMIN, status=501).text
    assert client.get("/capabilities").json["api"]["events:count"] is False
    assert not caplog.records


def test_routing_errors_have_a_form_of_their_own():
    fault = make_fault(webob.exc.HTTPNotFound())
    assert fault.body == {"code": 404, "title": "Not Found", "description": None}
    assert make_fault(webob.exc.HTTPBadRequest("why")).body["description"] == "why"


def test_an_invalid_configuration_is_told_in_one_line():
    assert str(InvalidConfiguration("/etc/x", "one\n  two\n")) == "/etc/x: one two"


@pytest.mark.parametrize("error", [ClientSideError("no"), InvalidMarker("m"), Refused(), webob.exc.HTTPNotFound()])
def test_the_clients_faults_are_not_logged(caplog, error):
    log_fault(error, make_fault(error), "req-1")
    assert not caplog.records


def test_a_storage_that_is_away_is_logged_once_with_its_cause(caplog):
    storage = MemoryConnection([StorageUnavailable("connection refused")])
    response = make_client(storage).get("/events", headers=ADMIN, status=503)
    assert response.headers["Retry-After"]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "req-1" in record.getMessage()
    assert "connection refused" in record.getMessage()


def test_an_unexpected_exception_is_logged_once_with_its_traceback(caplog):
    error = RuntimeError(SECRET)
    response = make_client(MemoryConnection([error])).get("/events", headers=ADMIN, status=500)
    assert SECRET not in response.text
    (record,) = caplog.records
    assert record.exc_info[1] is error
    assert "req-1" in record.getMessage()


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/nothing", "GET", 404),
        ("/events", "PUT", 405),
        ("/events?limit=x", "GET", 400),
        ("/events/1", "GET", 404),
        ("/event_types", "GET", 500),
    ],
)
def test_every_error_is_json_or_xml_as_the_client_likes(path, method, status):
    def ask(accept):
        client = make_client(MemoryConnection([] if status == 404 else [RuntimeError("no")]))
        return client.request(path, method=method, headers={**ADMIN, "Accept": accept}, status=status)

    assert isinstance(ask("application/json").json["error_message"], dict)
    # Where the client takes neither, a request that gets so far is not acceptable.
    for accept in ("application/xml", "text/xml"):
        response = ask(accept)
        assert response.content_type == accept
        error = ElementTree.fromstring(response.body).find("error")
        assert error.find("faultcode").text == ("Server" if status == 500 else "Client")
        assert error.find("faultstring").text
        assert error.find("debuginfo").text is None


def test_a_client_that_takes_neither_is_told_so_in_json():
    response = make_client(MemoryConnection()).get("/events", headers={**ADMIN, "Accept": "text/html"}, status=406)
    assert response.json == {"error_message": {"code": 406, "title": "Not Acceptable", "description": None}}


def test_a_form_that_is_not_acceptable_counts_before_arguments_and_rights():
    client = make_client(MemoryConnection())
    client.get("/events?limit=x", headers={"Accept": "image/png"}, status=406)
    client.get("/nothing", headers={"Accept": "image/png"}, status=404)
    client.put("/events", headers={"Accept": "image/png"}, status=405)


def test_a_method_that_is_not_allowed_is_told_which_is():
    client = make_client(MemoryConnection())
    for path, allowed in (("/events", "GET, HEAD, POST"), ("/events/1", "GET, HEAD"), ("/event_types", "GET, HEAD")):
        assert client.delete(path, headers=ADMIN, status=405).headers["Allow"] == allowed
    client.post("/events/1", headers=ADMIN, status=405)


def test_an_error_repeats_what_no_encoding_holds():
    body = b'{"marker": 5, "sort": ["\\ud800\\u0000"]}'
    headers = {**ADMIN, "Content-Type": "application/json"}
    client = make_client(MemoryConnection([InvalidMarker("\ud800\x00")]))
    assert client.get("/events", headers=headers, status=400).json["error_message"]["faultstring"]
    response = client.request("/events", headers={**headers, "Accept": "text/xml"}, body=body, status=400)
    assert ElementTree.fromstring(response.body).find("error/faultstring").text
