# SPDX-License-Identifier: Apache-2.0
"""A package's bytes to what it says about itself, or one line that says what is wrong with them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgefm.errors import BadContainer, BadInput
from edgefm.files.read import one_line
from edgefm.images.preprocess import Preprocess, from_json
from edgefm.network.program import ELEMENT_BYTES, OpKind
from edgefm.package.meta import read_meta
from edgefm.package.records import (
    CHECKED_FROM,
    HEADER,
    MAGIC,
    MAJOR,
    MAP,
    MOST_SECTIONS,
    OPERATOR,
    SECTION_ENTRY,
    STREAM,
    TENSOR,
    TYPES,
    Section,
)


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
