# SPDX-License-Identifier: Apache-2.0
"""The process in which one side is measured: it reads commands and writes answers, a line of JSON each.

A command is ``{"do": name, ...}`` with the arguments of the function of that name. Each of its answers is written as
it comes, so that what was measured is known even of a command that never ends; the last is ``{"done": true}``, or
``{"failed": reason}``.
"""

import json
import os
import sys

from benchmarks.worker import expiry, posting, reads, requests, setup, summaries, writes
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
        summaries.count,
        summaries.values,
        writes.record,
        writes.publish,
        posting.post,
        writes.write_on,
        expiry.expire,
    )
}


def main() -> None:
    """Carry out commands until the input ends."""
    # What libraries print must not get between the answers.
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
