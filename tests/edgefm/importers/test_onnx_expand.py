# SPDX-License-Identifier: Apache-2.0
"""Composite operators give what ONNX's evaluator gives, or what their plain spelling gives."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import Node, model

from edgefm.importers.onnx import load_onnx
from edgefm.importers.onnx_build import Call
from edgefm.importers.onnx_expand import EXPANDED, spelled_out
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph

RNG = np.random.default_rng(3)
SHAPE = (1, 4, 6, 5)
MICROSOFT = {"domain": "com.microsoft"}
SCALES: dict[str, Array] = {
    "xs": np.array(0.03, np.float32), "xz": np.array(120, np.uint8),
    "ys": np.array(0.04, np.float32), "yz": np.array(130, np.uint8),
    "ws": np.array(0.004, np.float32), "wz": np.array(0, np.int8)}


@pytest.fixture(autouse=True)
def _needs_onnx(need_module: Callable[[str], None]) -> None:
    need_module("onnx")


def loaded(tmp_path: Path, nodes: Sequence[Node], constants: dict[str, Array],
           shape: tuple[int, ...] = SHAPE) -> tuple[Graph, bytes]:
    import onnx
    from onnx import helper
    made = onnx.load_from_string(model(nodes, constants, shape, opset=19))
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    return load_onnx(path), made.SerializeToString()


def values(graph: Graph, x: Array) -> Array:
    given = x.transpose(0, 2, 3, 1) if x.ndim == 4 else x
    made = run_graph(graph, [np.ascontiguousarray(given)])[graph.outputs[0]]
    return made.transpose(0, 3, 1, 2) if made.ndim == 4 else made


def expected(data: bytes, x: Array) -> Array:
    import onnx
    from onnx.reference import ReferenceEvaluator
    result: Array = ReferenceEvaluator(onnx.load_from_string(data)).run(None, {"x": x})[0]
    return result


ENTER: Node = ("QuantizeLinear", ["x", "xs", "xz"], ["q"], {})
LEAVE: Node = ("DequantizeLinear", ["r", "ys", "yz"], ["y"], {})


def test_qlinear_conv_gives_onnx_outputs_within_a_step(tmp_path: Path) -> None:
    constants = {**SCALES, "w": RNG.integers(-127, 128, (3, 4, 3, 3)).astype(np.int8),
                 "b": RNG.integers(-900, 900, 3).astype(np.int32)}
    node: Node = ("QLinearConv", ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["r"],
                  {"pads": [1, 1, 1, 1]})
    graph, data = loaded(tmp_path, [ENTER, node, LEAVE], constants)
    x = RNG.standard_normal(SHAPE).astype(np.float32)
    np.testing.assert_allclose(values(graph, x), expected(data, x), rtol=0, atol=0.0401)
    assert [n.op for n in graph.nodes] == ["quantize", "conv2d", "dequantize"]


def test_qlinear_matmul_gives_onnx_outputs_within_a_step(tmp_path: Path) -> None:
    constants = {**SCALES, "w": RNG.integers(-127, 128, (8, 3)).astype(np.int8)}
    node: Node = ("QLinearMatMul", ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["r"], {})
    graph, data = loaded(tmp_path, [ENTER, node, LEAVE], constants, (1, 8))
    x = RNG.standard_normal((1, 8)).astype(np.float32)
    np.testing.assert_allclose(values(graph, x), expected(data, x), rtol=0, atol=0.0401)


def test_what_moves_quantized_values_stays_on_their_scale(tmp_path: Path) -> None:
    nodes: list[Node] = [ENTER, ("MaxPool", ["q"], ["m"], {"kernel_shape": [2, 2]}),
                         ("Transpose", ["m"], ["t"], {"perm": [0, 1, 3, 2]}),
                         ("DequantizeLinear", ["t", "xs", "xz"], ["y"], {})]
    graph, _ = loaded(tmp_path, nodes, SCALES)
    assert [n.op for n in graph.nodes] == ["quantize", "max_pool", "transpose", "dequantize"]
    assert {t.quant for t in graph.tensors if t.dtype == "int8"} == {
        graph.tensors[graph.nodes[0].outputs[0]].quant}


@pytest.mark.parametrize(("op", "inputs", "attrs", "plain"), [
    ("QLinearAdd", ["q", "xs", "xz", "q", "xs", "xz", "ys", "yz"], {}, ("Add", ["d", "d"])),
    ("QLinearMul", ["q", "xs", "xz", "q", "xs", "xz", "ys", "yz"], {}, ("Mul", ["d", "d"])),
    ("QLinearSigmoid", ["q", "xs", "xz", "ys", "yz"], {}, ("Sigmoid", ["d"])),
    ("QLinearLeakyRelu", ["q", "xs", "xz", "ys", "yz"], {"alpha": 0.25}, ("LeakyRelu", ["d"])),
    ("QLinearSoftmax", ["q", "xs", "xz", "ys", "yz"], {"axis": -1, "opset": 13},
     ("Softmax", ["d"])),
    ("QLinearGlobalAveragePool", ["q", "xs", "xz", "ys", "yz"], {"channels_last": 0},
     ("GlobalAveragePool", ["d"])),
    ("QLinearAveragePool", ["q", "xs", "xz", "ys", "yz"], {"kernel_shape": [2, 2]},
     ("AveragePool", ["d"])),
    ("QLinearConcat", ["ys", "yz", "q", "xs", "xz", "q", "xs", "xz"], {"axis": 1},
     ("Concat", ["d", "d"]))])
def test_an_operator_of_onnxruntime_equals_its_plain_spelling(
        tmp_path: Path, op: str, inputs: list[str], attrs: dict[str, Any],
        plain: tuple[str, list[str]]) -> None:
    fused, _ = loaded(tmp_path, [ENTER, (op, inputs, ["r"], {**attrs, **MICROSOFT}), LEAVE], SCALES)
    kept = {name: v for name, v in attrs.items() if name not in ("opset", "channels_last")}
    spelled, _ = loaded(tmp_path, [
        ENTER, ("DequantizeLinear", ["q", "xs", "xz"], ["d"], {}),
        (plain[0], plain[1], ["f"], kept), ("QuantizeLinear", ["f", "ys", "yz"], ["r"], {}),
        LEAVE], SCALES)
    x = RNG.standard_normal(SHAPE).astype(np.float32)
    np.testing.assert_array_equal(values(fused, x), values(spelled, x))


@pytest.mark.parametrize("biased", [True, False])
def test_qgemm_equals_its_plain_spelling(tmp_path: Path, biased: bool) -> None:
    constants = {**SCALES, "w": RNG.integers(-127, 128, (3, 8)).astype(np.int8),
                 "b": RNG.integers(-900, 900, 3).astype(np.int32)}
    inputs = ["q", "xs", "xz", "w", "ws", "wz", "b" if biased else "", "ys", "yz"]
    graph, _ = loaded(tmp_path, [ENTER, ("QGemm", inputs, ["r"], {"transB": 1, **MICROSOFT}),
                                 LEAVE], constants, (1, 8))
    x = RNG.standard_normal((1, 8)).astype(np.float32)
    real = np.clip(np.rint(x / 0.03), -120, 135) * 0.03
    wanted = real @ (constants["w"].T * 0.004) + biased * constants["b"] * (0.03 * 0.004)
    np.testing.assert_allclose(values(graph, x), np.clip(wanted, -5.2, 5.0), rtol=0, atol=0.0401)


def test_dynamic_quantization_is_the_float_network_with_its_weights(tmp_path: Path) -> None:
    weights = RNG.integers(0, 256, (3, 4, 3, 3)).astype(np.uint8)
    nodes: list[Node] = [
        ("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], {}),
        ("ConvInteger", ["q", "w", "z", "wz"], ["i"], {}), ("Cast", ["i"], ["c"], {"to": 1}),
        ("Mul", ["s", "ws"], ["k"], {}), ("Mul", ["c", "k"], ["y"], {})]
    graph, data = loaded(tmp_path, nodes, {
        "w": weights, "wz": np.array(100, np.uint8), "ws": SCALES["ws"]})
    x = RNG.standard_normal(SHAPE).astype(np.float32)
    assert graph.is_float()
    np.testing.assert_allclose(values(graph, x), expected(data, x), rtol=0, atol=0.3)


@pytest.mark.parametrize(("activation", "params", "ops"), [
    ("Relu", [], ["conv2d", "relu"]), ("Clip", [0.0, 6.0], ["conv2d", "relu6"]),
    ("LeakyRelu", [0.25], ["conv2d", "leaky_relu"])])
def test_a_fused_convolution_is_taken_apart(tmp_path: Path, activation: str, params: list[float],
                                            ops: list[str]) -> None:
    attrs = {"activation": activation, "activation_params": params, **MICROSOFT}
    if not params:
        del attrs["activation_params"]
    constants = {"w": RNG.standard_normal((3, 4, 1, 1)).astype(np.float32)}
    graph, _ = loaded(tmp_path, [("FusedConv", ["x", "w"], ["y"], attrs)], constants)
    assert [n.op for n in graph.nodes] == ops


@pytest.mark.parametrize("op", sorted(EXPANDED))
def test_too_few_inputs_leave_a_call_as_it_is(op: str) -> None:
    call = Call(op, "n", (), (), {})
    assert [made.op for made in spelled_out([call])] == [op]


def test_made_names_meet_none_of_the_file() -> None:
    calls = [Call("QuantizeLinear", "n", ("x", "s", "z"), ("q",), {}),
             Call("Relu", "n", ("q",), ("y",), {}),
             Call("Relu", "n", ("y",), ("y/DequantizeLinear",), {})]
    outputs = [name for call in spelled_out(calls) for name in call.outputs]
    assert len(set(outputs)) == len(outputs) == 4
