# SPDX-License-Identifier: Apache-2.0
"""`cat` gives a pipe the bytes as they are, and a terminal nothing that it would obey."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

BYTES = bytes(range(256)) * 40
TEXT = "größe 1\n\x1b[2Jno\tcommand\n"


def _cat(line: str, data: bytes, path: Path, terminal: bool) -> tuple[int, bytes, bytes]:
    """Status, what the standard output gets, and the standard error."""
    path.write_bytes(data)
    words = ["connect", line, "cp", str(path), ":x", "+", "cat", ":x"]
    command = [sys.executable, "-m", "host_tools.cli", *words]
    if not terminal:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        return done.returncode, done.stdout.partition(b"read back\n")[2], done.stderr
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, check=False,
                              timeout=60)
        shown = os.read(ours, 1 << 16)
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, shown.partition(b"read back\r\n")[2], done.stderr


@pytest.mark.parametrize("data", [BYTES, TEXT.encode(), b"\xff"])
def test_a_pipe_gets_the_bytes(line: str, tmp_path: Path, data: bytes) -> None:
    assert _cat(line, data, tmp_path / "x", terminal=False) == (0, data, b"")


def test_a_terminal_gets_text_as_lines_that_move_nothing(line: str, tmp_path: Path) -> None:
    shown = "größe 1\r\n\\x1b[2Jno\\tcommand\r\n".encode()
    assert _cat(line, TEXT.encode(), tmp_path / "x", terminal=True) == (0, shown, b"")


@pytest.mark.parametrize("data", [BYTES, b"\xff", b"a\0b"])
def test_a_terminal_gets_no_bytes(line: str, tmp_path: Path, data: bytes) -> None:
    status, shown, complaint = _cat(line, data, tmp_path / "x", terminal=True)
    assert (status, shown) == (2, b"") and complaint.count(b"\n") == 1
    assert b"cat: :x is not text" in complaint and b"edgefm cp :x FILE" in complaint
