# SPDX-License-Identifier: Apache-2.0
"""Requantization tables: what they hold, and when they say that sums are bounded."""

import numpy as np
import pytest

from edgefm.kernels.tile import CHANNEL, HEAD, ONCE, PROVED, ROUND_ONCE, TWICE, Requantization


def table_of(bias: int, shift: int, multiplier: int = 1 << 30, low: int = 0,
             rounding: int = TWICE, weight: int = 127, weight_zero: int = 0) -> bytes:
    one = np.array([bias]), np.array([multiplier]), np.array([shift]), np.array([low])
    return Requantization(*one, rounding, weight_zero, -3, (-128, 127)).table(
        np.array([[weight]], np.int8))


def flags(table: bytes) -> int:
    return int(HEAD.unpack_from(table)[3])


@pytest.mark.parametrize(("bias", "shift", "proved"), [
    (0, -1, True), (0, 0, False), ((1 << 30) - 127 * 127 - 1, -1, True),
    ((1 << 30) - 127 * 127, -1, False), (-(1 << 30) + 128 * 127 + 1, -1, True),
    (-(1 << 30) + 128 * 127, -1, False)])
def test_sums_are_proved_to_the_last_one(bias: int, shift: int, proved: bool) -> None:
    assert bool(flags(table_of(bias, shift)) & PROVED) == proved


def test_the_weight_zero_point_counts_in_the_proof() -> None:
    bias = (1 << 30) - 127 * 127 - 1
    assert flags(table_of(bias, -1)) & PROVED
    assert not flags(table_of(bias, -1, weight_zero=-1)) & PROVED


def test_a_channel_times_nothing_is_proved_whatever_its_shift_was() -> None:
    table = table_of(5, 0, multiplier=0)
    assert flags(table) & PROVED
    assert np.frombuffer(table, CHANNEL, offset=HEAD.size)["packed"][0] >> 22 == 30


def test_a_table_has_its_fields_where_the_format_says() -> None:
    table = table_of(-7, -9, 0x40000001, 0x3FFFFF, ONCE, weight_zero=-128)
    assert len(table) == 20
    assert HEAD.unpack_from(table) == (-128, 127, -128, ROUND_ONCE | PROVED, -3)
    channel = np.frombuffer(table, CHANNEL, offset=HEAD.size)[0]
    assert (channel["bias"], channel["multiplier"]) == (-7, 0x40000001)
    assert channel["packed"] == 0x3FFFFF | 22 << 22
