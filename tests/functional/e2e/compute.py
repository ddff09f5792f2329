# SPDX-License-Identifier: Apache-2.0
"""A small compute service with the filters of a real one: request id, authtoken and audit; it notifies as Nova does."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

import webob
import webob.dec
import webob.exc
from oslo_config import cfg
from oslo_context.context import RequestContext
from paste import deploy

from tests.functional.cmd.processes import RunningServer, free_port, serving
from tests.functional.e2e.agent import instance

PASTE = """
[app:compute]
paste.app_factory = tests.functional.e2e.compute:make_app
[filter:request_id]
paste.filter_factory = oslo_middleware:RequestId.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
[pipeline:main]
pipeline = request_id authtoken audit compute
"""
"""The paste file without the audit filter, which follows authtoken as in Nova's api-paste.ini."""

SERVERS = "/v2.1/servers"


def make_app(global_conf: dict[str, str]) -> "Compute":
    """Return the application; paste calls this."""
    return Compute()


class Compute:
    """Servers that members of a project create and delete; administrators may delete those of all projects."""

    def __init__(self) -> None:
        # In the process of the tests, the import would raise a warning.
        import oslo_messaging

        transport = oslo_messaging.get_notification_transport(cfg.CONF)
        self._notifier = oslo_messaging.Notifier(transport, "compute.host-1")
        self._owners: dict[str, dict[str, str]] = {}

    @webob.dec.wsgify
    def __call__(self, request: webob.Request) -> Any:
        """Answer a request."""
        roles = request.headers["X-Roles"].split(",")
        path, _, server_id = request.path.removesuffix("/").partition(f"{SERVERS}/")
        if request.method == "POST" and path == SERVERS:
            self._require("member" in roles)
            owner = {"user_id": request.headers["X-User-Id"], "project_id": request.headers["X-Project-Id"]}
            made = instance(**owner)
            self._owners[made["instance_id"]] = owner
            self._notify(request, "create", made)
            return webob.Response(json={"server": {"id": made["instance_id"]}}, status=202)
        if request.method == "POST":  # An action, such as a reboot.
            return webob.Response(status=202)
        if request.method == "DELETE":
            owner = self._owners.get(server_id)
            if owner is None or (owner["project_id"] != request.headers["X-Project-Id"] and "admin" not in roles):
                raise webob.exc.HTTPNotFound
            self._require("member" in roles)
            self._notify(request, "delete", instance(**owner, instance_id=server_id))
            return webob.Response(status=204)
        return webob.Response(json={"servers": []})

    def _require(self, condition: bool) -> None:
        if not condition:
            raise webob.exc.HTTPForbidden

    def _notify(self, request: webob.Request, action: str, payload: dict[str, Any]) -> None:
        context = RequestContext.from_environ(request.environ)
        self._notifier.info(context, f"compute.instance.{action}.end", payload)


@contextlib.contextmanager
def running_compute(directory: Path, paste: str, options: str) -> Iterator[RunningServer]:
    """Run the service, and stop it after the block.

    :param paste: the audit filter's section of its paste file
    :param options: its configuration
    """
    (directory / "api-paste.ini").write_text(PASTE + paste)
    (directory / "nova.conf").write_text(options)
    port = free_port()
    command = [sys.executable, "-m", __name__, directory / "nova.conf", directory / "api-paste.ini", str(port)]
    with serving(command, port, directory / "compute.log") as server:
        yield server


def main(config_file: str, paste_file: str, port: str) -> None:
    """Serve until the process ends."""
    cfg.CONF([], project="nova", default_config_files=[config_file])
    make_server("127.0.0.1", int(port), deploy.loadapp(f"config:{paste_file}")).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
