# SPDX-License-Identifier: Apache-2.0
"""Where units run is said with an address; what is wrong with it is one line."""

from collections.abc import Callable

import pytest

from edgefm.errors import BadInput, MissingTool
from edgefm.evaluate import executors as module
from edgefm.evaluate.executors import Division, division, executor


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x", "tcp://127.0.0.1:abc"])
def test_a_scheduler_that_does_not_answer_is_named(address: str, need_module: Callable[[str], None],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    need_module("distributed")
    monkeypatch.setattr(module, "_SECONDS", 1)
    with pytest.raises(BadInput, match=f"{address}: no Dask scheduler answers"), executor(address):
        pass


def test_without_dask_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(module.importlib, "import_module", missing)
    with pytest.raises(MissingTool, match=r"pip install 'edgefm\[cluster\]'"), executor("tcp://a:1"):
        pass


@pytest.mark.parametrize(("units", "workers", "threads", "expected"), [
    (40, None, None, Division(8, 1)),   # many files: a process for each core
    (1, None, None, Division(1, 8)),    # few: threads
    (3, None, None, Division(3, 2)),
    (0, None, None, Division(1, 8)),
    (40, None, 4, Division(2, 4)),      # what is given stays
    (1, 5, None, Division(5, 1)),
    (1, 2, 3, Division(2, 3)),
    (40, None, 32, Division(1, 32))])
def test_cores_are_divided_among_processes_first(monkeypatch: pytest.MonkeyPatch, units: int,
                                                 workers: int | None, threads: int | None,
                                                 expected: Division) -> None:
    monkeypatch.setattr(module, "cores", lambda: 8)
    assert division(units, workers, threads) == expected


def test_a_machine_of_many_cores_gets_no_more_threads_than_a_run_may_have(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 96)
    assert division(1) == Division(1, 32)


@pytest.mark.parametrize("threads", [0, 33])
def test_other_numbers_of_threads_are_refused(threads: int) -> None:
    with pytest.raises(BadInput, match=rf"threads: got {threads}, expected a whole number 1..32"):
        division(1, None, threads)


@pytest.mark.parametrize(("made", "text"), [(Division(1, 1), "1 process"),
                                            (Division(2, 1), "2 processes"),
                                            (Division(1, 4), "1 process, 4 threads each")])
def test_a_division_says_what_it_is(made: Division, text: str) -> None:
    assert str(made) == text
