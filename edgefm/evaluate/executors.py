# SPDX-License-Identifier: Apache-2.0
"""Where work units run: processes of this machine, a Dask cluster, or any other Executor.

A unit is a pure function of its description, so it may run anywhere and more than once. Results
come back in any order, each with its unit.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass

from edgefm.console.pool import RETRIES, cores, process_pool
from edgefm.errors import BadInput, MissingTool
from edgefm.runtime.lending import MOST_THREADS, whole_number

_SECONDS = 10   # in which a scheduler answers


@dataclass(frozen=True, slots=True)
class Division:
    """How work is divided among cores: processes, and threads for each inference of one."""

    workers: int
    threads: int

    def __str__(self) -> str:
        processes = f"{self.workers} process{'es' * (self.workers > 1)}"
        return processes if self.threads == 1 else f"{processes}, {self.threads} threads each"


def division(units: int, workers: int | None = None, threads: int | None = None) -> Division:
    """Processes as far as there are units for them, since those share nothing; threads for cores
    that would be idle then. What is given stays as it is. Raises BadInput for too many threads."""
    if threads is not None:
        whole_number(threads, 1, MOST_THREADS, "threads")
    processes = workers or max(1, min(units, cores() // (threads or 1)))
    idle = 1 if workers else cores() // processes
    return Division(processes, threads or max(1, min(idle, MOST_THREADS)))


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
        cluster = client.get_executor(retries=RETRIES, pure=False)
        try:
            yield cluster
            cluster.shutdown()
        except BaseException:
            cluster.shutdown(wait=False)  # cancels what is under way
            raise
