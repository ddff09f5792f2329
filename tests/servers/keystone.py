# SPDX-License-Identifier: Apache-2.0
"""A real Keystone with SQLite, fernet tokens, and users and projects with the roles of a cloud."""

import base64
import contextlib
import dataclasses
import http.client
import json
import os
import secrets
import signal
from pathlib import Path
from typing import Any

from tests.servers import environments
from tests.servers.daemon import Daemon
from tests.servers.identities import REGION, Identities

PROJECTS = {
    "demo": {"alice": "member", "bob": "member", "carol": "reader", "boss": "admin"},
    "other": {"dave": "member"},
    "service": {"panko": "service", "nova": "service"},
}
"""The roles of users in each project; Panko itself authenticates as panko, nova is another service."""

SYSTEM = {"auditor": ["reader"], "operator": ["admin"], "clerk": ["service"], "nova": ["reader", "service"]}
"""The roles of users in the whole system. A role implies the ones below it: admin, manager, member, reader."""

DOMAIN = {"landlord": "admin"}
"""The roles of users in the domain Default."""

_CONFIG = """
[DEFAULT]
log_dir =
[database]
connection = sqlite:///{data}/keystone.sqlite
[token]
provider = fernet
[fernet_tokens]
key_repository = {data}/fernet-keys
[fernet_receipts]
key_repository = {data}/receipt-keys
[credential]
key_repository = {data}/credential-keys
[identity]
# The fewest that there may be: tests need no protection from those who guess passwords for years.
password_hash_rounds = 4
"""

_SERVER = """
wsgi_app = "keystone.wsgi.api:application"
bind = "127.0.0.1:{port}"
workers = 1
# One request at a time, as two that both write make SQLite refuse one: "database is locked". Keystone answers 500 then.
worker_class = "gthread"
threads = 1
raw_env = ["OS_KEYSTONE_CONFIG_FILES={config}"]
"""

# Use Keystone as a library in another process: it answers one request, and prints the status and token of the answer.
_ASK_FOR_ONE_TOKEN = """
import sys
address, body = sys.argv.pop(), sys.argv.pop()
from keystone.wsgi.api import application
from webob import Request
request = Request.blank("/v3/auth/tokens", method="POST", content_type="application/json", body=body.encode())
request.environ["REMOTE_ADDR"] = address
answer = request.get_response(application)
print(answer.status_int, answer.headers.get("X-Subject-Token", ""))
"""

_SERVICE_SECTION = """[keystone_authtoken]
www_authenticate_uri = {keystone.url}
auth_url = {keystone.url}
auth_type = password
username = panko
password = {keystone.password}
project_name = service
user_domain_name = Default
project_domain_name = Default
service_token_roles = service
service_token_roles_required = true
"""


@dataclasses.dataclass
class Keystone(Daemon, Identities):
    """A Keystone whose users all have the password ``password``.

    :param populate: whether to create the users and projects above and a service "event"; if not, it is as after the
        bootstrap
    """

    password: str = dataclasses.field(default_factory=lambda: secrets.token_hex(12))
    populate: bool = True

    kind = "keystone"
    stop_signal = signal.SIGTERM
    quit_signal = signal.SIGQUIT

    def find_programs(self) -> None:
        """Create the virtual environment of Keystone.

        :raises ServerMissing: if that fails
        """
        self._programs = environments.KEYSTONE.make()

    def account(self) -> dict[str, Any]:
        """Return nothing: the user of the tests can read the checkout, and Keystone asks for passwords."""
        return {}

    @property
    def url(self) -> str:
        """The address without a version, as in ``auth_url``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def service_section(self) -> str:
        """The beginning of the section [keystone_authtoken] of a service that uses this Keystone."""
        return _SERVICE_SECTION.format(keystone=self)

    def initialise(self) -> None:
        """Create the configuration, the tables and the keys."""
        for name in ("fernet-keys", "receipt-keys", "credential-keys"):
            keys = self.path("data", name)
            keys.mkdir(mode=0o700)
            # The same as fernet_setup and credential_setup, which take more than a second each.
            for number in range(2):
                (keys / str(number)).write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
        self._config_file.write_text(_CONFIG.format(data=self.path("data")))
        self._manage("db_sync")

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground, logging to standard error."""
        # Keystone reads the command line of its server process, so the server is a file without arguments.
        settings = _SERVER.format(port=self.port, config=self._config_file)
        self.path("gunicorn.conf.py").write_text(settings)
        return [str(self._programs / "gunicorn")]

    def answers(self) -> bool:
        """Return whether the running server is ready."""
        try:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
                connection.request("GET", "/v3")
                return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def prepare(self) -> None:
        """Bootstrap Keystone, and create users and projects."""
        options = {
            "password": self.password,
            "region-id": REGION,
            **{f"{interface}-url": f"{self.url}/v3" for interface in ("public", "internal", "admin")},
        }
        self._manage("bootstrap", *(f"--bootstrap-{name}={value}" for name, value in options.items()))
        if not self.populate:
            return
        for project, roles in PROJECTS.items():
            self.create_project(project)
            for user, role in roles.items():
                self.grant(role, user, project=project)
        for user, names in SYSTEM.items():
            for role in names:
                self.grant(role, user, system_scope="all")
        for user, role in DOMAIN.items():
            self.grant(role, user, domain="default")
        self.create("service", type="event", name="panko")

    @property
    def _config_file(self) -> Path:
        return self.path("keystone.conf")

    def _manage(self, *arguments: str) -> None:
        self.run([str(self._programs / "keystone-manage"), f"--config-file={self._config_file}", *arguments])

    def short_token(self, user: str, project: str, seconds: int = 1) -> str:
        """Return a token that expires after some seconds, as if Keystone were configured so."""
        options = f"[token]\nexpiration = {seconds}\n"
        return self.log_in(user, project, self.password, options).partition(" ")[2]

    def log_in(self, user: str, project: str, password: str, options: str, address: str = "127.0.0.1") -> str:
        """Return the status and the token of an answer, as if Keystone were configured with further options.

        :param address: address of the client
        """
        config = self.path(f"options-{secrets.token_hex(4)}.conf")
        config.write_text(options)
        who = {"name": user, "domain": {"id": "default"}, "password": password}
        body = {
            "identity": {"methods": ["password"], "password": {"user": who}},
            "scope": {"project": {"name": project, "domain": {"id": "default"}}},
        }
        arguments = [json.dumps({"auth": body}), address]
        python = [str(self._programs / "python"), "-W", "ignore", "-c", _ASK_FOR_ONE_TOKEN, *arguments]
        files = f"OS_KEYSTONE_CONFIG_FILES={self._config_file};{config}"
        return self.run(["env", files, *python]).splitlines()[-1]
