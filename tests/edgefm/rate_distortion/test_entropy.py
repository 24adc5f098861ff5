# SPDX-License-Identifier: Apache-2.0
"""Estimates of bits per value are those of maps whose entropy is known."""

import numpy as np
import pytest

from edgefm.rate_distortion.entropy import FACTORS, bits_per_value


def test_noise_takes_one_bit_less_per_doubled_step() -> None:
    noise = np.random.default_rng(0).normal(0, 20, (8, 32, 16, 16))
    maps = list(np.clip(np.rint(noise), -128, 127).astype(np.int8))
    bits = bits_per_value(maps, 0)
    doubled = dict(zip(FACTORS, bits, strict=True))
    assert doubled[1.0] == pytest.approx(np.log2(20 * np.sqrt(2 * np.pi * np.e * 1.5)), abs=0.2)
    assert doubled[1.0] - doubled[2.0] == pytest.approx(1, abs=0.1)
    assert doubled[2.0] - doubled[4.0] == pytest.approx(1, abs=0.1)


def test_a_sparse_map_saves_less() -> None:
    random = np.random.default_rng(1)
    values = random.integers(-128, 128, (4, 32, 16, 16)) * (random.random((4, 32, 16, 16)) < 0.05)
    bits = dict(zip(FACTORS, bits_per_value(list(values.astype(np.int8)), 0), strict=True))
    assert 0.02 < bits[1.0] - bits[4.0] < 0.3


def test_a_constant_map_is_free() -> None:
    assert bits_per_value([np.full((3, 4, 2), 7, np.int8)], 7).max() < 1e-9


def test_coarser_steps_of_a_ramp_cost_less() -> None:
    ramp = np.add.outer(np.arange(40), np.arange(24))[..., None].repeat(3, 2).astype(np.int8)
    bits = bits_per_value([ramp], -10)
    assert bits[-1] < bits[4] < 3
