# SPDX-License-Identifier: Apache-2.0
"""Codes of weights: tiles of a few channels, each decoded on its own where it is used.

The codes lose nothing: loss happens in the network (`rate_distortion`). `fit` finds the tables that
the tiles of a network share.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from edgefm.codecs.weights import huffman, packed
from edgefm.codecs.weights.huffman import Weights, WeightTable, read_table
from edgefm.errors import BadContainer

__all__ = ["ALL_CODES", "CodedTile", "WeightCode", "WeightTable", "Weights", "decode_tile",
           "encode_tile", "read_table"]


class WeightCode(IntEnum):
    """Ids of docs/FORMAT.md; never renumbered."""

    RAW = 0
    HUFFMAN = 1
    PACKED = 2


ALL_CODES = frozenset(WeightCode)


@dataclass(frozen=True, slots=True)
class CodedTile:
    """One tile as it is stored: its code, the number of its table (HUFFMAN), its bytes."""

    code: WeightCode
    table: int
    data: bytes


def encode_tile(weights: Weights, tables: Sequence[WeightTable],
                codes: Collection[WeightCode] = ALL_CODES) -> CodedTile:
    """The shortest form of a tile int8 [n] that `codes` allow; as it is where none is shorter."""
    found = [CodedTile(WeightCode.RAW, 0, weights.tobytes())]
    if WeightCode.PACKED in codes and (fields := packed.encode(weights)) is not None:
        found.append(CodedTile(WeightCode.PACKED, 0, fields))
    if WeightCode.HUFFMAN in codes and tables:
        best = int(np.argmin([_bits(weights, table) for table in tables]))
        found.append(CodedTile(WeightCode.HUFFMAN, best, huffman.encode(weights, tables[best])))
    return min(found, key=lambda tile: len(tile.data))


def decode_tile(tile: CodedTile, tables: Sequence[WeightTable], count: int) -> Weights:
    """The weights int8 [count] of a tile. Raises BadContainer for what no encoder writes."""
    if tile.code == WeightCode.HUFFMAN:
        if tile.table >= len(tables):
            raise BadContainer(f"a tile with table {tile.table} of {len(tables)}")
        return huffman.decode(tile.data, tables[tile.table], count)
    if tile.code == WeightCode.PACKED:
        return packed.decode(tile.data, count)
    if len(tile.data) != count:
        raise BadContainer(f"a raw tile of {len(tile.data)} bytes for {count} weights")
    return np.frombuffer(tile.data, np.int8)


def _bits(weights: Weights, table: WeightTable) -> int:
    return int(table.bits(huffman.symbols_of(weights, table.has_runs)).sum())
