# SPDX-License-Identifier: Apache-2.0
"""A package without its weights: what a host must know of one that lies elsewhere."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgefm.errors import BadContainer
from edgefm.network.graph import Array
from edgefm.network.program import OpKind
from edgefm.package.inputs import own_inputs
from edgefm.package.read import (
    PackageInfo,
    SectionInfo,
    TensorInfo,
    read_entries,
    read_info,
    read_sections,
    section_infos,
)
from edgefm.package.records import (
    FIRING,
    HEADER,
    MAGIC,
    MOST_SECTIONS,
    OPERATOR,
    SECTION_ENTRY,
    TENSOR,
    Section,
)

MOST_OUTLINE = 1 << 24  # bytes of a package without its weights
MOST_INPUT = 1 << 26    # bytes of all inputs together
MOST_OUTPUT = 1 << 28   # bytes of all outputs together
MOST_ROWS = 1 << 20     # of all inputs together
_SIZE_FIELD, _SECTIONS_FIELD = 3, 6  # of the header: bytes of the package, number of sections
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

    Weights and tables are not asked for. Raises BadContainer with one line when it is damaged, or
    when its outline, its ends or their rows are more than the limits above.
    """
    def read(start: int, count: int) -> bytes:
        return fetch(start, count)[:count].ljust(count, b"\0")

    if size < HEADER.size:
        raise BadContainer(f"{name}: not an .efm package: {size} bytes")
    head = read(0, HEADER.size)
    said, count = (HEADER.unpack(head)[field] for field in (_SIZE_FIELD, _SECTIONS_FIELD))
    if head[:len(MAGIC)] != MAGIC or count > MOST_SECTIONS:
        raise BadContainer(f"{name}: not an .efm package")
    if said != size:
        raise BadContainer(f"{name}: {size} bytes, its header says {said}")
    table = read(HEADER.size, min(SECTION_ENTRY.size * count, size - HEADER.size))
    entries = read_entries(head + table, name, size)
    wanted = sum(length for number, _, length in entries if number not in _SKIPPED)
    if wanted > MOST_OUTLINE:
        raise BadContainer(f"{name}: {wanted} bytes without its weights, expected at most "
                           f"{MOST_OUTLINE}")
    return _outline(_joined(head, entries, read), name, tuple(section_infos(entries)))


def _joined(head: bytes, entries: Sequence[tuple[int, int, int]],
            read: Callable[[int, int], bytes]) -> bytes:
    """A package of what is read of one that lies elsewhere; the sections left out are empty."""
    table, body = bytearray(), bytearray()
    first = HEADER.size + SECTION_ENTRY.size * len(entries)
    for number, at, length in entries:
        data = b"" if number in _SKIPPED or not length else read(at, length)
        table += SECTION_ENTRY.pack(number, 0, first + len(body), len(data), 0)
        body += data
    fields = list(HEADER.unpack(head))
    fields[_SIZE_FIELD] = first + len(body)
    return HEADER.pack(*fields) + table + body


def _outline(joined: bytes, name: str, sections: tuple[SectionInfo, ...]) -> Outline:
    info = replace(read_info(joined, name, whole=False), sections=sections)
    _check_ends(info.inputs, "inputs", MOST_INPUT, name)
    _check_ends(info.outputs, "outputs", MOST_OUTPUT, name)
    try:
        return Outline(info, _order(read_sections(joined, name, False), len(info.inputs)))
    except (KeyError, IndexError, ValueError, struct.error) as error:
        raise BadContainer(f"{name}: its schedule is damaged: {error!r}") from None


def _check_ends(tensors: Sequence[TensorInfo], what: str, most: int, name: str) -> None:
    size = sum(tensor_bytes(tensor) for tensor in tensors)
    if size > most:
        raise BadContainer(f"{name}: {what} of {size} bytes, expected at most {most}")


def tensor_bytes(tensor: TensorInfo) -> int:
    """Bytes of an input or output."""
    return math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize


def _order(sections: dict[Section, bytes], inputs: int) -> tuple[tuple[int, int], ...]:
    ops = [(row[0], row[-1]) for row in OPERATOR.iter_unpack(sections[Section.OPERATORS])]
    heights = [row[0] for row in TENSOR.iter_unpack(sections[Section.TENSORS])][:inputs]
    if sum(heights) > MOST_ROWS:
        raise ValueError(f"{sum(heights)} rows of input, expected at most {MOST_ROWS}")
    fired = [0] * len(ops)
    order: list[tuple[int, int]] = []
    for index, rows in FIRING.iter_unpack(sections[Section.FIRINGS]):
        kind, link = ops[index]
        if kind == OpKind.INPUT:
            if fired[index] + rows > heights[link]:
                raise ValueError(f"input {link} of {heights[link]} rows gives "
                                 f"{fired[index] + rows}")
            if len(order) + rows > MOST_ROWS:  # several operators may give rows of one input
                raise ValueError(f"more than {MOST_ROWS} rows of input")
            order += [(link, fired[index] + i) for i in range(rows)]
        fired[index] += rows
    return tuple(order)
