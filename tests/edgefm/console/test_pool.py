# SPDX-License-Identifier: Apache-2.0
"""Units run a few at a time, in processes too, and what goes wrong is one line."""

import os
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from edgefm.console import pool as module
from edgefm.console.pool import completed, process_pool
from edgefm.errors import BadInput, EdgefmError


def test_every_unit_comes_back_beside_its_result() -> None:
    with ThreadPoolExecutor(3) as pool:
        assert sorted(completed(pool, lambda n: n * n, range(50), ahead=4)) == [
            (n, n * n) for n in range(50)]


def test_no_more_than_a_few_units_are_handed_over_at_a_time() -> None:
    taken = 0

    def units() -> Any:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield number

    with ThreadPoolExecutor(1) as pool:
        results = completed(pool, lambda n: n, units(), ahead=5)
        next(results)
        assert taken == 5
        results.close()


class _Failing(Executor):
    """Every future ends with an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_exception(self.error)
        return future


class KilledWorker(Exception):
    """Named like Dask's."""


@pytest.mark.parametrize(("error", "expected", "message"), [
    (BadInput("a.jpg: broken"), BadInput, "a.jpg: broken"),
    (BrokenProcessPool(), EdgefmError, "a worker process died"),
    (KilledWorker(), EdgefmError, "workers died 4 times")])
def test_what_a_unit_raises_is_raised(error: Exception, expected: type[Exception],
                                      message: str) -> None:
    with pytest.raises(expected, match=message):
        list(completed(_Failing(error), str, range(3)))


def _die(_: int) -> None:
    os._exit(1)


def test_a_process_that_dies_is_one_line() -> None:
    with process_pool(1) as pool, pytest.raises(EdgefmError, match="a worker process died"):
        list(completed(pool, _die, [0]))


def test_units_that_were_canceled_end_without_a_traceback(
        monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    kill = module.Workers.kill

    def slow_kill(workers: module.Workers) -> None:
        kill(workers)
        time.sleep(0.3)  # time for the pool to notice

    def interrupted(*_: object, **__: object) -> None:
        time.sleep(0.3)
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Workers, "kill", slow_kill)
    monkeypatch.setattr(module, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt), process_pool(2) as pool:
        list(completed(pool, time.sleep, [60] * 8))
    assert failed == []
