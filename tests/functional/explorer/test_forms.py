# SPDX-License-Identifier: Apache-2.0
"""Forms are accepted only from the explorer's own pages, and only forms change anything; headers of all responses."""

import pytest

from panko.explorer.rendering import static_url
from tests.functional.api.conftest import fill
from tests.functional.explorer.conftest import PAGE, send_form

URL = "/explorer/persona"
OWN = {"Origin": "http://localhost", **PAGE}
PROXIED = "[oslo_middleware]\nenable_proxy_headers_parsing = true\n"


def field(explorer):
    return explorer.get(URL).forms[0]["csrf"].value


@pytest.fixture
def send(explorer):
    """A function that sends the form with headers and fields, with a valid CSRF field by default."""

    def post(status=303, headers=OWN, **fields):
        # Without the Referer of WebTest.
        return explorer.post(URL, {"csrf": field(explorer), **fields}, headers=headers, status=status)

    return post


def test_own_form_is_accepted(send, explorer):
    send()
    assert explorer.cookies["panko-persona"] == "admin"
    send(headers={"Referer": "http://localhost/explorer/persona", **PAGE})
    send(headers={"Origin": "http://localhost:80", **PAGE})


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "null", "http://localhost.evil.example", "http://localhost:81", "localhost"),
        *("ftp://localhost", "http://[::1", "http://localhost:x", "http://evil.example/http://localhost"),
    ],
)
@pytest.mark.parametrize("name", ["Origin", "Referer"])
def test_form_of_another_site_is_refused(send, explorer, name, origin):
    answer = send(403, {name: origin, **PAGE})
    assert "Reload the page" in answer
    assert "panko-persona" not in explorer.cookies


def test_origin_overrides_referer(send):
    send(403, {"Origin": "http://evil.example", "Referer": "http://localhost/explorer", **PAGE})


def test_form_without_an_origin_is_refused(send):
    assert "Origin" in send(403, PAGE)


@pytest.mark.parametrize("value", ["", "x", "A" * 59, "é", "\x00"])
def test_form_with_a_wrong_field_is_refused(send, explorer, value):
    assert "Reload the page" in send(403, csrf=value)
    assert "panko-persona" not in explorer.cookies


def test_form_without_the_field_or_the_cookie_is_refused(explorer):
    value = field(explorer)
    explorer.post(URL, {"project": "p"}, headers=OWN, status=403)
    explorer.reset()
    explorer.post(URL, {"csrf": value}, headers=OWN, status=403)
    for cookie in ("", "x", "A" * 32):
        explorer.post(URL, {"csrf": value}, headers={**OWN, "Cookie": f"panko-csrf={cookie}"}, status=403)


def test_field_of_another_browser_is_refused(explorer):
    other = field(explorer)
    explorer.reset()
    assert field(explorer) != other
    explorer.post(URL, {"csrf": other}, headers=OWN, status=403)


def test_field_differs_on_each_page_and_stays_valid(explorer):
    fields = [field(explorer) for _ in range(3)]
    assert len(set(fields)) == 3
    for value in fields:
        explorer.post(URL, {"csrf": value}, headers=OWN, status=303)


def test_form_of_another_database_is_refused(explorer, load_app, filled_url, tmp_path):
    """The key comes from the database: all servers of one accept the form."""
    value, cookie = field(explorer), f"panko-csrf={explorer.cookies['panko-csrf']}"
    headers = {**OWN, "Cookie": cookie}
    url = f"sqlite:///{tmp_path}/other.sqlite"
    fill(url)
    load_app(url).post(URL, {"csrf": value}, headers=headers, status=403)
    load_app(filled_url).post(URL, {"csrf": value}, headers=headers, status=303)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"a=b", "text/plain", 415),
        (b"a=" + b"b" * 70000, "application/x-www-form-urlencoded", 413),
        (b"&".join(b"a=b" for _ in range(100)), "application/x-www-form-urlencoded", 400),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff", "application/x-www-form-urlencoded", 400),
    ],
)
def test_what_is_not_such_a_form_is_a_clear_error(explorer, body, content_type, status):
    answer = explorer.post(URL, body, headers=OWN, content_type=content_type, status=status)
    assert answer.content_type == "text/html"


def test_get_changes_nothing(explorer):
    value = field(explorer)
    explorer.get(f"{URL}?csrf={value}&project=p&user=u", headers=OWN)
    assert "panko-persona" not in explorer.cookies
    for method in ("PUT", "DELETE", "PATCH"):
        explorer.request(URL, method=method, headers=OWN, status=405)
    assert explorer.request(URL, method="PUT", status=405).headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "url",
    [
        *("//evil.example", "http://evil.example/explorer", "/v2/events", "/explorers", "/\\evil.example"),
        *("\\/evil.example", "/explorer/../v2", "/explorer/%2e%2e/v2", "/explorer//evil.example", "/explorer/\\.."),
        *("/explorer\t", "explorer", "/explorer/%5c..", "javascript:alert(1)", "/explorer\r\nX: y", "//["),
        *(f"/explorer/{'x' * 5000}", "", " /explorer/x"),
    ],
)
def test_only_a_path_of_the_explorer_is_returned_to(send, url):
    assert send(next=url).headers["Location"] == "/explorer"


@pytest.mark.parametrize(
    "url",
    ["/explorer?search=a%20%3D%20b//c&filter=x", "/explorer/events/a%2Fb", "/explorer?search=ü", "/explorer/compare"],
)
def test_a_form_leads_back_to_the_page(send, url):
    assert send(next=url).headers["Location"] == url.replace("ü", "%C3%BC")


@pytest.mark.parametrize(
    ("url", "status"), [("/explorer", 200), ("/explorer/", 200), ("/explorer/nothing", 404), ("/explorer?range=x", 400)]
)
def test_all_responses_have_the_headers(explorer, url, status):
    for headers in (PAGE, {"Accept": "application/json"}):
        answer = explorer.get(url, headers=headers, expect_errors=True)
        assert answer.headers["Content-Security-Policy"] == (
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Openstack-Request-Id"].startswith("req-")
    assert explorer.get(url, headers=PAGE, status=status).content_type == "text/html"


def test_static_files_may_be_cached(explorer):
    assert "immutable" in explorer.get(static_url("explorer.css")).headers["Cache-Control"]
    assert explorer.get("/explorer/static/nothing.css", status=404).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/explorer", "/explorer/persona", "/explorer/nothing"])
def test_head_is_get_without_a_body(explorer, path):
    get, head = (getattr(explorer, method)(path, expect_errors=True) for method in ("get", "head"))
    assert (head.status, head.content_type, head.body) == (get.status, get.content_type, b"")


def test_errors_have_the_form_that_the_client_wants(explorer):
    path = "/explorer/nothing"
    assert explorer.get(path, headers=PAGE, status=404).content_type == "text/html"
    assert explorer.get(path, headers={"Accept": "*/*"}, status=404).content_type == "text/plain"
    assert explorer.get(path, headers={**PAGE, "Sec-Fetch-Mode": "cors"}, status=404).content_type == "text/plain"
    as_json = explorer.get(path, headers={"Accept": "application/json"}, status=404)
    assert as_json.json["error_message"]["faultstring"] == "Not Found"
    assert explorer.get("/explorer/%ff", headers=PAGE, status=400).content_type == "text/html"
    assert explorer.get("/explorer?search=%ff", headers=PAGE, status=400).content_type == "text/html"


def test_cookies_are_for_the_explorer_and_no_script(send, explorer):
    cookie = send().headers["Set-Cookie"]
    assert cookie.startswith("panko-persona=admin; Max-Age=2592000; Path=/explorer; ")
    assert cookie.endswith("; HttpOnly; SameSite=Lax")
    explorer.reset()
    assert explorer.get(URL).headers["Set-Cookie"].endswith("; Path=/explorer; HttpOnly; SameSite=Lax")


def test_cookies_are_secure_under_tls(load_app, filled_url):
    explorer = load_app(filled_url, config=PROXIED)
    tls = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "panko.example"}
    page = explorer.get(URL, headers=tls)
    cookie = page.headers["Set-Cookie"]
    assert cookie.startswith("__Secure-panko-csrf=")
    assert "; secure" in cookie
    sent = {**tls, **PAGE, "Cookie": cookie.partition(";")[0]}
    form = {"csrf": page.forms[0]["csrf"].value}
    answer = explorer.post(URL, form, headers={**sent, "Origin": "https://panko.example"}, status=303)
    assert answer.headers["Set-Cookie"].startswith("__Secure-panko-persona=admin; ")
    assert answer.headers["Location"] == "/explorer"
    for origin in ("http://panko.example", "https://localhost"):
        explorer.post(URL, form, headers={**sent, "Origin": origin}, status=403)
    # A page without TLS can set a cookie without the prefix.
    plain = sent["Cookie"].removeprefix("__Secure-")
    explorer.post(URL, form, headers={**sent, "Cookie": plain, "Origin": "https://panko.example"}, status=403)


def test_a_proxy_with_tls_whose_headers_are_not_read_works(send):
    answer = send(headers={"Origin": "https://localhost:443", "Host": "localhost", **PAGE}, next="/explorer/x")
    assert answer.headers["Location"] == "/explorer/x"


def test_a_form_in_a_browser(explorer):
    assert send_form(explorer.get(URL)).headers["Location"] == "/explorer"
