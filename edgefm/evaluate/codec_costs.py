# SPDX-License-Identifier: Apache-2.0
"""All codecs on identical tensors: the maps that cross a plan's stage boundaries.

The C runtime's row taps give the maps, and its codecs give the bytes. Every map is decoded again
and compared; for a lossy codec its error is measured. The size of a coded map includes its
directory of row lengths. Tables are counted separately. They are learned from other files than
those that are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgefm.codecs import CODECS, Codec, RowShape, coded_bytes, fit_maps
from edgefm.compiler.choose_codec import table_limit
from edgefm.compiler.pipeline import Compiled
from edgefm.errors import BadInput
from edgefm.network.graph import Array
from edgefm.network.program import OpKind, Program
from edgefm.runtime import Runtime
from edgefm.runtime.coder import code_map

_MEASURED = {name: codec for name, codec in CODECS.items() if not codec.refers}
_PORTS = (OpKind.INPUT, OpKind.OUTPUT, OpKind.LOAD, OpKind.STORE)


@dataclass(frozen=True, slots=True)
class TransferredMap:
    """A feature map that one stage writes and others read; `transfers` counts both."""

    name: str
    shape: RowShape
    transfers: int


@dataclass(frozen=True, slots=True)
class MapCost:
    """One map: its values; per codec the mean bits that each takes, and the bytes of its tables.

    `errors` has the mean squared error, in squared steps of the map, of codecs that lose.
    """

    name: str
    values: int
    transfers: int
    bits_per_value: Mapping[str, float]
    table_bytes: Mapping[str, int]
    errors: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CodecCost:
    """One codec over all maps, each weighted with its transfers.

    Bits per value: mean, 99th percentile and largest over the files. `tables_share` is of the
    weights' bytes. `state_bytes` and `buffer_bytes` are those of the most demanding cursor: what
    the codec keeps, and the row's code. `raw_rows` is the share of rows stored as they are;
    `raw_maps` counts maps that the codec does not take. `error`: as in MapCost, None when nothing
    is lost. Speed on this machine.
    """

    codec: str
    lossless: bool
    bits_per_value: float
    p99: float
    largest: float
    table_bytes: int
    tables_share: float
    state_bytes: int
    buffer_bytes: int
    raw_rows: float
    raw_maps: int
    error: float | None
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
    """One codec on one map: its tables (None: it does not take the map), bytes of every file, and
    sums over all files."""

    tables: bytes | None
    bytes: list[int] = field(default_factory=list)
    raw_rows: int = 0
    error: float = 0.0
    encode: float = 0.0
    decode: float = 0.0


def measure_codecs(compiled: Compiled, fit: Sequence[Array], judge: Sequence[Array],
                   tick: Callable[[], None] = lambda: None, every: int = 1) -> Measurement:
    """Measure every codec on the maps of `judge`, with tables learned on the maps of `fit`.

    Only each `every`-th map is looked at, with that part of the bytes for tables. Raises BadInput
    when the plan has no stage boundary or there are no inputs.
    """
    boundaries = boundaries_of(compiled)[::every]
    if not boundaries or not fit or not judge:
        raise BadInput(f"{compiled.graph.name}: no map crosses a stage boundary; try --cut ops"
                       if not boundaries else "codecs: no files to fit on or to measure")
    limit = table_limit(compiled.program) // every
    with Runtime(compiled.package) as runtime:
        samples = [maps_of(runtime, boundaries, data) for data in fit]
        sums = {name: [_Sums(t) for t in _tables(codec, boundaries, samples, limit)]
                for name, codec in _MEASURED.items()}
        for data in judge:
            maps = maps_of(runtime, boundaries, data)
            for name, codec in _MEASURED.items():
                for total, boundary, values in zip(sums[name], boundaries, maps, strict=True):
                    _add(total, codec, boundary.shape, values)
            tick()
    heights = [len(values) for values in maps]
    weights = sum(len(op.weights) for op in compiled.program.ops)
    return Measurement(len(judge), limit,
                       tuple(_codec_cost(CODECS[name], boundaries, heights, own, weights)
                             for name, own in sums.items()),
                       tuple(_map_cost(boundary, heights[i], {n: s[i] for n, s in sums.items()})
                             for i, boundary in enumerate(boundaries)))


def boundaries_of(compiled: Compiled) -> tuple[TransferredMap, ...]:
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
            found.append(TransferredMap(name, shape, 1 + readers))
    return tuple(found)


def _root(program: Program, stream: int) -> int:
    """The stream that really is stored: a part of a concat is stored with its parent."""
    while program.streams[stream].parent >= 0:
        stream = program.streams[stream].parent
    return stream


def maps_of(runtime: Runtime, boundaries: Sequence[TransferredMap], data: Array) -> list[Array]:
    """The int8 maps [H, W, C] of one inference, as the runtime holds them."""
    taps = runtime.run([data], taps=True).taps
    maps = []
    for boundary in boundaries:
        tap = taps[boundary.name]
        shape = (-1, boundary.shape.width, boundary.shape.channels)
        maps.append((tap ^ 0x80 if tap.dtype == np.uint8 else tap).view(np.int8).reshape(shape))
    return maps


def _tables(codec: Codec, boundaries: Sequence[TransferredMap], samples: Sequence[Sequence[Array]],
            limit: int) -> list[bytes | None]:
    """The codec's tables for every map, within the limit together; None where it takes no such."""
    per_map = [(boundary.shape, [maps[i] for maps in samples])
               for i, boundary in enumerate(boundaries)]
    if codec.candidates is not None:
        return list(fit_maps(codec, per_map, limit))
    found: list[bytes | None] = []
    for one in per_map:
        try:
            found += fit_maps(codec, [one], limit // len(per_map))
        except BadInput:
            found.append(None)
    return found


def _add(total: _Sums, codec: Codec, shape: RowShape, values: Array) -> None:
    """One file's map; raw maps have no directory."""
    if codec.id == 0 or total.tables is None:
        total.bytes.append(values.size)
        return
    coded = code_map(codec.id, total.tables, shape.zero_point, values, codec.lossless)
    total.bytes.append(coded_bytes(coded.rows))
    total.raw_rows += sum(len(row) == shape.values for row in coded.rows)
    total.error += coded.squared_error
    total.encode += coded.encode_seconds
    total.decode += coded.decode_seconds


def _codec_cost(codec: Codec, boundaries: Sequence[TransferredMap], heights: Sequence[int],
                sums: Sequence[_Sums], weights: int) -> CodecCost:
    transfers = np.array([b.transfers for b in boundaries])
    values = np.array([b.shape.values * h for b, h in zip(boundaries, heights, strict=True)])
    bits = 8 * transfers @ np.array([s.bytes for s in sums]) / (transfers @ values)
    files, tables = len(bits), sum(len(s.tables or b"") for s in sums)
    errors = transfers @ np.array([s.error for s in sums]) / (transfers @ values) / files
    taken = [b.shape for b, s in zip(boundaries, sums, strict=True) if s.tables is not None]
    return CodecCost(
        codec.name, codec.lossless, float(bits.mean()), float(np.percentile(bits, 99)),
        float(bits.max()), tables, tables / weights,
        max((codec.state_bytes(shape) for shape in taken), default=0),
        max((shape.values for shape in taken if codec.id), default=0),
        sum(s.raw_rows for s in sums) / (files * sum(heights)),
        sum(s.tables is None for s in sums), None if codec.lossless else float(errors),
        *(1e9 * sum(getattr(s, part) for s in sums) / (float(values.sum()) * files)
          for part in ("encode", "decode")))


def _map_cost(boundary: TransferredMap, height: int, sums: Mapping[str, _Sums]) -> MapCost:
    values = boundary.shape.values * height
    return MapCost(
        boundary.name, values, boundary.transfers,
        {name: 8 * float(np.mean(s.bytes)) / values for name, s in sums.items()},
        {name: len(s.tables or b"") for name, s in sums.items()},
        {name: s.error / (values * len(s.bytes)) for name, s in sums.items()
         if not CODECS[name].lossless})


def _plain(record: CodecCost | MapCost) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}
