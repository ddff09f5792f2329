# SPDX-License-Identifier: Apache-2.0
"""A server of Panko 10.0, run by its own Python: ``python panko_10.py URL PORT PASTE_FILE [EVENTS]``.

URL is that of its database, and EVENTS is a file of events in the form of the conformance events, which are stored
first. It trusts the identity in the headers of a request, as its pipeline ``panko+noauth`` does. With the port 0, it
ends when the events are stored.
"""

import datetime
import json
import socketserver
import sys
from wsgiref import simple_server

# All of these are Panko 10.0 here.
from panko import service, storage
from panko.api import app
from panko.storage import models


class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    """Answers requests in threads."""

    daemon_threads = True


def read_event(form):
    traits = [
        models.Trait(name, dtype, datetime.datetime.fromisoformat(value) if dtype == 4 else value)
        for name, dtype, value in form["traits"]
    ]
    generated = datetime.datetime.fromisoformat(form["generated"])
    return models.Event(form["message_id"], form["event_type"], generated, traits, form["raw"])


def main(url, port, paste_file, events=None):
    conf = service.prepare_service(argv=["panko"], config_files=[])
    conf.set_override("connection", url, group="database")
    conf.set_override("api_paste_config", paste_file)
    if events:
        connection = storage.get_connection_from_config(conf)
        connection.upgrade()
        with open(events) as file:
            connection.record_events([read_event(form) for form in json.load(file)])
    if port == "0":
        return
    application = app.load_app(conf, appname="panko+noauth")
    simple_server.make_server("127.0.0.1", int(port), application, Server).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
