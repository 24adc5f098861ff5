# SPDX-License-Identifier: Apache-2.0
"""The .efm package: the only Python that knows a byte offset. docs/FORMAT.md is the contract."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Any

from edgefm.errors import BadContainer, BadInput, UnsupportedModel
from edgefm.files.read import one_line
from edgefm.images.preprocess import Preprocess, from_json
from edgefm.network.graph import Graph
from edgefm.network.program import ELEMENT_BYTES, OpKind, Program
from edgefm.package.meta import read_meta, write_meta
from edgefm.planner.model import PlacedOp, Plan

MAGIC = b"EFM1"
MAJOR, MINOR = 1, 0
HEADER = struct.Struct("<4sHHIIIIIIIIHHIIIHH4x")
CHECKED_FROM = 16   # the checksum covers everything from here on
SECTION_ENTRY = struct.Struct("<HHIII")
SECTION_ALIGNMENT = 16
WEIGHT_ALIGNMENT = 16
STREAM = struct.Struct("<IIIBBHHHIIi")
BUFFER = struct.Struct("<III")
OPERATOR = struct.Struct("<BBBBIIIIIIIII")
FIRING = struct.Struct("<HH")
STAGE = struct.Struct("<II")
MAP = struct.Struct("<IIIIHHIIIIHH")
TENSOR = struct.Struct("<IIBBHfi4IIII")
CAP = struct.Struct("<IIIIBBHI")
REFERENCE = struct.Struct("<IIII")
MOST_SECTIONS = 64
MAX_ENDS = 32       # inputs, and outputs
TYPES = ("int8", "uint8", "int32", "int64", "float32")


class Section(IntEnum):
    """Section ids of docs/FORMAT.md; never renumbered."""

    STREAMS = 1
    BUFFERS = 2
    OPERATORS = 3
    OPERANDS = 4
    PARAMS = 5
    WEIGHTS = 6
    FIRINGS = 7
    STAGES = 8
    MAPS = 9
    TABLES = 10
    TENSORS = 11
    NAMES = 12
    META = 13
    SIGNATURE = 14
    CAPS = 15
    REFERENCES = 16


RECORD_BYTES = {
    Section.STREAMS: STREAM.size, Section.BUFFERS: BUFFER.size, Section.OPERATORS: OPERATOR.size,
    Section.OPERANDS: 2, Section.PARAMS: 4, Section.WEIGHTS: 1, Section.FIRINGS: FIRING.size,
    Section.STAGES: STAGE.size, Section.MAPS: MAP.size, Section.TABLES: 1,
    Section.TENSORS: TENSOR.size, Section.NAMES: 1, Section.META: 1, Section.SIGNATURE: 1,
    Section.CAPS: CAP.size, Section.REFERENCES: REFERENCE.size}

PAIRED = 1    # flag of a map: its rows are pairs of the stream's
REQUIRED = 1  # section flag: a reader that does not know the section must refuse the package


class Feature(IntFlag):
    """Bits of required_features."""

    EXTERNAL = 1
    CODED = 2
    CAPPED = 4
    TEMPORAL = 8
    PAIRED = 16
    QUALITY = 32


@dataclass(frozen=True, slots=True)
class CodedMap:
    """Codec number and learned tables of a stored map."""

    codec: int
    tables: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A graph input or output as callers see it; scale 0 means not quantized."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A plan stream that carries a tensor of the source graph, for row taps."""

    tensor: str
    height: int
    width: int
    channels: int
    dtype: str


@dataclass(frozen=True, slots=True)
class SectionInfo:
    """A section as `inspect` lists it."""

    name: str
    offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PackageInfo:
    """What a package says about itself."""

    name: str
    model_sha256: str
    plan_sha256: str
    preprocess: Preprocess | None
    labels: tuple[str, ...] = field(repr=False)
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    sections: tuple[SectionInfo, ...] = field(repr=False)
    plan: Mapping[str, Any] = field(repr=False)
    streams: tuple[StreamInfo | None, ...] = field(repr=False)
    rate: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a package asks of a device; sizes in bytes, operators and codecs by number."""

    major: int
    bytes: int
    features: int
    fast_bytes: int
    external_bytes: int
    alignment: int
    operators: frozenset[int]
    codecs: frozenset[int]


@dataclass(frozen=True, slots=True)
class Description:
    """What the package carries for people and hosts beside the plan."""

    model_sha256: str
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] = ()
    rate: Mapping[str, Any] | None = None


# -- writing --------------------------------------------------------------------------------------


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
    return CAP.pack(index, m.cap.rate, m.cap.depth, m.release, m.pooled, m.cap.kind, tile,
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
    window = max(len(op.inputs) + len(op.outputs) for op in plan.ops)
    fields = (MAJOR, MINOR, len(body.data), 0, features, len(sections), plan.fast_bytes,
              plan.control_bytes, plan.external_bytes, plan.io_bytes, plan.alignment,
              plan.port_buffers, plan.burst, window, plan.pool_offset, plan.pool_pages,
              plan.page_bytes)
    body.data[:HEADER.size] = HEADER.pack(MAGIC, *fields)
    body.data[HEADER.size:HEADER.size + SECTION_ENTRY.size * len(entries)] = b"".join(entries)
    return seal(bytes(body.data))


def seal(package: bytes) -> bytes:
    """The same package with its checksum made right."""
    crc = zlib.crc32(package[CHECKED_FROM:])
    return package[:12] + struct.pack("<I", crc) + package[CHECKED_FROM:]


# -- reading --------------------------------------------------------------------------------------


def read_info(package: bytes, name: str = "package", whole: bool = True) -> PackageInfo:
    """What the package says about itself. Raises BadContainer with one line when it is damaged.

    `whole` False: sections that are not read here may be missing, so the checksum is not looked at.
    """
    sections = read_sections(package, name, whole)
    try:
        meta = read_meta(sections[Section.META])
        tensors = _read_tensors(sections)
        preprocess = from_json(meta["preprocess"]) if meta["preprocess"] else None
        inputs = _count_kind(sections, OpKind.INPUT)
        return PackageInfo(
            meta["name"], meta["model_sha256"], meta["plan_sha256"], preprocess,
            tuple(meta["labels"]), tensors[:inputs], tensors[inputs:],
            tuple(section_infos(read_entries(package))), meta["plan"],
            _read_streams(sections, meta["streams"]), meta.get("rate"))
    except (BadInput, KeyError, ValueError, IndexError, OverflowError, struct.error,
            RecursionError) as error:
        raise BadContainer(f"{name}: its description is damaged: {one_line(error)}") from None


def read_needs(package: bytes, name: str = "package") -> Needs:
    """What a device must have to run the package. Raises BadContainer when it is damaged."""
    sections = read_sections(package, name)
    try:
        fields = HEADER.unpack_from(package)
        operators, maps = sections[Section.OPERATORS], sections[Section.MAPS]
        codecs = frozenset(codec for _, _, _, _, codec, *_ in MAP.iter_unpack(maps))
        return Needs(fields[1], len(package), fields[5], fields[7], fields[9], fields[11],
                     frozenset(operators[::OPERATOR.size]), codecs)
    except (KeyError, struct.error) as error:
        raise BadContainer(f"{name}: its sections are damaged: {one_line(error)}") from None


def read_sections(package: bytes, name: str, whole: bool = True) -> dict[Section, bytes]:
    """The known sections of a package whose header, and checksum where it is `whole`, are right."""
    if len(package) < HEADER.size or package[:4] != MAGIC:
        raise BadContainer(f"{name}: not an .efm package; expected it to begin with {MAGIC!r}")
    _, major, minor, size, crc, *_ = HEADER.unpack_from(package)
    if major != MAJOR:
        raise BadContainer(f"{name}: format {major}.{minor}, this edgefm reads {MAJOR}.x")
    if size != len(package):
        raise BadContainer(f"{name}: {len(package)} bytes, its header says {size}")
    if whole and crc != zlib.crc32(package[CHECKED_FROM:]):
        raise BadContainer(f"{name}: checksum differs: the file is damaged")
    return {Section(i): package[at:at + size] for i, at, size in read_entries(package, name)
            if i in Section.__members__.values()}


def read_entries(package: bytes, name: str = "package", size: int | None = None
                 ) -> list[tuple[int, int, int]]:
    """Number, offset and size of every section, all inside the package.

    `size` is the package's, where `package` is only its front, header and table.
    """
    whole = len(package) if size is None else size
    count = HEADER.unpack_from(package)[6]
    end = HEADER.size + SECTION_ENTRY.size * count
    if end > len(package) or count > MOST_SECTIONS:
        raise BadContainer(f"{name}: {count} sections in {len(package)} bytes, expected at most "
                           f"{MOST_SECTIONS}")
    entries = []
    for at in range(HEADER.size, end, SECTION_ENTRY.size):
        section, _, offset, length, _ = SECTION_ENTRY.unpack_from(package, at)
        if offset > whole or length > whole - offset:
            raise BadContainer(f"{name}: section {section} lies outside the file")
        entries.append((section, offset, length))
    return entries


def section_infos(entries: Sequence[tuple[int, int, int]]) -> list[SectionInfo]:
    """Sections as `inspect` lists them."""
    known = {int(s): s.name.lower() for s in Section}
    return [SectionInfo(known.get(i, f"unknown {i}"), at, size) for i, at, size in entries]


def _count_kind(sections: Mapping[Section, bytes], kind: OpKind) -> int:
    data = sections[Section.OPERATORS]
    return sum(data[at] == kind for at in range(0, len(data), OPERATOR.size))


def _read_tensors(sections: Mapping[Section, bytes]) -> tuple[TensorInfo, ...]:
    names = sections[Section.NAMES]
    found: list[TensorInfo] = []
    for row in TENSOR.iter_unpack(sections[Section.TENSORS]):
        _, _, dtype, rank, _, scale, zero, *rest = row
        shape, at, size = tuple(rest[:rank]), rest[4], rest[5]
        if rank > 4 or at + size > len(names):
            raise ValueError(f"tensor {len(found)} has {rank} dimensions or a name out of bounds")
        found.append(TensorInfo(names[at:at + size].decode(), shape, TYPES[dtype], scale, zero))
    return tuple(found)


def _read_streams(sections: Mapping[Section, bytes],
                  described: Sequence[Sequence[Any] | None]) -> tuple[StreamInfo | None, ...]:
    """META's streams, which must be those of the stream table: taps are laid out by both."""
    rows = [row[:4] for row in STREAM.iter_unpack(sections[Section.STREAMS])]
    if len(rows) != len(described):
        raise ValueError(f"META describes {len(described)} of {len(rows)} streams")
    found: list[StreamInfo | None] = []
    for row, said in zip(rows, described, strict=True):
        if said is None:
            found.append(None)
            continue
        tensor, height, width, channels, dtype = said
        if row != (height, width, channels, ELEMENT_BYTES["int8" if dtype == "uint8" else dtype]):
            raise ValueError(f"META describes stream {tensor!r} with another shape")
        found.append(StreamInfo(tensor, height, width, channels, dtype))
    return tuple(found)
