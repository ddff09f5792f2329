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
    libraries = (
        f"{side}: " + ", ".join(f"{name} {v}" for name, v in found.items()) for side, found in versions.items()
    )
    return [describe_machine(), backend.version(), *libraries]


def describe_machine() -> str:
    """Return a line that tells day, machine, and what else it does."""
    today = datetime.datetime.now(datetime.UTC).date()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return (
        f"{today}, {cores} cores of {_processor()}, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"load average {os.getloadavg()[0]:.1f} at the start"
    )


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    found = path.exists() and re.search(r"^model name\s*: (.*)$", path.read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
