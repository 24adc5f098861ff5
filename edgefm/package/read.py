# SPDX-License-Identifier: Apache-2.0
"""Reads a package's description of itself, or raises one line that says what is wrong."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgefm.errors import BadContainer, BadInput
from edgefm.files.read import one_line
from edgefm.images.preprocess import Preprocess, from_json
from edgefm.network.program import ELEMENT_BYTES, OpKind
from edgefm.package.container import Entry, read_entries, read_header, read_sections, read_tiles
from edgefm.package.kernel_needs import needs_conv_rows, needs_depthwise_windows
from edgefm.package.meta import read_meta
from edgefm.package.records import (
    MAP,
    OPERATOR,
    SLICED_MADE_OF,
    STREAM,
    TENSOR,
    TYPES,
    Feature,
    PackageHeader,
    ReservedSection,
    Section,
    feature_names,
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
    """A package's description of itself; `version` 0: none was given."""

    name: str
    model_sha256: str
    plan_sha256: str
    preprocess: Preprocess | None
    labels: tuple[str, ...] = field(repr=False)
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    sections: tuple[SectionInfo, ...] = field(repr=False)
    plan: Mapping[str, Any] = field(repr=False)
    features: int
    version: int
    streams: tuple[StreamInfo | None, ...] = field(repr=False)
    rate: Mapping[str, Any] | None = None
    removed: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """A package's demands on a device; sizes in bytes, operators, codecs, packings by number."""

    major: int
    bytes: int
    features: int
    fast_bytes: int
    external_bytes: int
    alignment: int
    operators: frozenset[int]
    codecs: frozenset[int]
    packings: frozenset[int] = frozenset()
    conv_rows: bool = True          # as kernel_needs.py says
    depthwise_windows: bool = True


def read_info(package: bytes, name: str = "package") -> PackageInfo:
    """The package's description of itself, after verifying all of the package.

    Raises BadContainer with one line when it is damaged, of another format, or needs what this
    edgefm does not know.
    """
    sections = read_sections(package, name)
    return describe(read_header(package, name), sections,
                    read_entries(package, name, len(package)), name)


def describe(header: PackageHeader, sections: Mapping[Section, bytes], entries: Sequence[Entry],
             name: str) -> PackageInfo:
    """`read_info` of a package with only these sections."""
    unknown = header.features & ~sum(Feature)
    if unknown:
        raise BadContainer(f"{name}: needs {', '.join(feature_names(unknown))}, which this edgefm "
                           "does not have; update edgefm")
    try:
        meta = read_meta(sections[Section.META])
        tensors = _read_tensors(sections)
        preprocess = from_json(meta["preprocess"]) if meta["preprocess"] else None
        inputs = _count_kind(sections, OpKind.INPUT)
        return PackageInfo(
            meta["name"], meta["model_sha256"], meta["plan_sha256"], preprocess,
            tuple(meta["labels"]), tensors[:inputs], tensors[inputs:],
            tuple(section_infos(entries)), meta["plan"], header.features, header.version,
            _read_streams(sections, meta["streams"]), meta.get("rate"),
            tuple(meta.get("removed") or ()))
    except (BadInput, KeyError, ValueError, IndexError, OverflowError, struct.error,
            RecursionError) as error:
        raise BadContainer(f"{name}: its description is damaged: {one_line(error)}") from None


def read_needs(package: bytes, name: str = "package") -> Needs:
    """The demands of the package on a device. Raises BadContainer when it is damaged."""
    sections, header = read_sections(package, name), read_header(package, name)
    try:
        maps = MAP.iter_unpack(sections[Section.MAPS])
        codecs = frozenset(codec for _, _, _, _, codec, *_ in maps)
        return Needs(header.major, len(package), header.features, header.arena_bytes,
                     header.external_bytes, header.alignment,
                     frozenset(_kinds(sections)), codecs,
                     frozenset(tile.packing for tile in read_tiles(sections)),
                     needs_conv_rows(sections), needs_depthwise_windows(sections))
    except (KeyError, struct.error) as error:
        raise BadContainer(f"{name}: its sections are damaged: {one_line(error)}") from None


def section_infos(entries: Sequence[Entry]) -> list[SectionInfo]:
    """Sections as `inspect` lists them."""
    known = {int(s): s.name.lower() for kind in (Section, ReservedSection) for s in kind}
    return [SectionInfo(known.get(i, f"unknown {i}"), at, size) for i, at, size in entries]


def _kinds(sections: Mapping[Section, bytes]) -> Iterator[int]:
    """Kinds of operators, also of those that others are made of."""
    for op in OPERATOR.iter_unpack(sections[Section.OPERATORS]):
        yield op[0]
        if op[0] == OpKind.SLICED:
            yield OpKind.CONV
            yield from struct.unpack_from("<B", sections[Section.PARAMS],
                                          4 * (op[5] + SLICED_MADE_OF + 1))


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
