# SPDX-License-Identifier: Apache-2.0
"""The range coder that context and temporal share."""

from edgefm.codecs.engine.range_coder import Decoder, Encoder


def test_the_coder_carries_through_digits_already_written():
    encoder = Encoder()
    odds = [65535]  # a zero is so unlikely that each one adds nearly the whole range
    bits = [0] * 40 + [1] * 40
    for bit in bits:
        encoder.bit(odds, 0, bit)
    code = encoder.finish()
    decoder = Decoder(code)
    odds = [65535]
    assert [decoder.bit(odds, 0, 0) for _ in bits] == bits
    decoder.finish()


def test_probabilities_never_reach_certainty():
    odds = [32768, 32768]
    encoder = Encoder()
    for _ in range(1000):
        encoder.bit(odds, 0, 1)
        encoder.bit(odds, 1, 0)
    assert odds[1] >> 4 > 0 and odds[0] >> 4 < 4095
