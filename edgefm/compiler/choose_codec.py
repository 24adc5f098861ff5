# SPDX-License-Identifier: Apache-2.0
"""How external maps are coded: which codec, with which learned tables, at what state.

The plan reserves for each cursor what the most demanding candidate needs, so that the choice, which
needs calibration maps, can follow it. Maps come out of the C runtime's row taps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from edgefm.codecs import CODECS, LOSSLESS_CODECS, RowShape, coded_bytes, fit_maps, temporal
from edgefm.codecs.interface import in_pairs, no_fit
from edgefm.codecs.shift import HEAD_BYTES, Cap
from edgefm.codecs.tables_file import MapTables
from edgefm.compiler.map_samples import seen_maps, shape_of
from edgefm.errors import BadContainer, BadInput
from edgefm.network.graph import Array
from edgefm.network.program import Program, Stream
from edgefm.package.write import CodedMap
from edgefm.planner import Plan, Storage
from edgefm.planner.arena import MAX_CODE_BYTES
from edgefm.runtime.coder import code_map

LOSSLESS = "lossless"         # the shortest of them all, map by map
TABLE_SHARE = 0.03            # of the weights' bytes, for all tables together
LEARNED = frozenset(name for name, codec in CODECS.items() if codec.fit is not no_fit)
_NONE: Mapping[str, MapTables] = MappingProxyType({})


def codecs_to_try(codec: str) -> tuple[str, ...]:
    """The codecs `--codec` leaves to choose from; none for raw. BadInput for an unknown one."""
    if codec == LOSSLESS:
        return tuple(name for name in LOSSLESS_CODECS if name != "raw")
    if codec not in CODECS:
        raise BadInput(f"codec {codec!r}: expected {LOSSLESS} or one of {', '.join(CODECS)}")
    return () if codec == "raw" else (codec,)


def needs_calibration(codec: str) -> bool:
    """True when tables have to be learned."""
    return any(name in LEARNED for name in codecs_to_try(codec))


def storage_for(program: Program, codec: str,
                cap_for: Callable[[Stream], Cap | None] | None = None,
                pooled: bool = False, given: Mapping[str, MapTables] = _NONE,
                refresh: int = 0, paired: bool = False) -> Storage:
    """What the planner reserves: every map that a codec can take is coded.

    Maps of `given` tables, by name, have the codec of those whatever `codec` is, and are coded in
    pairs of rows if those are for pairs; the others are if `paired`, unless they refer to a frame.

    `cap_for` gives what each of them may take at most, where the codec loses nothing itself;
    `pooled` allows them to be in the page pool. Codecs that refer to the frame before do not in
    every `refresh`-th one.
    """
    names = codecs_to_try(codec)

    def codec_of(stream: int) -> str:
        shape = program.streams[stream]
        if not is_codable(shape, wants_pairs(stream)):
            return "raw"
        mine = given.get(shape.name)
        return mine.codec if mine else codec if names else "raw"

    def wants_pairs(stream: int) -> bool:
        mine = given.get(program.streams[stream].name)
        return mine.paired if mine else paired

    def is_paired(stream: int) -> bool:
        return wants_pairs(stream) and codec_of(stream) != "raw" and not refers(stream)

    def state_bytes(own: str, stream: int) -> int:
        shape = shape_of(program.streams[stream], is_paired(stream))
        return max(CODECS[name].state_bytes(shape) for name in (names if own == codec else [own]))

    def cap_of(stream: int) -> Cap | None:
        shape = program.streams[stream]
        own = given.get(shape.name)
        mine = (own.codec,) if own else names
        fits = (mine and all(CODECS[name].lossless and not CODECS[name].refers for name in mine)
                and is_codable(shape) and not is_paired(stream)
                and shape.row_bytes + HEAD_BYTES <= MAX_CODE_BYTES)
        return cap_for(shape) if cap_for and fits else None

    def refers(stream: int) -> bool:
        own = codec_of(stream)
        return own in CODECS and CODECS[own].refers

    return Storage(codec_of, state_bytes, cap_of, pooled, refers, refresh, is_paired)


def is_codable(stream: Stream, paired: bool = False) -> bool:
    """Codecs take rows of int8 whose length fits the directory, and learn from the graph's tensors.

    What lowering invented (the rescaled part of a concat) has no taps to learn from and stays raw.
    """
    return (stream.dtype == "int8" and stream.tensor >= 0
            and stream.row_bytes * (1 + paired) <= MAX_CODE_BYTES)


def why_raw(stream: Stream, codec: str) -> str:
    """Why a stored map that no code was chosen for is as it is."""
    if not codecs_to_try(codec):
        return "no --codec"
    if stream.dtype != "int8":
        return f"{stream.dtype}, codecs take int8"
    if stream.tensor < 0:
        return "not a tensor of the model"
    if not is_codable(stream):
        return f"rows of {stream.row_bytes} bytes, at most {MAX_CODE_BYTES}"
    return "no room for its codec"


def table_limit(program: Program) -> int:
    """Bytes that all tables may take together."""
    return int(TABLE_SHARE * sum(len(op.weights) for op in program.ops))


def code_maps(program: Program, plan: Plan, codec: str, package: bytes,
              samples: Sequence[Sequence[Array]], given: Mapping[str, MapTables] = _NONE
              ) -> dict[int, CodedMap]:
    """Codec and tables for each coded map of the plan, by index in `plan.maps`.

    `package` is any package of the same program; `samples` are inputs for it to learn from. Maps of
    `given` tables take those. Raises BadInput for tables that are not for their map.
    """
    ready = {i: _given(program.streams[m.stream], given[program.streams[m.stream].name], m.paired)
             for i, m in enumerate(plan.maps) if program.streams[m.stream].name in given
             and m.codec != "raw"}
    coded = [i for i, m in enumerate(plan.maps) if m.codec != "raw" and i not in ready]
    if not coded:
        return ready
    names = codecs_to_try(codec)
    maps = seen_maps(program, plan, package, samples, [plan.maps[i].stream for i in coded])
    per_map = [(shape_of(program.streams[m.stream], m.paired),
                [in_pairs(rows) if m.paired else rows for rows in maps[m.stream]])
               for m in (plan.maps[i] for i in coded)]
    limit = table_limit(program)
    tables = {name: fit_maps(CODECS[name], per_map, limit) for name in names}
    return ready | {i: _shortest(names, tables, n, *per_map[n]) for n, i in enumerate(coded)}


def _given(stream: Stream, one: MapTables, paired: bool) -> CodedMap:
    """Tables out of a file, for the map they were learned on."""
    try:
        CODECS[one.codec].start(one.tables, shape_of(stream, paired))
    except BadContainer as error:
        raise BadInput(f"map {stream.name!r}: {error}") from None
    return CodedMap(CODECS[one.codec].id, one.tables)


def with_tolerance(coded: Mapping[int, CodedMap], tolerance: int) -> dict[int, CodedMap]:
    """The same, but values within `tolerance` steps of the frame before may be taken from there."""
    own = CODECS["temporal"].id
    return {i: CodedMap(own, temporal.with_tolerance(one.tables, tolerance))
            if one.codec == own else one for i, one in coded.items()}


def _shortest(names: Sequence[str], tables: Mapping[str, Sequence[bytes]], n: int, shape: RowShape,
              rows: Sequence[Array]) -> CodedMap:
    def size(name: str) -> int:
        return sum(coded_bytes(code_map(CODECS[name].id, tables[name][n], shape.zero_point, r).rows)
                   for r in rows)

    best = names[0] if len(names) == 1 else min(names, key=size)
    return CodedMap(CODECS[best].id, tables[best][n])
