# SPDX-License-Identifier: Apache-2.0
"""Processes that edgefm starts: Ctrl-C in a terminal reaches all of them, and ends only the first.

The first process ends the others, after its own cleanup. A worker whose parent was killed ends by
itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from multiprocessing import parent_process
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

WORKERS_MISS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")
                     if hasattr(signal, name))
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
END_SECONDS = 0.5       # from asking a process to end until killing it


@contextmanager
def deaf(*numbers: signal.Signals) -> Iterator[None]:
    """Processes that are started in this block never get these signals (by default Ctrl-C); this
    process gets them after the block."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    wanted = numbers or (signal.SIGINT,)
    with _postponed(wanted):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _postponed(numbers: Sequence[signal.Signals]) -> Iterator[None]:
    """Their handlers run after the block. To block them in this thread is not enough: another one
    takes them, and the handler runs here all the same."""
    came: list[signal.Signals] = []
    before = {number: signal.getsignal(number) for number in numbers}
    ours = threading.current_thread() is threading.main_thread()
    held = {number: one for number, one in before.items() if ours and callable(one)}
    for number in held:
        signal.signal(number, lambda number, frame: came.append(signal.Signals(number)))
    try:
        yield
    finally:
        for number, one in held.items():
            signal.signal(number, one)
        for number in came[:1]:
            held[number](number, None)


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a process that Ctrl-C does not reach; end it if the caller will never know of it.

    `options` are those of subprocess.Popen. Raises OSError.
    """
    process = None
    try:
        with deaf():
            process = subprocess.Popen(command, **options)
    except BaseException:  # Ctrl-C has waited for the end of the block
        if process is not None:
            end(process)
        raise
    return process


def end(process: subprocess.Popen[Any]) -> None:
    """End a process: ask first, then kill."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Worker(SpawnProcess):
    """A process of a pool."""

    alone = False  # does not load the module __main__ of its parent

    def start(self) -> None:
        """Start it, deaf to Ctrl-C: its parent ends it. It uses one core and leaves the others to
        its siblings."""
        with deaf(*WORKERS_MISS), _one_core(), _without_main() if self.alone else nullcontext():
            super().start()

    def terminate(self) -> None:
        """Kill it: a deaf worker cannot be asked to end."""
        self.kill()


@contextmanager
def _one_core() -> Iterator[None]:
    """Matrix libraries of processes that are started in this block use one thread each, unless
    the environment says how many."""
    added = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that are started in this block see an empty program."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class Workers(SpawnContext):
    """A multiprocessing context that remembers the processes it has made."""

    def __init__(self, alone: bool = False) -> None:
        super().__init__()
        self._alone = alone
        self._made: list[BaseProcess] = []
        if os.name == "posix":  # Python's own helper, which would complain if it were ended first
            from multiprocessing import resource_tracker

            with deaf(*WORKERS_MISS):
                resource_tracker.ensure_running()

    def Process(self, *arguments: Any, **options: Any) -> _Worker:  # type: ignore[override]
        """A new process, not started yet."""
        made = _Worker(*arguments, **options)
        made.alone = self._alone
        self._made.append(made)
        return made

    def kill(self) -> None:
        """End all of them at once: they only compute results, which are no longer needed."""
        for process in self._made:
            with suppress(ValueError, AttributeError, OSError):  # not started, or ended
                process.kill()


def end_with_parent() -> None:
    """Make this worker end when its parent has ended, for any reason."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_await, args=(parent.sentinel,), daemon=True,
                         name="end with parent").start()


def _await(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def end_children() -> None:
    """End every live process that this one has started, and their children, as /proc lists them."""
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
