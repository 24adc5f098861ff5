# SPDX-License-Identifier: Apache-2.0
"""Which codec each stored map gets, with which learned tables: the shortest on calibration maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from edgefm.codecs import CODECS, RowShape, coded_bytes, fit_maps, temporal
from edgefm.codecs.interface import in_pairs
from edgefm.codecs.tables_file import MapTables
from edgefm.compiler.map_samples import seen_maps, shape_of
from edgefm.compiler.map_storage import codecs_to_try
from edgefm.errors import BadContainer, BadInput
from edgefm.network.graph import Array
from edgefm.network.program import Program, Stream
from edgefm.package.write import CodedMap
from edgefm.planner import Plan
from edgefm.runtime.coder import code_map

TABLE_SHARE = 0.03            # of the weights' bytes, for all tables together
_NONE: Mapping[str, MapTables] = MappingProxyType({})


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
    """The same, but values within `tolerance` steps of the previous frame may be reused."""
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
