"""Print each event once, across restarts of this program."""

import json
import pathlib
import sys
import time

import openstack

CURSOR_FILE = pathlib.Path("cursor.txt")
NEW_FILE = pathlib.Path("cursor.new")
WAIT_SECONDS = 30


def read(service, cursor):
    """Return the events after a cursor, and the cursor to continue with. If there are none, wait for some."""
    response = service.get(
        "/event_feed",
        params={"cursor": cursor, "wait": WAIT_SECONDS},
        timeout=WAIT_SECONDS + 30,
        connect_retries=10,
        status_code_retries=10,
        retriable_status_codes=[502, 503, 504],
    )
    if response.status_code == 410:
        print("Some events were deleted before they were read.", file=sys.stderr)
        return [], response.json()["oldest"]
    openstack.exceptions.raise_from_response(response)
    time.sleep(int(response.headers.get("Retry-After", 0)))
    page = response.json()
    return page["events"], page["cursor"]


def follow(service, handle):
    """Call a function with each event, from the oldest one on, or where this program has stopped before."""
    cursor = CURSOR_FILE.read_text() if CURSOR_FILE.exists() else "begin"
    while True:
        events, cursor = read(service, cursor)
        for event in events:
            handle(event)
        NEW_FILE.write_text(cursor)
        NEW_FILE.replace(CURSOR_FILE)


if __name__ == "__main__":
    follow(openstack.connect().event, lambda event: print(json.dumps(event), flush=True))
