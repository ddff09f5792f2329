# SPDX-License-Identifier: Apache-2.0
"""Without Keystone, a person chooses who to be; requests with identity headers are not changed."""

import pytest

from tests.functional.api.conftest import MEMBER
from tests.functional.explorer.conftest import PAGE, menu_of, send_form

ALL = "/explorer?range=all"


def choose(explorer, project, user):
    page = explorer.get("/explorer/persona")
    return send_form(page, len(page.forms) - 1, project=project, user=user)


def test_without_a_choice_everybody_is_the_administrator_and_is_told_so(explorer):
    page = explorer.get(ALL)
    assert menu_of(page) == "No Keystone: you see everything as admin"
    assert "All projects" in page
    assert 'href="/explorer/persona?next=/explorer%3Frange%3Dall"' in page


def test_a_member_of_each_project_with_events_can_be_chosen(explorer):
    page = explorer.get("/explorer/persona?next=/explorer?range=all")
    for project, user in (("proj-0", "user-0"), ("proj-1", "user-1"), ("proj-2", "user-2")):
        assert f"User {user} of project {project}" in page
    chosen = next(n for n, form in page.forms.items() if form.fields.get("user") and form["user"].value == "user-1")
    answer = send_form(page, chosen)
    assert answer.headers["Location"] == ALL
    shown = explorer.get(ALL)
    assert menu_of(shown) == "user-1 in proj-1"
    assert "Your project" in shown
    send_form(explorer.get("/explorer/persona"), 0)
    assert menu_of(explorer.get(ALL)) == "admin"


def test_a_persona_may_see_what_the_api_shows_to_the_member(explorer):
    everything = explorer.get(ALL)
    assert "proj-0" in everything
    assert "proj-1" in everything
    choose(explorer, "proj-0", "user-0")
    page = explorer.get(ALL)
    assert page.text.count("<time") == len(explorer.get("/v2/events", headers=MEMBER).json)
    assert "proj-1" not in page


@pytest.mark.parametrize("name", ["X-User-Id", "X-Project-Id", "X-Roles", "OpenStack-System-Scope", "X-Auth-Token"])
def test_a_request_with_any_identity_header_is_not_changed(explorer, name):
    choose(explorer, "proj-0", "user-0")
    explorer.get(ALL, headers={name: "x"}, status=403)


def test_identity_headers_override_the_persona(explorer):
    choose(explorer, "proj-1", "user-1")
    page = explorer.get(ALL, headers=MEMBER)
    assert menu_of(page) == "user-0 in proj-0"
    assert "/explorer/persona" not in page
    explorer.get("/explorer/persona", headers=MEMBER, status=403)


@pytest.mark.parametrize(
    "value", ["", "x", "admin.admin", ".", "cHJvai0w.", "cHJvai0w.dXNlci0w.", "cHJvai0w.dXNl ci0w", "Cg.Cg", "_w._w"]
)
def test_an_invalid_cookie_is_ignored(explorer, value):
    explorer.set_cookie("panko-persona", value)
    assert menu_of(explorer.get(ALL)) == "No Keystone: you see everything as admin"


@pytest.mark.parametrize(("project", "user"), [("p", ""), ("", "u"), ("p" * 256, "u"), ("p", "u\n\x00v")])
def test_an_invalid_choice_is_refused(explorer, project, user):
    page = explorer.get("/explorer/persona")
    answer = send_form(page, len(page.forms) - 1, status=400, project=project, user=user)
    assert "A member has a project id and a user id" in answer
    assert "Set-Cookie" not in answer.headers


def test_ids_of_other_alphabets_can_be_chosen(explorer):
    choose(explorer, "проект", "köchin <b>")
    page = explorer.get(ALL)
    assert "проект" in page
    assert "köchin &lt;b&gt;" in page


def test_the_persona_is_unknown_outside_of_the_explorer(explorer):
    choose(explorer, "proj-0", "user-0")
    cookie = f"panko-persona={explorer.cookies['panko-persona']}"
    for path in ("/v2/events", "/grafana/rows", "/explorers", "/v2/../explorer"):
        assert explorer.get(path, headers={"Cookie": cookie}, expect_errors=True).status_int in (403, 404)


def test_there_is_no_sign_in_without_keystone(explorer):
    for path in ("sign-in", "project"):
        assert "There is no such page" in explorer.get(f"/explorer/{path}", headers=PAGE, status=404)
    explorer.post("/explorer/sign-out", status=404)
