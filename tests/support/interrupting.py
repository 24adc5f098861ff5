# SPDX-License-Identifier: Apache-2.0
"""Commands as real processes that get real signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

MOST_SECONDS = 2.0
READY_SECONDS = 60.0


@dataclass(frozen=True)
class Ended:
    """How a command ended, and how long after the signal."""

    status: int
    seconds: float
    out: str
    err: str


def interrupted(words: Sequence[object], ready: Callable[[str], bool], number: int = signal.SIGINT,
                group: bool = True) -> Ended:
    """Start Python with these words, wait until what it has printed is `ready`, signal it and wait
    for its end."""
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        process = subprocess.Popen([sys.executable, "-u", *map(str, words)], stdout=out, stderr=err,
                                   text=True, start_new_session=True)
        try:
            await_that(lambda: ready(_text(out)) or process.poll() is not None)
            assert process.poll() is None, _text(out) + _text(err)
            start = time.monotonic()
            (os.killpg if group else os.kill)(process.pid, number)
            process.wait(timeout=30)
            return Ended(process.returncode, time.monotonic() - start, _text(out), _text(err))
        finally:
            process.kill()


def _text(file: IO[str]) -> str:
    """What is in a file that another process writes."""
    return os.pread(file.fileno(), 1 << 20, 0).decode()


def await_that(happens: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
    """Wait until something is so; fails when it never is."""
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, "it never happens"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether a process runs, and is not a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"
