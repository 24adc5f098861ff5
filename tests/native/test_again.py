# SPDX-License-Identifier: Apache-2.0
"""A package that asks for rows of its input again runs only for a host that can give them again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefm.lower import lower
from edgefm.package.write import Description, write_package
from edgefm.planner import Target, analyze, smallest_plan
from edgefm.planner.columns import Tiling, in_columns
from tests.support.networks import Network

ROOT = Path(__file__).resolve().parents[2]
OK, BAD_ARGUMENT = 0, -12
ROWS, WIDTH = 6, 9
CDEF = ("int run(const uint8_t *package, uint32_t bytes, int repeats, uint32_t *asked, "
        "uint8_t *out);")
SOURCE = """
#include "edgefm.h"
static _Alignas(8) uint8_t arena[1 << 16];
static uint32_t *asked_for;
static uint8_t *result;
static int32_t rows(void *context, uint32_t input, uint32_t y, uint8_t *row, uint32_t bytes)
{
    (void)context, (void)input;
    asked_for[y]++;
    for (uint32_t i = 0; i < bytes; i++) {
        row[i] = (uint8_t)(y * bytes + i);
    }
    return 0;
}
static int32_t results(void *context, uint32_t output, uint32_t y, const uint8_t *row,
                       uint32_t bytes)
{
    (void)context, (void)output;
    for (uint32_t i = 0; i < bytes; i++) {
        result[y * bytes + i] = row[i];
    }
    return 0;
}
static int run(const uint8_t *package, uint32_t bytes, int repeats, uint32_t *asked, uint8_t *out)
{
    efm_model model;
    efm_counters counters;
    const efm_host host = {.input = rows, .output = results, .repeats = repeats};
    asked_for = asked;
    result = out;
    int status = efm_model_open(&model, package, bytes, arena, sizeof arena);
    if (status == EFM_OK && !efm_model_repeats(&model)) {
        return 1;
    }
    return status == EFM_OK ? efm_run(&model, &host, arena, sizeof arena, &counters) : status;
}
"""


def package() -> bytes:
    net = Network(0, name="again")
    graph = net.graph(net.conv(net.conv(net.input(1, ROWS, WIDTH, 2), 3), 2, kernel=1))
    layout = analyze(in_columns(lower(graph), Tiling(2, 3)))
    plan, _ = smallest_plan(layout, Target().with_budget(1 << 30, 0))
    return write_package(graph, layout.program, plan, {}, Description(""))


@pytest.fixture(scope="module")
def native(native_lib: Callable[..., Any]) -> Any:
    folder = ROOT / "native" / "src"
    return native_lib(CDEF, SOURCE, [path.relative_to(folder)
                                     for path in sorted(folder.rglob("*.c"))])


@pytest.mark.parametrize("repeats", [0, 1])
def test_rows_are_asked_for_again_only_where_the_host_repeats(native: Any, repeats: int) -> None:
    asked, out = np.zeros(ROWS, np.uint32), np.zeros((ROWS, WIDTH, 2), np.int8)
    data = package()
    status = native.lib.run(native.ffi.from_buffer("uint8_t *", data), len(data), repeats,
                            native.ffi.from_buffer("uint32_t *", asked),
                            native.ffi.from_buffer("uint8_t *", out))
    assert status == (OK if repeats else BAD_ARGUMENT)
    assert asked.tolist() == [3 * repeats] * ROWS
