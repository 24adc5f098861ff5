# SPDX-License-Identifier: Apache-2.0
"""Warnings are plain lines on stderr, in workers too, and a progress bar stays whole."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from edgefm.console.notices import warnings_as_lines
from edgefm.console.pool import process_pool
from edgefm.errors import CalibrationWarning


def warned(number: int) -> int:
    """A unit of work that a library warns about."""
    warnings.warn(f"unit {number}\n is odd", RuntimeWarning, stacklevel=1)
    return number


@pytest.mark.parametrize("category", [UserWarning, RuntimeWarning, CalibrationWarning])
def test_a_warning_is_one_line_without_a_place_in_the_source(
        category: type[Warning], capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings_as_lines()
        warnings.warn("few files:\n  expected more", category, stacklevel=1)
    assert capfd.readouterr().err == "edgefm: warning: few files: expected more\n"


def test_a_warning_about_calibration_comes_once(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings_as_lines()
        for _ in range(3):
            warnings.warn(CalibrationWarning("few files"), stacklevel=1)
    assert capfd.readouterr().err.count("few files") == 1


def test_what_warnings_look_like_elsewhere_is_left_alone() -> None:
    shown = warnings.showwarning
    with warnings.catch_warnings():
        warnings_as_lines()
    assert warnings.showwarning is shown


def test_workers_print_their_warnings_as_lines(capfd: pytest.CaptureFixture[str]) -> None:
    with process_pool(1) as pool:
        assert pool.submit(warned, 3).result(60) == 3
    assert capfd.readouterr().err == "edgefm: warning: unit 3 is odd\n"


BAR = """
import sys, time, warnings
from host_tools.cli.progress import progress_bar
from edgefm.console.pool import process_pool
from edgefm.console.notices import warnings_as_lines
from test_notices import warned

if __name__ == "__main__":
    warnings_as_lines()
    with progress_bar("work", 4) as bar, process_pool(1) as pool:
        bar.update()
        warnings.warn("from here", RuntimeWarning)
        bar.update()
        pool.submit(warned, 5).result(60)
        bar.update()
        bar.refresh()
"""


def screen(text: str) -> list[str]:
    """The lines that a terminal shows after \\r and "erase to the end of the line"."""
    lines = []
    for line in text.split("\n"):
        shown = ""
        for part in line.split("\r"):
            erased = part.startswith("\x1b[K")
            part = part.removeprefix("\x1b[K")
            shown = part if erased else part + shown[len(part):]
        lines.append(shown.rstrip())
    return lines


def test_a_bar_stays_whole_while_warnings_come(tmp_path: Path, root: Path) -> None:
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    script = tmp_path / "bar.py"
    script.write_text(BAR)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 90))
    path = os.pathsep.join([str(root), str(Path(__file__).parent)])
    with subprocess.Popen([sys.executable, str(script)], stdout=theirs, stderr=theirs,
                          env={**os.environ, "PYTHONPATH": path}) as process:
        os.close(theirs)
        read = b""
        while chunk := _read(ours):
            read += chunk
        assert process.wait(60) == 0
    os.close(ours)
    lines = screen(read.decode())
    assert [line for line in lines if "warning" in line] == [
        "edgefm: warning: from here", "edgefm: warning: unit 5 is odd"]
    assert read.count(b"work: ") > 3
    assert "bar.py" not in "".join(lines)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: everybody else has closed it
        return b""
