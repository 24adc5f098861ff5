# SPDX-License-Identifier: Apache-2.0
"""CONV and DEPTHWISE against their definition, value by value, with each kernel."""

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgefm.kernels.tile import CHANNEL, HEAD, Requantization
from edgefm.lower.fixed_point import exact, pairs
from edgefm.network.graph import Array, Quant, Tensor
from edgefm.ops import conv as meaning
from edgefm.ops.call import Call

CDEF = """
typedef struct efm_rows {
    uint8_t *base;
    uint32_t row_stride, capacity, pixel_stride, height, width, channels, element;
    int32_t zero_point;
} efm_rows;
typedef struct efm_op_args {
    const uint8_t *params;
    uint32_t n_params;
    const uint8_t *weights;
    uint32_t weights_bytes;
    uint32_t packing;
    const uint8_t *own;
    const efm_rows *in;
    uint32_t n_in;
    const efm_rows *out;
    uint32_t n_out;
    uint8_t *scratch;
    uint32_t scratch_bytes;
    uint32_t first;
    uint32_t count;
    ...;
} efm_op_args;
int32_t check(int depthwise, const efm_op_args *args);
void need(int depthwise, const efm_op_args *args, uint32_t y, uint32_t *low, uint32_t *high);
void run(int depthwise, const efm_op_args *args);
"""
SOURCE = """
#include "ops/op.h"
extern const efm_op_class efm_op_conv, efm_op_depthwise;
static const efm_op_class *op(int depthwise)
{
    return depthwise ? &efm_op_depthwise : &efm_op_conv;
}
static int32_t check(int depthwise, const efm_op_args *args)
{
    return op(depthwise)->check(args);
}
static void need(int depthwise, const efm_op_args *args, uint32_t y, uint32_t *low, uint32_t *high)
{
    op(depthwise)->need(args, 0, y, low, high);
}
static void run(int depthwise, const efm_op_args *args)
{
    op(depthwise)->run(args);
}
"""
PORTABLE = """
#include "kernels/kernel.h"
const efm_kernel *efm_kernel_choose(void)
{
    return &efm_kernel_portable;
}
"""
# A kernel that reads windows in place, unless three and more can be gathered.
EITHER = """
#include "kernels/kernel.h"
static uint32_t runs;
static void conv(const efm_conv_call *call)
{
    runs = call->runs;
    efm_portable_conv(call);
}
static int usable(void)
{
    return 1;
}
static const efm_kernel either = {
    .usable = usable, .conv_packings = 1, .depthwise_packings = 1, .alignment = 1, .run_bytes = 1,
    .gathered = 3, .conv = conv, .depthwise = efm_portable_depthwise,
    .conv_scratch = efm_portable_conv_scratch,
    .depthwise_scratch = efm_portable_depthwise_scratch};
const efm_kernel *efm_kernel_choose(void)
{
    return &either;
}
static uint32_t runs_of_last(void)
{
    return runs;
}
"""
SOURCES = ("ops/conv.c", "ops/windows.c", "ops/depthwise.c", "ops/convolution.c",
           "kernels/portable.c")
NATIVE = Path(__file__).resolve().parents[3] / "native/src"
KERNELS = {"chosen": (SOURCE, (*SOURCES[:-1], *sorted((NATIVE / "kernels").rglob("*.c")))),
           "portable": (SOURCE + PORTABLE, SOURCES),
           "either": (SOURCE + EITHER, SOURCES)}
BAD_OPERATOR, BAD_FEATURE = -9, -6
GUARD = 0x5A
TWICE, ONCE = 0, 1


@dataclass(frozen=True)
class Case:
    """One operator on one map; maps are int8 [rows][pixels][channels]."""

    x: Array
    w: Array  # [O][kh][kw][I], depthwise [kh][kw][O]
    bias: Array  # effective, int32 [O]
    multiplier: Array
    shift: Array
    out_size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    low: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    rounding: int = TWICE
    x_zero: int = 0
    w_zero: int = 0
    out_zero: int = 0
    act: tuple[int, int] = (-128, 127)

    @property
    def depthwise(self) -> bool:
        return self.w.ndim == 3

    @property
    def kernel(self) -> tuple[int, int]:
        h, w = self.w.shape[:2] if self.depthwise else self.w.shape[1:3]
        return h, w

    @property
    def scratch(self) -> int:
        if self.depthwise:
            return 5 * self.bias.size
        inside = all((n - 1) * s < size for n, s, size in
                     zip(self.out_size, self.stride, self.x.shape, strict=False))
        pointwise = self.kernel == (1, 1) and self.pad == (0, 0) and inside
        return 0 if pointwise else 2 * self.w[0].size

    def params(self) -> Array:
        last = (self.bias.size // self.x.shape[2],) if self.depthwise else ()
        return np.array([*self.kernel, *self.stride, *self.dilation, *self.pad, *last], "<i4")

    def tile(self) -> bytes:
        """Table and weights, by the formulas of docs/FORMAT.md."""
        low = self.low if self.rounding == ONCE else np.zeros_like(self.bias)
        how = Requantization(self.bias, self.multiplier, self.shift, low, self.rounding,
                             self.w_zero, self.out_zero, self.act)
        rows = self.w.reshape(-1, self.bias.size).T if self.depthwise else self.w.reshape(
            len(self.w), -1)
        return how.table(rows) + self.w.astype(np.int8).tobytes()


def requantized(v: int, case: Case, o: int) -> int:
    """The scale in exact integers, then zero point and clamp."""
    m, shift = int(case.multiplier[o]), int(case.shift[o])
    if case.rounding == TWICE:
        v = (v << max(shift, 0)) + (1 << 31) & (1 << 32) - 1
        v = (v - (1 << 31)) * m + (1 << 30) >> 31
        right = max(-shift, 0)
        rounded = abs(v) + (1 << right >> 1) >> right
    else:
        # |v| * (m * 2^22 + low) * 2^(shift - 53), the low part cut where 2^22 cuts it
        rounded = abs(v) * m + (abs(v) * int(case.low[o]) >> 22)
        rounded = min(rounded + (1 << 30 - shift) >> 31 - shift, 1 << 24)
    return int(np.clip(case.out_zero + (rounded if v >= 0 else -rounded), *case.act))


def expected(case: Case) -> Array:
    """Every output value from its definition, in int64."""
    kh, kw = case.kernel
    (oh, ow), (sh, sw), (dh, dw), (top, left) = case.out_size, case.stride, case.dilation, case.pad
    far = [(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in
           zip(case.out_size, case.stride, case.kernel, case.dilation, strict=True)]
    h, w, channels = case.x.shape
    padded = np.full((max(far[0], top + h), max(far[1], left + w), channels), case.x_zero, np.int64)
    padded[top:top + h, left:left + w] = case.x
    weights = case.w.astype(np.int64) - case.w_zero
    out = np.zeros((oh, ow, case.bias.size), np.int8)
    for y in range(oh):
        for x in range(ow):
            window = padded[y * sh:, x * sw:][:(kh - 1) * dh + 1:dh, :(kw - 1) * dw + 1:dw]
            if case.depthwise:
                sums = (window.repeat(case.bias.size // channels, 2) * weights).sum((0, 1))
            else:
                sums = (window * weights).sum((1, 2, 3))
            out[y, x] = [requantized(int(s), case, o) for o, s in enumerate(sums + case.bias)]
    return out


def random_case(rng: random.Random, depthwise: bool) -> Case:
    """Any geometry with small maps; the scale brings sums to the width of int8."""
    bits = np.random.default_rng(rng.getrandbits(32))
    kernel = rng.choice([(1, 1), (1, 1), (3, 3), (2, 3), (1, 4), (5, 5)])
    stride, dilation = (rng.choice([1, 1, 2, 3]), rng.choice([1, 2])), (rng.choice([1, 1, 2]), 1)
    dilation = rng.choice([dilation, (1, 3)])
    size = rng.randint(1, 9), rng.randint(1, 9)
    pad = rng.randint(0, 3), rng.randint(0, 3)
    if kernel == (1, 1) and rng.random() < .7:
        pad = 0, 0
    out_size = tuple(max((n + p + rng.randint(0, p + 1) - (k - 1) * d - 1) // s + 1, 1)
                     for n, p, k, d, s in zip(size, pad, kernel, dilation, stride, strict=True))
    channels = rng.choice([1, 2, 3, 7, 8, 16, 17, 24, 40])
    outputs = rng.choice([1, 2, 5, 8, 16, 19, 33])
    if depthwise:
        outputs = channels * rng.choice([1, 1, 2, 3])
    shape = (*kernel, outputs) if depthwise else (outputs, *kernel, channels)
    depth = kernel[0] * kernel[1] * (1 if depthwise else channels)
    rounding = rng.choice([TWICE, TWICE, ONCE])
    act = sorted((rng.choice([-128, -128, -20]), rng.choice([127, 127, 90])))
    return Case(
        bits.integers(-128, 128, (*size, channels), np.int8),
        bits.integers(-128, 128, shape, np.int8),
        bits.integers(-20000, 20000, outputs), bits.integers(1 << 30, 1 << 31, outputs),
        bits.integers(-9, -3, outputs) - depth.bit_length() // 2,
        (out_size[0], out_size[1]), stride, dilation, pad, bits.integers(0, 1 << 22, outputs),
        rounding, rng.randint(-128, 127), rng.choice([0, 0, -128, 127, 5]), rng.randint(-128, 127),
        (act[0], act[1]))


class Bench:
    """The operators of one build, with memory around the maps that must stay as it is."""

    def __init__(self, module: ModuleType, gathers: bool) -> None:
        self.gathers = gathers  # windows, which takes scratch; other kernels want them in place
        self.ffi: Any = module.ffi
        self.lib: Any = module.lib

    def record(self, case: Case, **changes: Any) -> SimpleNamespace:
        """The arguments for check() and need(); `changes` replace fields of the record."""
        h, w, channels = case.x.shape
        oh, ow = case.out_size
        fields = {"params": case.params().tobytes(), "section": case.tile(),
                  "scratch": case.scratch, "n_in": 1, "n_out": 1, "in": {}, "out": {}} | changes
        maps = {"in": {"height": h, "width": w, "channels": channels, "zero_point": case.x_zero},
                "out": {"height": oh, "width": ow, "channels": case.bias.size,
                        "zero_point": case.out_zero}}
        new = self.ffi.new
        odd = new("uint8_t[]", b"?" + fields["section"])
        held = SimpleNamespace(
            params=new("uint8_t[]", fields["params"]), section=odd,
            scratch=new("uint64_t[]", fields["scratch"] // 8 + 1),
            rows={name: new("efm_rows *", {"element": 1} | maps[name] | fields[name])
                  for name in maps})
        held.args = new("efm_op_args *", {
            "params": held.params, "n_params": len(fields["params"]) // 4, "weights": odd + 1,
            "weights_bytes": len(fields["section"]), "in": held.rows["in"], "n_in": fields["n_in"],
            "out": held.rows["out"], "n_out": fields["n_out"],
            "scratch": self.ffi.cast("uint8_t *", held.scratch), "scratch_bytes": fields["scratch"],
            "first": 0, "count": 1})
        return held

    def check(self, case: Case, **changes: Any) -> int:
        return int(self.lib.check(case.depthwise, self.record(case, **changes).args))

    def need(self, case: Case, y: int) -> tuple[int, int]:
        low, high = self.ffi.new("uint32_t *"), self.ffi.new("uint32_t *")
        self.lib.need(case.depthwise, self.record(case).args, y, low, high)
        return low[0], high[0]

    def run(self, case: Case, strip: int, in_gap: int, out_gap: int, **changes: Any) -> Array:
        """Strip by strip; the input ring holds only the rows that the strip needs, the output
        ring only the strip; `gap` bytes lie between pixels."""
        held = self.record(case, **changes)
        assert self.lib.check(case.depthwise, held.args) == 0
        (oh, ow), outputs = case.out_size, case.bias.size
        out = np.zeros((oh, ow, outputs), np.int8)
        for first in range(0, oh, strip):
            count = min(strip, oh - first)
            low, high = self.need(case, first)[0], self.need(case, first + count - 1)[1]
            _, width, channels = case.x.shape
            ring = np.full((high - low + 1, width, channels + in_gap), GUARD, np.int8)
            for y in range(low, high + 1):
                ring[y % len(ring), :, :channels] = case.x[y]
            made = np.full((count, ow, outputs + out_gap), GUARD, np.int8)
            self._place(held.rows["in"], ring)
            self._place(held.rows["out"], made)
            held.args.first, held.args.count = first, count
            self.lib.run(case.depthwise, held.args)
            assert (made[:, :, outputs:] == GUARD).all()
            for y in range(first, first + count):
                out[y] = made[y % count, :, :outputs]
        return out

    def _place(self, rows: Any, ring: Array) -> None:
        rows.base = self.ffi.cast("uint8_t *", ring.ctypes.data)
        rows.capacity, rows.pixel_stride = ring.shape[0], ring.shape[2]
        rows.row_stride = ring.shape[1] * ring.shape[2]


@pytest.fixture(scope="module", params=KERNELS)
def bench(request: pytest.FixtureRequest, native_lib: Any) -> Bench:
    return Bench(native_lib(CDEF, *KERNELS[request.param]), request.param == "portable")


def scaling(bias: Array, multiplier: Array, shift: Array, **changes: Any) -> Case:
    """Zeros times zeros: the sums are the biases."""
    return Case(np.zeros((1, 1, 1), np.int8), np.zeros((bias.size, 1, 1, 1), np.int8), bias,
                multiplier, shift, (1, 1), **changes)


def extreme(pixels: int, depth: int, shift: int) -> Case:
    """The largest products that there are."""
    return Case(np.full((1, pixels, depth), -128, np.int8),
                np.full((5, 1, 1, depth), -128, np.int8), np.zeros(5, np.int64),
                np.full(5, 1 << 30), np.full(5, shift), (1, pixels), w_zero=127)


def plain(**changes: Any) -> Case:
    """A valid 3x3 convolution, 4x5x2 -> 4x5x3, to spoil."""
    bits = np.random.default_rng(1)
    case = Case(bits.integers(-128, 128, (4, 5, 2), np.int8),
                bits.integers(-128, 128, (3, 3, 3, 2), np.int8), np.arange(3), np.full(3, 1 << 30),
                np.full(3, -7), (4, 5), pad=(1, 1), low=np.zeros(3, np.int64))
    return replace(case, **changes)


def plain_depthwise(**changes: Any) -> Case:
    """A valid 3x3 depthwise convolution, 4x5x2 -> 4x5x4."""
    bits = np.random.default_rng(2)
    case = plain(w=bits.integers(-128, 128, (3, 3, 4), np.int8), bias=np.arange(4),
                 multiplier=np.full(4, 1 << 30), shift=np.full(4, -4))
    return replace(case, **changes)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_random_operators_give_the_defined_values(bench: Bench, depthwise: bool, seed: int) -> None:
    rng = random.Random(f"{depthwise} {seed}")
    case = random_case(rng, depthwise)
    got = bench.run(case, rng.randint(1, 4), rng.choice([0, 0, 3]), rng.choice([0, 0, 5]))
    np.testing.assert_array_equal(got, expected(case))


@pytest.mark.parametrize("rounding", [TWICE, ONCE])
@pytest.mark.parametrize("shift", [-31, -30, -17, -1, 0, 1, 12, 30])
def test_every_shift_scales_as_defined(bench: Bench, rounding: int, shift: int) -> None:
    bits = np.random.default_rng(shift + 31)
    bias = bits.integers(-(1 << 31), 1 << 31, 48)
    bias[:16] >>= bits.integers(0, 31, 16)
    multiplier = np.where(np.arange(48) % 5 == 4, 0, bits.integers(1, 1 << 31, 48))
    case = scaling(bias, multiplier, np.full(48, shift), low=bits.integers(0, 1 << 22, 48),
                   rounding=rounding, out_zero=-3)
    np.testing.assert_array_equal(bench.run(case, 1, 0, 0), expected(case))


@pytest.mark.parametrize("value", [-5, -3, -2, -1, 0, 1, 2, 3, 5])
def test_halves_round_up_in_the_product_and_away_from_zero_in_the_shift(
        bench: Bench, value: int) -> None:
    case = scaling(np.full(17, value), np.full(17, 1 << 30), np.array([0, -1, *[-2] * 15]))
    product = value + 1 >> 1
    halved = [(abs(product) + (1 << n >> 1) >> n) * (1 if product >= 0 else -1) for n in (0, 1, 2)]
    assert bench.run(case, 1, 0, 0)[0, 0, :3].tolist() == halved


@pytest.mark.parametrize("depth", [1, 8, 15, 16, 17, 31, 32, 33, 64, 100])
@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_extreme_values_of_any_depth_add_up(bench: Bench, depth: int, pixels: int) -> None:
    case = extreme(pixels, depth, -13)
    np.testing.assert_array_equal(bench.run(case, 1, 0, 0), expected(case))


def test_the_deepest_sum_does_not_overflow(bench: Bench) -> None:
    depth = 65535
    case = extreme(1, depth, -23)
    np.testing.assert_array_equal(bench.run(case, 1, 0, 0), expected(case))
    assert bench.check(extreme(1, depth + 1, -23)) == BAD_OPERATOR


def test_windows_far_outside_the_map_see_only_padding(bench: Bench) -> None:
    for case in (plain(pad=(9, 20), out_size=(20, 40)),
                 plain_depthwise(pad=(9, 20), out_size=(20, 40), x_zero=11)):
        np.testing.assert_array_equal(bench.run(case, 3, 1, 1), expected(case))


def test_a_padded_1x1_convolution_sees_padding(bench: Bench) -> None:
    case = plain(w=plain().w[:, :1, :1], pad=(1, 0), out_size=(6, 5), x_zero=-7)
    np.testing.assert_array_equal(bench.run(case, 2, 0, 0), expected(case))


@pytest.mark.parametrize(("windows", "runs"), [(2, 9), (3, 1), (8, 1)])
def test_windows_that_a_kernel_could_read_in_place_are_gathered_where_enough_of_them_fit(
        native_lib: Any, windows: int, runs: int) -> None:
    either = native_lib(CDEF + "uint32_t runs_of_last(void);", *KERNELS["either"])
    case = plain(pad=(1, 1), out_size=(4, 5))
    made = Bench(either, False).run(case, 2, 0, 0, scratch=windows * case.w[0].size + 7 & ~7)
    np.testing.assert_array_equal(made, expected(case))
    assert either.lib.runs_of_last() == runs


def test_need_is_monotone_and_clamped(bench: Bench) -> None:
    case = plain(stride=(2, 1), dilation=(2, 1), pad=(3, 1), out_size=(6, 5))
    rows = [bench.need(case, y) for y in range(6)]
    assert rows == [(0, 1), (0, 3), (1, 3), (3, 3), (3, 3), (3, 3)]


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("op", ["conv2d", "depthwise_conv2d", "fully_connected"])
def test_agrees_with_the_numpy_meaning(bench: Bench, op: str, dtype: str) -> None:
    bits, shifted = np.random.default_rng(3), 128 if dtype == "uint8" else 0
    shape = {"conv2d": (5, 3, 3, 4), "depthwise_conv2d": (1, 3, 3, 8),
             "fully_connected": (5, 120)}[op]
    outputs = shape[3] if op == "depthwise_conv2d" else shape[0]
    per_channel = dtype == "int8" and op != "fully_connected"
    scales = tuple(bits.uniform(.002, .02, outputs if per_channel else 1).tolist())
    w_zero = 0 if per_channel else 13
    x = Tensor("x", (1, 5, 6, 4), dtype, Quant((.03,), (7 + shifted,)))
    w = Tensor("w", shape, dtype, Quant(scales, (w_zero + shifted,) * len(scales)))
    y = Tensor("y", (1, outputs) if op == "fully_connected" else (1, 5, 6, outputs), dtype,
               Quant((.15,), (shifted - 4,)))
    values = (bits.integers(-128, 128, x.shape), bits.integers(-128, 128, shape),
              bits.integers(-900, 900, outputs).astype(np.int32))
    attrs = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "activation": "relu6"}
    typed = [(v + shifted).astype(dtype) for v in values[:2]]
    call = Call(attrs, (x, w, Tensor("b", (outputs,), "int32")), (*typed, values[2]), (y,))
    case = lowered(op, call, values, w_zero)
    want = getattr(meaning, op)(call).astype(np.int64) - shifted
    np.testing.assert_array_equal(bench.run(case, 2, 0, 0), want.reshape(*case.out_size, outputs))


def lowered(op: str, call: Call, values: tuple[Array, Array, Array], w_zero: int) -> Case:
    """The record of the call, by the formulas of docs/FORMAT.md; values are int8 already."""
    x, w, bias = values
    outputs, shifted = bias.size, 128 if call.output.dtype == "uint8" else 0
    dense = op == "fully_connected"
    if dense:
        x, w = x.reshape(1, 1, 1, -1), w.reshape(outputs, 1, 1, -1)
    axes = (0, 1, 2) if op == "depthwise_conv2d" else (1, 2, 3)
    factors = (meaning.fully_connected_factors if dense else meaning.conv_factors)(
        call.inputs[0], call.inputs[1], call.output)
    rows = np.array([exact(float(f)) for f in factors]) if dense else pairs(list(factors))
    rows = np.broadcast_to(rows, (outputs, rows.shape[1]))
    zero = call.output.zero_point - shifted
    return Case(x[0].astype(np.int8), (w[0] if op == "depthwise_conv2d" else w).astype(np.int8),
                bias - 7 * (w - w_zero).sum(axes), rows[:, 0], rows[:, 1], x.shape[1:3],
                pad=(0, 0) if dense else (1, 1), low=rows[:, -1], rounding=ONCE if dense else TWICE,
                x_zero=7, w_zero=w_zero, out_zero=zero,
                act=(zero, min(127, zero + round(6 / call.output.scale))))


PARAMS = {"kernel_h": 0, "kernel_w": 1, "stride_h": 2, "stride_w": 3, "dilation_h": 4,
          "dilation_w": 5, "pad_top": 6, "pad_left": 7}
REFUSED = {
    "kernel_h": (0, -1, 2, 4, 65536, 1 << 30), "kernel_w": (0, -1, 2, 65536),
    "stride_h": (0, -1, 1 << 30), "stride_w": (0, -5, 1 << 30),
    "dilation_h": (0, -1, 1 << 20), "dilation_w": (0, 32768),
    "pad_top": (-1, 65536), "pad_left": (-1, 1 << 30)}


@pytest.mark.parametrize("make", [plain, plain_depthwise])
@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in REFUSED.items() for v in vs])
def test_check_refuses_a_parameter_out_of_range(
        bench: Bench, make: Any, name: str, value: int) -> None:
    case = make()
    params = case.params()
    params[PARAMS[name]] = value
    assert bench.check(case) == 0
    assert bench.check(case, params=params.tobytes()) == BAD_OPERATOR


@pytest.mark.parametrize("make", [plain, plain_depthwise])
def test_check_refuses_records_of_another_size(bench: Bench, make: Any) -> None:
    case = make()
    section, params = case.tile(), case.params().tobytes()
    for changes in ({"section": section[:-1]}, {"section": section + b"\0"}, {"section": b""},
                    {"section": section[:20]}, {"params": params[:-4]},
                    {"params": params + bytes(4)}, {"n_in": 0}, {"n_in": 2}, {"n_out": 0},
                    {"n_out": 2}, {"scratch": 0},
                    {"scratch": case.scratch - 1 if bench.gathers else 7}):
        assert bench.check(case, **changes) == BAD_OPERATOR, changes


@pytest.mark.parametrize("make", [plain, plain_depthwise])
@pytest.mark.parametrize("side", ["in", "out"])
def test_check_refuses_maps_that_do_not_fit(bench: Bench, make: Any, side: str) -> None:
    case = make()
    for name, values in {"element": (4, 8, 0), "channels": (0, 1, 7, 1 << 20, 1 << 31, 2**32 - 1),
                         "height": (0, (1 << 20) + 1, 2**32 - 1), "width": (0, 1 << 31)}.items():
        for value in values:
            assert bench.check(case, **{side: {name: value}}) == BAD_OPERATOR, (name, value)


def test_check_refuses_a_multiplier_that_does_not_fit(bench: Bench) -> None:
    for multiplier in (0, 1, 3, -2):
        params = plain_depthwise().params()
        params[8] = multiplier
        assert bench.check(plain_depthwise(), params=params.tobytes()) == BAD_OPERATOR


def test_an_unknown_packing_is_a_missing_feature(bench: Bench) -> None:
    for make in (plain, plain_depthwise):
        for packing in (30, 31, 32, 2**32 - 1):
            held = bench.record(make())
            held.args.packing = packing
            assert bench.lib.check(make().depthwise, held.args) == BAD_FEATURE


@pytest.mark.parametrize("make", [plain, plain_depthwise])
def test_any_bytes_of_a_table_mean_something(bench: Bench, make: Any) -> None:
    """Shifts above the largest are the largest, sums and zero points wrap, nothing crashes."""
    bits = np.random.default_rng(5)
    case = make()
    head = HEAD.size + CHANNEL.itemsize * case.bias.size
    for _ in range(40):
        tile = bits.bytes(head) + case.tile()[head:]
        held = bench.record(case, section=tile)
        assert bench.lib.check(case.depthwise, held.args) == 0
        bench.run(case, 2, 0, 0, section=tile)
