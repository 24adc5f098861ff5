# SPDX-License-Identifier: Apache-2.0
"""What the planner reserves for stored maps: which codecs may code each of them, at what state.

It is what the most demanding of the codecs needs, so that the choice among them, which needs
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

LOSSLESS = "lossless"  # the shortest of them all, map by map
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
