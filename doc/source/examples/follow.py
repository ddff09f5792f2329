"""Print each event of the cloud once, across restarts of this program."""

import json
import pathlib

import openstack
from keystoneauth1 import exceptions

CURSOR_FILE = pathlib.Path("cursor.txt")
WAIT_SECONDS = 30


def read(connection, arguments):
    """Return the next page of the feed; wait for an event if there is none."""
    response = connection.session.get(
        "/v2/event_feed",
        endpoint_filter={"service_type": "event"},
        params={"wait": WAIT_SECONDS, **arguments},
        timeout=WAIT_SECONDS + 30,
        connect_retries=10,
        status_code_retries=10,
        retriable_status_codes=[502, 503, 504],
    )
    return response.json()


def follow(connection, handle):
    """Call a function with each event."""
    arguments = {"cursor": CURSOR_FILE.read_text()} if CURSOR_FILE.exists() else {}
    while True:
        try:
            page = read(connection, arguments)
        except exceptions.Gone as error:
            print("Some events were deleted before they were read.")
            arguments = {"cursor": error.response.json()["oldest"]}
            continue
        for event in page["events"]:
            handle(event)
        CURSOR_FILE.write_text(page["cursor"])
        arguments = {"cursor": page["cursor"]}


if __name__ == "__main__":
    follow(openstack.connect(), lambda event: print(json.dumps(event)))
