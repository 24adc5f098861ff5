# SPDX-License-Identifier: Apache-2.0
"""What is computed in integers is what float64 gives, rounded to float32, in every bit."""

from collections.abc import Callable
from itertools import product
from types import ModuleType

import numpy as np
import pytest

from edgefm.network.graph import Array

CDEF = """
void sums(const uint8_t *x, const uint8_t *y, const uint8_t *z, float *to, uint32_t count);
void products(const uint8_t *x, const uint8_t *y, float *to, uint32_t count);
"""
SOURCE = """
#include "ops/real.h"
static void sums(const uint8_t *x, const uint8_t *y, const uint8_t *z, float *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = efm_multiply_add(x + 8 * i, y + 4 * i, z + 4 * i);
    }
}
static void products(const uint8_t *x, const uint8_t *y, float *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = efm_multiply_add(x + 8 * i, y + 4 * i, 0);
    }
}
"""
COUNT = 100_000
EDGES = (0.0, 1.0, 1.5, 2.0**-149, 2.0**-126, 2.0**-127, 2.0**24 - 1, 2.0**24 + 1, 2.0**127,
         1 + 2.0**-23, 1 + 2.0**-24, 1 - 2.0**-24, 3.4e38)


@pytest.fixture(scope="module")
def real(native_lib: Callable[..., ModuleType]) -> ModuleType:
    return native_lib(CDEF, SOURCE, ["bits.c", "ops/real.c"])


def _agree(real: ModuleType, x: Array, y: Array, z: Array) -> None:
    x, y, z = x.astype("<f8"), y.astype("<f4"), z.astype("<f4")
    with np.errstate(over="ignore", under="ignore"):
        product = x * y.astype(np.float64)
        expected = {"products": product, "sums": product + z.astype(np.float64)}
        for name, values in expected.items():
            operands = (x, y) if name == "products" else (x, y, z)
            got = np.zeros(len(x), np.float32)
            getattr(real.lib, name)(
                *(real.ffi.from_buffer("uint8_t[]", one.view(np.uint8)) for one in operands),
                real.ffi.from_buffer("float[]", got), len(x))
            wanted = values.astype(np.float32)
            wrong = np.flatnonzero(got.view(np.uint32) != wanted.view(np.uint32))
            assert not len(wrong), (name, x[wrong[0]], y[wrong[0]], z[wrong[0]])


def test_edges_of_float32_are_exact(real: ModuleType) -> None:
    signed = [sign * value for value in EDGES for sign in (1, -1)]
    x, y, z = np.array(list(product(signed, repeat=3))).T
    _agree(real, x, y, np.clip(z, -3.4e38, 3.4e38))


def _random(rng: np.random.Generator, low: int, high: int, digits: int) -> Array:
    """Of all signs and exponents low .. high - 1, with at most that many binary digits."""
    whole = rng.integers(1 << (digits - 1), 1 << digits, COUNT) >> rng.integers(0, digits, COUNT)
    return rng.choice((-1.0, 1.0), COUNT) * np.ldexp(
        whole.astype(np.float64), rng.integers(low, high, COUNT) - digits)


@pytest.mark.parametrize("reach", [4, 40, 150])
def test_random_numbers_are_rounded_as_float64_is(real: ModuleType, reach: int) -> None:
    rng = np.random.default_rng(reach)
    least = max(-reach, -120)
    _agree(real, _random(rng, -reach, reach, 53), _random(rng, least, min(reach, 120), 24),
           _random(rng, least, min(reach, 120), 24))


def test_sums_that_nearly_cancel_and_halves_are_rounded_as_float64_is(real: ModuleType) -> None:
    rng = np.random.default_rng(5)
    x, y = _random(rng, -8, 8, 53), _random(rng, -8, 8, 24)
    near = (-x * y).astype(np.float32)
    steps = rng.integers(-2, 3, COUNT).astype(np.int32)
    _agree(real, x, y, (near.view(np.int32) + steps).view(np.float32))
    whole = rng.integers(1, 1 << 20, COUNT).astype(np.float64)
    _agree(real, whole + 0.5, np.ones(COUNT), np.ldexp(whole, 24))


def test_what_is_too_large_is_infinite(real: ModuleType) -> None:
    huge = np.array([1e300, -1e300, np.inf, -np.inf])
    _agree(real, huge, np.full(4, 3e38), np.full(4, -3e38))
