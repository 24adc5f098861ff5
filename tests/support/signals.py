# SPDX-License-Identifier: Apache-2.0
"""Commands as real processes that get real signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MOST_SECONDS = 2.0
READY_SECONDS = 60.0


@dataclass(frozen=True)
class Ended:
    """How a command ended, and how long after the signal."""

    status: int
    seconds: float
    out: str
    err: str


def interrupted(words: list[object], ready: Callable[[], bool], number: int = signal.SIGINT,
                group: bool = True, environment: dict[str, str] | None = None) -> Ended:
    """Start Python with these words, wait until it is `ready`, signal it, wait for its end."""
    process = subprocess.Popen([sys.executable, *map(str, words)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True,
                               env={**os.environ, **(environment or {})})
    try:
        await_that(lambda: ready() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        start = time.monotonic()
        (os.killpg if group else os.kill)(process.pid, number)
        out, err = process.communicate(timeout=30)
        return Ended(process.returncode, time.monotonic() - start, out, err)
    finally:
        process.kill()


def await_that(happens: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
    """Wait until something is so; fails when it never is."""
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, "it never happens"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether a process runs, and is no zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"
