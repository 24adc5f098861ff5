# SPDX-License-Identifier: Apache-2.0
"""Streaming histograms, and the ranges found in them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph
from edgefm.quantization.calibrate import BINS, histogram, merged, observe, range_of

RNG = np.random.default_rng(3)


def normal(count: int, scale: float = 1.0) -> Array:
    return (RNG.standard_normal(count) * scale).astype(np.float32)


def test_histogram_counts_every_value_in_its_bin() -> None:
    values = normal(5000)
    seen = histogram(values)
    assert seen.counts.sum() == 5000 and seen.limit == 4.0
    assert (seen.low, seen.high) == (values.min(), values.max())
    edges = np.linspace(-seen.limit, seen.limit, BINS + 1)
    np.testing.assert_array_equal(seen.counts, np.histogram(values, edges)[0])


@pytest.mark.parametrize("scale", [1.0, 7.0, 1e-3, 1e6])
def test_merging_equals_the_histogram_of_both(scale: float) -> None:
    a, b = normal(1000), normal(1000, scale)
    together, step_by_step = histogram(np.concatenate([a, b])), merged(histogram(a), histogram(b))
    assert step_by_step.limit == together.limit
    assert (step_by_step.low, step_by_step.high) == (together.low, together.high)
    np.testing.assert_array_equal(step_by_step.counts, together.counts)


def test_map_of_zeros_has_a_histogram() -> None:
    seen = merged(histogram(np.zeros(10, np.float32)), histogram(normal(10)))
    assert seen.counts.sum() == 20
    assert range_of("mse", histogram(np.zeros(10, np.float32))) == (0, 0)


def test_minmax_is_what_was_seen() -> None:
    values = normal(1000)
    assert range_of("minmax", histogram(values)) == (values.min(), values.max())


@pytest.mark.parametrize("percent", [90.0, 99.0, 99.9])
def test_percentile_leaves_out_its_share_at_each_end(percent: float) -> None:
    values = normal(200_000)
    low, high = range_of(str(percent), histogram(values))
    for end, share in ((low, 100 - percent), (high, percent)):
        assert abs(end - np.percentile(values, share)) < 0.01


def test_percentile_of_a_rectified_map_starts_at_zero() -> None:
    low, high = range_of("99", histogram(np.maximum(normal(10_000), 0)))
    assert low == 0 and 2 < high < 2.6


@pytest.mark.parametrize("method", ["best", "40", "101"])
def test_unknown_method_is_refused(method: str) -> None:
    with pytest.raises(ValueError):
        range_of(method, histogram(normal(10)))


def test_mse_clips_rare_outliers_and_beats_the_other_methods() -> None:
    values = np.append(normal(100_000), np.float32([40, -3]))
    seen = histogram(values)

    def error(method: str) -> float:
        low, high = range_of(method, seen)
        step = (high - low) / 255
        rounded = np.clip(np.rint((values - low) / step), 0, 255) * step + low
        return float(((values - rounded) ** 2).mean())

    assert range_of("mse", seen)[1] < 40
    assert error("mse") <= 1.02 * min(error(m) for m in ("minmax", "99.9", "99.99", "99.999"))


def test_observe_sees_every_float_tensor(
        float_nets: dict[str, Graph], float_samples: Callable[[int], list[Array]]) -> None:
    graph, samples = float_nets["fire"], float_samples(3)
    seen = observe(graph, samples)
    runs = [run_graph(graph, [sample]) for sample in samples]
    assert set(seen.histograms) == set(runs[0])
    for t in runs[0]:
        values = np.concatenate([run[t].reshape(-1, run[t].shape[-1]) for run in runs])
        assert seen.histograms[t].counts.sum() == values.size
        assert (seen.histograms[t].low, seen.histograms[t].high) == (values.min(), values.max())
        np.testing.assert_array_equal(seen.peaks[t], np.abs(values).max(axis=0))


def test_spanning_takes_in_extremes_and_no_more(
        float_nets: dict[str, Graph], float_samples: Callable[[int], list[Array]]) -> None:
    graph, samples = float_nets["fire"], float_samples(2)
    samples[1][0, 0, 0, 0] = 99
    one, other = (observe(graph, [sample]) for sample in samples)
    both = one.spanning(other)
    assert both.spans == observe(graph, samples).spans != one.spans
    assert both.histograms is one.histograms and both.peaks is one.peaks


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
def test_observe_refuses_what_is_not_finite(
        value: float, float_nets: dict[str, Graph],
        float_samples: Callable[[int], list[Array]]) -> None:
    graph = float_nets["fire"]
    weights = graph.nodes[0].inputs[1]
    tensors = list(graph.tensors)
    tensors[weights] = replace(tensors[weights],
                               data=np.full(tensors[weights].shape, value, np.float32))
    with pytest.raises(BadInput, match="'conv2d0' is not finite"):
        observe(replace(graph, tensors=tuple(tensors)), float_samples(1))
