# SPDX-License-Identifier: Apache-2.0
"""The identity of a caller is read from the headers of keystonemiddleware, and limits from the configuration."""

import pytest
import webob

from panko import service
from panko.api.errors import InvalidConfiguration
from panko.api.hooks import TOKEN_INFO, identify, read_limits
from panko.api.policy import Identity

SYSTEM = {"X-User-Id": "u", "X-Roles": "reader", "OpenStack-System-Scope": "all"}


def identify_by(token=None, **headers):
    environ = {} if token is None else {TOKEN_INFO: {"token": token}}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return identify(webob.Request.blank("/", headers=sent, environ=environ))


def test_user_project_and_roles_are_those_of_the_headers():
    identity = identify_by(X_User_Id="u", X_Project_Id="p", X_Roles="member, admin,reader")
    assert identity == Identity("u", "p", ("member", " admin", "reader"))
    assert identity.is_complete


@pytest.mark.parametrize("headers", [{}, {"X-User-Id": "", "X-Project-Id": "", "X-Domain-Id": ""}])
def test_missing_and_empty_headers_are_the_same(headers):
    identity = identify_by(**headers)
    assert identity == Identity(None, None, ("",))
    assert not identity.is_complete


@pytest.mark.parametrize("headers", [{"X-User-Id": "u"}, {"X-Project-Id": "p"}, {"OpenStack-System-Scope": "all"}])
def test_an_identity_without_user_or_without_scope_is_incomplete(headers):
    assert not identify_by(**headers).is_complete


def test_a_token_for_the_system_is_for_no_project():
    identity = identify_by(**SYSTEM)
    assert identity == Identity("u", None, ("reader",), is_system=True)
    assert identity.is_complete


@pytest.mark.parametrize(
    "headers", [{"X-Project-Id": "p"}, {"X-Domain-Id": "d"}, {"OpenStack-System-Scope": "some"}, {"X-User-Id": ""}]
)
def test_system_scope_does_not_widen_another_request(headers):
    identity = identify_by(**{**SYSTEM, **headers})
    assert not (identity.is_system and identity.is_complete)


@pytest.mark.parametrize(
    ("system", "is_system"), [({"all": True}, True), ({"all": False}, False), ({}, False), (None, False)]
)
def test_the_users_token_counts_and_not_the_header(system, is_system):
    assert identify_by({"system": system}, **{**SYSTEM, "OpenStack-System-Scope": "all"}).is_system is is_system
    assert identify_by({"system": system}, X_User_Id="u").is_system is is_system


def limits(**options):
    conf = service.prepare_service([], config_files=[], share=True)
    for name, value in options.items():
        conf.set_override(name, value, group="api")
    return read_limits(conf)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [({}, 10), ({"query_timeout": 20}, 10), ({"query_timeout": 5}, 2.5), ({"query_timeout": 5, "scan_timeout": 4}, 4)],
)
def test_a_search_ends_before_the_request_does(options, seconds):
    assert limits(**options).scan_seconds == seconds


@pytest.mark.parametrize("seconds", [30, 31])
def test_a_search_that_would_outlast_its_request_is_refused(seconds):
    with pytest.raises(InvalidConfiguration) as raised:
        limits(scan_timeout=seconds)
    assert str(raised.value) == (
        f"[api] scan_timeout: {seconds} seconds are not less than [api] query_timeout (30), which would end a search "
        "first. Decrease scan_timeout or increase query_timeout."
    )
