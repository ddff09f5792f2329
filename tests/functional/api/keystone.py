# SPDX-License-Identifier: Apache-2.0
"""A fake Keystone with the tokens that a test adds, and the part of the API that keystonemiddleware uses."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

EXPIRES = "2999-01-01T00:00:00.000000Z"
SERVICE_TOKEN = "service"
POLL_SECONDS = 0.01
"""Seconds between checks whether the service should stop; the default of 0.5 would delay each test."""

DOMAIN = {"id": "default", "name": "Default"}


class Keystone(http.server.ThreadingHTTPServer):
    """An identity service on a free port at ``url``."""

    daemon_threads = True

    def __init__(self, port: int = 0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.tokens: dict[str, dict[str, Any]] = {}
        self.validations = 0
        self.credentials: dict[tuple[str, str], list[str]] = {}
        """The next tokens for each application credential (id and secret)."""
        self.trades = 0
        self.add(SERVICE_TOKEN, user_id="panko", project_id="service", roles=["service"])

    def add(
        self,
        token: str,
        user_id: str,
        roles: list[str],
        project_id: str | None = None,
        system: bool = False,
        domain: bool = False,
    ) -> dict[str, str]:
        """Add a valid token, and return the headers of a request with it."""
        self.tokens[token] = {
            "user": {"id": user_id, "name": user_id, "domain": DOMAIN},
            "roles": [{"id": role, "name": role} for role in roles],
            "methods": ["password"],
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "expires_at": EXPIRES,
            **({"project": {"id": project_id, "name": project_id, "domain": DOMAIN}} if project_id else {}),
            **({"system": {"all": True}} if system else {}),
            **({"domain": DOMAIN} if domain else {}),
        }
        return {"X-Auth-Token": token}

    def config(self) -> str:
        """Return the section of a configuration file for a service that uses this Keystone."""
        return (
            f"[keystone_authtoken]\nauth_type = password\nauth_url = {self.url}\nwww_authenticate_uri = {self.url}\n"
            "username = panko\npassword = secret\nproject_name = service\n"
            "user_domain_id = default\nproject_domain_id = default\nservice_token_roles = service\n"
            "service_token_roles_required = true\nhttp_request_max_retries = 0\n"
        )


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Keystone

    def do_GET(self):
        if self.path.startswith("/v3/auth/tokens"):
            self.server.validations += 1
            self._answer_token(self.headers["X-Subject-Token"], 200)
        else:
            link = {"href": f"{self.server.url}/v3/", "rel": "self"}
            version = {"id": "v3.14", "status": "stable", "links": [link], "updated": "2020-01-01T00:00:00Z"}
            versions = {"version": version} if self.path.startswith("/v3") else {"versions": {"values": [version]}}
            self._answer(versions, 200 if self.path.startswith("/v3") else 300)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["auth"]["identity"]
        credential = asked.get("application_credential")
        if credential is None:
            self._answer_token(SERVICE_TOKEN, 201)
            return
        self.server.trades += 1
        tokens = self.server.credentials.get((credential["id"], credential["secret"]))
        if tokens:
            self._answer_token(tokens.pop(0), 201)
        else:
            self._answer({"error": {"code": 401, "message": "no"}}, 401)

    def _answer_token(self, token, status):
        known = self.server.tokens.get(token)
        if known is None:
            self._answer({"error": {"code": 404, "message": "no such token"}}, 404)
            return
        address = {"url": f"{self.server.url}/v3", "region": "r"}
        links = [{"interface": name, **address} for name in ("public", "internal", "admin")]
        catalog = [{"type": "identity", "name": "keystone", "id": "k", "endpoints": links}]
        self._answer({"token": {**known, "catalog": catalog}}, status, {"X-Subject-Token": token})

    def _answer(self, body, status, headers=None):
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        """Log nothing."""


@contextmanager
def running_keystone(port: int = 0) -> Iterator[Keystone]:
    """Run a Keystone, on a free port by default."""
    keystone = Keystone(port)
    thread = threading.Thread(target=keystone.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield keystone
    finally:
        keystone.shutdown()
        keystone.server_close()
        thread.join()
