# SPDX-License-Identifier: Apache-2.0
"""Sparse constants become what they stand for, in every order and with blocks; forged ones fail."""

import math
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.importers.flatbuffer import Table, root
from edgefm.importers.tflite_sparse import dense
from edgefm.network.graph import Array

RNG = np.random.default_rng(4)
Level = tuple[int, Array | None, Array | None]  # size; segments and indices where compressed


def encoded(data: Array, order: Sequence[int], blocks: Sequence[int], sizes: Sequence[int],
            compressed: Sequence[bool]) -> tuple[list[Level], Array]:
    """Levels and values of a dense array, made the slow way: recursion over the tree of indices.

    `blocks` are blocked dimensions, `sizes` of the blocks; `compressed` by level.
    """
    rank = data.ndim
    lengths = [n // sizes[list(blocks).index(d)] if d in blocks else n
               for d, n in enumerate(data.shape)] + list(sizes)

    def at(index: dict[int, int]) -> Any:
        place = [index[d] * sizes[list(blocks).index(d)] + index[rank + list(blocks).index(d)]
                 if d in blocks else index[d] for d in range(rank)]
        return data[tuple(place)]

    def holds(index: dict[int, int], level: int) -> bool:
        if level == len(order):
            return bool(at(index))
        return any(holds({**index, order[level]: k}, level + 1)
                   for k in range(lengths[order[level]]))

    fronts: list[dict[int, int]] = [{}]
    levels: list[Level] = []
    for level, d in enumerate(order):
        following, segments, indices = [], [0], list[int]()
        for index in fronts:
            kept = [k for k in range(lengths[d])
                    if not compressed[level] or holds({**index, d: k}, level + 1)]
            following += [{**index, d: k} for k in kept]
            indices += kept
            segments.append(len(indices))
        levels.append((lengths[d], np.array(segments, np.int32), np.array(indices, np.int32))
                      if compressed[level] else (lengths[d], None, None))
        fronts = following
    return levels, np.array([at(index) for index in fronts], data.dtype)


def table(order: Sequence[int], blocks: Sequence[int], levels: Sequence[Level],
          dtype: str = "<i4") -> Table:
    """SparsityParameters as the root of a flatbuffer."""
    builder = flatbuffers.Builder(0)
    kind = {"<i4": 1, "<u2": 2, "|u1": 3}[dtype]

    def vector(values: Any, of: str = "<i4") -> int:
        return int(builder.CreateNumpyVector(np.asarray(values).astype(of)))

    def held(values: Array) -> int:
        data = vector(values, dtype)
        builder.StartObject(1)
        builder.PrependUOffsetTRelativeSlot(0, data, 0)
        return int(builder.EndObject())

    rows = []
    for size, segments, indices in levels:
        parts = None if segments is None or indices is None else (held(segments), held(indices))
        builder.StartObject(6)
        builder.PrependInt8Slot(0, int(parts is not None), 0)
        builder.PrependInt32Slot(1, size, 0)
        for slot, part in zip((2, 4), parts or (), strict=False):
            builder.PrependUint8Slot(slot, kind, 0)
            builder.PrependUOffsetTRelativeSlot(slot + 1, part, 0)
        rows.append(builder.EndObject())
    builder.StartVector(4, len(rows), 4)
    for row in reversed(rows):
        builder.PrependUOffsetTRelative(row)
    dimensions = builder.EndVector()
    traversal, map_ = vector(order), vector(blocks)
    builder.StartObject(3)
    for slot, offset in enumerate((traversal, map_, dimensions)):
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.Finish(builder.EndObject(), file_identifier=b"TEST")
    return root(bytes(builder.Output()), b"TEST")


def sparse_array(*shape: int) -> Array:
    return RNG.integers(1, 100, shape).astype(np.int8) * (RNG.random(shape) < 0.3)


@pytest.mark.parametrize(("order", "blocks", "sizes", "compressed"), [
    ((0, 1), (), (), (False, True)), ((1, 0), (), (), (False, True)),
    ((0, 1), (), (), (True, True)), ((0, 1), (), (), (False, False)),
    ((0, 1, 2), (1,), (2,), (False, True, False)),
    ((0, 1, 2, 3), (0, 1), (2, 4), (False, True, False, False)),
    ((1, 0, 3, 2), (0, 1), (2, 4), (True, True, False, False))], ids=str)
@pytest.mark.parametrize("dtype", ["<i4", "<u2", "|u1"])
def test_a_sparse_constant_becomes_dense(order: tuple[int, ...], blocks: tuple[int, ...],
                                         sizes: tuple[int, ...], compressed: tuple[bool, ...],
                                         dtype: str) -> None:
    data = sparse_array(6, 8)
    levels, values = encoded(data, order, blocks, sizes, compressed)
    made = dense(table(order, blocks, levels, dtype), values, data.shape, "w")
    np.testing.assert_array_equal(made, data)


def test_four_dimensions_as_a_converter_writes_them() -> None:
    data = sparse_array(2, 3, 3, 4)
    order, compressed = (0, 1, 2, 3), (False, True, True, True)
    levels, values = encoded(data, order, (), (), compressed)
    np.testing.assert_array_equal(dense(table(order, (), levels), values, data.shape, "w"), data)


def test_forged_tables_are_one_error_line_and_never_grow() -> None:
    data = sparse_array(6, 8)
    levels, values = encoded(data, (0, 1), (), (), (False, True))
    size, segments, indices = levels[1]
    assert segments is not None and indices is not None
    forged: list[tuple[Sequence[int], Sequence[Level], Array]] = [
        ((0, 0), levels, values), ((0, 1, 2), levels, values), ((0, 1), levels[:1], values),
        ((0, 1), levels, values[:-1]), ((0, 1), [(1 << 30, None, None), levels[1]], values),
        ((0, 1), [levels[0], (size, segments[:2], indices)], values),
        ((0, 1), [levels[0], (size, segments[::-1], indices)], values),
        ((0, 1), [levels[0], (size, segments, indices + 100)], values),
        ((0, 1), [levels[0], (size, segments, indices - 100)], values)]
    for order, wrong, given in forged:
        with pytest.raises(BadInput) as caught:
            dense(table(order, (), wrong), given, data.shape, "w")
        assert str(caught.value).startswith("w: ") and "\n" not in str(caught.value)


def test_a_constant_that_would_take_too_much_memory_is_refused() -> None:
    shape = (1 << 14, 1 << 15)
    assert math.prod(shape) > 1 << 28
    with pytest.raises(BadInput, match="at most"):
        dense(table((0, 1), (), [(1, None, None)] * 2), np.zeros(1, np.int8), shape, "w")
