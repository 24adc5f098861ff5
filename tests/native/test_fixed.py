# SPDX-License-Identifier: Apache-2.0
"""The short formula of proved channels gives the long one's numbers, however wide products are."""

from collections.abc import Callable, Iterator
from itertools import product
from types import ModuleType

import numpy as np
import pytest

from edgefm.network.graph import Array

CDEF = "uint32_t differing(int32_t *x, int32_t *multiplier, int32_t *right, uint32_t count);"
SOURCE = """
#define EFM_PRODUCTS_OF_32_BITS {narrow}
#include "fixed.h"
static uint32_t differing(int32_t *x, int32_t *multiplier, int32_t *right, uint32_t count)
{{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++) {{
        wrong += efm_requant_proved(x[i], (uint32_t)multiplier[i], (uint32_t)right[i])
                 != efm_requant_twice(x[i], multiplier[i], -right[i]);
    }}
    return wrong;
}}
"""
MOST = (1 << 30) - 1
EDGES = [*(s * v for v in (0, 1, 2, 3, (1 << 15) - 1, 1 << 15, 0xffff, 1 << 16, 0x12345678 & MOST,
                           MOST - 0xffff, MOST - 1, MOST) for s in (1, -1))]
FACTORS = [0, 1, 0x7fff, 0x8000, 0xffff, 0x10000, 1 << 30, (1 << 30) + 1, 0x7fff0000, 0x7fff8000,
           0x7ffffffe, 0x7fffffff]


@pytest.fixture(scope="module", params=[0, 1], ids=["wide", "narrow"])
def fixed(request: pytest.FixtureRequest, native_lib: Callable[..., ModuleType]) -> ModuleType:
    """fixed.h with products of 64 bits, and of 32."""
    return native_lib(CDEF, SOURCE.format(narrow=request.param), [])


def _differing(fixed: ModuleType, *columns: Array) -> int:
    kept = [np.ascontiguousarray(column, np.int32) for column in columns]
    return int(fixed.lib.differing(*(fixed.ffi.from_buffer("int32_t[]", one) for one in kept),
                                   len(kept[0])))


def _at_edges() -> Iterator[Array]:
    yield from np.array(list(product(EDGES, FACTORS, range(1, 32)))).T


def test_extremes_are_rounded_alike(fixed: ModuleType) -> None:
    assert _differing(fixed, *_at_edges()) == 0


def test_random_numbers_and_ties_are_rounded_alike(fixed: ModuleType) -> None:
    random = np.random.default_rng(0)
    count = 300_000
    sizes = random.integers(0, 31, count)
    x = random.integers(-MOST, MOST + 1, count) >> sizes
    right = random.integers(1, 32, count)
    assert _differing(fixed, x, random.integers(0, 1 << 31, count), right) == 0
    ties = (2 * random.integers(-(1 << 20), 1 << 20, count) + 1) << (right % 9)
    assert _differing(fixed, ties, np.full(count, 1 << 30), 1 + right % 9) == 0


def test_a_forged_table_gives_some_number(fixed: ModuleType) -> None:
    """Undefined behavior is trapped in this build; the long formula takes any shift, too."""
    anything = np.random.default_rng(1).integers(-(1 << 31), 1 << 31, (2, 10_000))
    assert _differing(fixed, *anything, np.random.default_rng(2).integers(0, 32, 10_000)) > 0
