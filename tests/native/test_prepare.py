# SPDX-License-Identifier: Apache-2.0
"""Weights in a kernel's own packing: the same outputs, from the memory that was lent."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgefm.runtime import Runtime
from tests.golden.make import made_up

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "tests/golden/good"
CDEF = """
uint32_t prepare_bytes(const uint8_t *package, uint32_t bytes);
int32_t run(const uint8_t *package, uint32_t bytes, uint8_t *memory, uint32_t memory_bytes,
            const uint8_t *input, uint8_t *output, uint8_t *arena, uint32_t arena_bytes);
extern uint32_t own_calls;
"""
# A kernel whose own packing is the tile, backwards.
SOURCE = """
#include <string.h>
#include "../ports/pc/pc.h"
#include "kernels/kernel.h"
#include "kernels/table.h"

uint32_t own_calls;

static uint32_t pack_bytes(const efm_tile *rows)
{
    return EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * rows->out + rows->out * rows->depth;
}

static void pack(const efm_tile *rows, uint8_t *to)
{
    for (uint32_t i = 0, n = pack_bytes(rows); i < n; i++) {
        to[i] = (uint8_t)~rows->table[n - 1 - i];
    }
}

static efm_tile unpacked(const efm_tile *tile, uint8_t *to)
{
    if (tile->packing != EFM_PACKING_OWN) {
        return *tile;
    }
    efm_tile rows = *tile;
    own_calls++;
    for (uint32_t i = 0, n = pack_bytes(tile); i < n; i++) {
        to[i] = (uint8_t)~tile->table[n - 1 - i];
    }
    rows.table = to;
    rows.weights = (const int8_t *)to + EFM_TABLE_HEAD_BYTES + EFM_CHANNEL_BYTES * tile->out;
    rows.packing = EFM_PACKING_ROWS;
    return rows;
}

static uint8_t buffer[1 << 16];

static void conv(const efm_conv_call *call)
{
    efm_conv_call as_rows = *call;
    as_rows.tile = unpacked(&call->tile, buffer);
    efm_portable_conv(&as_rows);
}

static void depthwise(const efm_depthwise_call *call)
{
    efm_depthwise_call as_rows = *call;
    as_rows.tile = unpacked(&call->tile, buffer);
    efm_portable_depthwise(&as_rows);
}

static const efm_kernel backwards = {.conv_packings = 1, .depthwise_packings = 1, .alignment = 1,
    .run_bytes = UINT32_MAX, .conv = conv, .depthwise = depthwise,
    .conv_scratch = efm_portable_conv_scratch, .depthwise_scratch = efm_portable_depthwise_scratch,
    .conv_pack_bytes = pack_bytes, .conv_pack = pack, .depthwise_pack_bytes = pack_bytes,
    .depthwise_pack = pack};

const efm_kernel *efm_kernel_choose(void)
{
    return &backwards;
}

static uint64_t lent[EFM_OPEN_BYTES / 8];

static uint32_t prepare_bytes(const uint8_t *package, uint32_t bytes)
{
    efm_model model;
    return efm_model_open(&model, package, bytes, (uint8_t *)lent, EFM_OPEN_BYTES) == EFM_OK
           ? efm_model_prepare_bytes(&model) : 0;
}

static int32_t run(const uint8_t *package, uint32_t bytes, uint8_t *memory, uint32_t memory_bytes,
                   const uint8_t *input, uint8_t *output, uint8_t *arena, uint32_t arena_bytes)
{
    efm_model model;
    efm_counters counters;
    own_calls = 0;
    efm_status status = efm_model_open(&model, package, bytes, (uint8_t *)lent, EFM_OPEN_BYTES);
    if (status == EFM_OK && memory_bytes > 0) {
        status = efm_model_prepare(&model, memory, memory_bytes);
    }
    efm_pc pc = {.model = &model, .inputs = &input, .outputs = &output};
    return status != EFM_OK ? status : efm_pc_run(&pc, arena, arena_bytes, &counters);
}
"""
BAD_ARGUMENT = -12


@pytest.fixture(scope="module")
def native(native_lib: Callable[..., ModuleType]) -> ModuleType:
    sources = [path for path in sorted((ROOT / "native/src").rglob("*.c"))
               if path.parts[-2:] != ("kernels", "table.c")]
    return native_lib(CDEF, SOURCE,
                      [*sources, ROOT / "native/ports/pc/pc.c", ROOT / "native/ports/pc/threads.c"])


def aligned(size: int) -> Any:
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start:start + size]


def run(native: ModuleType, name: str, memory: Any) -> tuple[int, bytes]:
    package = (GOOD / f"{name}.efm").read_bytes()
    with Runtime(package) as runtime:
        [given], [out] = runtime.inputs, runtime.outputs
        array = made_up(given.shape, given.dtype)
        size = int(runtime.info.plan["fast_bytes"])
    output, arena = np.zeros(out.shape, out.dtype), aligned(size)
    lend = native.ffi.from_buffer
    status = native.lib.run(lend(package), len(package), lend("uint8_t[]", memory), memory.size,
                            lend("uint8_t[]", array), lend("uint8_t[]", output),
                            lend("uint8_t[]", arena), size)
    return status, output.tobytes()


def bytes_for(native: ModuleType, name: str) -> int:
    package = (GOOD / f"{name}.efm").read_bytes()
    return int(native.lib.prepare_bytes(native.ffi.from_buffer(package), len(package)))


@pytest.mark.parametrize("name", ["rings", "uint8", "example"])
def test_prepared_weights_give_the_same_outputs(native: ModuleType, name: str) -> None:
    plain = run(native, name, aligned(0))
    assert plain[0] == native.lib.own_calls == 0
    assert run(native, name, aligned(bytes_for(native, name))) == plain
    assert native.lib.own_calls > 0


def test_less_memory_or_memory_beside_its_alignment_is_refused(native: ModuleType) -> None:
    size = bytes_for(native, "rings")
    assert run(native, "rings", aligned(size - 1))[0] == BAD_ARGUMENT
    assert run(native, "rings", aligned(size + 8)[8:])[0] == BAD_ARGUMENT


def test_nothing_is_written_behind_what_was_asked_for(native: ModuleType) -> None:
    size = bytes_for(native, "rings")
    memory = aligned(size + 64)
    memory[size:] = 0x5A
    assert run(native, "rings", memory[:size])[0] == 0
    assert (memory[size:] == 0x5A).all()
