# SPDX-License-Identifier: Apache-2.0
"""A small application on the server of panko-api; run it with ``python -m`` and a port and a directory as arguments."""

import gc
import json
import logging
import os
import sys
import time
from pathlib import Path

from panko.wsgi.server import Server, ServerSettings

CLIENT_TIMEOUT = 1
LARGE = 64 * 1024 * 1024


def application(environ, start_response):
    """Answer as the path says: in part, slowly, at length, not at all, or with facts of the process."""
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise RuntimeError("secret reason")
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Openstack-Request-Id", "req-42")])
    if path == "/broken":
        return failing_response()
    if path == "/pieces":
        return iter((b"[1,", b"2]"))
    if path == "/slow":
        time.sleep(2)
    if path == "/large":
        return [b"x" * LARGE]
    if path == "/late":
        time.sleep(2 * CLIENT_TIMEOUT + 2)
        return Closing()
    if "environ" in path:
        told = {name: value for name, value in environ.items() if isinstance(value, str)}
        return [json.dumps({**told, "body": environ["wsgi.input"].read().decode("latin-1")}).encode()]
    if path == "/garbage":
        return [json.dumps([gc.get_threshold()[0], gc.get_freeze_count()]).encode()]
    return [str(os.getpid()).encode()]


class Closing:
    """A response body that logs when it is closed; its iterator is another object."""

    def __iter__(self):
        yield b"late"

    def close(self):
        """Log the call."""
        logging.getLogger("demo").info("the answer is closed")


def failing_response():
    """Yield the beginning of a response, and fail."""
    yield b"[1,"
    yield b"2,"
    raise RuntimeError("the database went away")


def main() -> None:
    """Serve until a signal to stop; while the directory has a file ``broken``, no worker can start."""
    port, directory = int(sys.argv[1]), Path(sys.argv[2])

    def make_application():
        if (directory / "broken").exists():
            raise RuntimeError("broken")
        return application

    logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    host = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
    client_timeout = int(sys.argv[4]) if len(sys.argv) > 4 else CLIENT_TIMEOUT
    settings = ServerSettings(host, port, 1, 4, graceful_timeout=10, client_timeout=client_timeout)
    Server(make_application, settings).run()


if __name__ == "__main__":
    main()
