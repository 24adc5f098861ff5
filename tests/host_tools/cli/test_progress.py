# SPDX-License-Identifier: Apache-2.0
"""Progress is shown on a terminal of any width, and --quiet shows none."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest
from networks import small_classifier

from edgefm.exporters.tflite import export_tflite


@pytest.mark.parametrize(("options", "bar"), [((), True), (("--quiet",), False)])
def test_progress_is_shown_on_a_narrow_terminal_without_colors_unless_it_is_to_be_quiet(
        tmp_path: Path, options: tuple[str, ...], bar: bool) -> None:
    (tmp_path / "net.tflite").write_bytes(export_tflite(small_classifier()))
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    done = subprocess.Popen(
        [sys.executable, "-m", "host_tools.cli", "plan", "net.tflite", "--frontier", *options],
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE, stderr=there, text=True)
    os.close(there)
    seen = b""
    with suppress(OSError):  # the terminal is gone with the command
        while part := os.read(here, 1 << 16):
            seen += part
    os.close(here)
    printed, _ = done.communicate(timeout=60)
    assert done.returncode == 0 and "multiply-adds in every plan" in printed
    assert (b"plan net" in seen) is bar and b"\x1b[3" not in seen
    lines = re.sub(rb"\x1b\[[A-Z]", b"", seen).replace(b"\r", b"\n").decode().splitlines()
    assert all(len(line) <= 40 for line in lines)
