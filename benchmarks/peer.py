# SPDX-License-Identifier: Apache-2.0
"""Panko 10.0 in a virtual environment of its own."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.progress import say

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "peer-requirements.txt"
PASTE_FILE = HERE / "peer-paste.ini"
"""The pipeline of the old service, since its wheel on PyPI has none."""

PYTHON = "python3.11"
"""The newest Python that its libraries support."""


def environment(directory: Path) -> Path:
    """Return the Python of an environment with Panko 10.0, which is made if it does not exist yet.

    :param directory: directory of the environment
    """
    python = directory / "bin" / "python"
    stamp = directory / "made-of"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    say(f"installing Panko 10.0 into {directory}")
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run([_interpreter(), "-m", "venv", directory], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--requirement", REQUIREMENTS], check=True)
    stamp.write_text(wanted)
    return python


def _interpreter() -> str:
    if sys.version_info[:2] == (3, 11):
        return sys.executable
    found = shutil.which(PYTHON)
    if found is None:
        raise SystemExit(f"Panko 10.0 runs on Python 3.11, and there is no {PYTHON}; --ours-only does without it")
    return found
