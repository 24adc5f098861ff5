# SPDX-License-Identifier: Apache-2.0
"""A package without its weights: what a host must know about a package on a device."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.errors import BadContainer
from edgefm.network.graph import Array
from edgefm.network.program import TAKING
from edgefm.package.container import check_head, read_entries, read_header
from edgefm.package.inputs import own_inputs
from edgefm.package.read import PackageInfo, TensorInfo, describe
from edgefm.package.records import FIRING, HEADER, IN_HEAD, OPERATOR, TENSOR, Section

MOST_OUTLINE = 1 << 24  # bytes of a package without its weights
MOST_INPUT = 1 << 26    # bytes of all inputs together
MOST_OUTPUT = 1 << 28   # bytes of all outputs together
MOST_ROWS = 1 << 20     # of all inputs together
_BESIDE = frozenset({Section.NAMES, Section.META})


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
            count = 1 + max((y for index, y in self.order if index == len(rows)), default=0)
            rows.append((data, len(data) // max(count, 1)))
        if len(rows) == 1 and len(self.order) == len(rows[0][0]) // max(rows[0][1], 1):
            return rows[0][0]
        return b"".join(rows[index][0][y * rows[index][1]:(y + 1) * rows[index][1]]
                        for index, y in self.order)


def read_outline(fetch: Callable[[int, int], bytes], size: int, name: str) -> Outline:
    """The outline of a package of `size` bytes of which `fetch(start, count)` gives some.

    It fetches only the head, names and META. Raises BadContainer with one line when they are
    damaged, or when they, the inputs and outputs, or their rows exceed the limits above.
    """
    def read(start: int, count: int) -> bytes:
        return fetch(start, count)[:count].ljust(count, b"\0")

    header = read_header(read(0, min(HEADER.size, size)), name)
    if header.bytes != size:
        raise BadContainer(f"{name}: {size} bytes, its header says {header.bytes}")
    _check_wanted(header.head_bytes, name)
    head = read(0, header.head_bytes)
    check_head(head, header, name)
    entries = read_entries(head, name, size)
    _check_wanted(header.head_bytes + sum(length for number, _, length in entries
                                          if number in _BESIDE), name)
    sections = {Section(number): read(at, length) if number in _BESIDE else head[at:at + length]
                for number, at, length in entries
                if number in _BESIDE or number in IN_HEAD}
    return _outline(describe(header, sections, entries, name), sections, name)


def _check_wanted(wanted: int, name: str) -> None:
    if wanted > MOST_OUTLINE:
        raise BadContainer(f"{name}: {wanted} bytes without its weights, expected at most "
                           f"{MOST_OUTLINE}")


def _outline(info: PackageInfo, sections: dict[Section, bytes], name: str) -> Outline:
    _check_ends(info.inputs, "inputs", MOST_INPUT, name)
    _check_ends(info.outputs, "outputs", MOST_OUTPUT, name)
    try:
        return Outline(info, _order(sections, len(info.inputs)))
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
        if kind in TAKING:
            if fired[index] + rows > heights[link]:
                raise ValueError(f"input {link} of {heights[link]} rows gives "
                                 f"{fired[index] + rows}")
            if len(order) + rows > MOST_ROWS:  # several operators may give rows of one input
                raise ValueError(f"more than {MOST_ROWS} rows of input")
            order += [(link, fired[index] + i) for i in range(rows)]
        fired[index] += rows
    return tuple(order)
