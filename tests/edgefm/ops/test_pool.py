# SPDX-License-Identifier: Apache-2.0
"""Pools and means equal the oracle's bits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.importers.windows import same_padding, window_size
from edgefm.ops import run_graph

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
DTYPES = st.sampled_from(["int8", "uint8"])
SEEDS = st.integers(0, 2**16)
AXES = st.sampled_from([(1, 2), (2, 1), (1,), (2,), (3,), (1, 2, 3), (0, 1, 2)])


def _geometry(size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int],
              same: bool) -> tuple[Any, Any]:
    rows = list(zip(size, kernel, stride, (1, 1), strict=True))
    padding = tuple(same_padding(*row) if same else (0, 0) for row in rows)
    return padding, tuple(window_size(*row, pad) for row, pad in zip(rows, padding, strict=True))


@given(kernel=st.tuples(*[st.integers(1, 5)] * 2), stride=PAIRS, same=st.booleans(), dtype=DTYPES,
       zero=st.integers(-128, 127), activation=st.sampled_from([None, "relu", "relu6"]),
       seed=SEEDS)
@pytest.mark.parametrize("op", ["average_pool", "max_pool"])
def test_pools_equal_the_oracle(judge: Any, op: str, kernel: Any, stride: Any, same: bool,
                                dtype: str, zero: int, activation: str | None, seed: int) -> None:
    padding, out = _geometry((7, 6), kernel, stride, same)
    zero += 128 if dtype == "uint8" else 0
    tensors = [judge.tensor((1, *size, 3), dtype, 0.1, zero) for size in ((7, 6), out)]
    judge.agrees(op, tensors[:1], tensors[1:], seed, kernel=kernel, stride=stride,
                 padding=padding, activation=activation)


@given(axes=AXES, keep=st.booleans(), dtype=DTYPES, scale=st.floats(2**-10, 2, width=32),
       ratio=st.floats(2**-5, 8, width=32), zeros=st.tuples(*[st.integers(-128, 127)] * 2),
       size=st.tuples(st.integers(1, 9), st.integers(1, 9)), seed=SEEDS)
def test_mean_equals_the_oracle(judge: Any, axes: Any, keep: bool, dtype: str, scale: float,
                                ratio: float, zeros: Any, size: Any, seed: int) -> None:
    shape = (1, *size, 4)
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
    zero = [z + (128 if dtype == "uint8" else 0) for z in zeros]
    judge.agrees("mean", [judge.tensor(shape, dtype, scale, zero[0])],
                 [judge.tensor(kept, dtype, scale * ratio, zero[1])], seed, axes=axes,
                 keep_dims=keep)


@pytest.mark.parametrize("op", ["average_pool", "max_pool"])
@pytest.mark.parametrize("same", [True, False])
def test_float_pools(judge: Any, op: str, same: bool) -> None:
    padding, out = _geometry((7, 6), (3, 3), (2, 2), same)
    tensors = [judge.tensor((1, *size, 3), "float32") for size in ((7, 6), out)]
    judge.agrees(op, tensors[:1], tensors[1:], tolerance=1e-6, kernel=(3, 3), stride=(2, 2),
                 padding=padding)


def test_float_mean(judge: Any) -> None:
    judge.agrees("mean", [judge.tensor((1, 7, 6, 5), "float32")],
                 [judge.tensor((1, 5), "float32")], tolerance=1e-5, axes=(1, 2), keep_dims=False)


@pytest.mark.parametrize("size, ratio", [((2, 13), 1.0), ((2, 4), 0.5), ((7, 7), 1.0),
                                         ((4, 6), 1 / 3)])
def test_mean_of_every_possible_sum_equals_the_oracle(judge: Any, size: tuple[int, int],
                                                      ratio: float) -> None:
    """The divided multiplier is rounded down: halves depend on the number of elements."""
    count = size[0] * size[1]
    base, more = np.divmod(np.arange(-128 * count, 127 * count + 1), count)
    cells = (base + (np.arange(count)[:, None] < more)).astype(np.int8)
    channels = cells.shape[1]
    judge.agrees("mean", [judge.tensor((1, *size, channels), scale=0.5)],
                 [judge.tensor((1, channels), scale=0.5 / ratio)],
                 values=[cells.reshape(1, *size, channels)], axes=(1, 2), keep_dims=False)


@pytest.mark.parametrize("op", ["reduce_max", "reduce_min"])
@given(axes=st.sets(st.integers(0, 3), min_size=1), keep=st.booleans(),
       dtype=st.sampled_from(["int8", "uint8", "float32"]), seed=st.integers(0, 999))
def test_extremes_equal_the_oracle(judge: Any, op: str, axes: set[int], keep: bool, dtype: str,
                                   seed: int) -> None:
    shape = (1, 5, 4, 3)
    out = [1 if d in axes else n for d, n in enumerate(shape) if keep or d not in axes]
    judge.agrees(op, [judge.tensor(shape, dtype)], [judge.tensor(out, dtype)], seed,
                 axes=tuple(sorted(axes)), keep_dims=keep)


@given(axes=st.sets(st.integers(0, 3), min_size=1), keep=st.booleans(),
       scale=st.floats(2**-8, 1, width=32), ratio=st.floats(0.5, 20), zeros=st.tuples(
           *[st.integers(0, 255)] * 2), seed=st.integers(0, 999))
def test_sum_equals_the_oracle(judge: Any, axes: set[int], keep: bool, scale: float, ratio: float,
                               zeros: Any, seed: int) -> None:
    """Of uint8; the reference kernel takes int8 for uint8."""
    shape = (1, 5, 4, 3)
    out = [1 if d in axes else n for d, n in enumerate(shape) if keep or d not in axes]
    judge.agrees("sum", [judge.tensor(shape, "uint8", scale, zeros[0])],
                 [judge.tensor(out, "uint8", scale * ratio, zeros[1])], seed,
                 axes=tuple(sorted(axes)), keep_dims=keep)
    judge.agrees("sum", [judge.tensor(shape, "float32")], [judge.tensor(out, "float32")], seed,
                 1e-5, axes=tuple(sorted(axes)), keep_dims=keep)


@given(axes=st.sets(st.integers(0, 3), min_size=1), scale=st.floats(2**-8, 1, width=32),
       ratio=st.floats(0.5, 20), zeros=st.tuples(*[st.integers(-128, 127)] * 2))
def test_sum_of_int8_equals_the_kernel_that_takes_it_for_int8(
        judge: Any, axes: set[int], scale: float, ratio: float, zeros: Any) -> None:
    """Within a step: it computes in float, and it is not the reference kernel."""
    shape = (1, 5, 4, 3)
    out = [n for d, n in enumerate(shape) if d not in axes]
    graph = judge.graph("sum", [judge.tensor(shape, "int8", scale, zeros[0])],
                        [judge.tensor(out, "int8", scale * ratio, zeros[1])],
                        {"axes": tuple(sorted(axes)), "keep_dims": False})
    values = judge.values(graph, 0)
    made, expected = run_graph(graph, values)[1], judge.without_delegates(graph, values)
    np.testing.assert_allclose(made.astype(int), expected.astype(int), atol=1)
