# SPDX-License-Identifier: Apache-2.0
"""Progress bars of the commands."""

import io
import sys

import pytest

from panko.cmd.progress import progress_bar, report


class Terminal(io.StringIO):
    """Where Ctrl-C is pressed as soon as something appears."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        written = super().write(text)
        if "done" in text and "\n" not in self.getvalue() and not self.is_interrupted:
            self.is_interrupted = True
            raise KeyboardInterrupt
        return written

    is_interrupted = False


def test_a_line_after_ctrl_c_is_not_on_that_of_the_bar(monkeypatch):
    """Even if the bar was just drawn for the first time."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(KeyboardInterrupt), progress_bar("done", total=3):
        raise AssertionError("Not interrupted.")
    report("Interrupted")
    assert terminal.getvalue().splitlines()[-1] == "Interrupted"
