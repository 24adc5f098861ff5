# SPDX-License-Identifier: Apache-2.0
"""How a command ends: with an exit status, with one line of error, and soon after an interrupt.

Status 0: it worked, or the reader of a pipe went away. 2: after one line of error. 130, 143, 129:
Ctrl-C, SIGTERM, SIGHUP. Signals raise an exception in the main thread, so that the command removes
half-written files, stops boards and ends workers. If the main thread does not return to Python in
time (a long call into C, or a line that does not answer), a watcher ends the process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from edgefm.console.notices import warnings_as_lines
from edgefm.console.terminal import OUTPUT, complain, drop, finish, prepare, say
from edgefm.errors import EdgefmError
from edgefm.files import write

GRACE_SECONDS = 1.3     # from a signal to the end of the process, at most
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")
                if hasattr(signal, name))

_patient = 0  # blocks that may take longer


class Terminated(KeyboardInterrupt):
    """A signal other than Ctrl-C ends the command; `number` is the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def complete(work: Callable[[], object], program: str = "edgefm") -> int:
    """Run the work of a command; print an error as one line and return the exit status."""
    try:
        prepare()
        with warnings.catch_warnings():
            warnings_as_lines()
            work()
        finish()
    except EdgefmError as error:
        if _watcher is not None and _watcher.signal:  # the signal caused the error
            return _tell(_watcher.signal, program)
        complain(error, program)
        return 2
    except BrokenPipeError:  # `edgefm plan … | head`: the reader went away, nothing is wrong
        drop(sys.stdout)
        return 0
    except OSError as error:
        if error.filename == OUTPUT:
            drop(sys.stdout)
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}", program)
        return 2
    except KeyboardInterrupt as error:
        return _tell(_number(error), program)
    return 0


def run(main: Callable[[], int], program: str = "edgefm") -> NoReturn:
    """Run `main()` as a process, with signals as above, and exit with its status."""
    global _watcher
    _open_missing_streams()
    sys.excepthook = _show_bug
    sys.unraisablehook = _drop_interrupts
    _watcher = _Watcher(program)
    given = 0

    def work() -> None:
        nonlocal given
        given = main()

    try:
        status = complete(work, program) or given
        for number in SIGNALS:  # it has ended
            signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt as error:  # just before
        status = _tell(_number(error), program)
    if not _watcher.signal:
        sys.exit(status)
    if _watcher.signal != signal.SIGINT:  # Ctrl-C may be how a command is meant to end
        status = 128 + _watcher.signal
    _leave(status)


def _leave(status: int) -> NoReturn:
    """End without waiting for threads. An interpreter that saw a KeyboardInterrupt pass through
    exec() would end itself by the signal, whatever its status."""
    import gc

    with suppress(KeyboardInterrupt, AttributeError):
        gc.collect()  # returns semaphores of pools to the process that tracks them
        if tracking := sys.modules.get("multiprocessing.resource_tracker"):
            tracking._resource_tracker._stop()
    with suppress(OSError, ValueError, KeyboardInterrupt):
        sys.stdout.flush()
    os._exit(status)


@contextmanager
def patient() -> Iterator[None]:
    """A block that an interrupt does not cut short: it saves measurements."""
    global _patient
    _patient += 1
    try:
        yield
    finally:
        _patient -= 1


class _Watcher:
    """Turns signals into exceptions, and ends the process when they have no effect.

    Its own thread reads signals from a pipe that the C handler writes to, even while the main
    thread is in a call into C.
    """

    def __init__(self, program: str) -> None:
        self._program, self.signal, self.told = program, 0, False
        heard, told = os.pipe()
        os.set_blocking(told, False)
        self._heard = heard
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, a job in the background
                signal.signal(number, _interrupt)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, daemon=True, name="signals").start()

    def _watch(self) -> None:
        while True:
            number = os.read(self._heard, 1)[0]
            if number in SIGNALS and not self.signal:
                self.signal = number
                threading.Thread(target=self._end, daemon=True, name="end").start()
            elif number in SIGNALS:
                self._end_now()  # asked twice

    def _end(self) -> None:
        until = time.monotonic() + GRACE_SECONDS
        while _patient or time.monotonic() < until:
            time.sleep(0.02)
        self._end_now()

    def _end_now(self) -> NoReturn:
        from edgefm.console.processes import end_children

        write.abandon()
        end_children()
        os._exit(_tell(self.signal, self._program))


_watcher: _Watcher | None = None  # of this process, where it is a command


def _interrupt(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Terminated(number)


def _number(error: KeyboardInterrupt) -> int:
    return int(getattr(error, "number", signal.SIGINT))


def _tell(number: int, program: str) -> int:
    """Print once which signal ended the command; returns the exit status."""
    if _watcher is None or not _watcher.told:
        if _watcher is not None:
            _watcher.told = True
        what = "interrupted" if number == signal.SIGINT else (
            f"ended by {signal.Signals(number).name}")
        complain(what, program)
    return 128 + number


def _open_missing_streams() -> None:
    """Open a closed standard stream, so that the next file does not get its number."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(opened)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _drop_interrupts(what: sys.UnraisableHookArgs) -> None:
    """Handle an interrupt in a callback of Python, which swallows it: the watcher ends the process,
    without a traceback."""
    if not isinstance(what.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(what)


def _show_bug(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """Print a traceback, whose text may hold names from outside."""
    import traceback

    for part in traceback.format_exception(error):
        for line in part.splitlines():
            say(line, to=sys.stderr)
