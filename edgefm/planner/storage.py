# SPDX-License-Identifier: Apache-2.0
"""What the planner knows about stored maps: how they are coded, and the limits of caps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from edgefm.codecs.interface import RowShape
from edgefm.codecs.shift import HEAD_BYTES, SPARE_BYTES, Cap
from edgefm.network.program import Stream
from edgefm.planner.arena import ALIGNMENT, CURSOR_BYTES, round_up
from edgefm.planner.target import Target

LOSSLESS_SHARE = 0.6  # of a map's bytes, about what codecs leave of it; what crosses is counted
COARSE_SHARE = 0.4    # the same where steps get coarser

CodecState = Callable[[str, int], int]
"""(codec, stream) -> bytes of codec state per cursor."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The codec of each stored map (raw when left out), the size of its state, and its cap.

    With `pooled`, maps with a cap may be stored in the page pool instead of external memory. Maps
    for which `refers` is true are coded against the previous frame, which stays in fast memory; if
    `refresh` is not 0, every `refresh`-th frame is not. In a `paired` map a code is for two rows;
    such maps are coded, have no cap and do not refer. `share` of a coded map's bytes is expected to
    cross.
    """

    codec_of: Callable[[int], str] = field(default=lambda stream: "raw")
    state_bytes: CodecState = field(default=lambda codec, stream: 0)
    cap_of: Callable[[int], Cap | None] = field(default=lambda stream: None)
    pooled: bool = False
    refers: Callable[[int], bool] = field(default=lambda stream: False)
    refresh: int = 0
    paired: Callable[[int], bool] = field(default=lambda stream: False)
    share: float = LOSSLESS_SHARE

    def rows(self, stream: int, shape: Stream) -> tuple[int, int]:
        """How many rows a stored map has, and the bytes of each."""
        if self.paired(stream):
            return -(-shape.height // 2), 2 * shape.row_bytes
        return shape.height, shape.row_bytes

    def raw_bytes(self, stream: int, shape: Stream, target: Target) -> int:
        """The bytes of the map at the port when none of its rows has a shorter code."""
        rows, row_bytes = self.rows(stream, shape)
        return rows * target.transfer_bytes(row_bytes)

    def slot_bytes(self, stream: int, shape: Stream, target: Target) -> int:
        """The bytes of a row's slot in external memory."""
        _, row_bytes = self.rows(stream, shape)
        cap = self.cap_of(stream)
        return target.transfer_bytes(
            min(row_bytes + HEAD_BYTES, cap.per_row + cap.depth) if cap else row_bytes)

    def outside_bytes(self, stream: int, shape: Stream, target: Target) -> int:
        """The bytes of the map in external memory."""
        rows, _ = self.rows(stream, shape)
        return spaced(rows * self.slot_bytes(stream, shape, target), target)

    def only(self, streams: frozenset[int]) -> Storage:
        """The same, but every other map is stored as it is."""
        return replace(self, codec_of=lambda s: self.codec_of(s) if s in streams else "raw",
                       cap_of=lambda s: self.cap_of(s) if s in streams else None,
                       refers=lambda s: s in streams and self.refers(s),
                       paired=lambda s: s in streams and self.paired(s))

    def cursor_bytes(self, stream: int, shape: Stream, target: Target, writes: bool,
                     pooled: bool) -> int:
        """Scratch of a LOAD or STORE: cursor, code buffers, codec state, a row of coarser steps or
        the pair of rows."""
        codec, cap = self.codec_of(stream), self.cap_of(stream)
        if codec == "raw":
            return CURSOR_BYTES
        _, row_bytes = self.rows(stream, shape)
        longest = row_bytes + (HEAD_BYTES + SPARE_BYTES if cap else 0)
        code = round_up(target.transfer_bytes(longest)) * (1 if pooled else target.buffers)
        state = round_up(self.state_bytes(codec, stream))
        pair = row_bytes if self.paired(stream) else 0
        return CURSOR_BYTES + code + state + round_up(pair or _row_bytes(cap, shape, writes))


def spaced(size: int, target: Target) -> int:
    """Bytes of external memory for a map of `size`, so that the next one begins aligned."""
    return round_up(size, max(target.alignment, ALIGNMENT))


def _row_bytes(cap: Cap | None, shape: Stream, writes: bool) -> int:
    """A writer's row of coarser steps; where tiles have their own, both sides' row above, and the
    offsets of its tiles."""
    if cap is None or cap.quality is None:
        return shape.row_bytes if cap and writes else 0
    row = RowShape(shape.width, shape.channels, shape.zero_point)
    return shape.row_bytes + cap.quality.offset_bytes(row)
