# SPDX-License-Identifier: Apache-2.0
"""Operators' constant data as tiles: bytes that are stored, and what a plan reads of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate

import numpy as np

from edgefm.codecs.weights import WeightCode, encode_tile, read_table
from edgefm.kernels.tile import CHANNEL, HEAD
from edgefm.network.program import Op, OpKind, Program
from edgefm.planner.model import PlacedOp, Plan

_MOST_CACHED = 512  # operators whose tiles are kept, as encoding takes long


@dataclass(frozen=True, slots=True)
class StoredTile:
    """Output channels from `first` on (`out` is 0 where constants do not go by channel), in a
    `code` with the table of `record` if it has one. `raw_bytes` is what they are decoded, `head`
    what of them is stored as it is."""

    data: bytes = field(repr=False)
    raw_bytes: int
    first: int = 0
    out: int = 0
    code: WeightCode = WeightCode.RAW
    record: bytes = b""
    head: int = 0


def stored_tiles(program: Program, op: Op, cut: tuple[int, ...]) -> tuple[StoredTile, ...]:
    """An operator's tiles of `cut` output channels; without a cut one that is read in place, or
    none where it has no constant data."""
    if not op.weights:
        return ()
    if not cut:
        by_channel = op.kind in (OpKind.CONV, OpKind.DEPTHWISE)
        out = program.streams[op.outputs[0]].channels if by_channel else 0
        return (StoredTile(op.weights, len(op.weights), out=out),)
    return _coded(op, cut)


@lru_cache(maxsize=_MOST_CACHED)
def _coded(op: Op, cut: tuple[int, ...]) -> tuple[StoredTile, ...]:
    assert op.coding is not None
    channels, record = sum(cut), op.coding.record
    end = HEAD.size + CHANNEL.itemsize * channels
    table = np.frombuffer(op.weights[HEAD.size:end], CHANNEL)
    weights = np.frombuffer(op.weights[end:], np.int8).reshape(
        (channels, -1) if op.kind == OpKind.CONV else (-1, channels))
    tables = [read_table(record)] if record else []
    codes = frozenset(map(WeightCode, op.coding.codes))
    found = []
    for first, out in zip(accumulate(cut, initial=0), cut, strict=False):
        some = slice(first, first + out)
        own = weights[some] if op.kind == OpKind.CONV else weights[:, some]
        coded = encode_tile(np.ascontiguousarray(own).ravel(), tables, codes)
        head = op.weights[:HEAD.size] + table[some].tobytes()
        found.append(StoredTile(
            head + coded.data, len(head) + own.size, first, out, coded.code,
            record if coded.code == WeightCode.HUFFMAN else b"", len(head)))
    return tuple(found)


def with_tile_bytes(program: Program, plan: Plan) -> Plan:
    """The plan with the bytes of weights that its firings read, exactly."""
    if not any(op.tiles for op in plan.ops):
        return plan
    first: set[int] = set()
    stages = []
    for stage in plan.stages:
        read = 0
        for index, _ in plan.firings[stage.first_firing:stage.first_firing + stage.firings]:
            op = plan.ops[index]
            if op.op >= 0:
                read += _read_bytes(program, op, index not in first)
            first.add(index)
        stages.append(replace(stage, weight_read_bytes=read))
    return replace(plan, stages=tuple(stages),
                   weight_read_bytes=sum(stage.weight_read_bytes for stage in stages))


def _read_bytes(program: Program, placed: PlacedOp, first: bool) -> int:
    tiles = stored_tiles(program, program.ops[placed.op], placed.tiles)
    return sum(len(tile.data) if first or not is_kept(placed, tile) else tile.head
               for tile in tiles)


def is_kept(placed: PlacedOp, tile: StoredTile) -> bool:
    """True for a tile that is decoded at the first firing only."""
    return placed.kept and tile.code != WeightCode.RAW
