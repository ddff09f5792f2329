# SPDX-License-Identifier: Apache-2.0
"""The process in which one side is measured: it reads commands and writes answers as lines of JSON.

A command is ``{"do": name, ...}`` with the arguments of the function of that name. Each answer is written
at once, so that the measurements of a command that never ends are known; the last is ``{"done": true}``, or
``{"failed": reason}``.
"""

import json
import os
import sys

from benchmarks.worker import aggregates, expiry, feed, posting, reads, requests, setup, writes
from benchmarks.worker.session import Session

COMMANDS = {
    function.__name__: function
    for function in (
        setup.connect,
        setup.upgrade,
        setup.fill,
        setup.sample,
        setup.versions,
        reads.read,
        reads.read_on,
        requests.request,
        aggregates.count,
        aggregates.values,
        writes.record,
        writes.publish,
        posting.post,
        writes.write_on,
        expiry.expire,
        expiry.drop,
        feed.read_feed,
        feed.write_timed,
        feed.follow,
    )
}


def main() -> None:
    """Run commands until the end of the input."""
    # Output of libraries must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    session = Session()

    def answer(**fields: object) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    for line in sys.stdin:
        command = json.loads(line)
        try:
            for fields in COMMANDS[command.pop("do")](session, **command) or ():
                answer(**fields)
        except Exception as error:
            answer(failed=f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}")
        else:
            answer(done=True)


if __name__ == "__main__":
    main()
