# SPDX-License-Identifier: Apache-2.0
"""Quantized ONNX files: within a step of ONNX's own evaluator, and TFLite's bits exactly."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import IMAGE, Node, model, whole

from edgefm.errors import CalibrationWarning, UnsupportedModel
from edgefm.exporters.tflite import export_tflite
from edgefm.importers.onnx import load_onnx
from edgefm.litert.reference import Reference
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph

RNG = np.random.default_rng(5)
SAME = {"pads": [1, 1, 1, 1]}


@pytest.fixture(autouse=True)
def _needs_onnx(need_module: Callable[[str], None]) -> None:
    need_module("onnx")


class Quantized:
    """A file that grows as onnxruntime's quantizer writes one; every method returns a value."""

    def __init__(self, activation: str, weights: str, per_channel: bool, middle: int = 3) -> None:
        self.activation, self.weights, self.per_channel = activation, weights, per_channel
        self.middle = middle
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}

    def name(self, kind: str) -> str:
        return f"{kind}{len(self.nodes)}.{len(self.constants)}"

    def constant(self, data: Array) -> str:
        name = self.name("c")
        self.constants[name] = np.asarray(data)
        return name

    def node(self, op: str, inputs: Sequence[str], output: str = "", **attrs: Any) -> str:
        output = output or self.name(op)
        self.nodes.append((op, inputs, [output], attrs))
        return output

    def scale(self, scale: float, zero: int) -> tuple[str, str]:
        """`zero` is that of int8; uint8 moves it."""
        shift = 128 if self.activation == "uint8" else 0
        return (self.constant(np.float32(scale)),
                self.constant(np.array(zero + shift, self.activation)))

    def pair(self, x: str, scale: float = 0.04, zero: int = 5, output: str = "") -> str:
        names = self.scale(scale, zero)
        return self.node("DequantizeLinear", (self.node("QuantizeLinear", (x, *names)), *names),
                         output)

    def steps(self, *shape: int) -> Array:
        low, high = (-127, 128) if self.weights == "int8" else (0, 256)
        return RNG.integers(low, high, shape).astype(self.weights)

    def linear(self, op: str, x: str, shape: tuple[int, ...], into: float, **attrs: Any) -> str:
        """Conv or Gemm with weights and bias in steps."""
        count = shape[0] if self.per_channel else 1
        scale = RNG.uniform(0.002, 0.004, count).astype(np.float32)
        zero = np.full(count, 0 if self.weights == "int8" else 128 + self.middle, self.weights)
        of_weights = self.constant(scale), self.constant(zero)
        of_bias = self.constant(scale * np.float32(into)), self.constant(np.zeros(count, np.int32))
        bias = RNG.integers(-2000, 2000, shape[0]).astype(np.int32)
        inputs = (x, self.node("DequantizeLinear", (self.constant(self.steps(*shape)), *of_weights),
                               axis=0),
                  self.node("DequantizeLinear", (self.constant(bias), *of_bias), axis=0))
        return self.node(op, inputs, **attrs)


def network(activation: str, weights: str, per_channel: bool) -> bytes:
    """Convolutions (one depthwise), relu6 in float, a sum, pools, a flatten, scores."""
    net = Quantized(activation, weights, per_channel)
    x = net.pair("x", 0.03, 4)
    x = net.pair(net.linear("Conv", x, (8, 4, 3, 3), 0.03, strides=[2, 2], **SAME), 0.02, -128)
    y = net.linear("Conv", x, (8, 1, 3, 3), 0.02, group=8, **SAME)
    y = net.node("Clip", (y, net.constant(np.float32(0)), net.constant(np.float32(6))))
    y = net.pair(y, 6 / 255, -128)
    x = net.pair(net.node("Add", (x, y)), 0.05, -120)
    x = net.pair(net.node("MaxPool", (x,), kernel_shape=[2, 2], strides=[2, 2]), 0.05, -120)
    x = net.pair(net.node("GlobalAveragePool", (x,)), 0.04, -118)
    x = net.pair(net.node("Flatten", (x,)), 0.04, -118)
    x = net.linear("Gemm", x, (5, 8), 0.04, transB=1)
    net.pair(x, 0.03, 7, "y")
    return model(net.nodes, net.constants, opset=19)


def loaded(tmp_path: Path, data: bytes) -> Graph:
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    return load_onnx(path)


def expected(data: bytes, x: Array) -> list[Array]:
    import onnx
    from onnx.reference import ReferenceEvaluator
    made: list[Array] = ReferenceEvaluator(onnx.load_from_string(data)).run(None, {"x": x})
    return made


def channel_last(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def check(tmp_path: Path, data: bytes, step: float, shape: tuple[int, ...] = IMAGE) -> Graph:
    """Within one step of ONNX, and exactly TFLite on our own export."""
    graph = loaded(tmp_path, data)
    x = RNG.standard_normal(shape).astype(np.float32)
    values = run_graph(graph, [channel_last(x)])
    for t, wanted in zip(graph.outputs, expected(data, x), strict=True):
        np.testing.assert_allclose(values[t].astype(np.float64),
                                   channel_last(wanted).astype(np.float64), rtol=0,
                                   atol=1.001 * step)
    with Reference(export_tflite(graph)) as reference:
        for t, wanted in zip(graph.outputs, reference.outputs([channel_last(x)]), strict=True):
            np.testing.assert_array_equal(values[t], wanted)
    return graph


@pytest.mark.parametrize("activation", ["int8", "uint8"])
@pytest.mark.parametrize(("weights", "per_channel"), [("int8", False), ("int8", True),
                                                      ("uint8", False)])
def test_a_quantized_network_gives_onnx_outputs_within_a_step(
        tmp_path: Path, need_module: Callable[[str], None], activation: str, weights: str,
        per_channel: bool) -> None:
    need_module("ai_edge_litert")
    graph = check(tmp_path, network(activation, weights, per_channel), 0.03)
    whole_type = "uint8" if weights == "uint8" else "int8"
    assert {t.dtype for t in graph.tensors} == {"float32", "int32", whole_type}
    assert [n.op for n in graph.nodes if "quantize" in n.op] == ["quantize", "dequantize"]


def test_scales_zero_points_and_steps_are_those_of_the_file(tmp_path: Path) -> None:
    net = Quantized("uint8", "int8", True)
    x = net.pair("x", 0.03, 4)
    net.pair(net.linear("Conv", x, (8, 4, 1, 1), 0.03), 0.02, -11, "y")
    graph = loaded(tmp_path, model(net.nodes, net.constants))
    conv = next(n for n in graph.nodes if n.op == "conv2d")
    entry, weights, bias = (graph.tensors[t] for t in conv.inputs)
    out = graph.tensors[conv.outputs[0]]
    stored = list(net.constants.values())
    assert (entry.scale, entry.zero_point) == (float(np.float32(0.03)), 4)
    assert (out.scale, out.zero_point) == (float(np.float32(0.02)), -11)
    assert weights.data is not None and bias.data is not None and weights.quant is not None
    (steps,) = [c for c in stored if c.shape == (8, 4, 1, 1)]
    np.testing.assert_array_equal(weights.data.reshape(8, 4), steps.reshape(8, 4))
    np.testing.assert_array_equal(bias.data, next(
        c for c in stored if c.dtype == np.int32 and c.any()))
    assert any(np.array_equal(np.array(weights.quant.scale, np.float32), c) for c in stored)


def test_weights_with_a_scale_per_channel_and_zero_points_get_coarser_steps_where_needed(
        tmp_path: Path) -> None:
    net = Quantized("uint8", "uint8", True, 100)
    x = net.pair("x", 0.03, 4)
    net.pair(net.linear("Conv", x, (8, 4, 1, 1), 0.03), 0.05, 0, "y")
    data = model(net.nodes, net.constants, opset=19)
    x = RNG.standard_normal(IMAGE).astype(np.float32)
    graph = loaded(tmp_path, data)
    got = run_graph(graph, [channel_last(x)])[graph.outputs[0]]
    np.testing.assert_allclose(got, channel_last(expected(data, x)[0]), rtol=0, atol=0.15)
    assert {t.dtype for t in graph.tensors} == {"float32", "int32", "int8"}


def squash(net: Quantized, x: str) -> str:
    return net.pair(net.node("Softmax", (x,), axis=1), 1 / 255, -128)


def hard(net: Quantized, x: str) -> str:
    return net.pair(net.node("HardSwish", (x,)), 0.02, -100)


def joined(net: Quantized, x: str) -> str:
    other = net.pair(net.node("Relu", (x,)), 0.02, -128)
    return net.pair(net.node("Concat", (x, other), axis=1), 0.03, -20)


def plus_constant(net: Quantized, x: str) -> str:
    steps = net.constant(np.array([[[9]], [[-3]], [[0]], [[5]]], np.int8))
    data = net.node("DequantizeLinear", (steps, net.constant(np.float32(0.1)),
                                         net.constant(np.int8(2))))
    return net.pair(net.node("Mul", (x, data)), 0.03, 10)


def pooled(net: Quantized, x: str) -> str:
    return net.pair(net.node("AveragePool", (x,), kernel_shape=[3, 3], strides=[2, 2]), 0.03, 3)


def unscaled(net: Quantized, x: str) -> str:
    """A sum that is in float between a product and a scale."""
    product = net.node("Mul", (x, net.constant(np.float32(0.5))))
    return net.pair(net.node("Add", (product, x)), 0.05, 3)


@pytest.mark.parametrize(("tail", "step"), [
    (squash, 1 / 255), (hard, 0.02), (joined, 0.03), (plus_constant, 0.03), (pooled, 0.03),
    (unscaled, 0.05)], ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("activation", ["int8", "uint8"])
def test_an_operator_between_scales_computes_in_8_bits(
        tmp_path: Path, need_module: Callable[[str], None], activation: str,
        tail: Callable[[Quantized, str], str], step: float) -> None:
    need_module("ai_edge_litert")
    net = Quantized(activation, "int8", True)
    net.node("Identity", (tail(net, net.pair("x", 0.03, 4)),), "y")
    graph = check(tmp_path, model(net.nodes, net.constants, opset=19), step)
    assert all(graph.tensors[t].dtype == "int8" for n in graph.nodes for t in n.inputs[:1]
               if n.op != "quantize" and n.op != "dequantize")


def test_an_input_that_is_moved_before_its_scale_takes_that_scale(tmp_path: Path) -> None:
    net = Quantized("int8", "int8", False)
    x = net.pair(net.node("Transpose", ("x",), perm=[0, 2, 3, 1]), 0.03, 4)
    net.pair(net.node("Relu", (x,)), 0.02, -128, "y")
    graph = loaded(tmp_path, model(net.nodes, net.constants))
    assert [n.op for n in graph.nodes] == ["quantize", "relu", "dequantize"]


def test_a_network_with_operators_left_in_float_is_a_float_one(tmp_path: Path) -> None:
    net = Quantized("int8", "int8", False)
    x = net.pair("x", 0.03, 4)
    x = net.linear("Conv", x, (8, 4, 3, 3), 0.03)
    net.pair(net.node("Mul", (x, x)), 0.1, 0, "y")
    with pytest.warns(CalibrationWarning, match="stays in float, with no QuantizeLinear behind it: "
                                                "the file's scales are ignored") as told:
        graph = loaded(tmp_path, model(net.nodes, net.constants))
    assert "\n" not in str(told[0].message) and "net.onnx" in str(told[0].message)
    assert [n.op for n in graph.nodes] == ["conv2d", "mul"] and graph.is_float()
    assert all(t.quant is None for t in graph.tensors)


def test_a_float_network_with_quantized_weights_alone_stays_float(tmp_path: Path) -> None:
    net = Quantized("int8", "int8", True)
    net.node("Relu", (net.linear("Conv", "x", (8, 4, 3, 3), 0.03),), "y")
    graph = loaded(tmp_path, model(net.nodes, net.constants))
    assert graph.is_float() and all(t.quant is None for t in graph.tensors)


def test_constants_of_16_bits_are_refused_with_a_way_out(tmp_path: Path) -> None:
    scale, zero = np.float32(0.1), np.array(3, np.uint16)
    nodes = [("QuantizeLinear", ["x", "s", "z"], ["q"], {}),
             ("DequantizeLinear", ["q", "s", "z"], ["y"], {})]
    with pytest.raises(UnsupportedModel, match="values of uint16; expected int8 or uint8"):
        loaded(tmp_path, model(nodes, {"s": scale, "z": zero}, opset=21))  # type: ignore[dict-item]


def test_a_reshape_that_keeps_the_scale_costs_nothing(tmp_path: Path) -> None:
    net = Quantized("uint8", "int8", False)
    x = net.pair("x", 0.03, 4)
    x = net.pair(net.node("Reshape", (x, net.constant(whole(1, 4, 72)))), 0.03, 4)
    net.pair(net.node("Relu", (x,)), 0.02, -128, "y")
    graph = loaded(tmp_path, model(net.nodes, net.constants))
    assert [n.op for n in graph.nodes].count("quantize") == 1


def test_float_weights_that_the_file_quantizes_itself_are_computed(tmp_path: Path) -> None:
    net = Quantized("int8", "int8", False)
    x = net.pair("x", 0.03, 4)
    real = RNG.standard_normal((8, 4, 1, 1)).astype(np.float32) * 0.1
    weights = net.pair(net.constant(real), 0.004, 0)
    net.pair(net.node("Conv", (x, weights)), 0.02, 0, "y")
    graph = loaded(tmp_path, model(net.nodes, net.constants))
    conv = next(n for n in graph.nodes if n.op == "conv2d")
    steps = graph.tensors[conv.inputs[1]].data
    assert steps is not None
    np.testing.assert_array_equal(steps.reshape(8, 4), np.clip(
        np.rint(real.reshape(8, 4) / np.float64(np.float32(0.004))), -128, 127))
