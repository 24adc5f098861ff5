# SPDX-License-Identifier: Apache-2.0
"""The memory that the planner reserves for stored maps: their possible codecs, and codec state.

The planner reserves what the most demanding codec needs. So the choice of a codec, which needs
calibration maps, can follow the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from edgefm.codecs import CODECS, LOSSLESS_CODECS
from edgefm.codecs.interface import no_fit
from edgefm.codecs.shift import HEAD_BYTES, Cap
from edgefm.codecs.tables_file import MapTables
from edgefm.compiler.map_samples import shape_of
from edgefm.errors import BadInput
from edgefm.network.program import Program, Stream
from edgefm.planner import Storage
from edgefm.planner.arena import MAX_CODE_BYTES

LOSSLESS = "lossless"  # the shortest of all lossless codecs, map by map
LEARNED = frozenset(name for name, codec in CODECS.items() if codec.fit is not no_fit)
_NONE: Mapping[str, MapTables] = MappingProxyType({})


def codecs_to_try(codec: str) -> tuple[str, ...]:
    """The codecs that `--codec` allows; none for raw. Raises BadInput for an unknown one."""
    if codec == LOSSLESS:
        return tuple(name for name in LOSSLESS_CODECS if name != "raw")
    if codec not in CODECS:
        raise BadInput(f"codec {codec!r}: expected {LOSSLESS} or one of {', '.join(CODECS)}")
    return () if codec == "raw" else (codec,)


def needs_calibration(codec: str) -> bool:
    """True when the codecs learn tables."""
    return any(name in LEARNED for name in codecs_to_try(codec))


def storage_for(program: Program, codec: str,
                cap_for: Callable[[Stream], Cap | None] | None = None,
                pooled: bool = False, given: Mapping[str, MapTables] = _NONE,
                refresh: int = 0, paired: bool = False) -> Storage:
    """The reserved storage: every map that a codec accepts is coded.

    A map with `given` tables, by name, gets the codec of these tables, and is coded in pairs of
    rows if they are for pairs. The other maps are coded in pairs if `paired`, unless their codec
    refers to the previous frame.

    `cap_for` gives the cap of each map with a lossless codec; `pooled` allows maps in the page
    pool. Codecs that refer to the previous frame do not refer to it in every `refresh`-th frame.
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
    """True for int8 rows whose length fits the directory, of a map that is a tensor of the graph.

    Streams that lowering made (a rescaled part of a concat) have no taps to learn from: stay raw.
    """
    return (stream.dtype == "int8" and stream.tensor >= 0
            and stream.row_bytes * (1 + paired) <= MAX_CODE_BYTES)


def why_raw(stream: Stream, codec: str) -> str:
    """Why a stored map is raw."""
    if not codecs_to_try(codec):
        return "no --codec"
    if stream.dtype != "int8":
        return f"{stream.dtype}, codecs take int8"
    if stream.tensor < 0:
        return "not a tensor of the model"
    if not is_codable(stream):
        return f"rows of {stream.row_bytes} bytes, at most {MAX_CODE_BYTES}"
    return "no room for its codec"
