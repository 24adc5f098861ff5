# SPDX-License-Identifier: Apache-2.0
"""A plan, its network and its tables to the bytes of a package."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgefm.errors import UnsupportedModel
from edgefm.images.preprocess import Preprocess
from edgefm.network.graph import Graph
from edgefm.network.program import ELEMENT_BYTES, OpKind, Program
from edgefm.package.meta import read_meta, write_meta
from edgefm.package.read import read_sections
from edgefm.package.records import (
    BUFFER,
    CAP,
    CHECKED_FROM,
    FIRING,
    HEADER,
    MAGIC,
    MAJOR,
    MAP,
    MAX_ENDS,
    MINOR,
    OPERATOR,
    PAIRED,
    RECORD_BYTES,
    REFERENCE,
    REQUIRED,
    SECTION_ALIGNMENT,
    SECTION_ENTRY,
    STAGE,
    STREAM,
    TENSOR,
    TYPES,
    WEIGHT_ALIGNMENT,
    Feature,
    Section,
)
from edgefm.planner.model import PlacedOp, Plan


@dataclass(frozen=True, slots=True)
class CodedMap:
    """Codec number and learned tables of a stored map."""

    codec: int
    tables: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Description:
    """What the package carries for people and hosts beside the plan."""

    model_sha256: str
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] = ()
    rate: Mapping[str, Any] | None = None


@dataclass(slots=True)
class _Blob:
    """Growing bytes with aligned appends."""

    data: bytearray = field(default_factory=bytearray)

    def append(self, piece: bytes, alignment: int = 1) -> int:
        """Add a piece and return where it begins."""
        self.data += bytes(-len(self.data) % alignment)
        at = len(self.data)
        self.data += piece
        return at


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
    sections[Section.META] = write_meta(meta)
    return _assemble(plan, sections)


def with_rate(package: bytes, plan: Plan, rate: Mapping[str, object]) -> bytes:
    """The package of a plan with another `rate` in its description."""
    sections = read_sections(package, "package")
    meta = {**read_meta(sections[Section.META]), "rate": rate}
    return _assemble(plan, {**sections, Section.META: write_meta(meta)})


def _plan_sections(graph: Graph, program: Program, plan: Plan,
                   coded: Mapping[int, CodedMap]) -> dict[Section, bytes]:
    names, params, weights, tables = _Blob(), _Blob(), _Blob(), _Blob()
    operands, operators = _Blob(), _Blob()
    for placed in plan.ops:
        operators.append(_operator(program, placed, operands, params, weights))
    maps = b"".join(_map(plan, i, coded.get(i), tables) for i in range(len(plan.maps)))
    caps = b"".join(_cap(plan, i, tables) for i in _capped(plan))
    tensors = b"".join(_tensor(graph, program, t, kind, k, names)
                       for kind, ends in ((OpKind.INPUT, graph.inputs),
                                          (OpKind.OUTPUT, graph.outputs))
                       for k, t in enumerate(ends))
    sections = {
        Section.STREAMS: b"".join(_stream(program, plan, i) for i in range(len(plan.streams))),
        Section.BUFFERS: b"".join(BUFFER.pack(b.offset, b.slot_bytes, b.slots)
                                  for b in plan.buffers),
        Section.OPERATORS: bytes(operators.data), Section.OPERANDS: bytes(operands.data),
        Section.PARAMS: bytes(params.data), Section.WEIGHTS: bytes(weights.data),
        Section.FIRINGS: b"".join(FIRING.pack(op, rows) for op, rows in plan.firings),
        Section.STAGES: b"".join(STAGE.pack(s.first_firing, s.firings) for s in plan.stages),
        Section.MAPS: maps, Section.TABLES: bytes(tables.data), Section.TENSORS: tensors,
        Section.NAMES: bytes(names.data)}
    references = b"".join(REFERENCE.pack(i, plan.maps[i].reference, plan.maps[i].release,
                                         plan.maps[i].refresh) for i in _referring(plan))
    return sections | ({Section.CAPS: caps} if caps else {}) | (
        {Section.REFERENCES: references} if references else {})


def _stream(program: Program, plan: Plan, index: int) -> bytes:
    placed = plan.streams[index]
    s = program.streams[placed.stream]
    return STREAM.pack(s.height, s.width, s.channels, ELEMENT_BYTES[s.dtype], 0, placed.buffer,
                       placed.producer, 0, placed.offset, placed.pixel_stride, s.zero_point)


def _operator(program: Program, placed: PlacedOp, operands: _Blob, params: _Blob,
              weights: _Blob) -> bytes:
    refs = placed.inputs + placed.outputs
    refs_at = operands.append(struct.pack(f"<{len(refs)}H", *refs)) // 2
    values: Sequence[int] = ()
    section, link = b"", max(placed.map, 0)
    if placed.op >= 0:
        op = program.ops[placed.op]
        section = op.weights
        if placed.kind in (OpKind.INPUT, OpKind.OUTPUT):
            link = op.params[0]
        else:
            values = op.params
    params_at = params.append(struct.pack(f"<{len(values)}i", *values)) // 4
    weights_at = weights.append(section, WEIGHT_ALIGNMENT if section else 1)
    return OPERATOR.pack(placed.kind, len(placed.inputs), len(placed.outputs), 0, refs_at,
                         params_at, len(values), weights_at, len(section), placed.scratch_offset,
                         placed.scratch_bytes, placed.rows, link)


def _map(plan: Plan, index: int, coded: CodedMap | None, tables: _Blob) -> bytes:
    m = plan.maps[index]
    store = next(i for i, op in enumerate(plan.ops) if op.kind == OpKind.STORE and op.map == index)
    at = tables.append(coded.tables, 4) if coded else 0
    return MAP.pack(m.address, m.slot_bytes, m.rows, m.row_bytes, coded.codec if coded else 0,
                    PAIRED if m.paired else 0, at, len(coded.tables) if coded else 0, m.directory,
                    store, _capped(plan).index(index) + 1 if m.cap else 0,
                    _referring(plan).index(index) + 1 if m.reference >= 0 else 0)


def _capped(plan: Plan) -> list[int]:
    return [i for i, m in enumerate(plan.maps) if m.cap]


def _referring(plan: Plan) -> list[int]:
    return [i for i, m in enumerate(plan.maps) if m.reference >= 0]


def _cap(plan: Plan, index: int, tables: _Blob) -> bytes:
    m = plan.maps[index]
    assert m.cap is not None
    table, tile = m.cap.floors, 0
    if m.cap.quality:
        table, tile = m.cap.quality.table, m.cap.quality.tile
    return CAP.pack(index, m.cap.per_row, m.cap.depth, m.release, m.pooled, m.cap.kind, tile,
                    tables.append(table) if table else 0)


def _tensor(graph: Graph, program: Program, index: int, kind: OpKind, number: int,
            names: _Blob) -> bytes:
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


def _assemble(plan: Plan, sections: Mapping[Section, bytes]) -> bytes:
    body, entries = _Blob(bytearray(HEADER.size + SECTION_ENTRY.size * len(sections))), []
    for section, data in sorted(sections.items()):
        at = body.append(data, SECTION_ALIGNMENT)
        flags = 0 if section == Section.META else REQUIRED
        entries.append(SECTION_ENTRY.pack(section, flags, at, len(data),
                                          len(data) // RECORD_BYTES[section]))
    features = Feature(0)
    if any(not m.pooled for m in plan.maps):
        features |= Feature.EXTERNAL
    if any(m.codec != "raw" for m in plan.maps):
        features |= Feature.CODED
    if _capped(plan):
        features |= Feature.CAPPED
    if _referring(plan):
        features |= Feature.TEMPORAL
    if any(m.paired for m in plan.maps):
        features |= Feature.PAIRED
    if any(m.cap and m.cap.quality for m in plan.maps):
        features |= Feature.QUALITY
    most_operands = max(len(op.inputs) + len(op.outputs) for op in plan.ops)
    fields = (MAJOR, MINOR, len(body.data), 0, features, len(sections), plan.fast_bytes,
              plan.control_bytes, plan.external_bytes, plan.io_bytes, plan.alignment,
              plan.port_buffers, plan.burst, most_operands, plan.pool_offset, plan.pool_pages,
              plan.page_bytes)
    body.data[:HEADER.size] = HEADER.pack(MAGIC, *fields)
    body.data[HEADER.size:HEADER.size + SECTION_ENTRY.size * len(entries)] = b"".join(entries)
    return seal(bytes(body.data))


def seal(package: bytes) -> bytes:
    """The same package with its checksum made right."""
    crc = zlib.crc32(package[CHECKED_FROM:])
    return package[:12] + struct.pack("<I", crc) + package[CHECKED_FROM:]
