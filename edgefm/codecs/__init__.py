# SPDX-License-Identifier: Apache-2.0
"""Row codecs: the registry, whole maps, and tables for many maps under one budget.

Every codec is the twin, bit for bit, of native/src/codecs/<name>.c.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from edgefm.codecs import context, dctcm, gf2, mix, rice, tans, temporal
from edgefm.codecs.ebpc import EBPC
from edgefm.codecs.engine import static
from edgefm.codecs.fit import (
    context_fit,
    dctcm_fit,
    gf2_fit,
    mix_fit,
    quick_fit,
    tans_fit,
    temporal_fit,
)
from edgefm.codecs.interface import (
    LENGTH_BYTES,
    Candidate,
    Codec,
    Rows,
    RowShape,
    fit_of,
    no_state,
)
from edgefm.codecs.raw import RAW
from edgefm.codecs.rle import RLE
from edgefm.codecs.zvc import ZVC
from edgefm.errors import BadContainer

CONTEXT = Codec(4, "context", fit_of(context_fit.candidates), context.start, context.encode,
                context.decode, context.skip, context.state_bytes, context_fit.candidates,
                recall=context.recall)
RICE = Codec(5, "rice", fit_of(quick_fit.candidates), rice.start, rice.encode, rice.decode,
             rice.skip, static.state_bytes, quick_fit.candidates, recall=rice.recall)
TANS = Codec(6, "tans", fit_of(tans_fit.candidates), tans.start, tans.encode, tans.decode,
             tans.skip, tans.state_bytes, tans_fit.candidates, recall=tans.recall)
DCTCM = Codec(7, "dctcm", fit_of(dctcm_fit.candidates), dctcm.start, dctcm.encode, dctcm.decode,
              dctcm.skip, no_state, dctcm_fit.candidates, lossless=False)
GF2 = Codec(8, "gf2", gf2_fit.fit, gf2.start, gf2.encode, gf2.decode, gf2.skip, no_state,
            lossless=False)
TEMPORAL = Codec(9, "temporal", fit_of(temporal_fit.candidates), temporal.start, temporal.encode,
                 temporal.decode, temporal.skip, temporal.state_bytes, temporal_fit.candidates,
                 refers=True)
MIX = Codec(10, "mix", fit_of(mix_fit.candidates), mix.start, mix.encode, mix.decode, mix.skip,
            mix.state_bytes, mix_fit.candidates, recall=mix.recall)
CODECS: Mapping[str, Codec] = MappingProxyType(
    {codec.name: codec for codec in (RAW, RLE, ZVC, EBPC, CONTEXT, RICE, TANS, DCTCM, GF2,
                                       TEMPORAL, MIX)})
LOSSLESS_CODECS: Mapping[str, Codec] = MappingProxyType(  # of a single frame
    {name: codec for name, codec in CODECS.items() if codec.lossless and not codec.refers})

__all__ = ["CODECS", "LENGTH_BYTES", "LOSSLESS_CODECS", "Codec", "RowShape", "coded_bytes",
           "decode_map", "encode_map", "fit_maps", "worst_case"]


def encode_map(codec: Codec, tables: bytes, shape: RowShape, rows: Rows,
               before: Rows | None = None) -> list[bytes]:
    """The stored rows of a map int8 [H, W, C]: codes, or the row where no code is shorter.

    `before` is the map of the frame before, as it came back, for codecs that refer to it.
    """
    state = codec.start(tables, shape)
    stored = []
    for y, row in enumerate(rows):
        if codec.refers:
            state.reference = None if before is None else before[y]
        code = codec.encode(state, row)
        if len(code) >= shape.values:
            codec.skip(state, row)
            code = row.tobytes()
        stored.append(code)
    return stored


def decode_map(codec: Codec, tables: bytes, shape: RowShape, stored: Sequence[bytes],
               before: Rows | None = None) -> Rows:
    """The map int8 [H, W, C] of its stored rows; BadContainer when no encoder writes them."""
    state = codec.start(tables, shape)
    rows = []
    for y, code in enumerate(stored):
        if codec.refers:
            state.reference = None if before is None else before[y]
        if len(code) > shape.values:
            raise BadContainer(f"a stored row has {len(code)} bytes, a row only {shape.values}")
        if len(code) == shape.values:
            row = np.frombuffer(code, np.int8).reshape(shape.width, shape.channels)
            codec.skip(state, row)
        else:
            row = codec.decode(state, code)
        rows.append(row)
    return np.stack(rows)


def coded_bytes(stored: Sequence[bytes]) -> int:
    """Bytes of a coded map with its directory of row lengths, without its tables."""
    return sum(len(code) + LENGTH_BYTES for code in stored)


def worst_case(shape: RowShape, height: int) -> int:
    """The most bytes a coded map can have with its directory, whatever the codec."""
    return height * (shape.values + LENGTH_BYTES)


def fit_maps(codec: Codec, maps: Sequence[tuple[RowShape, Sequence[Rows]]],
             limit: int) -> list[bytes]:
    """A codec's tables for many maps, of at most `limit` bytes together.

    `maps` gives each map's shape and calibration samples. Starting from the smallest tables, the
    next larger ones go where a table byte saves most code per inference. The smallest are given
    even when they are more than `limit`.
    """
    if codec.candidates is None:
        return [codec.fit(samples, shape, limit // len(maps)) for shape, samples in maps]
    choices = [_efficient(codec.candidates(samples, shape), shape.values * len(samples[0]))
               for shape, samples in maps]
    steps = sorted((-gain, i, j) for i, choice in enumerate(choices)
                   for j, (gain, _) in enumerate(choice) if j)
    taken = [0] * len(maps)
    size = sum(len(choice[0][1]) for choice in choices)
    for _, i, j in steps:
        more = len(choices[i][j][1]) - len(choices[i][taken[i]][1])
        if size + more <= limit:
            size, taken[i] = size + more, j
    return [choice[j][1] for choice, j in zip(choices, taken, strict=True)]


def _efficient(candidates: Sequence[Candidate],
               values: int) -> list[tuple[float, bytes]]:
    """The candidates worth their size, growing, each with the bits saved per byte more."""
    rest = sorted(candidates, key=lambda c: (len(c.tables), c.bits_per_value))
    out = [(0.0, rest[0].tables)]
    current = rest[0]
    while True:
        slopes = [((current.bits_per_value - c.bits_per_value) * values
                   / (len(c.tables) - len(current.tables)), c)
                  for c in rest if len(c.tables) > len(current.tables)]
        gain, current = max(slopes, key=lambda s: s[0], default=(0.0, current))
        if gain <= 0:
            return out
        out.append((gain, current.tables))
