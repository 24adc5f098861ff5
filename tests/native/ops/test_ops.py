# SPDX-License-Identifier: Apache-2.0
"""Every C operator, fed by rows in rings, gives the bits of its NumPy meaning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefm.lower import lower
from edgefm.lower.concat_in_place import CONTIGUOUS, STRIDED
from edgefm.lower.fixed_point import signed
from edgefm.network.graph import Array, Graph, Node, Quant, Tensor
from edgefm.network.program import ELEMENT_BYTES, Op, OpKind, Program, Stream
from edgefm.ops import run_graph

ROOT = Path(__file__).resolve().parents[3]
CDEF = """
typedef struct { uint8_t *base; uint32_t row_stride, capacity, pixel_stride, height, width,
                 channels, element; int32_t zero_point; } efm_rows;
typedef struct { const uint8_t *params; uint32_t n_params; const uint8_t *weights;
                 uint32_t weights_bytes, packing; const uint8_t *own;
                 const efm_rows *in; uint32_t n_in;
                 const efm_rows *out;
                 uint32_t n_out; uint8_t *scratch; uint32_t scratch_bytes, first, count; ...;
               } efm_op_args;
int op_check(uint32_t id, const efm_op_args *args);
int op_accumulates(uint32_t id);
void op_need(uint32_t id, const efm_op_args *args, uint32_t input, uint32_t y, uint32_t *bounds);
void op_run(uint32_t id, const efm_op_args *args);
int op_known(uint32_t id);
"""
SOURCE = """
#include "ops/op.h"
static int op_known(uint32_t id) { return efm_op_find(id) != 0; }
static int op_check(uint32_t id, const efm_op_args *args) { return efm_op_find(id)->check(args); }
static int op_accumulates(uint32_t id) { return efm_op_find(id)->flags & EFM_OP_ACCUMULATES; }
static void op_need(uint32_t id, const efm_op_args *args, uint32_t input, uint32_t y,
                    uint32_t *bounds)
{
    efm_op_find(id)->need(args, input, y, bounds, bounds + 1);
}
static void op_run(uint32_t id, const efm_op_args *args) { efm_op_find(id)->run(args); }
"""
GUARD = 64
Maps = dict[int, Array]  # by stream: uint8 [height, row bytes]


@pytest.fixture(scope="module")
def native(native_lib: Callable[..., Any]) -> Any:
    folder = ROOT / "native" / "src"
    return native_lib(CDEF, SOURCE, [path.relative_to(folder)
                                     for path in sorted(folder.rglob("*.c"))])


# -- rows in rings ---------------------------------------------------------------------------------


class Ring:
    """A window of rows between guard bytes; pixels may lie apart, and everything else is noise."""

    def __init__(self, rng: np.random.Generator, stream: Stream, capacity: int, gap: int) -> None:
        element = ELEMENT_BYTES[stream.dtype]
        self.pixel = stream.channels * element
        self.stream, self.capacity = stream, capacity
        self.stride = self.pixel + (gap * element if stream.width > 1 else 0)
        self.row_stride = stream.width * self.stride + 8 * int(rng.integers(0, 2))
        self.memory = rng.integers(0, 256, 2 * GUARD + capacity * self.row_stride).astype(np.uint8)
        self.before = self.memory.copy()

    def view(self, y: int) -> Array:
        """Row y as [width, pixel bytes]."""
        start = GUARD + y % self.capacity * self.row_stride
        rows = self.memory[start:start + self.stream.width * self.stride]
        return rows.reshape(self.stream.width, self.stride)[:, :self.pixel]

    def put(self, y: int, row: Array) -> None:
        self.view(y)[:] = row.reshape(-1, self.pixel)

    def strays(self) -> int:
        """Bytes outside all pixels that were changed."""
        changed = self.memory != self.before
        for y in range(self.capacity):
            start = GUARD + y * self.row_stride
            rows = changed[start:start + self.stream.width * self.stride]
            rows.reshape(self.stream.width, self.stride)[:, :self.pixel] = False
        return int(changed.sum())


@dataclass
class Call:
    """The C arguments of one operator; `keep` owns the memory they point to."""

    args: Any
    keep: list[Any]


def call_of(native: Any, op: Op, ins: Sequence[Ring], outs: Sequence[Ring],
            scratch: Array | None) -> Call:
    ffi = native.ffi
    params = ffi.from_buffer(np.array(op.params, "<i4").tobytes() + b"....")
    weights = ffi.from_buffer(op.weights + b"...")
    rows = [ffi.new("efm_rows[]", len(rings) + 1) for rings in (ins, outs)]
    for table, rings in zip(rows, (ins, outs), strict=True):
        for row, ring in zip(table, rings, strict=False):
            s = ring.stream
            row.base = ffi.from_buffer("uint8_t[]", ring.memory) + GUARD
            row.row_stride, row.capacity, row.pixel_stride = (ring.row_stride, ring.capacity,
                                                              ring.stride)
            row.height, row.width, row.channels = s.height, s.width, s.channels
            row.element, row.zero_point = ELEMENT_BYTES[s.dtype], s.zero_point
    args = ffi.new("efm_op_args *", {
        "params": ffi.cast("uint8_t *", params), "n_params": len(op.params),
        "weights": ffi.cast("uint8_t *", weights), "weights_bytes": len(op.weights),
        "in": rows[0], "n_in": len(ins), "out": rows[1], "n_out": len(outs),
        "scratch_bytes": op.scratch})
    if scratch is not None:
        args.scratch = ffi.cast("uint8_t *", ffi.from_buffer("uint8_t[]", scratch))
    return Call(args, [params, weights, rows, ins, outs, scratch])


def run_op(native: Any, op: Op, streams: Sequence[Stream], maps: Maps,
           rng: np.random.Generator) -> None:
    """Fire the operator in strips of random height over rings that hold just what it needs."""
    rows = len(op.needs[0])
    cuts = [0]
    while cuts[-1] < rows:
        cuts.append(min(cuts[-1] + int(rng.integers(1, 5)), rows))
    strips = list(pairwise(cuts))
    ins = [_input_ring(rng, op, streams[s], need, strips)
           for s, need in zip(op.inputs, op.needs, strict=True)]
    outs = [_output_ring(rng, op, streams[s], strips) for s in op.outputs]
    scratch = rng.integers(0, 256, op.scratch + 8).astype(np.uint8)
    tail = scratch[op.scratch:].copy()
    call = call_of(native, op, ins, outs, scratch)
    assert native.lib.op_check(op.kind, call.args) == 0
    assert bool(native.lib.op_accumulates(op.kind)) == op.accumulates
    _check_needs(native, op, call)
    for s in op.outputs:
        maps[s] = np.zeros((streams[s].height, streams[s].row_bytes), np.uint8)
    for first, end in strips:
        for ring, need, s in zip(ins, op.needs, op.inputs, strict=True):
            ring.memory[:] = ring.before
            for y in range(need[first][0], need[end - 1][1] + 1):
                ring.put(y, maps[s][y])
        _place_children(op, streams, maps, outs, (first, end))
        call.args.first, call.args.count = first, end - first
        native.lib.op_run(op.kind, call.args)
        done = range(streams[op.outputs[0]].height) if op.accumulates else range(first, end)
        if not op.accumulates or end == rows:
            for ring, s in zip(outs, op.outputs, strict=True):
                for y in range(ring.stream.height) if op.accumulates else done:
                    maps[s][y] = ring.view(y).reshape(-1)
    assert sum(ring.strays() for ring in outs) == 0
    np.testing.assert_array_equal(scratch[op.scratch:], tail)


def _input_ring(rng: np.random.Generator, op: Op, stream: Stream,
                need: Sequence[tuple[int, int]], strips: Sequence[tuple[int, int]]) -> Ring:
    window = max(need[end - 1][1] - need[first][0] + 1 for first, end in strips)
    gap = 0 if op.kind in CONTIGUOUS else int(rng.integers(0, 3))
    return Ring(rng, stream, window + int(rng.integers(0, 3)), gap)


def _output_ring(rng: np.random.Generator, op: Op, stream: Stream,
                 strips: Sequence[tuple[int, int]]) -> Ring:
    window = stream.height if op.accumulates else max(end - first for first, end in strips)
    gap = int(rng.integers(0, 3)) if op.kind in STRIDED else 0
    return Ring(rng, stream, window + int(rng.integers(0, 3)), gap)


def _check_needs(native: Any, op: Op, call: Call) -> None:
    bounds = native.ffi.new("uint32_t[2]")
    for k, need in enumerate(op.needs):
        for y, pair in enumerate(need):
            native.lib.op_need(op.kind, call.args, k, y, bounds)
            assert (bounds[0], bounds[1]) == pair


def _place_children(op: Op, streams: Sequence[Stream], maps: Maps, outs: Sequence[Ring],
                    strip: tuple[int, int]) -> None:
    """What the planner does for parts of a concat: they are written where the result lies."""
    if op.kind == OpKind.CONCAT_CHANNELS:
        for s, copied in zip(op.inputs, op.params, strict=True):
            assert (streams[s].parent < 0) == bool(copied)
            for y in range(*strip) if not copied else ():
                pixel = streams[s].channels * ELEMENT_BYTES[streams[s].dtype]
                start = streams[s].channel * ELEMENT_BYTES[streams[s].dtype]
                outs[0].view(y)[:, start:start + pixel] = maps[s][y].reshape(-1, pixel)


def run_program(native: Any, program: Program, graph: Graph, inputs: Sequence[Array],
                rng: np.random.Generator) -> Maps:
    maps: Maps = {}
    for op in program.ops:
        if op.kind == OpKind.INPUT:
            maps[op.outputs[0]] = as_rows(inputs[op.params[0]], program.streams[op.outputs[0]])
        elif op.kind != OpKind.OUTPUT:
            run_op(native, op, program.streams, maps, rng)
    return maps


def as_rows(values: Array, stream: Stream) -> Array:
    """A tensor's values as the stream's rows of bytes."""
    if values.dtype.itemsize == 1:
        values = signed(values)
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"))
    return np.frombuffer(little.tobytes(), np.uint8).reshape(stream.height, stream.row_bytes)


def agrees(native: Any, graph: Graph, inputs: Sequence[Array], rng: np.random.Generator) -> Program:
    """Assert that every tensor of the graph comes out of C bit by bit; the program it ran."""
    program = lower(graph)
    maps = run_program(native, program, graph, inputs, rng)
    expected = run_graph(graph, inputs)
    for s, stream in enumerate(program.streams):
        if stream.tensor >= 0:
            np.testing.assert_array_equal(
                maps[s], as_rows(expected[stream.tensor], stream), stream.name)
    carried = {stream.name for stream in program.streams if stream.tensor >= 0}
    assert carried | set(program.folded) == {graph.tensors[t].name for t in expected}
    return program


# -- random graphs of one operator -----------------------------------------------------------------


def tensor(rng: np.random.Generator, shape: Sequence[int], dtype: str = "int8",
           data: bool = False, scale: float = 0.0, zero: int | None = None) -> Tensor:
    if dtype in ("float32", "int64", "int32"):
        return Tensor("", tuple(shape), dtype)
    info = np.iinfo(dtype)
    zero = int(rng.integers(info.min, info.max + 1)) if zero is None else zero
    quant = Quant((float(np.float32(scale or rng.uniform(0.005, 0.2))),), (zero,))
    values = rng.integers(info.min, info.max + 1, shape).astype(dtype) if data else None
    return Tensor("", tuple(shape), dtype, quant, values)


def like(t: Tensor, shape: Sequence[int]) -> Tensor:
    return Tensor("", tuple(shape), t.dtype, t.quant)


def one(op: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], **attrs: Any) -> Graph:
    every = tuple(Tensor(f"t{i}", t.shape, t.dtype, t.quant, t.data)
                  for i, t in enumerate((*inputs, *outputs)))
    ins, outs = tuple(range(len(inputs))), tuple(range(len(inputs), len(every)))
    fed = tuple(i for i in ins if every[i].data is None)
    return Graph("one", every, (Node(op, "node", ins, outs, attrs),), fed, outs)


def size(rng: np.random.Generator, *limits: int) -> tuple[int, ...]:
    return (1, *(int(rng.integers(1, limit + 1)) for limit in limits))


def pick(rng: np.random.Generator, *options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def activation(rng: np.random.Generator) -> str | None:
    return pick(rng, None, None, "relu", "relu6", "relu_n1_to_1")  # type: ignore[no-any-return]


def two_operands(op: str) -> Callable[[np.random.Generator], Graph]:
    def make(rng: np.random.Generator) -> Graph:
        shape, dtype = size(rng, 6, 5, 9), pick(rng, "int8", "uint8")
        other = pick(rng, shape, shape, (1, 1, 1, shape[3]), (1, *shape[1:3], 1), (shape[2], 1))
        ends = [tensor(rng, shape, dtype), tensor(rng, other, dtype)]
        if rng.random() < 0.5:
            other = pick(rng, (), (shape[3],), (1, 1, 1, shape[3]), shape, (shape[2], 1))
            ends[1] = tensor(rng, other, dtype, data=True)
        if rng.random() < 0.5:
            ends.reverse()
        y = tensor(rng, shape, dtype, scale=0.3 if op != "sub" else 0.0)
        return one(op, ends, [y], activation=activation(rng))
    return make


def by_rules(op: str) -> Callable[[np.random.Generator], Graph]:
    """Any operand may be broadcast; prelu and div keep the first one's shape."""
    def make(rng: np.random.Generator) -> Graph:
        shape, dtype = size(rng, 6, 5, 9), pick(rng, "int8", "uint8")
        _, h, w, c = shape
        other = pick(rng, shape, (1, 1, 1, c), (1, h, w, 1), (1, 1, w, c), (h, 1, 1), (1, 1, 1, 1))
        ends = [tensor(rng, shape, dtype), tensor(rng, other, dtype)]
        if rng.random() < 0.4:
            ends[1] = tensor(rng, pick(rng, (), (c,), shape, (w, 1)), dtype, data=True)
        if op not in ("prelu", "div") and rng.random() < 0.5:
            ends.reverse()
        factors = {"squared_difference": 2.0, "div": 0.5}
        y = tensor(rng, shape, dtype, scale=factors.get(op, 0.0))
        return one(op, ends, [y], **({"activation": activation(rng)} if op == "div" else {}))
    return make


def far_apart(op: str) -> Callable[[np.random.Generator], Graph]:
    """Scales equal, powers of 2 apart, or far apart; rows fill vectors and leave a rest."""
    def make(rng: np.random.Generator) -> Graph:
        shape, dtype = size(rng, 3, 9, 40), pick(rng, "int8", "uint8")
        first = float(np.float32(rng.uniform(0.01, 0.1)))
        second = first * pick(rng, 1.0, 1.0, 0.5, 0.25, 2.0**-9, rng.uniform(0.01, 1), 2.0**-20)
        ends = [tensor(rng, shape, dtype, scale=first), tensor(rng, shape, dtype, scale=second)]
        if rng.random() < 0.5:
            ends.reverse()
        scale = first * pick(rng, 1.0, 2.0, 0.5, 2.0**-7, 2.0**9, rng.uniform(0.3, 3))
        y = tensor(rng, shape, dtype, scale=scale if op != "mul" else scale * second)
        return one(op, ends, [y], activation=activation(rng))
    return make


def window(rng: np.random.Generator, h: int, w: int, kernel: tuple[int, int]) -> Any:
    """Stride, padding below the kernel's size and the output size that they give."""
    stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    pads = tuple((int(rng.integers(0, k)), int(rng.integers(0, k))) for k in kernel)
    out = tuple((n + sum(p) - k) // s + 1 for n, p, k, s in zip((h, w), pads, kernel, stride,
                                                                strict=True))
    return stride, pads, out


def pooling(op: str) -> Callable[[np.random.Generator], Graph]:
    def make(rng: np.random.Generator) -> Graph:
        _, h, w, c = size(rng, 9, 9, pick(rng, 9, 40))
        kernel = (int(rng.integers(1, h + 1)), int(rng.integers(1, w + 1)))
        stride, pads, out = window(rng, h, w, kernel)
        x = tensor(rng, (1, h, w, c), pick(rng, "int8", "uint8"))
        return one(op, [x], [like(x, (1, *out, c))], kernel=kernel, stride=stride, padding=pads,
                   activation=activation(rng))
    return make


def global_pool(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 9, 9, 9), pick(rng, "int8", "uint8"))
    return one("average_pool", [x], [like(x, (1, 1, 1, x.shape[3]))], kernel=x.shape[1:3],
               stride=(1, 1), padding=((0, 0), (0, 0)), activation=activation(rng))


def mean(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 9, 9, pick(rng, 9, 40)), pick(rng, "int8", "uint8"))
    keep = rng.random() < 0.5
    y = tensor(rng, (1, 1, 1, x.shape[3]) if keep else (1, x.shape[3]), x.dtype)
    return one("mean", [x], [y], axes=(1, 2), keep_dims=keep)


def reduced(op: str) -> Callable[[np.random.Generator], Graph]:
    def make(rng: np.random.Generator) -> Graph:
        x, keep = tensor(rng, size(rng, 6, 6, 6), pick(rng, "int8", "uint8")), rng.random() < 0.5
        if rng.random() < 0.3:
            x = like(x, x.shape[:3])
        axes = tuple(d for d in range(len(x.shape)) if rng.random() < 0.5)
        shape = tuple(1 if d in axes else n for d, n in enumerate(x.shape) if keep or d not in axes)
        y = like(x, shape) if op.startswith("reduce") else tensor(rng, shape, x.dtype)
        return one(op, [x], [y], axes=axes, keep_dims=keep)
    return make


def softmax(rng: np.random.Generator) -> Graph:
    dtype = pick(rng, "int8", "uint8")
    x = tensor(rng, size(rng, 4, 4, 300), dtype)
    y = tensor(rng, x.shape, dtype, scale=1 / 256, zero=int(np.iinfo(dtype).min))
    return one("softmax", [x], [y], beta=pick(rng, 1.0, 0.5))


def log_softmax(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 4, 4, 300), "int8")
    return one("log_softmax", [x], [tensor(rng, x.shape, scale=1 / 16, zero=127)])


def l2_normalization(rng: np.random.Generator) -> Graph:
    dtype = pick(rng, "int8", "uint8")
    x = tensor(rng, size(rng, 4, 4, 30), dtype)
    zero = 128 if dtype == "uint8" else 0
    return one("l2_normalization", [x], [tensor(rng, x.shape, dtype, scale=1 / 128, zero=zero)])


def batch_matmul(rng: np.random.Generator) -> Graph:
    _, m, k, n = size(rng, 6, 6, 6)
    batches = pick(rng, ((), ()), ((1,), (1,)), ((1, 3), (1, 3)), ((1, 3), (1, 1)))
    adj_x, adj_y, dtype = rng.random() < 0.5, rng.random() < 0.5, pick(rng, "int8", "uint8")
    a = tensor(rng, (*batches[0], *((k, m) if adj_x else (m, k))), dtype)
    b = tensor(rng, (*batches[1], *((n, k) if adj_y else (k, n))), dtype)
    y = tensor(rng, (*batches[0], m, n), dtype, scale=rng.uniform(0.05, 3))
    return one("batch_matmul", [a, b], [y], adj_x=adj_x, adj_y=adj_y)


def unary(op: str) -> Callable[[np.random.Generator], Graph]:
    def make(rng: np.random.Generator) -> Graph:
        x = tensor(rng, size(rng, 6, 6, 6), pick(rng, "int8", "uint8"))
        y = tensor(rng, x.shape, x.dtype)
        if op == "logistic":
            y = tensor(rng, x.shape, x.dtype, scale=1 / 256, zero=int(np.iinfo(x.dtype).min))
        return one(op, [x], [y])
    return make


def requantize(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 6, 6, 6), pick(rng, "int8", "uint8"))
    return one("quantize", [x], [tensor(rng, x.shape, pick(rng, "int8", "uint8"))])


def quantize(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 6, 6, 6), "float32")
    return one("quantize", [x], [tensor(rng, x.shape, pick(rng, "int8", "uint8"))])


def dequantize(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 6, 6, 6), pick(rng, "int8", "uint8"))
    return one("dequantize", [x], [tensor(rng, x.shape, "float32")])


def reshape(rng: np.random.Generator) -> Graph:
    x = tensor(rng, (1, int(rng.integers(1, 5)) * 2, 6, int(rng.integers(1, 5))),
               pick(rng, "int8", "uint8", "float32"))
    h, w, c = x.shape[1:]
    shape = pick(rng, (1, h * w * c), (h * w, c), (1, h // 2, w, 2 * c), (h * 2, 3 * c),
                 (1, w, h, c), (1, h, w * c), (h * w * c,))
    return one("reshape", [x], [like(x, shape)])


def concat(rng: np.random.Generator) -> Graph:
    shape, dtype, axis = list(size(rng, 5, 5, 5)), pick(rng, "int8", "uint8"), pick(rng, 1, 2, 3)
    y, parts = tensor(rng, shape, dtype), []
    for _ in range(int(rng.integers(1, 5))):
        shape[axis] = int(rng.integers(1, 6))
        part = like(y, shape)
        parts.append(tensor(rng, shape, dtype) if rng.random() < 0.3 else part)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return one("concat", parts, [like(y, shape)], axis=axis)


def pad(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 5, 5, 5), pick(rng, "int8", "uint8"))
    edges = tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (2, 2)))
    padding = ((0, 0), *edges, (0, 0))
    shape = tuple(n + sum(e) for n, e in zip(x.shape, padding, strict=True))
    return one("pad", [x], [like(x, shape)], padding=padding)


def transpose(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 5, 5, 5), pick(rng, "int8", "float32"))
    perm = (0, *(int(p) for p in 1 + rng.permutation(3)))
    if rng.random() < 0.3:
        x, perm = like(x, x.shape[1:3]), (1, 0)
    return one("transpose", [x], [like(x, [x.shape[p] for p in perm])], perm=perm)


def mirror_pad(rng: np.random.Generator) -> Graph:
    x = tensor(rng, (1, *(int(n) for n in rng.integers(3, 6, 3))), pick(rng, "int8", "uint8"))
    padding = ((0, 0), *((int(a), int(b)) for a, b in rng.integers(0, 3, (3, 2))))
    shape = tuple(n + sum(e) for n, e in zip(x.shape, padding, strict=True))
    return one("mirror_pad", [x], [like(x, shape)], padding=padding, reflect=rng.random() < 0.5)


def pad_any(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 5, 5, 5), pick(rng, "int8", "uint8"))
    padding = ((0, 0), *((int(a), int(b)) for a, b in rng.integers(0, 3, (3, 2))))
    shape = tuple(n + sum(e) for n, e in zip(x.shape, padding, strict=True))
    value = int(rng.integers(0, 128))
    op = pick(rng, "pad", "pad_with")
    return one(op, [x], [like(x, shape)], padding=padding,
               **({"value": value} if op == "pad_with" else {}))


def sliced(rng: np.random.Generator) -> Graph:
    x, cuts = tensor(rng, size(rng, 6, 6, 6), pick(rng, "int8", "uint8", "float32")), []
    for length in x.shape:
        first, last = sorted(int(n) for n in rng.integers(0, length, 2))
        step = int(rng.integers(1, 4))
        cells = range(first, last + 1, step)
        cells = cells[::-1] if rng.random() < 0.3 else cells
        cuts.append((cells[0], len(cells), cells.step))
    begin, length_of, stride = zip(*cuts, strict=True)
    return one("slice", [x], [like(x, length_of)], begin=begin, size=length_of, stride=stride,
               dropped=())


def gathered(rng: np.random.Generator) -> Graph:
    x, axis = tensor(rng, size(rng, 5, 5, 5), pick(rng, "int8", "float32")), pick(rng, 1, 2, 3)
    indices = tuple(int(i) for i in rng.integers(0, x.shape[axis], rng.integers(1, 7)))
    shape = (*x.shape[:axis], len(indices), *x.shape[axis + 1:])
    return one("gather", [x], [like(x, shape)], axis=axis, indices=indices)


def tiled(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 4, 4, 4), pick(rng, "int8", "uint8", "float32"))
    repeats = (1, *(int(n) for n in rng.integers(1, 4, 3)))
    shape = tuple(n * r for n, r in zip(x.shape, repeats, strict=True))
    return one("tile", [x], [like(x, shape)], repeats=repeats)


def blocks(rng: np.random.Generator) -> Graph:
    b, (_, h, w, c), dtype = int(rng.integers(1, 4)), size(rng, 4, 4, 3), pick(rng, "int8", "uint8")
    deep, wide = tensor(rng, (1, h, w, c * b * b), dtype), (1, h * b, w * b, c)
    if rng.random() < 0.5:
        return one("depth_to_space", [deep], [like(deep, wide)], block=b)
    return one("space_to_depth", [like(deep, wide)], [deep], block=b)


def packed(rng: np.random.Generator) -> Graph:
    x, count = tensor(rng, size(rng, 4, 4), pick(rng, "int8", "uint8")), int(rng.integers(1, 20))
    axis, shape = pick(rng, 1, 2, 3), list(x.shape)
    shape.insert(axis, count)
    return one("pack", [x] * count, [like(x, shape)], axis=axis)


def chain(rng: np.random.Generator, x: Tensor, *steps: tuple[str, tuple[int, ...], Any]) -> Graph:
    """Operators one after another; all tensors are of one type and scale."""
    every = [replace(x, name="t0")]
    nodes = []
    for k, (op, shape, attrs) in enumerate(steps):
        every.append(replace(x, name=f"t{k + 1}", shape=shape))
        nodes.append(Node(op, f"node{k}", (k,), (k + 1,), attrs))
    return Graph("chain", tuple(every), tuple(nodes), (0,), (len(steps),))


def shuffled(rng: np.random.Generator) -> Graph:
    (_, h, w, c), g = size(rng, 4, 4, 4), int(rng.integers(1, 4))
    x = tensor(rng, (1, h, w, c * g), pick(rng, "int8", "uint8"))
    return chain(rng, x, ("reshape", (1, h, w, g, c), {}),
                 ("transpose", (1, h, w, c, g), {"perm": (0, 1, 2, 4, 3)}),
                 ("reshape", (1, h, w, c * g), {}))


def upsampled(rng: np.random.Generator) -> Graph:
    _, h, w, c = size(rng, 4, 4, 4)
    x = tensor(rng, (1, h, w, c), pick(rng, "int8", "float32"))
    return chain(rng, x, ("reshape", (1, h, 1, w, 1, c), {}),
                 ("tile", (1, h, 2, w, 3, c), {"repeats": (1, 1, 2, 1, 3, 1)}),
                 ("reshape", (1, 2 * h, 3 * w, c), {}))


def woven(rng: np.random.Generator) -> Graph:
    """Through batches and back, with padding in between, in an order that no table has."""
    _, h, w, c = size(rng, 3, 3, 3)
    x = tensor(rng, (1, 2 * h - 1, 2 * w, c), pick(rng, "int8", "uint8"))
    return chain(rng, x, ("space_to_batch", (4, h, w, c), {"block": (2, 2),
                                                           "padding": ((1, 0), (0, 0))}),
                 ("reshape", (1, 4 * h, w * c), {}))


def resize(op: str) -> Callable[[np.random.Generator], Graph]:
    def make(rng: np.random.Generator) -> Graph:
        x = tensor(rng, size(rng, 6, 6, 6), pick(rng, "int8", "uint8"))
        align, half = pick(rng, (False, False), (True, False), (False, True))
        out = [int(rng.integers(1, 16)), int(rng.integers(1, 16))]
        if op == "resize_bilinear" and x.dtype == "uint8":  # only steps of 1/256 are exact
            out = [8 * (n - 1) + 1 if align else 4 * n for n in x.shape[1:3]]
        return one(op, [x], [like(x, (1, *out, x.shape[3]))], align_corners=align,
                   half_pixel_centers=half)
    return make


def argmax(rng: np.random.Generator) -> Graph:
    x = tensor(rng, size(rng, 5, 5, 5), pick(rng, "int8", "uint8"))
    y = tensor(rng, x.shape[:3], pick(rng, "int32", "int64"))
    return one(pick(rng, "argmax", "argmin"), [x], [y], axis=3)


def detection(rng: np.random.Generator) -> Graph:
    anchors, classes, limit = int(rng.integers(1, 60)), int(rng.integers(1, 6)), 10
    codes = tensor(rng, (1, anchors, 4), "uint8", scale=0.1, zero=128)
    scores = tensor(rng, (1, anchors, classes + 1), "uint8", scale=1 / 256, zero=0)
    boxes = Tensor("", (anchors, 4), "float32", None, np.concatenate(
        [rng.uniform(0, 1, (anchors, 2)), rng.uniform(0.05, 0.5, (anchors, 2))],
        axis=1).astype(np.float32))
    outs = [(1, limit, 4), (1, limit), (1, limit), (1,)]
    return one("detection_postprocess", [codes, scores, boxes],
               [tensor(rng, shape, "float32") for shape in outs], max_detections=limit,
               max_classes_per_detection=1, num_classes=classes, y_scale=10.0, x_scale=10.0,
               h_scale=5.0, w_scale=5.0, nms_score_threshold=0.3, nms_iou_threshold=0.5,
               use_regular_nms=False)


def weights_of(rng: np.random.Generator, shape: tuple[int, ...], channels: int,
               dtype: str, axis: int) -> Tensor:
    if dtype == "uint8" or rng.random() < 0.3:
        return tensor(rng, shape, dtype, data=True, zero=None if dtype == "uint8" else 0)
    values = rng.integers(-127, 128, shape).astype(np.int8)
    scales = tuple(float(np.float32(s)) for s in rng.uniform(0.001, 0.1, channels))
    return Tensor("", shape, dtype, Quant(scales, (0,) * channels, axis), values)


def bias_of(rng: np.random.Generator, channels: int) -> Tensor:
    return Tensor("", (channels,), "int32", None,
                  rng.integers(-20000, 20000, channels).astype(np.int32))


def convolution(op: str) -> Callable[[np.random.Generator], Graph]:
    def make(rng: np.random.Generator) -> Graph:
        _, h, w, c = size(rng, 9, 9, 9)
        dtype, kernel = pick(rng, "int8", "uint8"), pick(rng, (1, 1), (3, 3), (1, 3), (2, 4))
        kernel = (min(kernel[0], h), min(kernel[1], w))
        stride, pads, out = window(rng, h, w, kernel)
        m = int(rng.integers(1, 3))
        o = c * m if op == "depthwise_conv2d" else int(rng.integers(1, 9))
        shape = (1, *kernel, o) if op == "depthwise_conv2d" else (o, *kernel, c)
        x = tensor(rng, (1, h, w, c), dtype)
        weights = weights_of(rng, shape, o, dtype, 3 if op == "depthwise_conv2d" else 0)
        extra = {"multiplier": m} if op == "depthwise_conv2d" else {}
        return one(op, [x, weights, bias_of(rng, o)],
                   [tensor(rng, (1, *out, o), dtype, scale=rng.uniform(0.05, 3))], stride=stride,
                   dilation=(1, 1), padding=pads, activation=activation(rng), **extra)
    return make


def fully_connected(rng: np.random.Generator) -> Graph:
    dtype, o = pick(rng, "int8", "uint8"), int(rng.integers(1, 20))
    x = tensor(rng, size(rng, 4, 4, 20), dtype)
    n = int(np.prod(x.shape))
    if rng.random() < 0.3:
        x, n = like(x, (3, 17)), 17
    rows = int(np.prod(x.shape)) // n
    return one("fully_connected", [x, weights_of(rng, (o, n), o, dtype, 0), bias_of(rng, o)],
               [tensor(rng, (rows, o), dtype, scale=rng.uniform(0.05, 3))], keep_dims=False,
               activation=activation(rng))


CASES: Mapping[str, Callable[[np.random.Generator], Graph]] = {
    "add": two_operands("add"), "sub": two_operands("sub"), "mul": two_operands("mul"),
    **{op: by_rules(op) for op in ("prelu", "maximum", "minimum", "squared_difference", "div")},
    "add_far": far_apart("add"), "sub_far": far_apart("sub"), "mul_far": far_apart("mul"),
    "average_pool": pooling("average_pool"), "max_pool": pooling("max_pool"),
    "global_pool": global_pool, "mean": mean,
    **{op: reduced(op) for op in ("sum", "reduce_max", "reduce_min")}, "any_mean": reduced("mean"),
    "softmax": softmax,
    "log_softmax": log_softmax, "l2_normalization": l2_normalization, "batch_matmul": batch_matmul,
    "logistic": unary("logistic"),
    "relu": unary("relu"), "relu6": unary("relu6"), "requantize": requantize,
    "quantize": quantize, "dequantize": dequantize, "reshape": reshape, "concat": concat,
    "pad": pad, "mirror_pad": mirror_pad, "pad_any": pad_any, "sliced": sliced,
    "gathered": gathered, "tiled": tiled, "blocks": blocks, "packed": packed, "shuffled": shuffled,
    "upsampled": upsampled, "woven": woven, "transpose": transpose,
    "resize_bilinear": resize("resize_bilinear"),
    "resize_nearest": resize("resize_nearest"), "argmax": argmax, "detection": detection,
    "conv2d": convolution("conv2d"), "depthwise_conv2d": convolution("depthwise_conv2d"),
    "fully_connected": fully_connected,
}


def random_inputs(graph: Graph, rng: np.random.Generator) -> list[Array]:
    values = []
    for t in (graph.tensors[i] for i in graph.inputs):
        if t.dtype == "float32":
            values.append((rng.normal(0, 8, t.shape)).astype(np.float32))
        else:
            info = np.iinfo(t.dtype)
            values.append(rng.integers(info.min, info.max + 1, t.shape).astype(t.dtype))
    return values


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("case", CASES)
def test_operator_equals_its_meaning(native: Any, case: str, seed: int) -> None:
    rng = np.random.default_rng([seed, *case.encode()])
    graph = CASES[case](rng)
    agrees(native, graph, random_inputs(graph, rng), rng)


def test_fully_connected_rounds_as_double_does_at_a_near_half(native: Any) -> None:
    x = tensor(np.random.default_rng(0), (9, 1), scale=1, zero=0)
    y = tensor(np.random.default_rng(0), (9, 1), scale=6, zero=0)
    weight = Tensor("", (1, 1), "int8", Quant((1.0,), (0,)), np.array([[3]], np.int8))
    graph = one("fully_connected", [x, weight, bias_of(np.random.default_rng(0), 1)], [y],
                keep_dims=False, activation=None)
    zero = Tensor("t2", (1,), "int32", None, np.zeros(1, np.int32))
    graph = Graph("near", (*graph.tensors[:2], zero, graph.tensors[3]), graph.nodes, graph.inputs,
                  graph.outputs)
    values = np.arange(-4, 5, dtype=np.int8).reshape(9, 1)  # 3 / 6 is a half, 1/6 is not exact
    agrees(native, graph, [values], np.random.default_rng(0))


def test_operators_of_the_executor_are_not_in_the_table(native: Any) -> None:
    known = {kind for kind in range(256) if native.lib.op_known(kind)}
    assert known == {int(kind) for kind in OpKind} - {1, 2, 3, 4}


# -- what check() must refuse ----------------------------------------------------------------------

LIMITS = (-(2**31), -1, 0, 1, 2**16, 2**31 - 1)
SIZES = ("height", "width", "channels", "element")


def changes(op: Op, args: Any) -> list[tuple[str, int, Any]]:
    """Single changes of an operator's arguments: (which, index, new value)."""
    made: list[tuple[str, int, Any]] = [("param", i, v) for i in range(len(op.params))
                                        for v in LIMITS]
    made += [("param", i, op.params[i] + d) for i in range(len(op.params)) for d in (-1, 1)]
    made += [(name, 0, getattr(args, name) + d) for name in ("n_in", "n_out", "n_params",
             "weights_bytes", "scratch_bytes") for d in (-1, 1) if getattr(args, name) + d >= 0]
    for side in ("in", "out"):
        for i in range(getattr(args, f"n_{side}")):
            row = getattr(args, side)[i]
            made += [(f"{side}.{name}", i, getattr(row, name) + d) for name in SIZES
                     for d in (-1, 1) if name != "element" and getattr(row, name) + d > 0]
            made += [(f"{side}.element", i, e) for e in (1, 4, 8) if e != row.element]
    return made


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES)
def test_check_refuses_or_the_operator_stays_inside_its_memory(native: Any, case: str,
                                                               seed: int) -> None:
    rng = np.random.default_rng([seed, *case.encode()])
    program = lower(CASES[case](rng))
    for op in program.ops:
        if op.kind not in (OpKind.INPUT, OpKind.OUTPUT):
            refused = [try_change(native, op, program.streams, change, rng)
                       for change in changes(op, roomy(native, op, program.streams, rng).args)]
            assert refused.count(True) >= 5


def roomy(native: Any, op: Op, streams: Sequence[Stream], rng: np.random.Generator) -> Call:
    """The call with whole maps that leave room for one more row, pixel and channel of 8 bytes."""
    def ring(s: int) -> Ring:
        stream = streams[s]
        room = replace(stream, dtype="int64", height=stream.height + 1, width=stream.width + 1,
                       channels=stream.channels + 1)
        return Ring(rng, room, stream.height + 1, 0)
    ins, outs = [ring(s) for s in op.inputs], [ring(s) for s in op.outputs]
    call = call_of(native, op, ins, outs, rng.integers(0, 256, op.scratch + 64).astype(np.uint8))
    for side, indices in (("in", op.inputs), ("out", op.outputs)):
        for row, s in zip(getattr(call.args, side)[0:len(indices)], indices, strict=True):
            stream = streams[s]
            row.height, row.width, row.channels = stream.height, stream.width, stream.channels
            row.element = ELEMENT_BYTES[stream.dtype]
            if op.kind in CONTIGUOUS or op.kind not in STRIDED:
                row.pixel_stride = row.channels * row.element
    return call


def try_change(native: Any, op: Op, streams: Sequence[Stream], change: tuple[str, int, Any],
               rng: np.random.Generator) -> bool:
    """True when check() refuses; otherwise run everything and look at the memory around."""
    which, index, value = change
    params = list(op.params)
    if which == "param":
        params[index] = (value + 2**31) % 2**32 - 2**31
    call = roomy(native, replace(op, params=tuple(params)), streams, rng)
    if "." in which:
        side, name = which.split(".")
        setattr(getattr(call.args, side)[index], name, value)
    elif which != "param":
        setattr(call.args, which, value)
    if native.lib.op_check(op.kind, call.args) != 0:
        return True
    assert which not in ("n_in", "n_out", "n_params", "weights_bytes")
    rows = (getattr(call.args, "in") if op.accumulates else call.args.out)[0].height
    bounds, last = native.ffi.new("uint32_t[2]"), (0, 0)
    for k in range(call.args.n_in):
        for y in range(rows):
            native.lib.op_need(op.kind, call.args, k, y, bounds)
            assert last[0] <= bounds[0] <= bounds[1] < getattr(call.args, "in")[k].height
            assert bounds[1] >= last[1]
            last = (bounds[0], bounds[1])
        last = (0, 0)
    call.args.first, call.args.count = 0, rows
    native.lib.op_run(op.kind, call.args)
    assert sum(ring.strays() for ring in call.keep[3] + call.keep[4]) == 0
    return False
