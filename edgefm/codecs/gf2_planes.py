# SPDX-License-Identifier: Apache-2.0
"""gf2 tables that store the upper planes of every channel on a curve, as many as it is worth.

A coded level is 255 * (level / 255) ** (1 / power): steps grow with the value, as the tails of
rectified maps are long. A channel of n bits keeps its upper n planes, rounded to the nearest (zero
stays zero). A *shared* channel keeps them once for the whole block: each bit says whether at least
half of the pixels have that plane.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgefm.codecs.gf2 import LEVELS, PLANES, Learned, Term, UnequalSteps

Codes = npt.NDArray[np.int64]
_TOP = LEVELS - 1


def curve_of(power: float) -> tuple[bytes, bytes]:
    """What each level is coded as, and the level that each coded number comes back as."""
    share = np.arange(LEVELS) / _TOP
    return tuple(np.rint(_TOP * share ** p).astype(np.uint8).tobytes()  # type: ignore[return-value]
                 for p in (1 / power, power))


def rounded(bits: int, power: float) -> Codes:
    """Of each level: its coded number with the lower planes cut off, 0 where nothing is stored."""
    coded = np.frombuffer(curve_of(power)[0], np.uint8).astype(np.int64)
    step = 1 << PLANES - bits
    return np.minimum(coded + step // 2, _TOP) // step * step if bits else np.zeros_like(coded)


def plane_net(lowest: int, bits: Sequence[int], shared: Sequence[bool], rest: Sequence[int],
              power: float, block: int, rows: int = 1) -> Learned:
    """The codec of maps with these bits per channel (0: always the coded number `rest`).

    Blocks are of `block` pixels; with `rows` 2 those of two rows, for a map coded in pairs.
    """
    channels, pixels = len(bits), block * rows
    outputs = channels * pixels
    units: list[tuple[int, tuple[Term, ...]]] = []
    terms: list[list[Term]] = [[] for _ in range(outputs)]
    for channel, count in enumerate(bits):
        members = [range(channel, outputs, channels)] if shared[channel] else [
            range(o, o + 1) for o in range(channel, outputs, channels)]
        for own in members:
            for plane in range(PLANES - count, PLANES):
                for output in own:
                    terms[output].append((len(units), 1 << plane))
                units.append((-(-len(own) // 2), tuple((plane * outputs + o, 1) for o in own)))
    values = tuple((0 if bits[o % channels] else rest[o % channels], tuple(terms[o]))
                   for o in range(outputs))
    offsets = bytes(1 << PLANES - 1 - bits[o % channels] if bits[o % channels] < PLANES else 0
                    for o in range(outputs))
    return Learned(block, lowest, tuple(units), values, UnequalSteps(*curve_of(power), offsets))
