# SPDX-License-Identifier: Apache-2.0
"""Validation: exact figures from known outcomes, merging by key, and any executor."""

import json
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefm import validate as module
from edgefm.errors import BadInput
from edgefm.graph import Array
from edgefm.labels import LabelledFile
from edgefm.preprocess import InputInfo
from edgefm.validate import (
    Outcome,
    best,
    class_scores,
    divergence,
    make_units,
    summarise,
    validate,
)

COUNTERS = {"external_read_bytes": 10, "external_write_bytes": 4, "coded_bytes": 3,
            "coded_values": 8}
GOOD = Outcome(0, 1, (1, 2), (1, 3), None, 0.5, COUNTERS, 0.25)
BAD = replace(GOOD, number=1, ours=(2, 1), oracle=(1, 2), kl=1.5)


def test_figures_of_known_outcomes() -> None:
    result = summarise([GOOD, BAD])
    assert (result.n, result.top1, result.top5) == (2, 50.0, 100.0)
    assert (result.reference_top1, result.reference_top5, result.float_top1) == (100.0, 100.0, None)
    assert (result.top1_agreement, result.kl) == (50.0, 1.0)
    assert (result.bits_per_value, result.images_per_second) == (3.0, 4.0)
    assert (result.external_read_bytes, result.external_write_bytes) == (10, 4)


def test_the_float_network_is_the_judge_where_there_is_one() -> None:
    result = summarise([replace(GOOD, source=(2, 1))])
    assert (result.float_top1, result.reference_top1, result.top1_agreement) == (0.0, 100.0, 0.0)


def test_figures_without_judges_or_coded_maps_are_null() -> None:
    outcome = replace(GOOD, oracle=None, kl=None, counters={**COUNTERS, "coded_values": 0})
    result = summarise([outcome])
    fields = json.loads(json.dumps(result.to_json()))
    nulls = {name for name, value in fields.items() if value is None}
    assert nulls == {"reference_top1", "reference_top5", "float_top1", "top1_agreement", "kl",
                     "bits_per_value"}


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(BadInput, match="no files"):
        summarise([])


def test_scores_drop_the_background_of_1001_classes() -> None:
    scores = class_scores(np.arange(1001, dtype=np.float32)[None], 0, 0)
    assert scores.shape == (1000,) and scores[0] == 1
    assert class_scores(np.zeros((1, 1000), np.int8), 1, 0).shape == (1000,)


def test_scores_are_dequantised() -> None:
    assert class_scores(np.array([[130, 128]], np.uint8), 0.5, 128).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("shape", [(1, 4, 4, 3), (1, 10, 4), (1,), ()])
def test_an_output_that_is_no_class_vector_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match="one score per class"):
        class_scores(np.zeros(shape, np.int8), 1, 0)


def test_equal_scores_rank_by_index() -> None:
    assert best(np.array([0, 7, 9, 7, 7, 7, 7])) == (2, 1, 3, 4, 5)


def test_divergence_of_probabilities_is_the_textbooks() -> None:
    p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    expected = 0.5 * np.log(2) + 0.5 * np.log(2 / 3)
    assert divergence(p, q) == pytest.approx(expected, rel=1e-4)
    assert divergence(p, p) == 0


def test_divergence_passes_logits_through_a_softmax() -> None:
    p = np.array([0.2, 0.8])
    assert divergence(np.log(p) + 7, p) == pytest.approx(0, abs=1e-9)


def test_a_probability_of_zero_costs_a_finite_amount() -> None:
    assert 5 < divergence(np.array([0.5, 0.5]), np.array([0.0, 1.0])) < 6


@dataclass
class _Runtime:
    """A network that names class `number of the file` of 20."""

    inputs = (InputInfo((1, 1), "int8"),)
    outputs = (InputInfo((1, 20), "int8"),)

    def __init__(self, package: bytes) -> None:
        assert package == b"package"

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


@dataclass
class _Result:
    outputs: list[Array]
    counters: _Counters


class _Info:
    preprocess = None


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LabelledFile, ...]:
    """40 inputs: number i holds class i % 20; every fifth label is wrong."""
    monkeypatch.setattr(module, "Runtime", _Runtime)
    monkeypatch.setattr(module, "read_info", lambda _: _Info)
    for number in range(40):
        np.save(tmp_path / f"{number}.npy", np.array([number % 20], np.int8))
    return tuple(LabelledFile(tmp_path / f"{n}.npy", (n % 20 + (n % 5 == 0)) % 20)
                 for n in range(40))


def test_threads_judge_every_file_once(files: tuple[LabelledFile, ...]) -> None:
    done: list[int] = []
    with ThreadPoolExecutor(3) as pool:
        result = validate(make_units(files, b"package"), pool, done.append)
    assert (result.n, result.top1) == (40, 80.0)
    assert sum(done) == 40 and len(done) == 3


def test_a_unit_that_ran_twice_counts_once(files: tuple[LabelledFile, ...]) -> None:
    units = list(make_units(files, b"package"))
    with ThreadPoolExecutor(2) as pool:
        assert validate([*units, units[0]], pool).n == 40


class _Lazy(Executor):
    """Runs everything at once in the caller."""

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(function(*args, **kwargs))
        return future


def test_any_executor_will_do(files: tuple[LabelledFile, ...]) -> None:
    assert validate(make_units(files, b"package"), _Lazy()).top1 == 80.0


def test_a_label_the_network_does_not_have_is_named(files: tuple[LabelledFile, ...]) -> None:
    wrong = (replace(files[0], label=20),)
    with ThreadPoolExecutor(1) as pool, pytest.raises(BadInput, match=r"0\.npy: label 20"):
        validate(make_units(wrong, b"package"), pool)


def test_an_unreadable_file_is_named(files: tuple[LabelledFile, ...]) -> None:
    files[3].path.write_bytes(b"")
    with ThreadPoolExecutor(1) as pool, pytest.raises(BadInput, match=r"3\.npy"):
        validate(make_units(files, b"package"), pool)
