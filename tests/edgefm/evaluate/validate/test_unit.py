# SPDX-License-Identifier: Apache-2.0
"""Validation: merging by key, any executor, and what is kept of a file."""

import json
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.evaluate.validate import Outcome, make_units, summarize, task_of, validate
from edgefm.evaluate.validate import unit as module
from edgefm.evaluate.validate.networks import OpenNetworks
from edgefm.images.labels import LabeledFile
from edgefm.images.preprocess import InputInfo
from edgefm.network.graph import Array
from edgefm.package.counters import MapCounters
from edgefm.package.traffic import MapInfo

COUNTERS = {"external_read_bytes": 10, "external_write_bytes": 4, "coded_bytes": 3,
            "coded_values": 8, "capped_rows": 3}
SEEN = {"label": 1, "ours": [[1, 2]], "oracle": [[1, 3]], "source": None}
GOOD = Outcome(0, SEEN, 0.5, 1, COUNTERS, 0.25)
BAD = replace(GOOD, number=1, evidence={**SEEN, "ours": [[2, 1]], "oracle": [[1, 2]]}, kl=1.5)


def test_figures_of_known_outcomes() -> None:
    result = summarize([GOOD, BAD])
    assert (result.task, result.n, result.views) == ("classify", 2, 1)
    assert (result["top1"], result["top5"], result["difference"]) == (50.0, 100.0, -50.0)
    assert (result.kl, result.kl_error) == (1.0, 0.5)
    assert (result.bits_per_value, result.images_per_second) == (3.0, 4.0)
    assert (result.external_read_bytes, result.external_write_bytes) == (10, 4)
    assert result.capped_rows == 3.0


def test_bytes_and_speed_count_every_view() -> None:
    twice = {name: 2 * value for name, value in COUNTERS.items()}
    result = summarize([replace(GOOD, runs=2, counters=twice, seconds=0.5)])
    assert (result.views, result.external_read_bytes, result.images_per_second) == (2, 10, 4.0)


def test_figures_without_judges_or_coded_maps_are_null() -> None:
    alone = {**SEEN, "oracle": None}
    result = summarize([replace(GOOD, evidence=alone, kl=None,
                                counters={**COUNTERS, "coded_values": 0})])
    fields = json.loads(json.dumps(result.to_json()))
    nulls = {name for name, value in fields.items() if value is None}
    assert nulls == {"top1_error", "reference_top1", "reference_top5", "float_top1", "difference",
                     "difference_error", "top1_agreement", "changed", "kl", "kl_error",
                     "bits_per_value"}


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(BadInput, match="no files"):
        summarize([])


class _Info:
    preprocess = None


@dataclass
class _Runtime:
    """A network that names class `number of the file` of 20."""

    inputs = (InputInfo((1, 1), "int8"),)
    outputs = (InputInfo((1, 20), "int8"),)
    info = _Info

    def __init__(self, package: bytes, threads: int) -> None:
        assert package == b"package" and threads == 1

    def __enter__(self) -> "_Runtime":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, inputs: Sequence[Array]) -> Any:
        scores = np.zeros((1, 20), np.int8)
        scores[0, inputs[0][0, 0]] = 100
        return _Result([scores], _Counters())


@dataclass
class _Counters:
    external_read_bytes: int = 10
    external_write_bytes: int = 4
    coded_bytes: int = 0
    coded_values: int = 0
    capped_rows: int = 0


@dataclass
class _Result:
    outputs: list[Array]
    counters: _Counters
    maps: tuple[MapCounters, ...] = (MapCounters(6, 6, 2, 2, 1, 0, 0),)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LabeledFile, ...]:
    """40 inputs: number i holds class i % 20; every fifth label is wrong."""
    monkeypatch.setattr(module, "Runtime", _Runtime)
    monkeypatch.setattr(module, "_open", OpenNetworks())
    for number in range(40):
        np.save(tmp_path / f"{number}.npy", np.array([number % 20], np.int8))
    return tuple(LabeledFile(tmp_path / f"{n}.npy", (n % 20 + (n % 5 == 0)) % 20)
                 for n in range(40))


def test_threads_judge_every_file_once(files: tuple[LabeledFile, ...]) -> None:
    done: list[int] = []
    with ThreadPoolExecutor(3) as pool:
        result = validate(make_units(files, b"package"), pool, done.append)
    assert (result.n, result["top1"]) == (40, 80.0)
    assert sum(done) == 40 and len(done) == 3


def test_maps_are_means_over_files(files: tuple[LabeledFile, ...]) -> None:
    maps = (MapInfo("a", "rle", 2, 8, 8),)
    with ThreadPoolExecutor(2) as pool:
        result = validate(make_units(files, b"package"), pool, maps=maps)
    (one,) = result.to_json()["maps"]
    assert (one["write_bytes"], one["bits_per_value"], one["raw_rows"]) == (6, 3.0, 1)


def test_a_unit_that_ran_twice_counts_once(files: tuple[LabeledFile, ...]) -> None:
    units = list(make_units(files, b"package"))
    with ThreadPoolExecutor(2) as pool:
        assert validate([*units, units[0]], pool).n == 40


class _Lazy(Executor):
    """Runs everything at once in the caller."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(function(*args, **kwargs))
        return future


def test_any_executor_will_do(files: tuple[LabeledFile, ...]) -> None:
    assert validate(make_units(files, b"package"), _Lazy())["top1"] == 80.0


def test_a_label_the_network_does_not_have_is_named(files: tuple[LabeledFile, ...]) -> None:
    wrong = (replace(files[0], label=20),)
    with ThreadPoolExecutor(1) as pool, pytest.raises(BadInput, match=r"0\.npy: label 20"):
        validate(make_units(wrong, b"package"), pool)


def test_an_unreadable_file_is_named(files: tuple[LabeledFile, ...]) -> None:
    files[3].path.write_bytes(b"")
    with ThreadPoolExecutor(1) as pool, pytest.raises(BadInput, match=r"3\.npy"):
        validate(make_units(files, b"package"), pool)


@pytest.mark.parametrize(("shapes", "task"), [
    ([(1, 1000)], "classify"), ([(1, 10, 4), (1, 10), (1, 10), (1,)], "detect"),
    ([(1, 33, 33)], "segment"), ([(1, 33, 33, 21)], "segment")])
def test_the_outputs_tell_the_task(shapes: list[tuple[int, ...]], task: str) -> None:
    assert task_of(shapes, (1, 224, 224, 3)) == task


def test_an_autoencoder_has_no_task() -> None:
    with pytest.raises(BadInput, match="class scores, boxes or a class for every pixel"):
        task_of([(1, 640)], (1, 640))


def test_views_of_what_is_no_picture_are_refused(files: tuple[LabeledFile, ...]) -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(BadInput, match="takes no picture"):
        validate(make_units(files, b"package", views=2), pool)


def test_a_network_is_opened_once_for_all_its_units() -> None:
    made: list[str] = []

    class Net:
        def __init__(self, name: str) -> None:
            self.name = name

        def __enter__(self) -> "Net":
            made.append(self.name)
            return self

        def __exit__(self, *_: object) -> None:
            made.append(f"-{self.name}")

    kept = OpenNetworks()
    for what in ("a", "a", "b", "b", "a"):
        assert kept.get("ours", (what.encode(), 1), lambda name=what: Net(name)).name == what
    assert kept.get("oracle", (b"a", 1), lambda: Net("oracle")).name == "oracle"
    assert made == ["a", "-a", "b", "-b", "a", "oracle"]
