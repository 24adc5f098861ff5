# SPDX-License-Identifier: Apache-2.0
"""The loops of the C kernels, which is what instructions are counted by.

The numbers are those of native/src/kernels and native/src/ops. Predictions are tested against
counts, so a kernel that changes its loops changes them here as well.
"""

from __future__ import annotations

from dataclasses import dataclass

NEVER = 1 << 30


@dataclass(frozen=True, slots=True)
class Loops:
    """What the loops of a kernel make at once.

    CONV: `across` pixels by a piece of up to `vectors` vectors of `channels` output channels,
    `depth` inputs a step. `tile` is what calls have a multiple of, `listed` the pointers of a call.
    Windows of `in_place` channels or more are not gathered, unless scratch has room for `gathered`
    pixels. `rest` are the sizes of groups for the pixels that remain.

    DEPTHWISE: `lanes` channels, `side` pixels of a row, pieces of `piece` pixels where rows are
    rewritten in scratch.
    """

    across: int
    channels: int
    depth: int
    tile: int
    listed: int
    lanes: int
    side: int
    vectors: int = 1
    in_place: int = NEVER
    gathered: int = 0
    rest: tuple[int, ...] = (1,)
    piece: int = 0


LOOPS = {
    "portable": Loops(across=2, channels=4, depth=1, tile=2, listed=64, lanes=1, side=1, vectors=4),
    "dsp": Loops(across=3, channels=2, depth=4, tile=3, listed=96, lanes=4, side=2, in_place=32,
                 piece=64),
    "mve": Loops(across=3, channels=4, depth=16, tile=3, listed=96, lanes=16, side=4, in_place=16,
                 gathered=12, piece=56),
    "neon": Loops(across=4, channels=4, depth=32, tile=2, listed=512, lanes=8, side=4, in_place=1,
                  rest=(2, 1)),
    "neon32": Loops(across=2, channels=4, depth=32, tile=2, listed=96, lanes=8, side=2, in_place=1),
    "neondot": Loops(across=4, channels=4, depth=4, tile=2, listed=512, lanes=8, side=4, vectors=4,
                     in_place=1, rest=(3, 2, 1)),
}
