# SPDX-License-Identifier: Apache-2.0
"""A side of the comparison: the process in which its panko is measured, and what that process said."""

import json
import os
import re
import selectors
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MIN_CALLS = 100
"""Calls from which a 99th percentile is reported."""

TIMEOUT = 60
"""Seconds that a command may take where nothing else is said."""


@dataclass
class Outcome:
    """What a command brought."""

    samples: list[float] = field(default_factory=list)
    """Seconds that each repetition took."""
    fields: dict[str, Any] = field(default_factory=dict)
    """What else was answered, by name; of several values the last."""
    failed: str | None = None
    timeout: float | None = None
    """Seconds after which it was given up."""

    @property
    def median(self) -> float | None:
        """Seconds in the middle, without the first one, which warms up, where there are enough."""
        samples = self.samples[1:] if len(self.samples) > 2 else self.samples
        return statistics.median(samples) if samples else None

    @property
    def calls(self) -> list[float]:
        """Seconds of each call: a sample is one, but where a sample is made of many."""
        return self.fields.get("calls") or self.samples

    @property
    def p99(self) -> float | None:
        """Seconds that 99 of 100 calls take at most; None if there are too few calls to say."""
        return statistics.quantiles(self.calls, n=100)[-1] if len(self.calls) >= MIN_CALLS else None

    def add(self, fields: dict) -> None:
        """Add an answer of the process."""
        if "sample" in fields:
            self.samples.append(fields["sample"])
        self.fields.update(fields)

    def join(self, other: "Outcome") -> None:
        """Add what a repetition of the command brought."""
        self.samples += other.samples
        peak = max(self.fields.get("peak", 0), other.fields.get("peak", 0))
        calls = self.fields.get("calls", []) + other.fields.get("calls", [])
        self.fields.update(other.fields, peak=peak, calls=calls)
        self.failed = self.failed or other.failed
        self.timeout = self.timeout or other.timeout


class Side:
    """A process that measures one side's panko; it is started when it is first asked, and after it was killed.

    :param name: "theirs" or "ours"
    :param python: interpreter that has the side's panko
    :param environment: what the process is told by variables
    """

    def __init__(self, name: str, python: Path, environment: dict[str, str]):
        self.name = name
        self.python = python
        self._environment = environment
        self._process: subprocess.Popen | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="panko-bench-side-")
        # The package is found there and not in the work tree, whose panko the other side must not see.
        Path(self._directory.name, "benchmarks").symlink_to(ROOT / "benchmarks")

    def __enter__(self):
        return self

    def __exit__(self, *_: object):
        self.end()
        self._directory.cleanup()

    def run(self, timeout: float = TIMEOUT, **command: Any) -> Outcome:
        """Carry out a command of the worker; past the timeout in seconds the process is killed."""
        outcome = Outcome()
        for fields in self.follow(timeout, **command):
            outcome.add(fields)
        outcome.failed = outcome.fields.pop("failed", None)
        outcome.timeout = outcome.fields.pop("timeout", None)
        return outcome

    def follow(self, timeout: float, **command: Any) -> Iterator[dict]:
        """Yield the answers to a command as they come; the last may be ``{"failed"}`` or ``{"timeout"}``."""
        deadline = time.monotonic() + timeout
        self.tell(**command)
        while True:
            line = self._read_line(deadline)
            if line is None:
                yield {"timeout": timeout, "peak": self.peak_memory()}
                self.end()
                return
            if not line:
                code = self._process.wait()
                self.end()
                yield {"failed": f"its process ended with {code}: see {self._log}"}
                return
            fields = json.loads(line)
            if "done" in fields:
                return
            yield fields
            if "failed" in fields:
                return

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    def tell(self, **command: Any) -> None:
        """Send a command, or an empty one, which ends one that goes on until then."""
        if self._process is None:
            self._start()
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()

    def peak_memory(self) -> int:
        """Return the most memory in bytes that the running process has held at once."""
        status = Path("/proc", str(self._process.pid), "status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def end(self) -> None:
        """Kill the process, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None

    @property
    def _log(self) -> Path:
        return Path(tempfile.gettempdir(), f"panko-bench-{self.name}.log")

    def _start(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [self.python, "-P", "-W", "ignore", "-m", "benchmarks.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._directory.name,
                env={**os.environ, "PYTHONPATH": self._directory.name, **self._environment},
            )
        self._pending = b""

    def _read_line(self, deadline: float) -> bytes | None:
        """Return the next line; None at the deadline, and b"" where the process has ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return None
                piece = os.read(self._process.stdout.fileno(), 1 << 16)
                if not piece:
                    return b""
                self._pending += piece
        line, _, self._pending = self._pending.partition(b"\n")
        return line
