# SPDX-License-Identifier: Apache-2.0
"""Operators' constant data as tiles: bytes that are stored, and what a plan reads of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate

import numpy as np

from edgefm.codecs.weights import WeightCode, encode_tile, read_table
from edgefm.kernels.slices import slice_of_inputs, slice_of_outputs
from edgefm.kernels.tile import CHANNEL, HEAD
from edgefm.network.program import Op, OpKind, Program
from edgefm.planner.model import PlacedOp, Plan
from edgefm.planner.weight_tiles import BY_CHANNEL

_MOST_CACHED = 512  # operators whose tiles are kept, as encoding takes long


@dataclass(frozen=True, slots=True)
class StoredTile:
    """Output channels from `first` on (`out` is 0 where constants do not go by channel) and `inner`
    input channels from `first_in` on, in a `packing` and in a `code` with the table of `record` if
    it has one. `raw_bytes` is what they are decoded, `head` what of them is stored as it is. A
    `ported` one is behind the weight port, where `crossing` bytes are read of it."""

    data: bytes = field(repr=False)
    raw_bytes: int
    first: int = 0
    out: int = 0
    first_in: int = 0
    inner: int = 0
    packing: int = 0
    code: WeightCode = WeightCode.RAW
    record: bytes = b""
    head: int = 0
    ported: bool = False
    crossing: int = 0


def stored_tiles(program: Program, placed: PlacedOp) -> tuple[StoredTile, ...]:
    """An operator's tiles: of chains those of each slice, of coded weights as they are cut, else
    one that is read in place, or none where it has no constant data."""
    if placed.sliced is not None:
        ops = program.ops[placed.op:placed.op + placed.sliced.operators]
        return tuple(sliced_tiles(program, ops, placed.sliced.slices))
    op = program.ops[placed.op] if placed.op >= 0 else None
    if op is None or not op.weights:
        return ()
    port = op.coding.port if op.coding else None
    inner = 0
    if op.kind in BY_CHANNEL:
        inner = program.streams[op.inputs[0]].channels if op.kind == OpKind.CONV else 1
    if placed.tiles and inner:
        tiles = _coded(op, placed.tiles, inner)
    else:
        out = program.streams[op.outputs[0]].channels if inner else 0
        tiles = (StoredTile(op.weights, len(op.weights), out=out, inner=inner,
                            packing=op.packing if inner else 0),)
    return tiles if port is None or not placed.tiles else tuple(
        replace(tile, ported=True, crossing=port.transfer_bytes(len(tile.data))) for tile in tiles)


def sliced_tiles(program: Program, ops: Sequence[Op], slices: tuple[int, ...]
                 ) -> Iterator[StoredTile]:
    """The tiles of a chain, slice by slice, in the order in which a slice runs."""
    source, out = (program.streams[s].channels for s in (ops[0].inputs[0], ops[-1].outputs[0]))
    hidden = sum(slices)
    for first, channels in zip(accumulate(slices, initial=0), slices, strict=False):
        some = range(first, first + channels)
        yield _raw(slice_of_outputs(ops[0], hidden, some), first, channels, 0, source,
                   ops[0].packing)
        if ops[1].weights:
            yield _raw(slice_of_outputs(ops[1], hidden, some), first, channels, 0, 1)
        for op in ops[2:]:
            yield _raw(slice_of_inputs(op, out, hidden, some), 0, out, first, channels, op.packing)


def _raw(data: bytes, first: int, out: int, first_in: int, inner: int, packing: int = 0
         ) -> StoredTile:
    return StoredTile(data, len(data), first, out, first_in, inner, packing)


@lru_cache(maxsize=_MOST_CACHED)
def _coded(op: Op, cut: tuple[int, ...], inner: int) -> tuple[StoredTile, ...]:
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
            head + coded.data, len(head) + own.size, first, out, inner=inner, code=coded.code,
            record=record if coded.code == WeightCode.HUFFMAN else b"", head=len(head),
            packing=op.packing))
    return tuple(found)


def with_tile_bytes(program: Program, plan: Plan) -> Plan:
    """The plan with the bytes of weights that its firings read, exactly."""
    if not any(op.tiles for op in plan.ops):
        return plan
    first: set[int] = set()
    stages, crossing = [], 0
    for stage in plan.stages:
        read = 0
        for index, _ in plan.firings[stage.first_firing:stage.first_firing + stage.firings]:
            op = plan.ops[index]
            if op.op >= 0:
                mapped, ported = _read_bytes(program, op, index not in first)
                read, crossing = read + mapped + ported, crossing + ported
            first.add(index)
        stages.append(replace(stage, weight_read_bytes=read))
    return replace(plan, stages=tuple(stages), weight_port_bytes=crossing,
                   weight_read_bytes=sum(stage.weight_read_bytes for stage in stages))


def _read_bytes(program: Program, placed: PlacedOp, first: bool) -> tuple[int, int]:
    """Bytes of mapped weights that a firing reads, and of those behind the port."""
    tiles = stored_tiles(program, placed)
    read = [0, 0]
    for tile in tiles:
        read[tile.ported] += _of_tile(tile, again=not first and is_kept(placed, tile))
    return read[0], read[1]


def _of_tile(tile: StoredTile, again: bool) -> int:
    """Bytes that a firing reads of a tile, `again` where it is still there."""
    if tile.ported:
        return 0 if again else tile.crossing
    return tile.head if again else len(tile.data)


def is_kept(placed: PlacedOp, tile: StoredTile) -> bool:
    """True for a tile that is read and decoded at the first firing only."""
    return placed.kept and (tile.ported or tile.code != WeightCode.RAW)
