# SPDX-License-Identifier: Apache-2.0
"""A package as header, sections and checksums, without the contents of the sections.

A host verifies every package that it reads: its head, all of it, and every tile.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence

from edgefm.errors import BadContainer
from edgefm.package.records import (
    CHECKED_FROM,
    HEADER,
    IN_HEAD,
    MAGIC,
    MAJOR,
    MAPPED,
    MOST_SECTIONS,
    PORTED,
    SECTION_ENTRY,
    SUMS_AT,
    TILE,
    Feature,
    PackageHeader,
    Section,
    Tile,
)
from edgefm.package.word_sum import word_sums

Entry = tuple[int, int, int]  # a section's id, offset and size


def read_sections(package: bytes, name: str) -> dict[Section, bytes]:
    """The known sections of a package, after verifying all of it.

    Raises BadContainer with one line that says what is wrong.
    """
    header = read_header(package, name)
    if header.bytes != len(package):
        raise BadContainer(f"{name}: {len(package)} bytes, its header says {header.bytes}")
    check_head(package, header, name)
    if header.crc != checksum(package):
        raise BadContainer(f"{name}: checksum differs: the file is damaged")
    sections = {Section(i): package[at:at + size]
                for i, at, size in read_entries(package, name, len(package))
                if i in Section.__members__.values()}
    _check_tiles(sections, name)
    return sections


def read_header(front: bytes, name: str) -> PackageHeader:
    """The header at the front of a package of this edgefm's format. Raises BadContainer."""
    if len(front) < CHECKED_FROM or front[:len(MAGIC)] != MAGIC:
        raise BadContainer(f"{name}: not an .efm package; expected it to begin with {MAGIC!r}")
    major, minor = struct.unpack_from("<HH", front, len(MAGIC))
    if major != MAJOR:
        older = major < MAJOR
        raise BadContainer(
            f"{name}: was made by {'an older' if older else 'a newer'} edgefm (package format "
            f"{major}.{minor}, this one reads {MAJOR}.x); "
            f"{'compile it again' if older else 'update edgefm'}")
    if len(front) < HEADER.size:
        raise BadContainer(f"{name}: {len(front)} bytes, expected a header of {HEADER.size}")
    return PackageHeader._make(HEADER.unpack_from(front))


def read_entries(front: bytes, name: str, size: int) -> list[Entry]:
    """Id, offset and size of every section, all inside a package of `size` bytes.

    `front` is the available part of the package, at least its head.
    """
    header = read_header(front, name)
    count = header.sections
    end = HEADER.size + SECTION_ENTRY.size * count
    if end > len(front) or count > MOST_SECTIONS:
        raise BadContainer(f"{name}: {count} sections in {len(front)} bytes, expected at most "
                           f"{MOST_SECTIONS}")
    entries = []
    for at in range(HEADER.size, end, SECTION_ENTRY.size):
        section, _, offset, length, _ = SECTION_ENTRY.unpack_from(front, at)
        if offset > size or length > size - offset:
            raise BadContainer(f"{name}: section {section} lies outside the file")
        if section in IN_HEAD and offset + length > header.head_bytes:
            raise BadContainer(f"{name}: section {section} lies outside the head")
        entries.append((section, offset, length))
    return entries


def check_head(front: bytes, header: PackageHeader, name: str) -> None:
    """Compare the head, at the begin of `front`, with its checksum. Raises BadContainer."""
    if not HEADER.size <= header.head_bytes <= header.bytes:
        raise BadContainer(f"{name}: a head of {header.head_bytes} bytes, expected {HEADER.size} "
                           f"to {header.bytes}")
    if header.head_crc != checksum(memoryview(front)[:header.head_bytes]):
        raise BadContainer(f"{name}: checksum of its head differs: the file is damaged")


def checksum(data: bytes | memoryview) -> int:
    """CRC-32 of a package, or of its front, without the two checksums in its header."""
    view = memoryview(data)
    return zlib.crc32(view[CHECKED_FROM:], zlib.crc32(view[:SUMS_AT]))


def read_tiles(sections: Mapping[Section, bytes]) -> Iterator[Tile]:
    """The records of TILES, in order. Raises struct.error when the last one is cut."""
    return map(Tile._make, TILE.iter_unpack(sections.get(Section.TILES, b"")))


def _check_tiles(sections: Mapping[Section, bytes], name: str) -> None:
    weights = memoryview(sections.get(Section.WEIGHTS, b""))
    if len(sections.get(Section.TILES, b"")) % TILE.size:
        raise BadContainer(f"{name}: its tiles are damaged")
    tiles = list(read_tiles(sections))
    for number, (tile, found) in enumerate(zip(tiles, tile_sums(tiles, weights), strict=True)):
        if tile.crc != found:
            raise BadContainer(f"{name}: checksum of tile {number} differs: the file is damaged")


def tile_sums(tiles: Sequence[Tile], weights: bytes | memoryview) -> list[int]:
    """The checksum that each tile should have; `weights` is the section that they lie in."""
    weights = memoryview(weights)
    data = [weights[tile.offset:tile.offset + tile.bytes] for tile in tiles]
    ported = [i for i, tile in enumerate(tiles) if tile.memory == PORTED]
    by_port = dict(zip(ported, word_sums([data[i] for i in ported]), strict=True))
    return [by_port[i] if i in by_port else zlib.crc32(one) for i, one in enumerate(data)]


def seal(package: bytes, tiles: bool = True) -> bytes:
    """The same package with correct checksums, including those of its tiles if `tiles`.

    Data too short for a header stays as it is, and so do tiles whose bytes are not there.
    """
    if len(package) < HEADER.size:
        return package
    data = _with_tiles(package) if tiles else package
    head_bytes = PackageHeader._make(HEADER.unpack_from(data)).head_bytes
    sums = struct.pack("<II", checksum(memoryview(data)[:head_bytes]), checksum(data))
    return data[:SUMS_AT] + sums + data[CHECKED_FROM:]


def _with_tiles(package: bytes) -> bytes:
    try:
        entries = {i: (at, size) for i, at, size in read_entries(package, "", len(package))}
    except BadContainer:
        return package
    data, empty = bytearray(package), (0, 0)
    (weights, room), (first, size) = (entries.get(i, empty) for i in (Section.WEIGHTS,
                                                                      Section.TILES))
    found = [(at, tile) for at in range(first, first + size - size % TILE.size, TILE.size)
             if (tile := Tile._make(TILE.unpack_from(data, at))).offset <= room
             and tile.bytes <= room - tile.offset]
    ported = Feature(read_header(package, "").features & Feature.WEIGHT_PORT)
    sums = tile_sums([tile if ported else tile._replace(memory=MAPPED) for _, tile in found],
                     package[weights:weights + room])
    for (at, tile), crc in zip(found, sums, strict=True):
        TILE.pack_into(data, at, *tile._replace(crc=crc))
    return bytes(data)
