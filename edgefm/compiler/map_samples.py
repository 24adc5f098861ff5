# SPDX-License-Identifier: Apache-2.0
"""The stored maps of calibration files, from the C runtime's row taps, in the form for codecs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgefm.codecs import RowShape
from edgefm.codecs.quality import QualityKind
from edgefm.codecs.shift import seen_map
from edgefm.network.graph import Array
from edgefm.network.program import Program, Stream
from edgefm.package.write import CodedMap
from edgefm.planner import Plan
from edgefm.runtime import Runtime
from edgefm.runtime.coder import code_map


def shape_of(stream: Stream, paired: bool = False) -> RowShape:
    """A stream's rows as codecs see them, one by one or in pairs."""
    single = RowShape(stream.width, stream.channels, stream.zero_point)
    return single.in_pairs if paired else single


def seen_maps(program: Program, plan: Plan, package: bytes, samples: Sequence[Sequence[Array]],
              streams: Sequence[int]) -> dict[int, list[Array]]:
    """What codecs see of the maps [H, W, C] of each stream, one per sample."""
    caps = {m.stream: m.cap for m in plan.maps if m.cap and m.cap.kind != QualityKind.EVEN}
    maps = tapped_maps(program, package, samples, streams)
    return {s: [seen_map(shape_of(program.streams[s]), rows, caps[s]) for rows in found]
            if s in caps else found for s, found in maps.items()}


def tapped_maps(program: Program, package: bytes, samples: Sequence[Sequence[Array]],
                streams: Sequence[int]) -> dict[int, list[Array]]:
    """The int8 maps [H, W, C] of each stream, one per sample."""
    names = {s: program.streams[s].name for s in streams}
    found: dict[int, list[Array]] = {s: [] for s in streams}
    with Runtime(package) as runtime:
        for inputs in samples:
            taps = runtime.run(inputs, taps=True).taps
            for s, name in names.items():
                stream = program.streams[s]
                tap = taps[name]
                tap = (tap ^ 0x80 if tap.dtype == np.uint8 else tap).view(np.int8)
                found[s].append(tap.reshape(stream.height, stream.width, stream.channels))
    return found


def row_lengths(program: Program, plan: Plan, coded: Mapping[int, CodedMap], package: bytes,
                samples: Sequence[Sequence[Array]]) -> dict[int, list[list[int]]]:
    """Bytes of each stored row, per stream of a coded map and sample, when nothing limits them."""
    streams = {plan.maps[i].stream: one for i, one in coded.items()}
    maps = seen_maps(program, plan, package, samples, list(streams))
    return {s: [[len(row) for row in code_map(one.codec, one.tables, program.streams[s].zero_point,
                                              rows).rows] for rows in maps[s]]
            for s, one in streams.items()}
