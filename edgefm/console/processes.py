# SPDX-License-Identifier: Apache-2.0
"""Processes that edgefm starts: Ctrl-C in a terminal reaches all of them, and ends only the first.

Whoever started the others ends them, after what has to be done before. A worker whose parent was
killed ends by itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

WORKERS_MISS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")
                     if hasattr(signal, name))
END_SECONDS = 0.5       # from a polite word to the end


@contextmanager
def deaf(*numbers: signal.Signals) -> Iterator[None]:
    """Processes that are started in this block never hear of these signals, of Ctrl-C by default;
    this one does, after it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers or (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end(process: subprocess.Popen[Any]) -> None:
    """End a process: politely, then by force."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Worker(SpawnProcess):
    """A process of a pool."""

    def start(self) -> None:
        """Start it, deaf: its parent ends it."""
        with deaf(*WORKERS_MISS):
            super().start()

    def terminate(self) -> None:
        """End it: a worker that is deaf is not asked."""
        self.kill()


class Workers(SpawnContext):
    """A multiprocessing context that knows the processes it has made."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[BaseProcess] = []
        if os.name == "posix":  # Python's own helper, which would complain if it were ended first
            from multiprocessing import resource_tracker

            with deaf(*WORKERS_MISS):
                resource_tracker.ensure_running()

    def Process(self, *arguments: Any, **options: Any) -> _Worker:  # type: ignore[override]
        """A new process, not started yet."""
        made = _Worker(*arguments, **options)
        self._made.append(made)
        return made

    def kill(self) -> None:
        """End all of them at once: what they do is a pure function, and nobody wants it."""
        for process in self._made:
            with suppress(ValueError, AttributeError, OSError):  # not started, or ended
                process.kill()


def end_with_parent() -> None:
    """Have this worker end when its parent has, however that ended."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_await, args=(parent.sentinel,), daemon=True,
                         name="end with parent").start()


def _await(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def end_children() -> None:
    """End every process that this one has started and still has, and theirs, where /proc tells."""
    for pid in _descendants(os.getpid()):
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> Sequence[int]:
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = list(children.get(pid, ()))
    for one in found:  # grows while it is read
        found += children.get(one, ())
    return found
