# SPDX-License-Identifier: Apache-2.0
"""The application on the sample events at their own times, in a database that lasts as long as a directory."""

import json
import urllib.parse
from pathlib import Path
from typing import Any

import webob

from doc.dashboards import Send
from panko import service
from panko.api import app
from panko.ingest.importer import line_events, read_lines
from panko.storage import get_connection

SAMPLE = Path(__file__).parents[1] / "etc/panko/sample-events.jsonl"
ADMIN = {"X-User-Id": "admin", "X-Project-Id": "admin", "X-Roles": "admin"}


def serve_sample(directory: Path) -> Send:
    """Return a function that sends requests to the application on the sample events, for an administrator."""
    config = directory / "panko.conf"
    config.write_text(f"[database]\nconnection = sqlite:///{directory}/panko.sqlite\n")
    conf = service.prepare_service([], config_files=[str(config)], share=True)
    connection = get_connection(conf.database.connection, conf)
    connection.upgrade()
    with SAMPLE.open("rb") as lines:
        connection.record_events([event for line in read_lines(SAMPLE.name, lines) for event in line_events(line)])
    connection.close()
    application = app.load_app(conf, "panko+noauth")

    def send(method: str, path: str, content: Any) -> Any:
        query = f"?{urllib.parse.urlencode(content)}" if method == "GET" else ""
        body = {} if method == "GET" else {"body": json.dumps(content).encode(), "content_type": "application/json"}
        response = webob.Request.blank(f"{path}{query}", method=method, headers=ADMIN, **body).get_response(application)
        if response.status_int != 200:
            raise SystemExit(f"{path}: {response.status}: {response.text}")
        return response.json

    return send
