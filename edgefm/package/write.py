# SPDX-License-Identifier: Apache-2.0
"""Writes a plan, its network and its tables as the bytes of a package."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import lcm
from typing import Any

from edgefm.errors import UnsupportedModel
from edgefm.images.preprocess import Preprocess
from edgefm.network.graph import Graph
from edgefm.network.program import ELEMENT_BYTES, ENDS, OpKind, Program, WeightPort
from edgefm.package.assemble import Blob, assemble, capped, referring
from edgefm.package.container import read_header, read_sections, tile_sums
from edgefm.package.meta import read_meta, write_meta
from edgefm.package.records import (
    BUFFER,
    CAP,
    FIRING,
    KEPT,
    MAP,
    MAPPED,
    MAX_ENDS,
    OPERATOR,
    PAIRED,
    PORTED,
    REFERENCE,
    STAGE,
    STREAM,
    TENSOR,
    TILE,
    TILE_ALIGNMENT,
    TYPES,
    Section,
    Tile,
)
from edgefm.package.weight_tiles import StoredTile, is_kept, stored_tiles
from edgefm.planner.arena import round_up
from edgefm.planner.model import PlacedOp, Plan
from edgefm.planner.slices import sliced_params


@dataclass(frozen=True, slots=True)
class CodedMap:
    """Codec number and learned tables of a stored map."""

    codec: int
    tables: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Description:
    """The package's description for people and hosts, in addition to the plan."""

    model_sha256: str
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] = ()
    rate: Mapping[str, Any] | None = None
    version: int = 0  # of the model; the author increases it with each update, 0: not given
    removed: Sequence[Mapping[str, Any]] = ()  # maps that have fewer channels than in the file


def write_package(graph: Graph, program: Program, plan: Plan, coded: Mapping[int, CodedMap],
                  description: Description) -> bytes:
    """The package of a plan. `coded` gives codec and tables per index in `plan.maps`.

    Raises UnsupportedModel for more inputs or outputs than a package can have.
    """
    for what, ends in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        if len(ends) > MAX_ENDS:
            raise UnsupportedModel(f"{graph.name}: {len(ends)} {what}; expected {MAX_ENDS} at most")
    sections = _plan_sections(graph, program, plan, coded)
    digest = hashlib.sha256(b"".join(sections[s] for s in sorted(sections))).hexdigest()
    meta: dict[str, object] = {
        "name": graph.name, "model_sha256": description.model_sha256, "plan_sha256": digest,
        "preprocess": description.preprocess.to_json() if description.preprocess else None,
        "labels": list(description.labels), "plan": plan.to_json(),
        "streams": [_stream_json(graph, program, placed.stream) for placed in plan.streams]}
    if description.rate is not None:
        meta["rate"] = description.rate
    if description.removed:
        meta["removed"] = list(description.removed)
    sections[Section.META] = write_meta(meta)
    return assemble(plan, sections, description.version)


def with_rate(package: bytes, plan: Plan, rate: Mapping[str, object]) -> bytes:
    """The package of a plan with another `rate` in its description."""
    sections = read_sections(package, "package")
    meta = {**read_meta(sections[Section.META]), "rate": rate}
    return assemble(plan, {**sections, Section.META: write_meta(meta)},
                     read_header(package, "package").version)


def _plan_sections(graph: Graph, program: Program, plan: Plan,
                   coded: Mapping[int, CodedMap]) -> dict[Section, bytes]:
    names, params, tables = Blob(), Blob(), Blob()
    operands, operators, tiles = Blob(), Blob(), list[Tile]()
    records, weights = _table_offsets(program, plan), _Weights(plan.weight_port or WeightPort())
    shared: dict[int, tuple[int, int]] = {}  # of operators with the very same weights: their tiles
    for placed in plan.ops:
        key = _shared_weights(program, placed)
        where = shared.get(key)
        if where is None:
            own = _tiles(program, placed, weights, records)
            where = shared[key] = len(tiles), len(own)
            tiles += own
        operators.append(_operator(program, placed, operands, params, where))
    maps = b"".join(_map(plan, i, coded.get(i), tables) for i in range(len(plan.maps)))
    caps = b"".join(_cap(plan, i, tables) for i in capped(plan))
    tensors = b"".join(_tensor(graph, program, t, kind, k, names)
                       for kind, ends in ((OpKind.INPUT, graph.inputs),
                                          (OpKind.OUTPUT, graph.outputs))
                       for k, t in enumerate(ends))
    sections = {
        Section.STREAMS: b"".join(_stream(program, plan, i) for i in range(len(plan.streams))),
        Section.BUFFERS: b"".join(BUFFER.pack(b.offset, b.slot_bytes, b.slots)
                                  for b in plan.buffers),
        Section.OPERATORS: bytes(operators.data), Section.OPERANDS: bytes(operands.data),
        Section.PARAMS: bytes(params.data), Section.WEIGHTS: weights.joined(),
        Section.FIRINGS: b"".join(FIRING.pack(op, rows) for op, rows in plan.firings),
        Section.STAGES: b"".join(STAGE.pack(s.first_firing, s.firings) for s in plan.stages),
        Section.MAPS: maps, Section.TABLES: bytes(tables.data), Section.TENSORS: tensors,
        Section.NAMES: bytes(names.data), Section.TILES: weights.records(tiles)}
    references = b"".join(REFERENCE.pack(i, plan.maps[i].reference, plan.maps[i].release,
                                         plan.maps[i].refresh) for i in referring(plan))
    optional = {Section.CAPS: caps, Section.REFERENCES: references,
                Section.WEIGHT_TABLES: b"".join(records)}
    return sections | {section: data for section, data in optional.items() if data}


def _stream(program: Program, plan: Plan, index: int) -> bytes:
    placed = plan.streams[index]
    s = program.streams[placed.stream]
    return STREAM.pack(s.height, s.width, s.channels, ELEMENT_BYTES[s.dtype], 0, placed.buffer,
                       placed.producer, 0, placed.offset, placed.pixel_stride, s.zero_point)


def _table_offsets(program: Program, plan: Plan) -> dict[bytes, int]:
    """Where the record of each table is in WEIGHT_TABLES, in order."""
    offsets: dict[bytes, int] = {}
    for placed in plan.ops:
        for tile in stored_tiles(program, placed):
            if tile.record:
                offsets.setdefault(tile.record, sum(map(len, offsets)))
    return offsets


class _Weights:
    """The bytes of WEIGHTS: tiles that are read in place, then those behind the weight port."""

    def __init__(self, port: WeightPort) -> None:
        self._mapped, self._ported = Blob(), Blob()
        self._alignment = lcm(TILE_ALIGNMENT, port.alignment)

    def append(self, stored: StoredTile) -> int:
        """Add a tile, and return where it begins among those of its memory."""
        if not stored.ported:
            return self._mapped.append(stored.data, TILE_ALIGNMENT)
        return self._ported.append(stored.data.ljust(stored.crossing, b"\0"), self._alignment)

    def _base(self) -> int:
        return round_up(len(self._mapped.data), self._alignment)

    def joined(self) -> bytes:
        """All of them."""
        if not self._ported.data:
            return bytes(self._mapped.data)
        return bytes(self._mapped.data).ljust(self._base(), b"\0") + self._ported.data

    def records(self, tiles: Sequence[Tile]) -> bytes:
        """The records of tiles, with offsets that `append` gave, and with their checksums."""
        placed = [tile._replace(offset=tile.offset + self._base() * (tile.memory == PORTED))
                  for tile in tiles]
        sums = tile_sums(placed, self.joined())
        return b"".join(TILE.pack(*tile._replace(crc=crc))
                        for tile, crc in zip(placed, sums, strict=True))


def _shared_weights(program: Program, placed: PlacedOp) -> int:
    """A number that operators have in common which run with the same weights in column tiles."""
    alone = placed.op < 0 or placed.sliced is not None or placed.buffer >= 0
    weights = b"" if alone else program.ops[placed.op].weights
    return id(weights) if weights else -1 - id(placed)


def _tiles(program: Program, placed: PlacedOp, weights: _Weights, tables: Mapping[bytes, int]
           ) -> list[Tile]:
    """An operator's constant data, piece by piece."""
    found = []
    for stored in stored_tiles(program, placed):
        at = weights.append(stored)
        found.append(Tile(
            at, len(stored.data), stored.raw_bytes, first_out=stored.first, out=stored.out,
            first_in=stored.first_in, inner=stored.inner,
            memory=PORTED if stored.ported else MAPPED, packing=stored.packing, code=stored.code,
            flags=KEPT * is_kept(placed, stored),
            table=tables[stored.record] + 1 if stored.record else 0))
    return found


def _operator(program: Program, placed: PlacedOp, operands: Blob, params: Blob,
              tiles: tuple[int, int]) -> bytes:
    refs = placed.inputs + placed.outputs
    refs_at = operands.append(struct.pack(f"<{len(refs)}H", *refs)) // 2
    values: Sequence[int] = ()
    link = max(placed.map, placed.buffer, 0)
    if placed.op >= 0:
        op = program.ops[placed.op]
        if placed.kind in ENDS:
            link = op.params[0]
        elif placed.sliced is not None:
            values = sliced_params(program, placed.op, placed.sliced)
        else:
            values = op.params
    params_at = params.append(struct.pack(f"<{len(values)}i", *values)) // 4
    return OPERATOR.pack(placed.kind, len(placed.inputs), len(placed.outputs), 0, refs_at,
                         params_at, len(values), *tiles, placed.scratch_offset,
                         placed.scratch_bytes, placed.rows, link)


def _map(plan: Plan, index: int, coded: CodedMap | None, tables: Blob) -> bytes:
    m = plan.maps[index]
    store = next(i for i, op in enumerate(plan.ops) if op.kind == OpKind.STORE and op.map == index)
    at = tables.append(coded.tables, 4) if coded else 0
    return MAP.pack(m.address, m.slot_bytes, m.rows, m.row_bytes, coded.codec if coded else 0,
                    PAIRED if m.paired else 0, at, len(coded.tables) if coded else 0, m.directory,
                    store, capped(plan).index(index) + 1 if m.cap else 0,
                    referring(plan).index(index) + 1 if m.reference >= 0 else 0)


def _cap(plan: Plan, index: int, tables: Blob) -> bytes:
    m = plan.maps[index]
    assert m.cap is not None
    table, tile = m.cap.floors, 0
    if m.cap.quality:
        table, tile = m.cap.quality.table, m.cap.quality.tile
    return CAP.pack(index, m.cap.per_row, m.cap.depth, m.release, m.pooled, m.cap.kind, tile,
                    tables.append(table) if table else 0)


def _tensor(graph: Graph, program: Program, index: int, kind: OpKind, number: int,
            names: Blob) -> bytes:
    tensor = graph.tensors[index]
    op = next(op for op in program.ops if op.kind == kind and op.params[0] == number)
    stream = program.streams[(op.inputs or op.outputs)[0]]
    scale, zero = (tensor.scale, tensor.zero_point) if tensor.quant else (0.0, 0)
    text = tensor.name.encode()
    at = names.append(text)
    shape = (*tensor.shape, 0, 0, 0, 0)[:4]
    return TENSOR.pack(stream.height, stream.row_bytes, TYPES.index(tensor.dtype),
                       len(tensor.shape), 0, scale, zero, *shape, at, len(text), 0)


def _stream_json(graph: Graph, program: Program, stream: int) -> list[object] | None:
    s = program.streams[stream]
    if s.tensor < 0:
        return None
    return [graph.tensors[s.tensor].name, s.height, s.width, s.channels,
            graph.tensors[s.tensor].dtype]
