# SPDX-License-Identifier: Apache-2.0
"""Placement: live bytes never meet, and whatever can share memory does."""

from itertools import combinations, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefm.planner.arena import ALIGNMENT
from edgefm.planner.place import Item, place, solid

FIRINGS = 12


@st.composite
def items(draw: st.DrawFn) -> Item:
    """Memory that lives for a while; a map that fills and drains, a ring, or one that pauses."""
    start = draw(st.integers(0, FIRINGS - 1))
    length = draw(st.integers(1, FIRINGS - start))
    size = draw(st.integers(1, 60))
    bounds = st.lists(st.integers(0, size), min_size=length, max_size=length)
    kind = draw(st.sampled_from(("solid", "sliding", "pausing")))
    if kind == "solid":
        return solid(kind, size, start, start + length)
    low, high = sorted(draw(bounds)), sorted(draw(bounds))
    low = [min(pair) for pair in zip(low, high, strict=True)]
    if kind == "pausing":
        awake = draw(st.lists(st.booleans(), min_size=length, max_size=length))
        low, high = [0] * length, [size * a for a in awake]
    return Item(kind, size, start, np.array(low, np.int32), np.array(high, np.int32))


def live(item: Item, offset: int, firing: int) -> range:
    at = firing - item.start
    if not 0 <= at < len(item.low):
        return range(0)
    return range(offset + int(item.low[at]), offset + int(item.high[at]))


def meet(a: range, b: range) -> bool:
    return max(a.start, b.start) < min(a.stop, b.stop)


@settings(max_examples=300, deadline=None)
@given(st.lists(items(), max_size=9), st.integers(0, 200))
def test_no_two_live_byte_ranges_meet_at_any_firing(wanted: list[Item], enough: int) -> None:
    offsets, height = place(wanted, enough)
    assert height == max((o + i.size for o, i in zip(offsets, wanted, strict=True)), default=0)
    assert all(offset >= 0 and offset % ALIGNMENT == 0 for offset in offsets)
    for (a, at), (b, bt) in combinations(zip(wanted, offsets, strict=True), 2):
        for firing in range(FIRINGS):
            assert not meet(live(a, at, firing), live(b, bt, firing))


def test_nothing_takes_no_memory() -> None:
    assert place([]) == ([], 0)


def test_items_that_live_one_after_the_other_share_their_bytes() -> None:
    chain = [solid("", 40, k, k + 1) for k in range(5)]
    assert place(chain) == ([0] * 5, 40)


def test_neighbors_of_a_chain_alternate_between_two_ends() -> None:
    chain = [solid("", 40, k, k + 2) for k in range(6)]
    offsets, height = place(chain)
    assert height == 80
    assert all(a != b for a, b in pairwise(offsets))


def test_a_map_is_written_over_the_part_of_its_input_that_was_read() -> None:
    rows, size = 10, 16
    read = np.arange(rows, dtype=np.int32) * size
    source = Item("source", rows * size, 0, read, np.full(rows, rows * size, np.int32))
    result = Item("result", rows * size, 0, np.zeros(rows, np.int32), read + size)
    offsets, height = place([source, result])
    assert height == (rows + 1) * size
    assert offsets[0] - offsets[1] == size


def test_climbing_packs_tightly_where_every_first_order_leaves_a_gap() -> None:
    lives = ((32, 1, 5), (32, 5, 9), (16, 2, 4), (24, 2, 4), (32, 4, 8), (24, 2, 6))
    busiest = max(sum(size for size, start, stop in lives if start <= t < stop) for t in range(9))
    assert place([solid("", *life) for life in lives])[1] == busiest == 96


def test_the_search_is_the_same_every_time() -> None:
    random = np.random.default_rng(3)
    wanted = [solid("", int(size), int(start), int(start) + 4)
              for size, start in zip(random.integers(1, 99, 20), random.integers(0, 20, 20),
                                     strict=True)]
    assert place(wanted) == place(wanted)
