# SPDX-License-Identifier: Apache-2.0
"""Tiles have all channels once; buffers grow into what is free, and stay where they can."""

import numpy as np
import pytest

from edgefm.network.program import Coding, Op, OpKind, Program, Stream
from edgefm.planner.place import Item, solid
from edgefm.planner.weight_tiles import (
    TABLE_BYTES,
    Decoding,
    Shape,
    buffer_item,
    enlarge,
    firing_bytes,
    scratch_bytes,
    scratch_most,
    shape_of,
    working_bytes,
)

OP = Op(OpKind.CONV, "conv", (0,), (1,), (1, 1, 1, 1, 1, 1, 0, 0), bytes(8 + 12 * 10 + 10 * 7),
        scratch=24, scratch_most=40, coding=Coding((1,), b"table", 150))
PROGRAM = Program("net", (Stream("x", 4, 4, 7), Stream("y", 4, 4, 10)), (OP,))


@pytest.mark.parametrize("seed", range(40))
def test_a_cut_has_every_channel_once_in_tiles_that_fit(seed: int) -> None:
    random = np.random.default_rng(seed)
    step = int(random.choice((1, 4, 6)))
    shape = Shape(int(random.integers(1, 300)), int(random.integers(1, 5000)), step)
    size = int(random.integers(1, 100_000))
    most = shape.channels_in(size)
    tiles = shape.cut(most)
    assert sum(tiles) == shape.channels and min(tiles) > 0 and max(tiles) <= most
    assert all(n % step == 0 for n in tiles[:-1])
    assert len(tiles) == -(-shape.channels // most)
    assert most * shape.each <= size or most == shape.least


def test_tiles_of_a_depthwise_have_whole_input_channels() -> None:
    streams = (Stream("x", 4, 4, 7), Stream("y", 4, 4, 21))
    op = Op(OpKind.DEPTHWISE, "deep", (0,), (1,), (3, 3, 1, 1, 1, 1, 1, 1, 3),
            bytes(8 + 12 * 21 + 9 * 21))
    assert shape_of(Program("net", streams, (op,)), op) == Shape(21, 9, 12)


def test_a_firing_takes_a_table_in_front_of_its_scratch_and_the_buffer_beside() -> None:
    assert scratch_bytes(PROGRAM, OP) == TABLE_BYTES  # one tile: the table is there before
    assert scratch_most(PROGRAM, OP) == TABLE_BYTES + 16
    assert working_bytes(PROGRAM, OP) == TABLE_BYTES + 72
    assert firing_bytes(OP) == 150


def decoding(item: int, when: list[int], channels: int = 16, each: int = 4) -> Decoding:
    return Decoding(OP, Shape(channels, each, 4), item, when)


def test_a_tile_is_kept_where_nothing_else_needs_its_bytes_in_between() -> None:
    items = [solid("ring", 96, 0, 6), buffer_item("weights", 16, [1, 4])]
    offsets = [0, 96]
    assert enlarge(items, offsets, {7: decoding(1, [1, 4])}, 160) == {7: True}
    assert (items[1].size, offsets[1], items[1].start, items[1].stop) == (64, 96, 1, 5)
    assert (items[1].high == 64).all()


def test_where_it_cannot_stay_it_becomes_as_large_as_fits() -> None:
    items: list[Item] = [solid("ring", 96, 0, 6), solid("other", 16384, 2, 3),
                         buffer_item("weights", 4096, [1, 4])]
    offsets = [0, 96, 96]
    assert enlarge(items, offsets, {7: decoding(2, [1, 4], each=1024)}, 14_000) == {7: False}
    assert items[2].size == 12288 and list(items[2].high) == [12288, 0, 0, 12288]


def test_one_that_fires_once_is_not_kept_but_grows() -> None:
    items = [solid("ring", 96, 0, 6), buffer_item("weights", 16, [3])]
    offsets = [0, 96]
    assert enlarge(items, offsets, {0: decoding(1, [3])}, 1000) == {0: False}
    assert items[1].size == 64


def test_two_that_are_kept_do_not_share_bytes() -> None:
    items = [buffer_item("a", 16, [0, 4]), buffer_item("b", 16, [1, 5])]
    offsets = [0, 0]
    assert enlarge(items, offsets, {0: decoding(0, [0, 4]), 1: decoding(1, [1, 5])}, 144) == {
        0: True, 1: True}
    assert abs(offsets[0] - offsets[1]) >= 64
