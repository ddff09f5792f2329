# SPDX-License-Identifier: Apache-2.0
"""A silent or very slow Keystone delays a request by the timeout and no longer."""

import base64
import contextlib
import socket
import threading
from concurrent.futures import Future

import pytest

from panko import service
from panko.api.keystone import DEFAULT_TIMEOUT_SECONDS, GROUP, register_options
from tests.functional.api.conftest import fill, load_app, write_config  # noqa: F401
from tests.functional.api.keystone import running_keystone
from tests.functional.api.test_keystone import KEYSTONE_APP, OLD_PASTE
from tests.functional.explorer.conftest import send_form

pytestmark = pytest.mark.slow

END_SECONDS = 60
"""Seconds until a test fails; the timeout that it sets is one second."""

TOKEN = {"X-Auth-Token": "junk"}
BASIC = {"Authorization": f"Basic {base64.b64encode(b'id:secret').decode()}"}


def silence(connection, stop):
    stop.wait()


def drip(connection, stop):
    """Answer forever, byte by byte, each within the timeout of a read."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while not stop.wait(0.1):
        connection.sendall(b"x")


@contextlib.contextmanager
def answering(behave):
    """Run a server that handles every connection with a function, and yield its URL."""
    stop = threading.Event()

    def treat(connection):
        with connection, contextlib.suppress(OSError):
            behave(connection, stop)

    def accept(listener):
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                threading.Thread(target=treat, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=accept, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()


@pytest.fixture(params=[silence, drip], ids=lambda behave: behave.__name__)
def url(request):
    with answering(request.param) as url:
        yield url


def in_time(call, *args, **kwargs):
    """Return the result of a call; fail if it takes too long."""
    outcome = Future()

    def work():
        try:
            outcome.set_result(call(*args, **kwargs))
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return outcome.result(END_SECONDS)


def config(url, retries=3, **more):
    with running_keystone() as keystone:
        text = keystone.config().replace(keystone.url, url).replace("max_retries = 0", f"max_retries = {retries}")
    return text + "".join(f"{name} = {value}\n" for name, value in {"http_connect_timeout": 1, **more}.items())


@pytest.mark.parametrize("headers", [TOKEN, {**TOKEN, "X-Service-Token": "junk"}, BASIC], ids=["token", "two", "basic"])
def test_client_is_asked_to_retry_later(load_app, url, headers):  # noqa: F811
    api = load_app("log://", name=KEYSTONE_APP, config=config(url))
    answers = [in_time(api.get, "/v2/events", headers=headers, status=503) for _ in range(2)]
    for answer in answers:
        assert answer.headers["Retry-After"]
        assert answer.json["error_message"]["faultcode"] == "Server"
        assert url not in answer.text
    in_time(api.get, "/", status=200)


def test_request_without_a_token_is_unauthorized(load_app, url):  # noqa: F811
    """The address in the refusal comes from Keystone unless it is configured."""
    text = config(url).replace(f"www_authenticate_uri = {url}\n", "")
    api = load_app("log://", name=KEYSTONE_APP, config=text)
    for _ in range(2):
        assert in_time(api.get, "/v2/events", status=401).headers["WWW-Authenticate"]


def test_many_requests_time_out_together(load_app, url):  # noqa: F811
    api = load_app("log://", name=KEYSTONE_APP, config=config(url))
    outcomes = [Future() for _ in range(20)]

    def ask(outcome):
        outcome.set_result(api.get("/v2/events", headers=TOKEN, expect_errors=True).status_int)

    for outcome in outcomes:
        threading.Thread(target=ask, args=(outcome,), daemon=True).start()
    assert [outcome.result(END_SECONDS) for outcome in outcomes] == [503] * 20


def test_paste_file_of_panko_10_has_the_timeout_too(load_app):  # noqa: F811
    """It uses the filter of keystonemiddleware, which has a timeout for each read but no deadline."""
    with answering(silence) as url:
        text = config(url, retries=0, auth_version="v3")
        api = load_app("log://", name=KEYSTONE_APP, config=text, paste=OLD_PASTE)
        assert in_time(api.get, "/v2/events", headers=TOKEN, status=503).headers["Retry-After"]


def test_sign_in_and_sign_out_end(load_app, url, sqlite_url):  # noqa: F811
    fill(sqlite_url)
    browser = load_app(sqlite_url, name=KEYSTONE_APP, config=f"{config(url)}[explorer]\nenabled = true\n")
    page = browser.get("/explorer/sign-in")
    forms = ({"user": "u", "password": "p", "project": "x"}, {"credential": "c", "secret": "s"}, {"token": "junk"})
    for number, fields in enumerate(forms):
        answer = in_time(send_form, page, number, 503, **fields)
        assert "Keystone is not available" in answer
        assert url not in answer
    cookies = "; ".join(f"{name}={value}" for name, value in {**browser.cookies, "panko-token": "junk"}.items())
    headers = {"Cookie": cookies, "Origin": "http://localhost"}
    answer = in_time(browser.get, "/explorer", headers=headers, status=503)
    assert "The identity service is not available" in answer
    form = {"csrf": page.forms[0]["csrf"].value}
    answer = in_time(browser.post, "/explorer/sign-out", form, headers=headers, status=303)
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


def test_panko_starts_while_keystone_is_silent(load_app, url):  # noqa: F811
    api = in_time(load_app, "log://", name=KEYSTONE_APP, config=config(url))
    in_time(api.get, "/healthcheck", status=200)


def test_tokens_are_validated_once_keystone_answers_again(load_app):  # noqa: F811
    with answering(silence) as url:
        api = load_app("log://", name=KEYSTONE_APP, config=config(url))
        in_time(api.get, "/v2/capabilities", headers=TOKEN, status=503)
    with running_keystone(int(url.rpartition(":")[2])) as keystone:
        user = keystone.add("junk", "u", ["member"], "p")
        assert in_time(api.get, "/v2/capabilities", headers=user, status=200)


@pytest.mark.parametrize(("lines", "seconds"), [("", DEFAULT_TIMEOUT_SECONDS), ("http_connect_timeout = 3\n", 3)])
def test_default_timeout_is_ten_seconds(tmp_path, lines, seconds):
    path = write_config(tmp_path, "log://", f"[{GROUP}]\n{lines}")
    conf = service.prepare_service([], config_files=[str(path)], share=True)
    register_options(conf)
    assert conf[GROUP].http_connect_timeout == seconds
    assert DEFAULT_TIMEOUT_SECONDS == 10
