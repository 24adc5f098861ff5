# SPDX-License-Identifier: Apache-2.0
"""Scratch for MVE kernels: what native/src/kernels/mve can use of the same shapes."""

from pathlib import Path

import numpy as np
import pytest
from networks import Network

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.evaluate.diff import random_inputs
from edgefm.exporters.tflite import export_tflite
from edgefm.kernels.sets import suited
from edgefm.kernels.tile import CHANNEL
from edgefm.network.graph import Graph
from edgefm.network.program import Op, OpKind, Program, Stream
from edgefm.ops import run_graph
from edgefm.runtime import Runtime


def _suited(kind: OpKind, params: tuple[int, ...], channels: int, width: int, scratch: int,
            weight_zero: int = 0) -> Op:
    streams = tuple(Stream(name, 8, width, channels) for name in ("in", "out"))
    head = bytes([128, 127, weight_zero, 2, 0, 0, 0, 0])  # of a requantization table
    program = Program("net", streams, (Op(kind, "op", (0,), (1,), params, head, scratch),))
    return suited(program, "mve").ops[0]


@pytest.mark.parametrize(("kernel", "stride", "dilation", "width", "weight_zero", "scratch"), [
    (3, 1, 1, 112, 0, (11 * 64, 63 * 64)),
    (3, 2, 1, 56, 0, (14 * 64, 118 * 64)),
    (3, 1, 4, 14, 0, (17 * 64, 27 * 64)),
    (3, 1, 1, 2, 0, (11 * 64, 11 * 64)),
    (5, 1, 1, 14, 0, (15 * 128, 25 * 128)),
    (3, 1, 1, 14, 250, (17 * 64, 27 * 64))])
def test_a_depthwise_piece_has_its_weights_and_columns(
        kernel: int, stride: int, dilation: int, width: int, weight_zero: int,
        scratch: tuple[int, int]) -> None:
    params = (kernel, kernel, stride, stride, dilation, dilation, 0, 0, 1)
    op = _suited(OpKind.DEPTHWISE, params, 16, width, 5 * 16, weight_zero)
    assert (op.scratch, op.scratch_most) == scratch


def test_depthwise_keeps_what_other_kernels_need() -> None:
    op = _suited(OpKind.DEPTHWISE, (3, 3, 1, 1, 1, 1, 0, 0, 1), 960, 7, 5 * 960)
    assert op.scratch == op.scratch_most == 5 * 960


@pytest.mark.parametrize(("channels", "scratch"), [
    (3, (4 * 27, 48 * 27)), (16, (2 * 144, 28 * 144)), (64, (2 * 576, 12 * 576))])
def test_windows_are_gathered_and_those_of_many_channels_only_where_there_is_room(
        channels: int, scratch: tuple[int, int]) -> None:
    op = _suited(OpKind.CONV, (3, 3, 1, 1, 1, 1, 0, 0), channels, 9, 2 * 9 * channels)
    assert (op.scratch, op.scratch_most) == scratch


def test_a_window_of_one_pixel_needs_none() -> None:
    op = _suited(OpKind.CONV, (1, 1, 1, 1, 1, 1, 0, 0), 3, 9, 0)
    assert (op.scratch, op.scratch_most) == (0, 0)


@pytest.mark.parametrize(("kernel", "stride", "width", "kind"), [
    (3, 1, 9, OpKind.DEPTHWISE), (3, 2, 9, OpKind.DEPTHWISE), (4, 2, 9, OpKind.DEPTHWISE),
    (4, 1, 9, OpKind.CONV), (5, 2, 9, OpKind.CONV), (3, 2, 3, OpKind.CONV)])
def test_small_windows_of_one_channel_are_depthwise(kernel: int, stride: int, width: int,
                                                    kind: OpKind) -> None:
    weights = np.arange(2 * kernel * kernel, dtype=np.int8)
    streams = Stream("in", 8, stride * width, 1), Stream("out", 8, width, 2)
    params = (kernel, kernel, stride, stride, 1, 1, 0, 0)
    table = bytes([128, 127, 0, 2, 0, 0, 0, 0]) + bytes(2 * CHANNEL.itemsize)
    op = Op(OpKind.CONV, "op", (0,), (1,), params, table + weights.tobytes(), 2 * kernel * kernel)
    suit = suited(Program("net", streams, (op,)), "mve").ops[0]
    assert suit.kind == kind
    if kind == OpKind.DEPTHWISE:
        assert suit.params == (*params, 2)
        assert suit.weights == table + weights.reshape(2, -1).T.tobytes()


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_of_one_channel_gives_the_same_as_a_depthwise_one(tmp_path: Path,
                                                                        stride: int) -> None:
    net = Network(5)
    graph = net.graph(net.conv(net.input(1, 9, 11, 1), 6, stride=stride))
    (tmp_path / "net.tflite").write_bytes(export_tflite(graph))
    _runs_here(tmp_path / "net.tflite", graph)


def test_a_package_for_it_runs_elsewhere_too(tmp_path: Path) -> None:
    net = Network(3)
    x = net.conv(net.input(1, 12, 12, 3), 8, stride=2)
    graph = net.graph(net.conv(net.depthwise(x), 5, kernel=1))
    (tmp_path / "net.tflite").write_bytes(export_tflite(graph))
    _runs_here(tmp_path / "net.tflite", graph)


def _runs_here(model: Path, graph: Graph) -> None:
    package = compile_model(model, CompileOptions(target="cortex-m55")).package
    inputs = random_inputs(graph, 1)
    with Runtime(package) as runtime:
        outputs = runtime.run(inputs).outputs
    assert np.array_equal(outputs[0], run_graph(graph, inputs)[graph.outputs[0]])
