# SPDX-License-Identifier: Apache-2.0
"""Scratch grows into bytes that are free whenever its operator fires, and into no others."""

import numpy as np
import pytest

from edgefm.planner.grow import grown
from edgefm.planner.place import Item, place, solid


def passing(size: int, firings: list[int], start: int, stop: int) -> Item:
    """Scratch that lives at these firings only."""
    high = np.zeros(stop - start, np.int32)
    high[np.array(firings) - start] = size
    return Item("scratch", size, start, np.zeros(stop - start, np.int32), high)


def test_it_grows_up_to_what_it_can_use_and_no_further() -> None:
    items = [solid("ring", 96, 0, 4), passing(16, [1, 3], 1, 4)]
    assert grown(items, [0, 96], {1: 64}, 400) == {1: (96, 64)}
    assert grown(items, [0, 96], {1: 64}, 140) == {1: (96, 44)}
    assert grown(items, [0, 96], {1: 64}, 112) == {}


def test_it_takes_what_others_have_only_at_other_times() -> None:
    ring, later = solid("ring", 96, 0, 4), solid("later", 80, 4, 9)
    items = [ring, later, passing(16, [2], 2, 3), passing(16, [1], 1, 2)]
    assert grown(items, [0, 96, 96, 96], {2: 80}, 176) == {2: (96, 80)}


def test_it_moves_below_a_neighbor_where_there_is_more() -> None:
    items = [solid("ring", 32, 0, 3), solid("map", 40, 0, 3), passing(8, [1], 1, 2)]
    assert grown(items, [0, 200, 32], {2: 500}, 260) == {2: (32, 168)}


def test_a_map_that_slides_is_left_all_that_it_has_meanwhile() -> None:
    low, high = np.array([0, 16, 32, 48]), np.array([32, 48, 64, 64])
    sliding = Item("map", 64, 0, low.astype(np.int32), high.astype(np.int32))
    assert grown([sliding, passing(8, [2, 3], 2, 4)], [0, 64], {1: 900}, 128) == {1: (64, 64)}
    assert grown([sliding, passing(8, [3], 3, 4)], [0, 64], {1: 900}, 80) == {1: (0, 48)}


@pytest.mark.parametrize("seed", range(40))
def test_what_has_grown_never_meets_anything_alive(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items = []
    for _ in range(12):
        start = int(rng.integers(0, 8))
        items.append(solid("x", int(rng.integers(1, 90)), start, start + int(rng.integers(1, 6))))
    most = {}
    for _ in range(4):
        at = int(rng.integers(0, 10))
        most[len(items)] = int(rng.integers(1, 300))
        items.append(passing(int(rng.integers(1, 30)), [at], at, at + 1))
    offsets, height = place(items)
    for i, (at, size) in grown(items, offsets, most, height).items():
        assert items[i].size < size <= most[i]
        assert at + size <= height
        for j, other in enumerate(items):
            if j != i and other.start <= items[i].start < other.stop:
                assert at + size <= offsets[j] or at >= offsets[j] + other.size
