# SPDX-License-Identifier: Apache-2.0
"""Lowering: which operators, streams and parameters come out of which graph."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.errors import UnsupportedModel
from edgefm.importers import load
from edgefm.kernels.tile import CHANNEL, HEAD, ROUND_ONCE
from edgefm.lower import lower
from edgefm.lower.fixed_point import exact
from edgefm.network.graph import Array, Graph, Node, Quant, Tensor
from edgefm.network.program import Op, OpKind, Program, Stream
from edgefm.ops import run_node

PLAIN = {"stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (0, 0)), "activation": None}
NONE = ((0, 0), (0, 0))


class Net:
    """A graph under construction: every method gives tensor indices."""

    def __init__(self, dtype: str = "int8") -> None:
        self.dtype = dtype
        self.tensors: list[Tensor] = []
        self.nodes: list[Node] = []
        self.inputs: list[int] = []

    def tensor(self, shape: Sequence[int], dtype: str = "", scale: float = 0.5, zero: int = 3,
               data: Array | None = None) -> int:
        dtype = dtype or self.dtype
        quant = Quant((scale,), (zero,)) if dtype in ("int8", "uint8") else None
        self.tensors.append(Tensor(f"t{len(self.tensors)}", tuple(shape), dtype, quant, data))
        return len(self.tensors) - 1

    def input(self, shape: Sequence[int], dtype: str = "", **more: Any) -> int:
        self.inputs.append(self.tensor(shape, dtype, **more))
        return self.inputs[-1]

    def node(self, op: str, inputs: Sequence[int], output: int, **attrs: Any) -> int:
        self.nodes.append(Node(op, f"{op}{len(self.nodes)}", tuple(inputs), (output,), attrs))
        return output

    def conv(self, x: int, channels: int, kernel: int = 1, pads: Any = NONE, **quant: Any) -> int:
        _, h, w, c = self.tensors[x].shape
        data = np.ones((channels, kernel, kernel, c), self.dtype)
        weights = self.tensor(data.shape, zero=0, data=data)
        out = (1, h + sum(pads[0]) - kernel + 1, w + sum(pads[1]) - kernel + 1, channels)
        return self.node("conv2d", (x, weights, -1), self.tensor(out, **quant),
                         **{**PLAIN, "padding": pads})

    def graph(self, *outputs: int) -> Graph:
        return Graph("net", tuple(self.tensors), tuple(self.nodes), tuple(self.inputs), outputs)

    def lower(self, *outputs: int) -> Program:
        return lower(self.graph(*outputs))


def kinds(program: Program) -> list[OpKind]:
    return [op.kind for op in program.ops if op.kind not in (OpKind.INPUT, OpKind.OUTPUT)]


def only(program: Program, kind: OpKind) -> Op:
    (found,) = (op for op in program.ops if op.kind == kind)
    return found


def named(program: Program, name: str) -> Stream:
    (found,) = (stream for stream in program.streams if stream.name == name)
    return found


# -- types and factors -----------------------------------------------------------------------------


def test_uint8_maps_become_int8_with_their_zero_points() -> None:
    net = Net("uint8")
    y = net.conv(net.input((1, 2, 2, 3), zero=130), 4, zero=7)
    program = net.lower(y)
    assert [(s.dtype, s.zero_point) for s in program.streams] == [("int8", 2), ("int8", -121)]
    assert HEAD.unpack_from(only(program, OpKind.CONV).weights)[2] == -128


def test_the_zero_point_of_the_input_is_folded_into_the_bias() -> None:
    net = Net()
    y = net.conv(net.input((1, 2, 2, 3), zero=5), 4)
    tile = only(net.lower(y), OpKind.CONV).weights
    channels = np.frombuffer(tile, CHANNEL, count=4, offset=HEAD.size)
    assert channels["bias"].tolist() == [-15] * 4


def mantissas(real: float) -> tuple[Fraction, Fraction]:
    """The least 53-bit mantissa at which all results step up where double's do, and the first
    that is too large, as exact bounds."""
    unit = Fraction(2) ** (math.frexp(real)[1] - 53)
    low, high = Fraction(0), Fraction(2) ** 60
    for step in range(1, 256):
        half = Fraction(2 * step - 1, 2)
        near = math.ceil(half / Fraction(real))
        least = next(a for a in range(max(near - 2, 0), near + 3) if a * real >= step - 0.5)
        if least > 1 << 31:
            break
        low = max(low, half / least / unit)
        high = min(high, half / (least - 1) / unit) if least > 1 else high
    return low, high


@given(real=st.floats(2.0**-20, 8), accumulator=st.integers(0, 2**31 - 1))
def test_exact_factors_round_as_double_does(real: float, accumulator: int) -> None:
    try:
        high, shift, low = exact(real)
    except ValueError:  # rightly, where double rounds some products up and others down
        low, high = mantissas(real)
        assert math.ceil(low) >= high
        return
    product = accumulator * (high * 2**22 + low)
    ours = (product + (1 << (52 - shift))) >> (53 - shift)
    theirs = int(np.trunc(accumulator * real + 0.5)) if accumulator * real < 2**52 else ours
    assert min(ours, 255) == min(theirs, 255)


@pytest.mark.parametrize("real", [0.35, 0.7])
def test_factors_whose_halves_double_rounds_both_ways_are_refused(real: float) -> None:
    """10 * 0.35 is 3.5 in double and 90 * 0.35 less than 31.5: no one factor does both."""
    assert 10 * 0.35 >= 3.5 and 90 * 0.35 < 31.5
    with pytest.raises(ValueError, match=f"no 53-bit factor rounds like {real}"):
        exact(real)


@pytest.mark.parametrize("divisor", [6, 12, 10, 14, 18, 22, 100, 3000])
def test_exact_factors_keep_the_halves_that_double_makes(divisor: int) -> None:
    real = 1 / divisor
    high, shift, low = exact(real)
    for step in range(1, 256):
        accumulator = divisor * (2 * step - 1) // 2
        product = accumulator * (high * 2**22 + low)
        rounded = (product + (1 << (52 - shift))) >> (53 - shift)
        assert rounded == int(accumulator * real + 0.5)


# -- pads, views, tables ---------------------------------------------------------------------------


def padded(net: Net) -> tuple[int, int]:
    x = net.input((1, 4, 4, 2))
    pads = ((0, 0), (1, 2), (2, 1), (0, 0))
    return x, net.node("pad", (x,), net.tensor((1, 7, 7, 2)), padding=pads)


def test_a_pad_vanishes_into_the_one_convolution_behind_it() -> None:
    net = Net()
    _, p = padded(net)
    program = net.lower(net.conv(p, 3, 3, ((1, 0), (0, 0))))
    assert kinds(program) == [OpKind.CONV]
    assert only(program, OpKind.CONV).params[6:8] == (2, 2)
    assert program.folded == (net.tensors[p].name,)


def test_a_pad_that_others_read_stays() -> None:
    net = Net()
    _, p = padded(net)
    y = net.conv(p, 3, 3)
    assert kinds(net.lower(y, p)) == [OpKind.PAD, OpKind.CONV]
    z = net.conv(p, 2, 3)
    assert kinds(net.lower(y, z)) == [OpKind.PAD, OpKind.CONV, OpKind.CONV]


def test_a_padded_1x1_convolution_gathers_patches() -> None:
    net = Net()
    _, p = padded(net)
    assert only(net.lower(net.conv(p, 3)), OpKind.CONV).scratch == 4
    assert only(_one_conv(), OpKind.CONV).scratch == 0


def _one_conv() -> Program:
    net = Net()
    return net.lower(net.conv(net.input((1, 4, 4, 2)), 3))


def test_uint8_to_int8_of_the_same_scale_is_a_view() -> None:
    net = Net()
    x = net.input((1, 2, 2, 3), "uint8", zero=131)
    assert kinds(net.lower(net.node("quantize", (x,), net.tensor((1, 2, 2, 3))))) == [OpKind.VIEW]


def test_a_change_of_scale_is_a_table() -> None:
    net = Net()
    x = net.input((1, 2, 2, 3), scale=1.0, zero=0)
    y = net.node("quantize", (x,), net.tensor((1, 2, 2, 3), scale=2.0, zero=0))
    table = np.frombuffer(only(net.lower(y), OpKind.LUT).weights, np.int8)
    assert list(table[[0, 127, 128, 129, 131, 255]]) == [-64, 0, 0, 1, 2, 64]


@pytest.mark.parametrize(("shape", "kind"), [((1, 4, 3, 4), OpKind.VIEW), ((4, 12), OpKind.VIEW),
                                             ((1, 48), OpKind.RESHAPE), ((48,), OpKind.RESHAPE)])
def test_a_reshape_that_keeps_rows_is_a_view(shape: tuple[int, ...], kind: OpKind) -> None:
    net = Net()
    x = net.input((1, 4, 4, 3))
    assert kinds(net.lower(net.node("reshape", (x,), net.tensor(shape)))) == [kind]


def test_a_transpose_of_ones_is_a_reshape() -> None:
    net = Net()
    x = net.input((1, 1, 4, 3))
    y = net.node("transpose", (x,), net.tensor((1, 4, 1, 3)), perm=(0, 2, 1, 3))
    assert kinds(net.lower(y)) == [OpKind.RESHAPE]


def test_streams_have_names_of_their_own() -> None:
    """What lowering invents never has the name of a tensor, or of another invention."""
    net = Net()
    x = net.input((1, 2, 3, 4))
    parts = []
    for _ in range(2):
        w = net.tensor((5, 24), zero=0, data=np.ones((5, 24), np.int8))
        parts.append(net.node("fully_connected", (x, w, -1), net.tensor((1, 5)), activation=None,
                              keep_dims=False))
    net.tensors[parts[0]] = replace(net.tensors[parts[0]], name=f"{net.tensors[x].name}:rows")
    program = net.lower(*parts)
    names = [stream.name for stream in program.streams]
    assert len(set(names)) == len(names) > 4
    for stream in program.streams:
        assert stream.tensor < 0 or stream.name == net.tensors[stream.tensor].name


# -- concats ---------------------------------------------------------------------------------------


def joined(net: Net, *parts: int, axis: int = 3) -> int:
    shape = list(net.tensors[parts[0]].shape)
    shape[axis] = sum(net.tensors[p].shape[axis] for p in parts)
    return net.node("concat", parts, net.tensor(shape), axis=axis)


def test_parts_of_a_concat_are_written_into_it() -> None:
    net = Net()
    x = net.input((1, 2, 2, 3))
    a, b = net.conv(x, 4), net.conv(x, 5)
    y = joined(net, a, b)
    program = net.lower(y)
    whole = program.streams.index(named(program, net.tensors[y].name))
    parts = [named(program, net.tensors[t].name) for t in (a, b)]
    assert [(p.parent, p.channel) for p in parts] == [(whole, 0), (whole, 4)]
    assert only(program, OpKind.CONCAT_CHANNELS).params == (0, 0)


def test_a_part_that_cannot_lie_in_the_concat_is_copied() -> None:
    net = Net()
    x = net.input((1, 2, 2, 3))
    shared = net.conv(x, 4)
    flat = net.node("reshape", (net.conv(x, 5),), net.tensor((1, 2, 2, 5)))
    first, second = joined(net, shared, x, flat), joined(net, shared, shared)
    program = net.lower(first, second)
    assert [op.params for op in program.ops if op.kind == OpKind.CONCAT_CHANNELS] == [
        (0, 1, 1), (1, 1)]


def test_parts_of_another_scale_pass_a_table_and_still_need_no_copy() -> None:
    net = Net("uint8")
    a = net.conv(net.input((1, 2, 2, 3)), 4, scale=0.25)
    program = net.lower(joined(net, a, net.conv(a, 4)))
    assert kinds(program).count(OpKind.LUT) == 1
    assert only(program, OpKind.CONCAT_CHANNELS).params == (0, 0)


@pytest.mark.parametrize(("axis", "kind"), [(1, OpKind.CONCAT_ROWS), (2, OpKind.CONCAT_CHANNELS)])
def test_concats_along_rows_and_pixels(axis: int, kind: OpKind) -> None:
    net = Net()
    x = net.input((1, 2, 2, 3))
    assert kind in kinds(net.lower(joined(net, net.conv(x, 3), x, axis=axis)))


def test_rows_of_a_concat_need_the_nearest_row_of_each_part() -> None:
    net = Net()
    x, z = net.input((1, 2, 2, 3)), net.input((1, 3, 2, 3))
    op = only(net.lower(joined(net, x, z, axis=1)), OpKind.CONCAT_ROWS)
    assert op.needs == (((0, 0), (1, 1), (1, 1), (1, 1), (1, 1)),
                        ((0, 0), (0, 0), (0, 0), (1, 1), (2, 2)))


# -- whole maps ------------------------------------------------------------------------------------


def test_a_pool_over_the_whole_map_takes_rows_one_by_one() -> None:
    net = Net()
    x = net.input((1, 5, 4, 3))
    y = net.node("average_pool", (x,), net.tensor((1, 1, 1, 3)), kernel=(5, 4), stride=(1, 1),
                 padding=NONE, activation=None)
    op = only(net.lower(y), OpKind.MEAN)
    assert op.accumulates
    assert op.needs == (tuple((row, row) for row in range(5)),)
    assert op.scratch == 12


def test_a_fully_connected_layer_flattens_its_input() -> None:
    net = Net()
    x = net.input((1, 2, 3, 4))
    w = net.tensor((5, 24), zero=0, data=np.ones((5, 24), np.int8))
    y = net.node("fully_connected", (x, w, -1), net.tensor((1, 5)), activation=None)
    program = net.lower(y)
    assert kinds(program) == [OpKind.RESHAPE, OpKind.CONV]
    assert (program.streams[1].height, program.streams[1].channels) == (1, 24)
    assert only(program, OpKind.CONV).macs == 120
    assert HEAD.unpack_from(only(program, OpKind.CONV).weights)[3] & ROUND_ONCE


def test_operators_that_reach_no_output_are_left_out() -> None:
    net = Net()
    x = net.input((1, 2, 2, 3))
    dead, y = net.conv(x, 2), net.conv(x, 4)
    program = net.lower(y)
    assert len(program.ops) == 3
    assert program.folded == (net.tensors[dead].name,)


def detector(net: Net, **changes: Any) -> list[int]:
    codes, scores = net.input((1, 6, 4)), net.input((1, 6, 3))
    real = net.node("dequantize", (scores,), net.tensor((1, 6, 3), "float32"))
    anchors = net.tensor((6, 4), "float32", data=np.ones((6, 4), np.float32))
    outs = [net.tensor(shape, "float32") for shape in ((1, 2, 4), (1, 2), (1, 2), (1,))]
    attrs = {"max_detections": 2, "max_classes_per_detection": 1, "num_classes": 2,
             "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0,
             "nms_score_threshold": 0.3, "nms_iou_threshold": 0.5, "use_regular_nms": False}
    net.nodes.append(Node("detection_postprocess", "boxes", (codes, real, anchors), tuple(outs),
                          {**attrs, **changes}))
    return outs


def test_detection_reads_the_scores_before_they_are_dequantized() -> None:
    net = Net()
    program = net.lower(*detector(net))
    assert kinds(program) == [OpKind.DETECTION]
    assert only(program, OpKind.DETECTION).params == (4, 2, 2)  # 0.5 * (4 - 3) >= 0.3


# -- what cannot run -------------------------------------------------------------------------------


def _constants(net: Net) -> Sequence[int]:
    ends = [net.tensor((1, 2), data=np.ones((1, 2), np.int8)) for _ in range(2)]
    return [net.node("mul", ends, net.tensor((1, 2)), activation=None)]


def _moved_batch(net: Net) -> Sequence[int]:
    x = net.input((1, 2, 2, 3))
    return [net.node("transpose", (x,), net.tensor((2, 1, 2, 3)), perm=(1, 0, 2, 3))]


def _thirds(net: Net) -> Sequence[int]:
    x = net.input((1, 2, 2, 3), "uint8")
    y = net.tensor((1, 3, 3, 3), "uint8")
    return [net.node("resize_bilinear", (x,), y, align_corners=False, half_pixel_centers=False)]


def _float_weights(net: Net) -> Sequence[int]:
    x, w = net.input((1, 2, 2, 3), "float32"), np.ones((4, 1, 1, 3), np.float32)
    y = net.tensor((1, 2, 2, 4), "float32")
    return [net.node("conv2d", (x, net.tensor(w.shape, "float32", data=w), -1), y, **PLAIN)]


def _groups(net: Net) -> Sequence[int]:
    w = np.ones((4, 1, 1, 2), np.int8)
    return [net.node("conv2d", (net.input((1, 2, 2, 4)), net.tensor(w.shape, data=w), -1),
                     net.tensor((1, 2, 2, 4)), **PLAIN)]


def _batch(net: Net) -> Sequence[int]:
    return [net.node("reshape", (net.input((1, 32)),), net.tensor((2, 2, 2, 4)))]


def _unknown(net: Net) -> Sequence[int]:
    return [net.node("brew", (net.input((1, 4)),), net.tensor((1, 4)))]


def _softmax_scale(net: Net) -> Sequence[int]:
    return [net.node("softmax", (net.input((1, 4)),), net.tensor((1, 4)), beta=1.0)]


def _pool_in_padding(net: Net) -> Sequence[int]:
    x, y = net.input((1, 2, 2, 3)), net.tensor((1, 4, 4, 3))
    return [net.node("max_pool", (x,), y, kernel=(1, 1), stride=(1, 1), padding=((1, 1), (1, 1)),
                     activation=None)]


def _regular_suppression(net: Net) -> Sequence[int]:
    return detector(net, use_regular_nms=True)


@pytest.mark.parametrize(("make", "got"), [
    (_constants, "two constant operands"), (_moved_batch, "batch of 1"),
    (_thirds, "multiple of 1/256"),
    (_float_weights, "weights 't2' are float32"), (_groups, "4 input channels"),
    (_batch, "batch of 1"), (_unknown, "no such operator"), (_softmax_scale, "1/256"),
    (_pool_in_padding, "inside the map"), (_regular_suppression, "fast suppression")])
def test_what_cannot_run_is_named(make: Callable[[Net], Sequence[int]], got: str) -> None:
    net = Net()
    outputs = make(net)
    with pytest.raises(UnsupportedModel) as caught:
        net.lower(*outputs)
    assert str(caught.value).startswith("net: ")
    assert repr(net.nodes[-1].name) in str(caught.value)
    assert got in str(caught.value)


def test_a_constant_output_is_refused() -> None:
    net = Net()
    net.input((1, 4))
    with pytest.raises(UnsupportedModel, match="'t1' is a constant"):
        net.lower(net.tensor((1, 4), data=np.ones((1, 4), np.int8)))


# -- real networks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "macs"), [
    ("tf2_mobilenet_v2_1.0_224_ptq", 300_775_552), ("mobilenet_v1_0.25_128_quant", 13_570_304),
    ("vww_96_int8", 7_489_664), ("ad01_int8", 264_192)])
def test_a_real_network_has_streams_and_needs_that_fit(data_dir: Path, model: str,
                                                       macs: int) -> None:
    program = lower(load(data_dir / "models" / f"{model}.tflite"))
    assert sum(op.macs for op in program.ops) == macs
    for op in program.ops:
        for stream, need in zip(op.inputs, op.needs, strict=True):
            lows, highs = np.array(need).T
            assert np.all(lows[1:] >= lows[:-1])
            assert np.all(highs[1:] >= highs[:-1])
            assert np.all(lows <= highs)
            assert lows[0] >= 0
            assert highs[-1] < program.streams[stream].height


# -- chains that become one operator ---------------------------------------------------------------


def spelled_silu(net: Net) -> int:
    x = net.conv(net.input((1, 2, 2, 3)), 4)
    gate = net.node("logistic", (x,), net.tensor((1, 2, 2, 4), scale=1 / 256, zero=-128))
    return net.node("mul", (x, gate), net.tensor((1, 2, 2, 4)), activation=None)


def test_an_activation_that_is_spelled_out_is_one_table() -> None:
    net = Net()
    program = net.lower(spelled_silu(net))
    assert kinds(program) == [OpKind.CONV, OpKind.LUT]
    graph = net.graph(net.nodes[-1].outputs[0])
    x = np.arange(-128, 128, dtype=np.int8)
    spread = [replace(t, shape=(256,)) if t.data is None else t for t in graph.tensors]
    node, gate = graph.nodes[-1], graph.nodes[-2]
    values = {node.inputs[0]: x}
    values[gate.outputs[0]] = run_node(replace(graph, tensors=tuple(spread)), gate, values)[0]
    wanted = run_node(replace(graph, tensors=tuple(spread)), node, values)[0]
    assert only(program, OpKind.LUT).weights == wanted.tobytes()


def test_what_is_an_output_as_well_keeps_its_operator() -> None:
    net = Net()
    y = spelled_silu(net)
    gate = net.nodes[-2].outputs[0]
    assert kinds(net.lower(y, gate)) == [OpKind.CONV, OpKind.LUT, OpKind.MUL]


def test_a_detour_through_floats_is_one_table() -> None:
    net = Net()
    x = net.conv(net.input((1, 2, 2, 3)), 4)
    real = net.node("dequantize", (x,), net.tensor((1, 2, 2, 4), "float32"))
    turned = net.node("neg", (real,), net.tensor((1, 2, 2, 4), "float32"))
    y = net.node("quantize", (turned,), net.tensor((1, 2, 2, 4)))
    assert kinds(net.lower(y)) == [OpKind.CONV, OpKind.LUT]


def test_floats_that_are_computed_with_are_refused() -> None:
    net = Net()
    x = net.node("dequantize", (net.input((1, 2, 2, 3)),), net.tensor((1, 2, 2, 3), "float32"))
    y = net.node("neg", (x,), net.tensor((1, 2, 2, 3), "float32"))
    with pytest.raises(UnsupportedModel, match=r"'neg1': input 0 \('t1'\) is computed in float"):
        net.lower(y)


def test_an_up_sampling_by_tiles_is_one_gather() -> None:
    net = Net()
    x = net.conv(net.input((1, 2, 3, 4)), 4)
    apart = net.node("reshape", (x,), net.tensor((1, 2, 1, 3, 1, 4)))
    tiled = net.node("tile", (apart,), net.tensor((1, 2, 2, 3, 2, 4)), repeats=(1, 1, 2, 1, 2, 1))
    program = net.lower(net.node("reshape", (tiled,), net.tensor((1, 4, 6, 4))))
    assert kinds(program) == [OpKind.CONV, OpKind.GATHER]
    assert only(program, OpKind.GATHER).needs == (((0, 0), (0, 0), (1, 1), (1, 1)),)
    assert set(program.folded) == {"t3", "t4"}


def test_a_slice_of_everything_is_a_view() -> None:
    net = Net()
    x = net.conv(net.input((1, 2, 3, 4)), 4)
    y = net.node("slice", (x,), net.tensor((1, 2, 3, 4)), begin=(0,) * 4, size=(1, 2, 3, 4),
                 stride=(1,) * 4, dropped=())
    assert kinds(net.lower(y)) == [OpKind.CONV, OpKind.VIEW]


def test_more_parts_than_an_operator_takes_are_joined_in_groups() -> None:
    net = Net()
    program = net.lower(joined(net, *[net.input((1, 2, 2, 3)) for _ in range(20)]))
    assert [len(op.inputs) for op in program.ops if op.kind == OpKind.CONCAT_CHANNELS] == [15, 5, 2]


def test_a_tensor_of_many_batches_may_not_be_computed_with() -> None:
    net = Net()
    x = net.input((1, 4, 4, 2))
    apart = net.node("space_to_batch", (x,), net.tensor((4, 2, 2, 2)), block=(2, 2),
                     padding=((0, 0), (0, 0)))
    y = net.node("relu", (apart,), net.tensor((4, 2, 2, 2)))
    with pytest.raises(UnsupportedModel, match=r"space_to_batch0'.*\(4, 2, 2, 2\)"):
        net.lower(y)


def test_a_long_chain_of_squares_is_one_table() -> None:
    """Each is twice in the next one; nothing is computed twice for it."""
    net = Net()
    x = net.conv(net.input((1, 2, 2, 3)), 4)
    for _ in range(2000):
        x = net.node("mul", (x, x), net.tensor((1, 2, 2, 4)), activation=None)
    assert kinds(net.lower(x)) == [OpKind.CONV, OpKind.LUT]
