# SPDX-License-Identifier: Apache-2.0
"""The parts of a plan: all that the package needs besides weights, and the bytes that it moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgefm.codecs.shift import Cap
from edgefm.console.notation import size_text
from edgefm.html.notebook import fields_table
from edgefm.network.program import OpKind, WeightPort
from edgefm.planner.slices import Sliced


@dataclass(frozen=True, slots=True)
class Buffer:
    """Arena memory for rows: `slots` rows of `slot_bytes`; row y is in slot y % slots."""

    name: str
    offset: int
    slot_bytes: int
    slots: int
    first_stage: int
    last_stage: int

    @property
    def bytes(self) -> int:
        """Bytes of the whole buffer."""
        return self.slot_bytes * self.slots


@dataclass(frozen=True, slots=True)
class PlacedStream:
    """A program stream in one buffer; one read back from outside has an entry per reading stage."""

    stream: int
    buffer: int
    offset: int        # bytes from a slot's start (the channel offset of a concat part)
    pixel_stride: int  # bytes
    producer: int      # index in Plan.ops


@dataclass(frozen=True, slots=True)
class PlacedOp:
    """An operator with its operands (indices in Plan.streams), its scratch in the arena, and the
    tiles that its weights are cut into where they are brought into fast memory."""

    kind: OpKind
    name: str
    op: int            # index in Program.ops, -1 for LOAD and STORE
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    rows: int
    scratch_offset: int = 0
    scratch_bytes: int = 0
    map: int = -1      # LOAD and STORE: index in Plan.maps
    tiles: tuple[int, ...] = ()  # output channels of each tile; 1 where they do not go by channel
    buffer: int = -1   # index in Plan.buffers, which they are brought into
    kept: bool = False  # only at the first firing
    sliced: Sliced | None = None  # a chain that begins with `op`


@dataclass(frozen=True, slots=True)
class StoredMap:
    """A whole feature map in external memory, one slot per row, or coded in the page pool.

    A map in the pool has neither address nor slots, but a cap. For a map that is coded against the
    previous frame, that frame is at `reference` in the arena (-1: none), row after row; every
    `refresh`-th frame refers to none (0: only the first). `release` is the LOAD (index in Plan.ops)
    that uses a row last: it returns pages to the pool, and leaves the row for the next frame. Rows
    of a `paired` map are pairs of the stream's rows.
    """

    name: str
    stream: int
    address: int
    slot_bytes: int
    rows: int
    row_bytes: int
    codec: str = "raw"
    directory: int = 0  # arena offset of the coded rows' lengths
    cap: Cap | None = None
    pooled: bool = False
    release: int = 0
    reference: int = -1
    refresh: int = 0
    paired: bool = False

    @property
    def reference_bytes(self) -> int:
        """Bytes of fast memory for the previous frame."""
        return self.rows * self.row_bytes if self.reference >= 0 else 0

    @property
    def bytes(self) -> int:
        """Bytes reserved in external memory."""
        return self.slot_bytes * self.rows

    @property
    def most_bytes(self) -> int:
        """The most bytes that the map can take, for any picture."""
        if self.cap is None:
            return self.bytes
        if self.pooled:
            return self.cap.most_bytes(self.rows, self.row_bytes)
        return min(self.rows * self.cap.per_row + self.cap.depth, self.bytes)


@dataclass(frozen=True, slots=True)
class PlacedStage:
    """One stage: its operators, its part of the firing list, and what it moves (bytes)."""

    name: str
    operators: tuple[str, ...]
    strips: int
    first_firing: int
    firings: int
    fast_bytes: int
    external_read_bytes: int
    external_write_bytes: int
    weight_read_bytes: int


TOTALS = MappingProxyType({
    "fast memory": "fast_bytes", "external memory": "external_bytes", "caller's rows": "io_bytes",
    "external read": "external_read_bytes", "external written": "external_write_bytes",
    "input read": "input_read_bytes", "output written": "output_write_bytes",
    "weights read": "weight_read_bytes"})  # words of a plan's figures in bytes


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """A program placed in memory. Coded maps are charged with the bytes of raw rows, the limit."""

    objective: str
    fast_bytes: int
    control_bytes: int
    io_bytes: int
    external_bytes: int
    external_read_bytes: int
    external_write_bytes: int
    input_read_bytes: int
    output_write_bytes: int
    weight_read_bytes: int
    macs: int
    burst: int
    alignment: int
    port_buffers: int
    buffers: tuple[Buffer, ...]
    streams: tuple[PlacedStream, ...]
    ops: tuple[PlacedOp, ...]
    maps: tuple[StoredMap, ...]
    firings: tuple[tuple[int, int], ...]  # (index in ops, rows)
    stages: tuple[PlacedStage, ...]
    pool_offset: int = 0
    pool_pages: int = 0
    page_bytes: int = 0
    weight_port: WeightPort | None = None  # of the operators with a buffer for tiles
    weight_port_bytes: int = 0  # of weight_read_bytes, those that cross it

    def __repr__(self) -> str:
        return f"<Plan: {self.totals_text()}>"

    def _repr_html_(self) -> str:
        return fields_table("Plan", self.totals())

    def totals(self) -> dict[str, str]:
        """The figures in bytes, in a readable form."""
        return {word: size_text(getattr(self, name)) for word, name in TOTALS.items()}

    def totals_text(self) -> str:
        """Stages and the sizes that matter most, in one line."""
        moved = self.external_read_bytes + self.external_write_bytes
        return (f"{len(self.stages)} stages, fast memory {size_text(self.fast_bytes)}, "
                f"maps moved {size_text(moved)}, weights read {size_text(self.weight_read_bytes)}")

    @property
    def most_map_bytes(self) -> int:
        """The most bytes of stored maps that can cross the port or the pool in one inference, both
        ways, for any picture."""
        moves = [op.map for op in self.ops if op.kind in (OpKind.LOAD, OpKind.STORE)]
        return sum(self.maps[i].most_bytes for i in moves)

    def moved_bytes(self, stream: int) -> int:
        """Bytes that a stored map moves as it is, written and read, both ways."""
        return sum(m.bytes * sum(op.map == i for op in self.ops)
                   for i, m in enumerate(self.maps) if m.stream == stream)

    def expected_map_bytes(self, share: float) -> float:
        """Bytes of stored maps that cross, if this share of coded ones does."""
        return sum((share if m.codec != "raw" else 1) * self.moved_bytes(m.stream)
                   for m in self.maps)

    def to_json(self) -> dict[str, object]:
        """The plan's figures, stages and buffers as plain data (sizes in bytes)."""
        names = ("fast_bytes", "control_bytes", "io_bytes", "external_bytes", "external_read_bytes",
                 "external_write_bytes", "input_read_bytes", "output_write_bytes",
                 "weight_read_bytes", "macs", "objective")
        figures: dict[str, object] = {name: getattr(self, name) for name in names}
        figures["stages"] = [self._stage_json(i) for i in range(len(self.stages))]
        figures["maps"] = [
            {"name": m.name, "address": m.address, "bytes": m.bytes, "rows": m.rows,
             "row_bytes": m.row_bytes, "codec": m.codec,
             **({"pooled": m.pooled, "rate": m.cap.per_row, "depth": m.cap.depth,
                 "most_bytes": m.most_bytes} if m.cap else {}),
             **({"reference": m.reference, "refresh": m.refresh} if m.reference >= 0 else {}),
             **({"quality": m.cap.quality.kind.name.lower(), "tile": m.cap.quality.tile}
                if m.cap and m.cap.quality else {})} for m in self.maps]
        decoding = [op for op in self.ops if op.tiles]
        if decoding:
            figures["coded_weights"] = {
                "operators": len(decoding), "tiles": sum(len(op.tiles) for op in decoding),
                "kept": sum(op.kept for op in decoding)}
        if self.weight_port:
            figures["weight_port_bytes"] = self.weight_port_bytes
        if self.pool_pages:
            figures["pool"] = {"offset": self.pool_offset, "pages": self.pool_pages,
                               "page_bytes": self.page_bytes}
        return figures

    def _stage_json(self, index: int) -> Mapping[str, object]:
        stage = self.stages[index]
        buffers = [{"name": b.name, "offset": b.offset, "bytes": b.bytes, "slots": b.slots,
                    "first_stage": b.first_stage, "last_stage": b.last_stage}
                   for b in self.buffers if b.first_stage <= index <= b.last_stage]
        return {"name": stage.name, "operators": list(stage.operators), "strips": stage.strips,
                "first": stage.operators[0], "last": stage.operators[-1],
                "firings": stage.firings, "fast_bytes": stage.fast_bytes,
                "external_read_bytes": stage.external_read_bytes,
                "external_write_bytes": stage.external_write_bytes,
                "weight_read_bytes": stage.weight_read_bytes, "buffers": buffers}
