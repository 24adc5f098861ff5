# SPDX-License-Identifier: Apache-2.0
"""Where work units run: processes of this machine, a Dask cluster, or any other Executor.

A unit is a pure function of its description, so it may run anywhere and more than once; results
come back in any order, each beside its unit.
"""

from __future__ import annotations

import importlib
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
from edgefm.errors import BadInput, EdgefmError, MissingTool

Unit = TypeVar("Unit")
Result = TypeVar("Result")

_AHEAD = 64     # units handed over at a time: packages travel with them
_RETRIES = 3    # of a unit whose worker died
_SECONDS = 10   # in which a scheduler answers


@contextmanager
def executor(scheduler: str | None = None, workers: int | None = None) -> Iterator[Executor]:
    """Processes (one per core unless `workers` says), or the Dask cluster of a scheduler such as
    `tcp://127.0.0.1:8786`, whose workers must see the same files and have edgefm.

    Raises BadInput when no scheduler answers and MissingTool when Dask is not installed.
    """
    if scheduler is None:
        with process_pool(workers) as pool:
            yield pool
        return
    try:
        distributed = importlib.import_module("distributed")
    except ImportError:
        raise MissingTool("--scheduler needs Dask: pip install 'edgefm[cluster]'") from None
    try:
        client = distributed.Client(scheduler, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = (" ".join(str(error).split()) or type(error).__name__)[:120]
        raise BadInput(f"{scheduler}: no Dask scheduler answers ({reason})") from None
    with client:
        cluster = client.get_executor(retries=_RETRIES, pure=False)
        try:
            yield cluster
            cluster.shutdown()
        except BaseException:
            cluster.shutdown(wait=False)  # cancels what is under way
            raise


@contextmanager
def process_pool(workers: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Processes on all cores this process may use; an exception ends them at once."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    context = Workers()
    pool = ProcessPoolExecutor(workers or cores, context, _begin)
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
    """What a worker does first."""
    end_with_parent()
    warnings_as_lines()


def completed(pool: Executor, function: Callable[[Unit], Result], units: Iterable[Unit],
              ahead: int = _AHEAD) -> Iterator[tuple[Unit, Result]]:
    """Every unit with its result, as they come; at most `ahead` of them are under way.

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
            raise EdgefmError(f"workers died {1 + _RETRIES} times on one unit of work "
                              "(out of memory?)") from None
        raise
