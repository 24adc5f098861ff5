# SPDX-License-Identifier: Apache-2.0
"""Parts of a tile of CONV or DEPTHWISE: of some of its output or input channels, in any packing."""

from __future__ import annotations

import numpy as np

from edgefm.kernels.halves import HALVES_BLOCK
from edgefm.kernels.tile import CHANNEL, HEAD
from edgefm.network.program import Op, OpKind

_STEP_BYTES = {1: 8, 2: 16}  # of four inputs of two channels, in packings HALVES and PAIRS


def slice_of_outputs(op: Op, out: int, some: range) -> bytes:
    """The tile for a range of an operator's `out` output channels. In packings of blocks the range
    has whole ones."""
    end = HEAD.size + CHANNEL.itemsize * out
    channels = slice(HEAD.size + CHANNEL.itemsize * some.start,
                     HEAD.size + CHANNEL.itemsize * some.stop)
    weights = np.frombuffer(op.weights[end:], np.int8)
    if op.kind == OpKind.DEPTHWISE:
        own = weights.reshape(-1, out)[:, some.start:some.stop]
    else:
        block = 1 if op.packing == 0 else 2
        own = weights.reshape(-(-out // block), -1)[some.start // block:-(-some.stop // block)]
    return op.weights[:HEAD.size] + op.weights[channels] + own.tobytes()


def slice_of_inputs(op: Op, out: int, inputs: int, some: range) -> bytes:
    """The weights of a CONV for a range of its `inputs` one-pixel inputs, and in front of the first
    range the table for all of them. In packings of steps the range has whole ones."""
    end = HEAD.size + CHANNEL.itemsize * out
    table = op.weights[:end] if some.start == 0 else b""
    weights = np.frombuffer(op.weights[end:], np.int8)
    if op.packing == 0:
        return table + weights.reshape(out, inputs)[:, some.start:some.stop].tobytes()
    steps = slice(some.start // 4, -(-some.stop // 4))
    blocks = -(-out // 2)
    packed = weights.reshape(blocks, -1, _STEP_BYTES[op.packing])[:, steps]
    own = packed.copy().reshape(blocks, -1)
    plain = _plain_blocks(op, end)
    if plain.any():
        rows = weights.reshape(blocks, 2, -1)[plain, :, 4 * steps.start:4 * steps.stop]
        own[plain] = rows.reshape(len(rows), -1)
    return table + own.tobytes()


def _plain_blocks(op: Op, end: int) -> np.ndarray:
    """Blocks of two channels that are rows in packing HALVES."""
    first = np.frombuffer(op.weights[HEAD.size:end], CHANNEL)["packed"][::2]
    return first & HALVES_BLOCK == 0 if op.packing == 1 else np.zeros(len(first), bool)
