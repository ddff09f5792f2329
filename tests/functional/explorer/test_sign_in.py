# SPDX-License-Identifier: Apache-2.0
"""People sign in at a real Keystone, switch projects and sign out; a token is nowhere but in its cookie."""

import logging
import re

import pytest

from tests.functional.api.keystone import running_keystone
from tests.functional.api.test_keystone import OLD_PASTE
from tests.functional.explorer.conftest import (
    CONFIG,
    FETCH,
    KEYSTONE_APP,
    PAGE,
    menu_of,
    send_form,
    sign_in,
    switch,
    token_of,
)

PASSWORD, CREDENTIAL, TOKEN = range(3)
"""The forms of the sign-in page."""

URL = "/explorer?range=all&search=event_type%20%3D%20a"
SIGN_IN = "/explorer/sign-in"
NEXT = f"{SIGN_IN}?next=/explorer%3Frange%3Dall%26search%3Devent_type%2520%253D%2520a"


def wait_for_expiry(load_with_keystone, keystone):
    """Return a token that has expired."""
    token = keystone.short_token("alice", "demo")
    api = load_with_keystone("token_cache_time = 0\n")
    while api.get("/v2/capabilities", headers={"X-Auth-Token": token}, expect_errors=True).status_int != 401:
        pass
    return token


def test_sign_in_with_a_password_leads_to_the_page_of_before(signed_out, keystone):
    answer = signed_out.get(URL, headers=PAGE, status=303)
    assert answer.headers["Location"] == NEXT
    answer = sign_in(signed_out, keystone, "alice", "demo", NEXT)
    assert answer.headers["Location"] == URL
    page = signed_out.get(URL, headers=PAGE, status=200)
    assert menu_of(page) == "alice in demo"


def test_a_project_may_be_given_by_id(signed_out, keystone):
    sign_in(signed_out, keystone, "alice", keystone.project_id("demo"))
    assert menu_of(signed_out.get("/explorer")) == "alice in demo"


def test_without_a_project_one_is_chosen_from_the_list(signed_out, keystone):
    sign_in(signed_out, keystone, "alice", url=NEXT)
    answer = signed_out.get(URL, headers=PAGE, status=303)
    page = signed_out.get(answer.headers["Location"], headers=PAGE)
    assert "The whole system" not in page
    assert ">demo</button>" in page
    assert ">other</button>" not in page
    answer = switch(signed_out, page, keystone.project_id("demo"))
    assert answer.headers["Location"] == URL
    assert menu_of(signed_out.get(URL)) == "alice in demo"


def test_the_whole_system_can_be_chosen(signed_out, keystone):
    sign_in(signed_out, keystone, "auditor")
    page = signed_out.get("/explorer/project", headers=PAGE)
    form = next(form for form in page.forms.values() if "scope" in form.fields)
    form.submit("scope", headers={"Origin": "http://localhost"}, status=303)
    page = signed_out.get("/explorer?range=all", status=200)
    assert menu_of(page) == "auditor in the whole system"
    assert "All projects" in page


def test_a_user_without_a_role_is_told_so(signed_out, keystone):
    keystone.create("user", name="nobody", domain_id="default", password=keystone.password)
    sign_in(signed_out, keystone, "nobody")
    assert "You have no role in any project" in signed_out.get("/explorer").follow()


def test_sign_in_with_an_application_credential(signed_out, keystone):
    identifier, secret = keystone.application_credential("bob", "demo")
    send_form(signed_out.get(SIGN_IN), CREDENTIAL, credential=identifier, secret=secret)
    page = signed_out.get("/explorer")
    assert menu_of(page) == "bob in demo"
    # It is for its project alone.
    token = token_of(signed_out)
    answer = switch(signed_out, signed_out.get("/explorer/project"), keystone.project_id("other"), 403)
    assert "application credential" in answer
    assert token_of(signed_out) == token


def test_sign_in_with_a_token(signed_out, keystone):
    token = keystone.token("dave", project="other")
    send_form(signed_out.get(SIGN_IN), TOKEN, token=f" {token}\n")
    assert token_of(signed_out) == token
    assert menu_of(signed_out.get("/explorer")) == "dave in other"


@pytest.mark.parametrize(
    ("form", "fields", "text"),
    [
        (PASSWORD, {"user": "alice", "password": "wrong-secret"}, "refused this user and password"),
        (PASSWORD, {"user": "nobody-at-all", "password": "wrong-secret"}, "refused this user and password"),
        (PASSWORD, {"user": "alice", "password": "wrong-secret", "user_domain": "x"}, "refused this user and password"),
        (PASSWORD, {"user": "", "password": "wrong-secret"}, "A field is empty"),
        (PASSWORD, {"user": "alice\n2026 forged", "password": "wrong-secret"}, "refused this user and password"),
        (CREDENTIAL, {"credential": "a" * 32, "secret": "wrong-secret"}, "no application credential"),
        (CREDENTIAL, {"credential": "x", "secret": ""}, "A field is empty"),
        (TOKEN, {"token": "wrong-secret"}, "does not accept this token"),
        (TOKEN, {"token": "wrong-secret; x"}, "does not accept this token"),
        (TOKEN, {"token": "wrong-secrét"}, "does not accept this token"),
        (TOKEN, {"token": "wrong-secret" * 400}, "too long for a browser"),
        (TOKEN, {"token": ""}, "A field is empty"),
    ],
)
def test_a_refused_sign_in_says_what_to_do(signed_out, caplog, form, fields, text):
    with caplog.at_level(logging.DEBUG):
        answer = send_form(signed_out.get(f"{SIGN_IN}?next=/explorer/x"), form, status=403, **fields)
    assert text in answer
    assert answer.forms[form]["next"].value == "/explorer/x"
    assert "wrong-s" not in answer.text
    assert "wrong-s" not in caplog.text
    (warning,) = [each for each in caplog.records if each.name == "panko.explorer.controllers.sign_in"]
    assert warning.levelno == logging.WARNING
    assert "\n" not in warning.getMessage()
    assert not token_of(signed_out)


def test_what_was_typed_is_kept_but_for_secrets(signed_out, keystone):
    answer = send_form(signed_out.get(SIGN_IN), status=403, user="alice", password="x-secret", user_domain="Of<b>")
    form = answer.forms[PASSWORD]
    assert (form["user"].value, form["user_domain"].value, form["password"].value) == ("alice", "Of<b>", "")


def test_a_password_may_begin_and_end_with_spaces(signed_out, keystone):
    keystone.create("user", name="spaces", domain_id="default", password="  a b ")
    send_form(signed_out.get(SIGN_IN), user=" spaces ", password="  a b ")
    assert token_of(signed_out)


@pytest.mark.parametrize("project", ["other", "nothing", "0" * 32])
def test_a_project_without_a_role_is_refused(signed_out, keystone, project):
    page = signed_out.get(SIGN_IN)
    answer = send_form(page, status=403, user="alice", password=keystone.password, project=project)
    assert "This user has no role in a project" in answer
    assert not token_of(signed_out)


def test_keystone_down_is_a_page_that_says_what_to_do(load_with_keystone, keystone, caplog):
    browser = load_with_keystone()
    sign_in(browser, keystone, "alice", "demo")
    down = load_with_keystone("auth_url = http://127.0.0.1:1\nhttp_connect_timeout = 2\n")
    answer = send_form(down.get(SIGN_IN), status=503, user="alice", password=keystone.password)
    assert "Keystone is not available" in answer
    assert answer.headers["Retry-After"]
    assert "127.0.0.1:1" not in answer
    assert PASSWORD in answer.forms
    down.set_cookie("panko-token", token_of(browser))
    for path in ("/explorer", "/explorer/project"):
        answer = down.get(path, headers=PAGE, status=503)
        assert answer.content_type == "text/html"
        assert "The identity service is not available" in answer
        assert answer.headers["Content-Security-Policy"]
    assert down.get("/explorer", headers=FETCH, status=503).content_type == "text/plain"
    # Signing out works: the browser forgets the token.
    page = browser.get("/explorer", headers=PAGE)
    down.set_cookie("panko-csrf", browser.cookies["panko-csrf"])
    send_form(down.get(SIGN_IN), status=503, user="alice", password=keystone.password)
    form = {"csrf": page.forms[0]["csrf"].value}
    answer = down.post("/explorer/sign-out", form, headers={"Origin": "http://localhost"}, status=303)
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert keystone.password not in caplog.text


def test_what_is_no_keystone_is_not_available(load_app, filled_url):
    with running_keystone() as fake:
        browser = load_app(filled_url, name=KEYSTONE_APP, config=f"{fake.config()}[explorer]\nenabled = true\n")
        fake.add("one", "u", ["member"], "p")
        send_form(browser.get(SIGN_IN), TOKEN, token="one")
        assert menu_of(browser.get("/explorer")) == "u in p"
        # It answers with its versions.
        answer = browser.get("/explorer/project", headers=PAGE, status=503)
        assert "Keystone is not available" in answer
        assert answer.headers["Retry-After"]


def test_without_a_keystone_configuration_nobody_can_sign_in(load_app, filled_url):
    browser = load_app(filled_url, name=KEYSTONE_APP, config="[explorer]\nenabled = true\n")
    answer = send_form(browser.get(SIGN_IN), status=503, user="alice", password="x")
    assert "[keystone_authtoken] auth_url" in answer


def test_an_expired_token_leads_to_the_sign_in_and_back(load_with_keystone, keystone):
    browser = load_with_keystone()
    cookie = f"panko-token={wait_for_expiry(load_with_keystone, keystone)}"
    answer = browser.get(URL, headers={"Cookie": cookie, **PAGE}, status=303)
    assert answer.headers["Location"] == NEXT
    # The page itself needs no valid token.
    assert sign_in(browser, keystone, "alice", "demo", NEXT).headers["Location"] == URL
    assert menu_of(browser.get(URL, headers=PAGE, status=200)) == "alice in demo"


@pytest.mark.parametrize("headers", [FETCH, {"Accept": "text/event-stream"}, {"Accept": "application/json"}])
@pytest.mark.parametrize("token", [None, "junk"])
def test_what_no_person_sees_is_401(signed_out, headers, token):
    if token:
        signed_out.set_cookie("panko-token", token)
    answer = signed_out.get("/explorer/parts/facets", headers=headers, status=401)
    assert "Sign in" in answer
    assert "<" not in answer.text


def test_a_form_after_the_expiry_leads_to_the_sign_in(load_with_keystone, keystone):
    signed_out = load_with_keystone("token_cache_time = -1\n")
    sign_in(signed_out, keystone, "alice", "demo")
    page = signed_out.get("/explorer/project")
    keystone.revoke(token_of(signed_out))
    answer = switch(signed_out, page, keystone.project_id("demo"))
    assert answer.headers["Location"] == SIGN_IN


def test_sign_out_revokes_the_token(load_with_keystone, keystone):
    browser = load_with_keystone("token_cache_time = -1\n")
    sign_in(browser, keystone, "alice", "demo")
    token = token_of(browser)
    browser.get("/v2/events", headers={"X-Auth-Token": token})
    answer = send_form(browser.get("/explorer"))
    assert answer.headers["Location"] == SIGN_IN
    assert not token_of(browser)
    browser.get("/v2/events", headers={"X-Auth-Token": token}, status=401)
    browser.get("/explorer", headers=PAGE, status=303)


def test_a_user_switches_between_projects(load_with_keystone, keystone):
    for project in ("one", "two"):
        keystone.create_project(f"switch-{project}")
        keystone.grant("member", "switcher", project=f"switch-{project}")
    browser = load_with_keystone()
    sign_in(browser, keystone, "switcher", "switch-one")
    first = browser.get(URL, headers=PAGE)
    page = first.click("Switch project")
    assert ">switch-one</button>" in page
    answer = switch(browser, page, keystone.project_id("switch-two"))
    assert answer.headers["Location"] == URL
    assert menu_of(browser.get(URL)) == "switcher in switch-two"
    assert "you have no role there" in switch(browser, page, keystone.project_id("other"), 403)
    assert "Choose a project." in switch(browser, page, "", 400)
    assert menu_of(browser.get(URL)) == "switcher in switch-two"


def test_forms_of_the_sign_in_need_the_field_and_the_origin(signed_out, keystone):
    sign_in(signed_out, keystone, "alice", "demo")
    token = token_of(signed_out)
    csrf = signed_out.get("/explorer").forms[0]["csrf"].value
    fields = {"method": "password", "user": "alice", "password": keystone.password}
    for path in ("sign-in", "sign-out", "project"):
        for field, origin in (("x", "http://localhost"), (csrf, "http://evil.example")):
            body, headers = {"csrf": field, **fields}, {"Origin": origin, **PAGE}
            assert "Set-Cookie" not in signed_out.post(f"/explorer/{path}", body, headers=headers, status=403).headers
    signed_out.get("/explorer/sign-out", status=405)
    assert token_of(signed_out) == token
    assert menu_of(signed_out.get("/explorer")) == "alice in demo"


def test_the_cookie_lives_as_long_as_its_token(signed_out, keystone):
    cookie = sign_in(signed_out, keystone, "alice", "demo").headers["Set-Cookie"]
    seconds = int(re.search(r"; Max-Age=(\d+);", cookie)[1])
    assert 3500 <= seconds <= 3600
    assert "; Path=/explorer; " in cookie
    assert cookie.endswith("; HttpOnly; SameSite=Lax")
    assert "secure" not in cookie.lower()


def test_the_cookie_is_secure_under_tls(load_with_keystone, keystone):
    browser = load_with_keystone("[oslo_middleware]\nenable_proxy_headers_parsing = true\n")
    tls = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "panko.example", "Origin": "https://panko.example"}
    page = browser.get(SIGN_IN, headers=tls)
    fields = dict(page.forms[PASSWORD].submit_fields())
    fields |= {"user": "alice", "password": keystone.password, "project": "demo"}
    headers = {**tls, "Cookie": page.headers["Set-Cookie"].partition(";")[0]}
    cookie = browser.post(SIGN_IN, fields, headers=headers, status=303).headers["Set-Cookie"]
    assert cookie.startswith("__Secure-panko-token=")
    assert "; secure; HttpOnly; SameSite=Lax" in cookie
    sent = cookie.partition(";")[0]
    assert menu_of(browser.get("/explorer", headers={**tls, "Cookie": sent})) == "alice in demo"
    browser.get("/explorer", headers={**tls, **PAGE, "Cookie": sent.removeprefix("__Secure-")}, status=303)


def test_a_token_in_a_header_overrides_the_cookie(signed_out, keystone):
    sign_in(signed_out, keystone, "alice", "demo")
    header = {"X-Auth-Token": keystone.token("dave", project="other"), **PAGE}
    page = signed_out.get("/explorer", headers=header)
    assert menu_of(page) == "dave in other"
    assert "/explorer/sign-out" not in page
    signed_out.get("/explorer/project", headers=header, status=403)
    for name in ("X-Auth-Token", "X-Storage-Token", "X-Service-Token"):
        for value in ("junk", ""):
            signed_out.get("/explorer", headers={name: value, **PAGE}, status=401)


def test_identity_headers_are_ignored(signed_out):
    forged = {"X-User-Id": "a", "X-Project-Id": "b", "X-Roles": "admin", "X-Identity-Status": "Confirmed"}
    signed_out.get("/explorer", headers={**forged, **PAGE}, status=303)
    signed_out.get("/explorer", headers={**forged, **FETCH}, status=401)
    signed_out.set_cookie("panko-persona", "admin")
    signed_out.get("/explorer", headers=PAGE, status=303)
    signed_out.get("/explorer/persona", headers=PAGE, status=303)


def test_there_is_no_persona_with_keystone(signed_out, keystone):
    sign_in(signed_out, keystone, "alice", "demo")
    signed_out.get("/explorer/persona", headers=PAGE, status=404)
    signed_out.post("/explorer/persona", headers=PAGE, status=404)


def test_a_cookie_authenticates_nothing_outside_of_the_explorer(signed_out, keystone):
    sign_in(signed_out, keystone, "boss", "demo")
    token = token_of(signed_out)
    for name in ("panko-token", "__Secure-panko-token", "X-Auth-Token"):
        for path in ("/v2/events", "/v2/capabilities", "/grafana", "/explorers"):
            status = signed_out.get(path, headers={"Cookie": f"{name}={token}"}, expect_errors=True).status_int
            assert status in (401, 404), path


def test_the_token_is_nowhere_but_in_its_cookie(signed_out, keystone, caplog):
    with caplog.at_level(logging.DEBUG):
        answers = [sign_in(signed_out, keystone, "alice", "demo", NEXT)]
        token = token_of(signed_out)
        answers += [
            signed_out.get(path, expect_errors=True) for path in (URL, "/explorer/project", "/explorer/x", SIGN_IN)
        ]
        answers.append(send_form(signed_out.get("/explorer")))
    assert all(token not in answer.text for answer in answers)
    assert all(token not in value for answer in answers for name, value in answer.headerlist if name != "Set-Cookie")
    assert token not in caplog.text
    assert keystone.password not in caplog.text


def test_identity_headers_are_no_menu_on_the_sign_in_page(signed_out):
    assert menu_of(signed_out.get(SIGN_IN, headers={"X-User-Id": "a", "X-User-Name": "b"})) == ""


def test_static_files_and_the_sign_in_need_no_token(signed_out):
    signed_out.set_cookie("panko-token", "junk")
    signed_out.get("/explorer/static/explorer.css")
    signed_out.get(SIGN_IN)


def test_old_paste_files_have_the_explorer_too(load_with_keystone, keystone):
    browser = load_with_keystone(paste=OLD_PASTE)
    sign_in(browser, keystone, "alice", "demo")
    assert menu_of(browser.get("/explorer")) == "alice in demo"


def test_the_explorer_is_off_with_keystone_by_default(load_app, filled_url, keystone):
    config = CONFIG.format(keystone=keystone).replace("enabled = true", "")
    for paste in (None, OLD_PASTE):
        api = load_app(filled_url, name=KEYSTONE_APP, config=config, paste=paste)
        for path in ("/explorer", "/explorer/sign-in", "/explorer/static/explorer.css"):
            before = api.get(path.replace("explorer", "nothing"), status=404)
            assert api.get(path, status=404).json == before.json


def test_the_explorer_can_be_disabled_and_enabled(load_app, filled_url):
    off = load_app(filled_url, config="[explorer]\nenabled = false\n")
    assert off.get("/explorer", status=404).json == off.get("/nothing", status=404).json
    load_app(filled_url, config="[explorer]\nenabled = true\n", paste=OLD_PASTE).get("/explorer", status=200)
    load_app(filled_url, paste=OLD_PASTE).get("/explorer", status=200)
