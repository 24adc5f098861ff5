# SPDX-License-Identifier: Apache-2.0
"""Products of two computed matrices equal the oracle's bits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.integers(1, 6)
BATCHES = st.sampled_from([((), ()), ((1,), (1,)), ((1, 3), (1, 3)), ((1, 3), (1, 1)),
                           ((1, 1), (1, 4))])


def _shapes(batches: Any, sizes: Any, adj_x: bool, adj_y: bool) -> tuple[Any, Any, Any]:
    m, k, n = sizes
    a, b = ((k, m) if adj_x else (m, k)), ((n, k) if adj_y else (k, n))
    wide = max(batches, key=lambda one: (len(one), one))
    return (*batches[0], *a), (*batches[1], *b), (*wide, m, n)


@given(batches=BATCHES, sizes=st.tuples(SIZES, SIZES, SIZES), adj_x=st.booleans(),
       adj_y=st.booleans(), scales=st.tuples(*[st.floats(2**-8, 1, width=32)] * 2),
       ratio=st.floats(1, 200), zeros=st.tuples(*[st.integers(-128, 127)] * 3),
       seed=st.integers(0, 999))
def test_batch_matmul_equals_the_oracle(judge: Any, batches: Any, sizes: Any, adj_x: bool,
                                        adj_y: bool, scales: Any, ratio: float, zeros: Any,
                                        seed: int) -> None:
    every = (*scales, scales[0] * scales[1] * ratio)
    a, b, y = (judge.tensor(shape, "int8", scale, zero) for shape, scale, zero in zip(
        _shapes(batches, sizes, adj_x, adj_y), every, zeros, strict=True))
    judge.agrees("batch_matmul", [a, b], [y], seed, adj_x=adj_x, adj_y=adj_y)


@pytest.mark.parametrize("adj_x", [False, True])
@pytest.mark.parametrize("adj_y", [False, True])
def test_of_floats(judge: Any, adj_x: bool, adj_y: bool) -> None:
    a, b, y = (judge.tensor(shape, "float32")
               for shape in _shapes(((1, 3), (1, 3)), (4, 5, 6), adj_x, adj_y))
    judge.agrees("batch_matmul", [a, b], [y], tolerance=1e-4, adj_x=adj_x, adj_y=adj_y)
