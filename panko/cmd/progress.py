# SPDX-License-Identifier: Apache-2.0
"""Progress bars of the commands, and lines above them; on a terminal only."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import tqdm


@contextlib.contextmanager
def progress_bar(verb: str, unit: str = " events", **options: Any) -> Iterator[tqdm.tqdm]:
    """Show a progress bar on stderr, if that is a terminal. However the context ends, the line of the bar is ended.

    :param verb: what was done to the number that it shows
    :param unit: what it counts
    :param options: others of tqdm
    :returns: the bar, to be updated
    """
    # The delay keeps the constructor from drawing the bar: nothing would end its line after Ctrl-C in the constructor.
    with tqdm.tqdm(desc=verb, unit=unit, disable=None, delay=sys.float_info.min, **options) as bar:
        bar.refresh()
        yield bar


def report(text: str) -> None:
    """Print a line on stderr, above the progress bar if there is one."""
    tqdm.tqdm.write(text, file=sys.stderr)
