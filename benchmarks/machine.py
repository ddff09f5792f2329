# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""

import datetime
import os
import platform
import re
from pathlib import Path

from benchmarks.backends import Backend


def describe(backend: Backend, versions: dict[str, dict[str, str]]) -> list[str]:
    """Return lines that tell day, machine, what else it does, server and libraries.

    :param versions: versions of the libraries, by side
    """
    today = datetime.datetime.now(datetime.UTC).date()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    libraries = (
        f"{side}: " + ", ".join(f"{name} {v}" for name, v in found.items()) for side, found in versions.items()
    )
    return [
        f"{today}, {cores} cores of {_processor()}, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"load average {load:.1f} at the start",
        backend.version(),
        *libraries,
    ]


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    found = path.exists() and re.search(r"^model name\s*: (.*)$", path.read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
