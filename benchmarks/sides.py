# SPDX-License-Identifier: Apache-2.0
"""A side of the comparison: the process in which its panko is measured, and its answers."""

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
"""Minimum number of calls for a 99th percentile."""

DEFAULT_TIMEOUT_SECONDS = 60


@dataclass
class Outcome:
    """The result of a command."""

    samples: list[float] = field(default_factory=list)
    """Seconds of each repetition."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Other members of the answers, by name; the last value of each."""
    failed: str | None = None
    timeout: float | None = None
    """The timeout in seconds, if it was reached."""

    @property
    def median(self) -> float | None:
        """Median of the samples, without the first one, which warms up, if there are enough."""
        samples = self.samples[1:] if len(self.samples) > 2 else self.samples
        return statistics.median(samples) if samples else None

    @property
    def calls(self) -> list[float]:
        """Seconds of each call: the samples, unless a sample has many calls."""
        return self.fields.get("calls") or self.samples

    @property
    def p99(self) -> float | None:
        """The 99th percentile of the calls in seconds; None if there are too few calls."""
        return self.percentile(99) if len(self.calls) >= MIN_CALLS else None

    def percentile(self, percent: int) -> float:
        """Return a percentile of the calls in seconds; there must be two calls or more."""
        return statistics.quantiles(self.calls, n=100)[percent - 1]

    def add(self, fields: dict) -> None:
        """Add an answer of the process."""
        if "sample" in fields:
            self.samples.append(fields["sample"])
        self.fields.update(fields)

    def join(self, other: "Outcome") -> None:
        """Add the result of another run of the command."""
        self.samples += other.samples
        peak = max(self.fields.get("peak", 0), other.fields.get("peak", 0))
        calls = self.fields.get("calls", []) + other.fields.get("calls", [])
        self.fields.update(other.fields, peak=peak, calls=calls)
        self.failed = self.failed or other.failed
        self.timeout = self.timeout or other.timeout


class Side:
    """A process that measures one side's panko; it is started on the first command, and again after it was killed.

    :param name: "theirs" or "ours"
    :param python: interpreter that has name of the side panko
    :param environment: environment variables for the process
    """

    def __init__(self, name: str, python: Path, environment: dict[str, str]):
        self.name = name
        self.python = python
        self._environment = environment
        self._process: subprocess.Popen | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="panko-bench-side-")
        # The package is found there, not in the work tree, whose panko the other side must not see.
        Path(self._directory.name, "benchmarks").symlink_to(ROOT / "benchmarks")

    def __enter__(self):
        return self

    def __exit__(self, *_: object):
        self.end()
        self._directory.cleanup()

    def run(self, timeout: float = DEFAULT_TIMEOUT_SECONDS, **command: Any) -> Outcome:
        """Run a command of the worker; the process is killed after the timeout in seconds."""
        outcome = Outcome()
        for fields in self.follow(timeout, **command):
            outcome.add(fields)
        outcome.failed = outcome.fields.pop("failed", None)
        outcome.timeout = outcome.fields.pop("timeout", None)
        return outcome

    def follow(self, timeout: float, **command: Any) -> Iterator[dict]:
        """Yield the answers to a command as they arrive; the last may be ``{"failed"}`` or ``{"timeout"}``."""
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
        """Whether the process runs."""
        return self._process is not None

    def tell(self, **command: Any) -> None:
        """Send a command; an empty one stops a command that runs until then."""
        if self._process is None:
            self._start()
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()

    def peak_memory(self) -> int:
        """Return the peak memory of the running process in bytes."""
        status = Path("/proc", str(self._process.pid), "status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def end(self) -> None:
        """Kill the process if it runs."""
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
        """Return the next line; None at the deadline, b"" if the process has ended."""
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
