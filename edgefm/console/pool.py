# SPDX-License-Identifier: Apache-2.0
"""Runs work units on all cores of this machine, in processes that end with their parent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from edgefm.console.notices import warnings_as_lines
from edgefm.console.processes import Workers, end_with_parent
from edgefm.errors import EdgefmError

Unit = TypeVar("Unit")
Result = TypeVar("Result")

RETRIES = 3     # of a unit whose worker died, where an executor tries again
_AHEAD = 64     # units passed to workers at a time, with their packages


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (
        os.cpu_count() or 1)


@contextmanager
def process_pool(workers: int | None = None, alone: bool = False
                 ) -> Iterator[ProcessPoolExecutor]:
    """Processes on all cores that this process may use; an exception ends them immediately. With
    `alone` they do not load the program that started them, so any script may start them."""
    context = Workers(alone)
    pool = ProcessPoolExecutor(workers or cores(), context, _begin)
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        manager = getattr(pool, "_executor_manager_thread", None)
        pool.shutdown(wait=False, cancel_futures=True)  # it must know of that before workers die
        context.kill()
        if manager is not None:
            manager.join()
        raise


def _begin() -> None:
    """The first action of a worker."""
    end_with_parent()
    warnings_as_lines()


def completed(pool: Executor, function: Callable[[Unit], Result], units: Iterable[Unit],
              ahead: int = _AHEAD) -> Iterator[tuple[Unit, Result]]:
    """Every unit with its result, in order of completion; at most `ahead` of them are under way.

    Raises what the function raises, and EdgefmError when workers die again and again.
    """
    waiting = iter(units)
    pending: dict[Future[Any], Unit] = {}
    try:
        while True:
            for unit in islice(waiting, ahead - len(pending)):
                pending[pool.submit(function, unit)] = unit
            if not pending:
                return
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield pending.pop(future), _result(future)
    finally:
        for future in pending:
            future.cancel()


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BrokenExecutor:
        raise EdgefmError("a worker process died (out of memory?); "
                          "try fewer with --workers") from None
    except Exception as error:
        if type(error).__name__ == "KilledWorker":  # Dask's, which need not be installed
            raise EdgefmError(f"workers died {1 + RETRIES} times on one unit of work "
                              "(out of memory?)") from None
        raise
