# SPDX-License-Identifier: Apache-2.0
"""A package without its weights: what a host must know of one that lies elsewhere."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgefm.errors import BadContainer
from edgefm.network.graph import Array
from edgefm.network.program import OpKind
from edgefm.package.container import (
    FIRING,
    HEADER,
    MAGIC,
    OPERATOR,
    SECTION_ENTRY,
    PackageInfo,
    Section,
    read_entries,
    read_info,
    read_sections,
)
from edgefm.package.inputs import own_inputs

_SECTIONS_FIELD = 6     # of the header: how many there are
_MOST_SECTIONS = 64
_SKIPPED = (Section.WEIGHTS, Section.TABLES, Section.SIGNATURE, Section.PARAMS)


@dataclass(frozen=True, slots=True)
class Outline:
    """`order` has the input and row of every row that the runtime pulls, in that order."""

    info: PackageInfo
    order: tuple[tuple[int, int], ...]

    def stream(self, inputs: Sequence[Array]) -> bytes:
        """The bytes of all inputs in the order in which they are pulled.

        Raises BadInput for an input of another shape or type.
        """
        rows: list[tuple[bytes, int]] = []
        for array in own_inputs(inputs, self.info, self.info.name):
            data = array.tobytes()
            count = sum(index == len(rows) for index, _ in self.order)
            rows.append((data, len(data) // max(count, 1)))
        if len(rows) == 1:
            return rows[0][0]
        return b"".join(rows[index][0][y * rows[index][1]:(y + 1) * rows[index][1]]
                        for index, y in self.order)


def read_outline(fetch: Callable[[int, int], bytes], size: int, name: str) -> Outline:
    """The outline of a package of `size` bytes of which `fetch(start, count)` gives some.

    Weights and tables are not asked for. Raises BadContainer with one line when it is damaged.
    """
    package = bytearray(size)

    def read(start: int, count: int) -> None:
        package[start:start + count] = fetch(start, count)[:count].ljust(count, b"\0")

    if size < HEADER.size:
        raise BadContainer(f"{name}: not an .efm package: {size} bytes")
    read(0, HEADER.size)
    count = HEADER.unpack_from(package)[_SECTIONS_FIELD]
    if package[:len(MAGIC)] != MAGIC or count > _MOST_SECTIONS:
        raise BadContainer(f"{name}: not an .efm package")
    read(HEADER.size, min(SECTION_ENTRY.size * count, size - HEADER.size))
    for number, at, length in read_entries(bytes(package), name):
        if number not in _SKIPPED and length:
            read(at, length)
    whole = bytes(package)
    info = read_info(whole, name, whole=False)
    try:
        return Outline(info, _order(read_sections(whole, name, False), len(info.inputs)))
    except (KeyError, IndexError, struct.error) as error:
        raise BadContainer(f"{name}: its schedule is damaged: {error!r}") from None


def _order(sections: dict[Section, bytes], inputs: int) -> tuple[tuple[int, int], ...]:
    ops = [(row[0], row[-1]) for row in OPERATOR.iter_unpack(sections[Section.OPERATORS])]
    fired = [0] * len(ops)
    order = []
    for index, rows in FIRING.iter_unpack(sections[Section.FIRINGS]):
        kind, link = ops[index]
        if kind == OpKind.INPUT:
            order += [(range(inputs)[link], fired[index] + i) for i in range(rows)]
        fired[index] += rows
    return tuple(order)
