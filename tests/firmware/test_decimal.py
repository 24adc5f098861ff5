# SPDX-License-Identifier: Apache-2.0
"""Numbers of 64 bits are divided and written as they should be."""

from typing import Any

import numpy as np
import pytest
from native_build import FIRMWARE

CDEF = """
uint64_t efm_divide(uint64_t number, uint32_t by, uint32_t *rest);
uint32_t efm_decimal(uint64_t number, uint32_t least, uint8_t digits[20]);
"""
EDGES = (0, 1, 9, 10, 999, 1000, 2**31, 2**32 - 1, 2**32, 10**19, 2**63, 2**64 - 1)


@pytest.fixture(scope="module")
def native(native_lib: Any) -> Any:
    return native_lib(CDEF, '#include "decimal.h"', [FIRMWARE / "decimal.c"])


def test_quotient_and_rest_are_exact(native: Any) -> None:
    rest = native.ffi.new("uint32_t *")
    draws = np.random.default_rng(0).integers(0, 2**64, 200, np.uint64) >> (
        np.arange(200, dtype=np.uint64) % np.uint64(64))
    for number in (*EDGES, *map(int, draws)):
        for by in (1, 3, 10, 1000, 168_000_000, 2**31 + 1, 2**32 - 1):
            assert (native.lib.efm_divide(number, by, rest), rest[0]) == divmod(number, by)


@pytest.mark.parametrize("least", [0, 1, 3, 20])
def test_digits_are_the_numbers_and_as_many_as_wanted(native: Any, least: int) -> None:
    digits = native.ffi.new("uint8_t[20]")
    for number in EDGES:
        at = native.lib.efm_decimal(number, least, digits)
        expected = str(number).zfill(least) if number or least else ""
        assert bytes(digits)[at:].decode() == expected
