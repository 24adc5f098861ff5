# SPDX-License-Identifier: Apache-2.0
"""tests/native/board.c from Python: one run of a package on a board that may fail anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edgefm.network.graph import Array
from edgefm.package.counters import MapCounters
from edgefm.package.read import read_info
from edgefm.runtime import Counters

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "native" / "src"
KNOBS = ("late", "corrupt", "fail_begin_read", "fail_begin_write", "fail_wait", "fail_input",
         "fail_output", "lacks", "short_of", "shifted")
FINDINGS = ("begin_reads", "begin_writes", "waits", "input_rows", "output_rows", "touched",
            "pending", "most_pending", "longest", "stages", "out_of_order")
CDEF = """
typedef struct efm_map_counters {
    uint64_t write_bytes, read_bytes;
    uint32_t rows_written, rows_read, raw_rows, capped_rows, largest_shift;
} efm_map_counters;
typedef struct efm_counters {
    uint64_t external_read_bytes, external_write_bytes, weight_read_bytes, input_read_bytes,
        output_write_bytes, coded_bytes, coded_values, coded_rows, raw_rows, pool_bytes,
        pool_values, pool_pages, capped_rows, largest_shift, reference_bytes,
        weight_port_bytes;
} efm_counters;
typedef struct board {
    const uint8_t *const *inputs;
    uint8_t *const *outputs;
    int late, corrupt;
    int32_t fail_begin_read, fail_begin_write, fail_wait, fail_input, fail_output;
    efm_map_counters *maps;
    int lacks;
    uint32_t short_of, shifted;
    int32_t begin_reads, begin_writes, waits, input_rows, output_rows;
    uint32_t touched, pending, most_pending, longest, stages, out_of_order;
    efm_counters counters;
    ...;
} board;
int board_run(board *b, const uint8_t *package, uint32_t bytes);
"""
EFM_OK, BAD_CODEC, BAD_SCHEDULE, BAD_ARGUMENT, PORT_FAILED, HOST_FAILED = 0, -10, -11, -12, -13, -14


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """How a run ended, what came out, and what the board saw."""

    status: int
    outputs: list[Array]
    begin_reads: int
    begin_writes: int
    waits: int
    input_rows: int
    output_rows: int
    touched: int
    pending: int
    most_pending: int
    longest: int
    stages: int
    out_of_order: int
    counters: Counters
    maps: tuple[MapCounters, ...]


def library(native_lib: Any) -> ModuleType:
    """The whole runtime with the board, undefined behavior trapped."""
    files = [*sorted(SOURCE.rglob("*.c")), ROOT / "tests" / "native" / "board.c"]
    built: ModuleType = native_lib(CDEF, _declarations(), files)
    return built


def _declarations() -> str:
    """What the extension module sees of the board: its struct, as board.c has it."""
    text = (ROOT / "tests" / "native" / "board.c").read_text(encoding="utf-8")
    start, stop = text.index("enum { FLIGHTS"), text.index("} board;")
    return ('#include "model.h"\n' + text[start:stop] + "} board;\n"
            "int board_run(board *b, const uint8_t *package, uint32_t bytes);\n")


def run(native: ModuleType, package: bytes, inputs: Sequence[Array], lend: bool = True,
        **knobs: int) -> Run:
    """Run a package on the board; calls fail where a knob says so (-1, or left out: nowhere).

    `lend` False: nothing to count by map with.
    """
    ffi = native.ffi
    outputs = [np.zeros(t.shape, t.dtype) for t in read_info(package).outputs]
    board = ffi.new("board *", {name: -1 for name in KNOBS if name.startswith("fail_")})
    arrays = [np.ascontiguousarray(array) for array in inputs]
    keep = [ffi.new(kind, [ffi.cast("uint8_t *", a.ctypes.data) for a in group])
            for kind, group in (("const uint8_t *[]", arrays), ("uint8_t *[]", outputs))]
    board.inputs, board.outputs = keep
    maps = ffi.new("efm_map_counters[]", len(read_info(package).plan["maps"]))
    ffi.memmove(maps, b"\xa5" * ffi.sizeof(maps), ffi.sizeof(maps))
    board.maps = maps if lend else ffi.NULL
    for name, value in knobs.items():
        assert name in KNOBS
        setattr(board, name, value)
    status = native.lib.board_run(board, package, len(package))
    return Run(status, outputs, *(int(getattr(board, name)) for name in FINDINGS),
               _read(Counters, board.counters),
               tuple(_read(MapCounters, one) for one in maps) if lend else ())


def _read(kind: Any, counted: Any) -> Any:
    return kind(**{name: int(getattr(counted, name)) for name in kind.__dataclass_fields__})
