# SPDX-License-Identifier: Apache-2.0
"""Changes to a package that an editor of bytes would make, each sealed with the right checksum."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import reduce

from edgefm.package.container import seal
from edgefm.package.records import (
    HEADER,
    RECORD_BYTES,
    REQUIRED,
    SECTION_ENTRY,
    PackageHeader,
    Section,
)

Change = Callable[[bytes], bytes]
Table = dict[int, tuple[int, bytes]]  # section id -> flags, data


def put(package: bytes, offset: int, kind: str, value: int) -> bytes:
    """The package with one little-endian field replaced, sealed."""
    data = bytearray(package)
    struct.pack_into(f"<{kind}", data, offset, value)
    return seal(bytes(data))


def header(field: str, value: int | bytes) -> Change:
    """Replace a field of the header, of which there may be more than the package has."""

    def change(package: bytes) -> bytes:
        fields = PackageHeader._make(HEADER.unpack_from(package))._replace(**{field: value})
        return seal(HEADER.pack(*fields) + package[HEADER.size:])

    return change


def entry(section: int, offset: int, kind: str, value: int) -> Change:
    """Replace a field of a section's table entry."""

    def change(package: bytes) -> bytes:
        number = list(table(package)).index(section)
        return put(package, HEADER.size + SECTION_ENTRY.size * number + offset, kind, value)

    return change


def record(section: Section, index: int, offset: int, kind: str, value: int) -> Change:
    """Replace a field of record number `index`."""

    def change(package: bytes) -> bytes:
        at = start(package, section) + index * RECORD_BYTES[section] + offset
        return put(package, at, kind, value)

    return change


def start(package: bytes, section: int) -> int:
    """Where a section begins."""
    return {i: at for i, _, at, _ in _entries(package)}[section]


def replace(section: int, data: Callable[[bytes], bytes], flags: int = REQUIRED) -> Change:
    """Replace a section's bytes, or add a section."""

    def change(package: bytes) -> bytes:
        sections = table(package)
        sections[section] = flags, data(sections.get(section, (0, b""))[1])
        return assemble(package[:HEADER.size], sections)

    return change


def without(section: Section) -> Change:
    """Leave a section out."""
    return lambda package: assemble(package[:HEADER.size], {
        i: s for i, s in table(package).items() if i != section})


def chain(*changes: Change) -> Change:
    """One after the other."""
    return lambda package: reduce(lambda data, change: change(data), changes, package)


def table(package: bytes) -> Table:
    """The sections of a package, in its order."""
    return {i: (flags, package[at:at + size]) for i, flags, at, size in _entries(package)}


def assemble(head: bytes, sections: Mapping[int, tuple[int, bytes]]) -> bytes:
    """A package of these sections."""
    body = bytearray(HEADER.size + SECTION_ENTRY.size * len(sections))
    entries, head_bytes = b"", len(body)
    for section in sorted(sections, key=lambda section: _record_bytes(section) == 1):
        flags, data = sections[section]
        body += bytes(-len(body) % 4)
        size = _record_bytes(section)
        entries += SECTION_ENTRY.pack(section, flags, len(body), len(data), len(data) // size)
        body += data
        head_bytes = len(body) if size > 1 else head_bytes
    fields = PackageHeader._make(HEADER.unpack_from(head))._replace(
        bytes=len(body), head_bytes=head_bytes, sections=len(sections))
    body[:HEADER.size + len(entries)] = HEADER.pack(*fields) + entries
    return seal(bytes(body))


def _record_bytes(section: int) -> int:
    return RECORD_BYTES[Section(section)] if section in list(Section) else 1


def _entries(package: bytes) -> list[tuple[int, int, int, int]]:
    count = PackageHeader._make(HEADER.unpack_from(package)).sections
    return [SECTION_ENTRY.unpack_from(package, HEADER.size + SECTION_ENTRY.size * i)[:4]
            for i in range(count)]
