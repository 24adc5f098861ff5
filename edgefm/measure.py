# SPDX-License-Identifier: Apache-2.0
"""All lossless codecs on identical tensors: the maps that cross a plan's stage boundaries.

The maps come out of the C runtime's row taps, the bytes out of its codecs; every map is decoded
again and compared. A coded map counts with its directory of row lengths; tables are counted on
their own, and those that are learned see other files than the ones that are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgefm.binding import Runtime
from edgefm.binding.coder import code_map
from edgefm.codecs import LOSSLESS_CODECS as CODECS
from edgefm.codecs import RowShape, coded_bytes, fit_maps
from edgefm.coding import table_limit
from edgefm.compiler import Compiled
from edgefm.errors import BadInput
from edgefm.graph import Array
from edgefm.program import OpKind, Program

_PORTS = (OpKind.INPUT, OpKind.OUTPUT, OpKind.LOAD, OpKind.STORE)


@dataclass(frozen=True, slots=True)
class Boundary:
    """A feature map that one stage writes and others read; `transfers` counts both."""

    name: str
    shape: RowShape
    transfers: int


@dataclass(frozen=True, slots=True)
class MapCost:
    """One map: its values, and per codec the mean bits that each of them takes."""

    name: str
    values: int
    transfers: int
    bits_per_value: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CodecCost:
    """One codec over all maps, each weighted with its transfers; speed on this machine."""

    codec: str
    bits_per_value: float
    table_bytes: int
    encode_ns_per_value: float
    decode_ns_per_value: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """What `measure_codecs` found; `table_limit` is for all tables together (bytes)."""

    files: int
    table_limit: int
    codecs: tuple[CodecCost, ...]
    maps: tuple[MapCost, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return {"files": self.files, "table_limit": self.table_limit,
                "codecs": [_plain(one) for one in self.codecs],
                "maps": [_plain(one) for one in self.maps]}


@dataclass(slots=True)
class _Sums:
    """Bytes and seconds of one codec on one map, over all files."""

    bytes: int = 0
    encode: float = 0.0
    decode: float = 0.0


def measure_codecs(compiled: Compiled, fit: Sequence[Array], judge: Sequence[Array],
                   tick: Callable[[], None] = lambda: None) -> Measurement:
    """Measure every codec on the maps of `judge`, with tables learned on the maps of `fit`.

    Raises BadInput when the plan has no stage boundary or there are no inputs.
    """
    boundaries = boundaries_of(compiled)
    if not boundaries or not fit or not judge:
        raise BadInput(f"{compiled.graph.name}: no map crosses a stage boundary; try --cut ops"
                       if not boundaries else "codecs: no files to fit on or to measure")
    limit = table_limit(compiled.program)
    with Runtime(compiled.package) as runtime:
        tables = _tables(boundaries, [maps_of(runtime, boundaries, data) for data in fit], limit)
        sums = {(codec, i): _Sums() for codec in CODECS for i in range(len(boundaries))}
        for data in judge:
            _add(sums, boundaries, tables, maps_of(runtime, boundaries, data))
            tick()
        heights = [_height(runtime, boundary) for boundary in boundaries]
    return _summary(sums, boundaries, heights, tables, len(judge), limit)


def boundaries_of(compiled: Compiled) -> tuple[Boundary, ...]:
    """The int8 maps that cross stages in this plan, however they are placed; graph inputs not."""
    program, plan = compiled.program, compiled.plan
    written: dict[int, int] = {}
    read: dict[int, set[int]] = {}
    for number, stage in enumerate(plan.stages):
        fired = {op for op, _ in plan.firings[stage.first_firing:][:stage.firings]}
        for op in (plan.ops[index] for index in fired):
            if op.kind not in (OpKind.LOAD, OpKind.STORE):
                for placed in op.inputs:
                    root = _root(program, plan.streams[placed].stream)
                    read.setdefault(root, set()).add(number)
            if op.kind not in _PORTS:
                written.update((_root(program, plan.streams[placed].stream), number)
                               for placed in op.outputs)
    found = []
    for index, stage_number in sorted(written.items()):
        stream = program.streams[index]
        readers = len(read.get(index, set()) - {stage_number})
        if readers and stream.dtype == "int8" and stream.tensor >= 0:
            shape = RowShape(stream.width, stream.channels, stream.zero_point)
            name = compiled.graph.tensors[stream.tensor].name
            found.append(Boundary(name, shape, 1 + readers))
    return tuple(found)


def _root(program: Program, stream: int) -> int:
    """The stream that really is stored: a part of a concat is stored with its parent."""
    while program.streams[stream].parent >= 0:
        stream = program.streams[stream].parent
    return stream


def maps_of(runtime: Runtime, boundaries: Sequence[Boundary], data: Array) -> list[Array]:
    """The int8 maps [H, W, C] of one inference, as the runtime holds them."""
    taps = runtime.run([data], taps=True).taps
    maps = []
    for boundary in boundaries:
        tap = taps[boundary.name]
        shape = (-1, boundary.shape.width, boundary.shape.channels)
        maps.append((tap ^ 0x80 if tap.dtype == np.uint8 else tap).view(np.int8).reshape(shape))
    return maps


def _tables(boundaries: Sequence[Boundary], samples: Sequence[Sequence[Array]],
            limit: int) -> dict[str, list[bytes]]:
    """Per codec the tables of every map, within the limit together."""
    per_map = [(boundary.shape, [maps[i] for maps in samples])
               for i, boundary in enumerate(boundaries)]
    return {name: fit_maps(codec, per_map, limit) for name, codec in CODECS.items()}


def _add(sums: Mapping[tuple[str, int], _Sums], boundaries: Sequence[Boundary],
         tables: Mapping[str, Sequence[bytes]], maps: Sequence[Array]) -> None:
    for (name, i), total in sums.items():
        shape = boundaries[i].shape
        if CODECS[name].id == 0:
            total.bytes += maps[i].size
            continue
        coded = code_map(CODECS[name].id, tables[name][i], shape.zero_point, maps[i])
        total.bytes += coded_bytes(coded.rows)
        total.encode += coded.encode_seconds
        total.decode += coded.decode_seconds


def _height(runtime: Runtime, boundary: Boundary) -> int:
    return next(s.height for s in runtime.info.streams if s and s.tensor == boundary.name)


def _summary(sums: Mapping[tuple[str, int], _Sums], boundaries: Sequence[Boundary],
             heights: Sequence[int], tables: Mapping[str, Sequence[bytes]], files: int,
             limit: int) -> Measurement:
    values = [b.shape.values * height for b, height in zip(boundaries, heights, strict=True)]
    moved = sum(b.transfers * n for b, n in zip(boundaries, values, strict=True)) * files
    codecs = tuple(CodecCost(
        name, sum(8 * b.transfers * sums[name, i].bytes for i, b in enumerate(boundaries)) / moved,
        sum(map(len, tables[name])),
        *(1e9 * sum(getattr(sums[name, i], part) for i in range(len(values)))
          / (sum(values) * files) for part in ("encode", "decode"))) for name in CODECS)
    maps = tuple(MapCost(b.name, values[i], b.transfers,
                         {name: 8 * sums[name, i].bytes / (values[i] * files) for name in CODECS})
                 for i, b in enumerate(boundaries))
    return Measurement(files, limit, codecs, maps)


def _plain(record: CodecCost | MapCost) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}
