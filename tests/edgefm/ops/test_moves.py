# SPDX-License-Identifier: Apache-2.0
"""Operators that only give values other places equal the oracle."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

DTYPES = st.sampled_from(["int8", "uint8", "float32"])
SEEDS = st.integers(0, 2**16)
SHAPE = (1, 3, 4, 2)
PADS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=3, max_size=3)


def _moves(judge: Any, op: str, shape: Any, out: Any, dtype: str, seed: int = 0,
           **attrs: Any) -> None:
    """One input of this shape, on the output's scale."""
    judge.agrees(op, [judge.tensor(shape, dtype, 0.1, 7)], [judge.tensor(out, dtype, 0.1, 7)], seed,
                 **attrs)


@given(padding=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=3, max_size=3),
       dtype=DTYPES, zero=st.integers(0, 100), seed=SEEDS)
def test_pad_equals_the_oracle(judge: Any, padding: Any, dtype: str, zero: int, seed: int) -> None:
    pads = ((0, 0), *padding)
    out = [n + a + b for n, (a, b) in zip((1, 3, 4, 2), pads, strict=True)]
    judge.agrees("pad", [judge.tensor((1, 3, 4, 2), dtype, 0.1, zero)],
                 [judge.tensor(out, dtype, 0.1, zero)], seed, padding=pads)


@given(perm=st.permutations((1, 2, 3)), dtype=DTYPES, seed=SEEDS)
def test_transpose_equals_the_oracle(judge: Any, perm: list[int], dtype: str, seed: int) -> None:
    shape = (1, 3, 4, 2)
    judge.agrees("transpose", [judge.tensor(shape, dtype)],
                 [judge.tensor([1, *(shape[p] for p in perm)], dtype)], seed, perm=(0, *perm))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
def test_reshape_equals_the_oracle(judge: Any, dtype: str) -> None:
    judge.agrees("reshape", [judge.tensor((1, 3, 4, 2), dtype)], [judge.tensor((1, 24), dtype)])


@given(padding=PADS, dtype=DTYPES, value=st.integers(0, 127), seed=SEEDS)
def test_pad_with_equals_the_oracle(judge: Any, padding: Any, dtype: str, value: int, seed: int
                                    ) -> None:
    pads = ((0, 0), *padding)
    out = [n + a + b for n, (a, b) in zip(SHAPE, pads, strict=True)]
    _moves(judge, "pad_with", SHAPE, out, dtype, seed, padding=pads, value=value)


@given(padding=PADS, dtype=st.sampled_from(["int8", "float32"]), reflect=st.booleans(), seed=SEEDS)
def test_mirror_pad_equals_the_oracle(judge: Any, padding: Any, dtype: str, reflect: bool,
                                      seed: int) -> None:
    shape = (1, 4, 5, 4)
    pads = ((0, 0), *padding)
    out = [n + a + b for n, (a, b) in zip(shape, pads, strict=True)]
    _moves(judge, "mirror_pad", shape, out, dtype, seed, padding=pads, reflect=reflect)


@given(data=st.data(), dtype=DTYPES, seed=SEEDS)
def test_slice_equals_the_oracle(judge: Any, data: Any, dtype: str, seed: int) -> None:
    shape, cuts = (1, 6, 5, 4), [(0, 1, 1)]
    for length in shape[1:]:
        cells = range(length)[data.draw(st.slices(length).filter(lambda s, n=length: (  # type: ignore[misc]
            len(range(*s.indices(n))) > 0)))]
        cuts.append((cells.start, len(cells), cells.step))
    begin, size, stride = zip(*cuts, strict=True)
    dropped = tuple(d for d in (1, 2) if size[d] == 1 and data.draw(st.booleans()))
    out = [n for d, n in enumerate(size) if d not in dropped]
    _moves(judge, "slice", shape, out, dtype, seed, begin=begin, size=size, stride=stride,
           dropped=dropped)


@given(repeats=st.lists(st.integers(1, 3), min_size=3, max_size=3), dtype=DTYPES, seed=SEEDS)
def test_tile_equals_the_oracle(judge: Any, repeats: list[int], dtype: str, seed: int) -> None:
    out = [n * r for n, r in zip(SHAPE, (1, *repeats), strict=True)]
    _moves(judge, "tile", SHAPE, out, dtype, seed, repeats=(1, *repeats))


@given(axis=st.integers(1, 3), data=st.data(), dtype=DTYPES, seed=SEEDS)
def test_gather_equals_the_oracle(judge: Any, axis: int, data: Any, dtype: str, seed: int) -> None:
    indices = tuple(data.draw(st.lists(st.integers(0, SHAPE[axis] - 1), min_size=1, max_size=7)))
    out = [*SHAPE[:axis], len(indices), *SHAPE[axis + 1:]]
    _moves(judge, "gather", SHAPE, out, dtype, seed, axis=axis, indices=indices)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("block", [2, 3])
def test_blocks_of_pixels_equal_the_oracle(judge: Any, dtype: str, block: int) -> None:
    flat, deep = (1, 4, 5, 2 * block**2), (1, 4 * block, 5 * block, 2)
    _moves(judge, "depth_to_space", flat, deep, dtype, block=block)
    _moves(judge, "space_to_depth", deep, flat, dtype, block=block)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize(("shape", "block", "padding", "batches", "crops", "out"), [
    ((1, 5, 6, 3), (2, 3), ((0, 1), (1, 2)), (6, 3, 3, 3), ((0, 2), (1, 3)), (1, 4, 5, 3)),
    ((1, 8, 3), (2,), ((0, 0),), (2, 4, 3), ((1, 0),), (1, 7, 3))])
def test_blocks_of_batches_equal_the_oracle(judge: Any, dtype: str, shape: Any, block: Any,
                                            padding: Any, batches: Any, crops: Any, out: Any
                                            ) -> None:
    apart = ("space_to_batch", batches, {"block": block, "padding": padding})
    x, flat = judge.tensor(shape, dtype, 0.1, 7), (1, *batches[1:-1], batches[0] * batches[-1])
    judge.chain_agrees(x, apart, ("reshape", flat, {}))
    judge.chain_agrees(x, apart, ("batch_to_space", out, {"block": block, "crops": crops}))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_pack_equals_the_oracle(judge: Any, dtype: str, axis: int) -> None:
    parts = [judge.tensor((1, 3, 4), dtype) for _ in range(3)]
    out = [1, 3, 4]
    out.insert(axis, 3)
    judge.agrees("pack", parts, [judge.tensor(out, dtype)], axis=axis)
