# SPDX-License-Identifier: Apache-2.0
"""Operators that move, reduce or combine values give what ONNX's own evaluator gives."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import Node, floats, model, whole

from edgefm.errors import BadInput
from edgefm.importers.onnx import load_onnx
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph
from edgefm.network.rewrite import fuse
from edgefm.ops import run_graph
from edgefm.ops.quantize import quantized
from edgefm.quantization.calibrate import observe
from edgefm.quantization.recipe import Recipe, integer_graph

IMAGE = (1, 4, 6, 8)


@pytest.fixture(autouse=True)
def _needs_onnx(need_module: Callable[[str], None]) -> None:
    need_module("onnx")


def _last(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def _like(theirs: Array, ours: Array) -> Array:
    """ONNX's values in the order in which the graph gives them."""
    return theirs if theirs.shape == ours.shape else _last(theirs).reshape(ours.shape)


def check(tmp_path: Path, data: bytes) -> Graph:
    """The float graph gives ONNX's values before and after it is fused; its int8 form lowers."""
    import onnx
    from onnx.reference import ReferenceEvaluator
    (tmp_path / "net.onnx").write_bytes(data)
    graph, loaded = load_onnx(tmp_path / "net.onnx"), onnx.load_from_string(data)
    x = floats(*(d.dim_value for d in loaded.graph.input[0].type.tensor_type.shape.dim))
    wanted = ReferenceEvaluator(loaded).run(None, {"x": x})
    for version in (graph, fuse(graph)):
        values = run_graph(version, [_last(x)])
        for t, theirs in zip(version.outputs, wanted, strict=True):
            np.testing.assert_allclose(values[t], _like(theirs, values[t]), rtol=1e-4, atol=1e-5)
    made = integer_graph(fuse(graph), observe(fuse(graph), [_last(x)]), Recipe("minmax"))
    assert lower(made).ops
    values = run_graph(made, [quantized(_last(x), made.tensors[made.inputs[0]])])
    for t, theirs in zip(made.outputs, wanted, strict=True):
        out = made.tensors[t]
        if out.quant is not None:
            real = (values[t].astype(np.float64) - out.zero_point) * out.scale
            span = max(float(np.abs(theirs).max()), 1e-3)
            gap = np.abs(real - _like(theirs, real)).max()
            assert gap < 0.12 * span
    return graph


PADS = whole(0, 0, 1, 2, 0, 0, 2, 1)
CASES: dict[str, tuple[list[Node], dict[str, Any]]] = {
    "slice rows": ([("Slice", ["x", "s", "e", "a", "t"], ["y"], {})],
                   {"s": whole(5, -6), "e": whole(-99, 99), "a": whole(2, 3), "t": whole(-2, 3)}),
    "slice channels": ([("Slice", ["x", "s", "e", "a"], ["y"], {})],
                       {"s": whole(1), "e": whole(3), "a": whole(-3)}),
    "split": ([("Split", ["x", "p"], ["a", "b"], {"axis": 1}),
               ("Concat", ["b", "a"], ["y"], {"axis": 1})], {"p": whole(1, 3)}),
    "split evenly": ([("Split", ["x"], ["a", "b"], {"axis": -1, "num_outputs": 2}),
                      ("Add", ["b", "a"], ["y"], {})], {}),
    "shuffle": ([("Reshape", ["x", "s"], ["a"], {}),
                 ("Transpose", ["a"], ["b"], {"perm": [0, 2, 1, 3, 4]}),
                 ("Reshape", ["b", "t"], ["y"], {})],
                {"s": whole(1, 2, 2, 6, 8), "t": whole(1, 4, 6, 8)}),
    "tile": ([("Tile", ["x", "r"], ["y"], {})], {"r": whole(1, 2, 1, 3)}),
    "expand": ([("ReduceMax", ["x", "a"], ["m"], {}), ("Expand", ["m", "s"], ["y"], {})],
               {"a": whole(1, 2), "s": whole(1, 5, 3, 1)}),
    "gather list": ([("Gather", ["x", "i"], ["y"], {"axis": 1})], {"i": whole(3, 0, -1)}),
    "gather one": ([("Gather", ["x", "i"], ["y"], {"axis": 2})], {"i": np.array(4)}),
    "depth to space": ([("DepthToSpace", ["x"], ["y"], {"blocksize": 2})], {}),
    "depth to space, other order": ([("DepthToSpace", ["x"], ["y"], {
        "blocksize": 2, "mode": "CRD"})], {}),
    "space to depth": ([("SpaceToDepth", ["x"], ["y"], {"blocksize": 2})], {}),
    "pad with a value": ([("Pad", ["x", "p", "v"], ["y"], {})], {"p": PADS, "v": np.float32(0.5)}),
    "pad channels": ([("Pad", ["x", "p"], ["y"], {})], {"p": whole(0, 1, 0, 0, 0, 2, 0, 0)}),
    "pad reflected": ([("Pad", ["x", "p"], ["y"], {"mode": "reflect"})], {"p": PADS}),
    "pad with the edge": ([("Pad", ["x", "p"], ["y"], {"mode": "edge"})], {"p": PADS}),
    "pad with one edge cell": ([("Pad", ["x", "p"], ["y"], {"mode": "edge"})],
                               {"p": whole(0, 0, 1, 1, 0, 0, 1, 1)}),
    "clip": ([("Clip", ["x", "l", "h"], ["y"], {})],
             {"l": np.float32(-0.3), "h": np.float32(0.8)}),
    "clip from below": ([("Clip", ["x", "l"], ["y"], {})], {"l": np.float32(-0.3)}),
    "clip from above": ([("Clip", ["x", "", "h"], ["y"], {})], {"h": np.float32(0.8)}),
    "clip to one": ([("Clip", ["x", "l", "h"], ["y"], {})],
                    {"l": np.float32(0), "h": np.float32(1)}),
    "least of three": ([("Min", ["x", "c", "d"], ["y"], {})],
                       {"c": floats(4, 1, 1), "d": np.float32(0.5)}),
    "most of two": ([("Max", ["x", "c"], ["y"], {})], {"c": np.float32(0.1)}),
    "sum of three": ([("Sum", ["x", "c", "x"], ["y"], {})], {"c": floats(4, 1, 1)}),
    "prelu": ([("PRelu", ["x", "s"], ["y"], {})], {"s": floats(4, 1, 1)}),
    "prelu of one": ([("PRelu", ["x", "s"], ["y"], {})], {"s": np.array([0.25], np.float32)}),
    "square": ([("Pow", ["x", "e"], ["y"], {})], {"e": np.float32(2)}),
    "root": ([("Abs", ["x"], ["a"], {}), ("Pow", ["a", "e"], ["y"], {})], {"e": np.float32(0.5)}),
    "division": ([("Abs", ["x"], ["a"], {}), ("Add", ["a", "c"], ["b"], {}),
                  ("Div", ["x", "b"], ["y"], {})], {"c": np.float32(1)}),
    "elu": ([("Elu", ["x"], ["y"], {})], {}), "tanh": ([("Tanh", ["x"], ["y"], {})], {}),
    "gelu": ([("Gelu", ["x"], ["y"], {})], {}),
    "gelu by tanh": ([("Gelu", ["x"], ["y"], {"approximate": "tanh"})], {}),
    "silu": ([("Sigmoid", ["x"], ["s"], {}), ("Mul", ["x", "s"], ["y"], {})], {}),
    "log softmax": ([("LogSoftmax", ["x"], ["y"], {"axis": 1})], {}),
    "log softmax of the last": ([("LogSoftmax", ["x"], ["y"], {"axis": -1})], {}),
    "unit vectors": ([("LpNormalization", ["x"], ["y"], {"axis": 1})], {}),
    "product of computed matrices": ([
        ("Reshape", ["x", "s"], ["a"], {}), ("Transpose", ["a"], ["b"], {"perm": [0, 2, 1]}),
        ("MatMul", ["b", "a"], ["y"], {})], {"s": whole(1, 24, 8)}),
    "means of rows": ([("ReduceMean", ["x", "a"], ["y"], {"keepdims": 0})], {"a": whole(2)}),
    "means of channels": ([("ReduceMean", ["x", "a"], ["y"], {})], {"a": whole(1)}),
    "sums": ([("ReduceSum", ["x", "a"], ["y"], {"keepdims": 0})], {"a": whole(2, 3)}),
    "least": ([("ReduceMin", ["x", "a"], ["y"], {})], {"a": whole(3)}),
    "global maximum": ([("GlobalMaxPool", ["x"], ["y"], {})], {}),
    "dilated maximum": ([("MaxPool", ["x"], ["y"], {"kernel_shape": [2, 3], "dilations": [2, 2],
                                                    "strides": [1, 2]})], {}),
    "groups": ([("Conv", ["x", "w", "b"], ["y"], {"group": 2, "pads": [1, 1, 1, 1]})],
               {"w": floats(6, 2, 3, 3), "b": floats(6)}),
    "groups, then relu": ([("Conv", ["x", "w"], ["c"], {"group": 2}), ("Relu", ["c"], ["y"], {})],
                          {"w": floats(4, 2, 1, 1)}),
    "constant beside": ([("Concat", ["c", "x", "d", "x"], ["y"], {"axis": 1})],
                        {"c": floats(1, 2, 6, 8), "d": floats(1, 1, 6, 8)}),
    "other ranks": ([("GlobalAveragePool", ["x"], ["g"], {}), ("Reshape", ["g", "s"], ["r"], {}),
                     ("Mul", ["x", "r"], ["y"], {})], {"s": whole(4, 1, 1)}),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_gives_what_onnx_gives(tmp_path: Path, name: str) -> None:
    nodes, constants = CASES[name]
    check(tmp_path, model(nodes, constants, IMAGE, 20))


@pytest.mark.parametrize("attrs", [
    {"strides": [2, 2]}, {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    {"strides": [2, 3], "pads": [0, 1, 1, 0]}, {"dilations": [2, 2], "pads": [1, 1, 1, 1]},
    {"strides": [2, 2], "auto_pad": "SAME_UPPER"}], ids=str)
def test_a_transposed_convolution_gives_what_onnx_gives(tmp_path: Path, attrs: dict[str, Any]
                                                        ) -> None:
    constants = {"w": floats(4, 3, 3, 3), "b": floats(3)}
    check(tmp_path, model([("ConvTranspose", ["x", "w", "b"], ["y"], attrs)], constants,
                          (1, 4, 5, 4)))


def test_groups_of_a_transposed_convolution_are_one_each(tmp_path: Path) -> None:
    w, b, strides = floats(4, 3, 3, 3), floats(6), {"strides": [2, 2]}
    apart: list[Node] = [
        ("Split", ["x"], ["p", "q"], {"axis": 1}),
        ("ConvTranspose", ["p", "w0", "b0"], ["c"], strides),
        ("ConvTranspose", ["q", "w1", "b1"], ["d"], strides),
        ("Concat", ["c", "d"], ["y"], {"axis": 1})]
    halves = {"w0": w[:2], "w1": w[2:], "b0": b[:3], "b1": b[3:]}
    check(tmp_path, model(apart, halves, (1, 4, 5, 4)))
    x, made = floats(1, 5, 4, 4), []
    for nodes, constants in ((apart, halves), ([("ConvTranspose", ["x", "w", "b"], ["y"], {
            **strides, "group": 2})], {"w": w, "b": b})):
        (tmp_path / "net.onnx").write_bytes(model(nodes, constants, (1, 4, 5, 4)))
        graph = load_onnx(tmp_path / "net.onnx")
        made.append(run_graph(graph, [x])[graph.outputs[0]])
    np.testing.assert_allclose(made[1], made[0], rtol=1e-5, atol=1e-6)


def test_negative_pads_cut_off(tmp_path: Path) -> None:
    path, x = tmp_path / "net.onnx", floats(*IMAGE)
    path.write_bytes(model([("Pad", ["x", "p"], ["y"], {})],
                           {"p": whole(0, 0, -1, 2, 0, 0, 1, -3)}, IMAGE))
    graph = load_onnx(path)
    wanted = np.pad(x[:, :, 1:, :-3], ((0, 0), (0, 0), (0, 1), (2, 0)))
    np.testing.assert_array_equal(run_graph(graph, [_last(x)])[graph.outputs[0]], _last(wanted))


@pytest.mark.parametrize("attrs", [{}, {"pads": [1, 2], "strides": [2]}, {"dilations": [2]},
                                   {"group": 4, "pads": [1, 1]}, {"auto_pad": "SAME_LOWER"}],
                         ids=str)
def test_a_convolution_along_one_dimension_gives_what_onnx_gives(tmp_path: Path,
                                                                 attrs: dict[str, Any]) -> None:
    constants = {"w": floats(8, 4 // attrs.get("group", 1), 3), "b": floats(8)}
    check(tmp_path, model([("Conv", ["x", "w", "b"], ["y"], attrs)], constants, (1, 4, 12)))


SCALES = {"two": [1, 1, 2, 2], "three and a half": [1, 1, 3.5, 0.5], "one": [1, 1, 1, 1],
          "down": [1, 1, 0.5, 0.25]}


@pytest.mark.parametrize("where", ["half_pixel", "asymmetric", "align_corners",
                                   "pytorch_half_pixel"])
@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("scales", SCALES)
def test_a_nearest_resize_takes_onnxs_pixels(tmp_path: Path, where: str, rounding: str,
                                             scales: str) -> None:
    attrs = {"mode": "nearest", "coordinate_transformation_mode": where, "nearest_mode": rounding}
    check(tmp_path, model([("Resize", ["x", "", "s"], ["y"], attrs)],
                          {"s": np.array(SCALES[scales], np.float32)}, IMAGE, 13))


@pytest.mark.parametrize("where", ["half_pixel", "asymmetric", "align_corners",
                                   "pytorch_half_pixel"])
@pytest.mark.parametrize("sizes", [(12, 16), (3, 4), (9, 11)], ids=str)
def test_a_linear_resize_gives_what_onnx_gives(tmp_path: Path, where: str, sizes: Sequence[int]
                                               ) -> None:
    attrs = {"mode": "linear", "coordinate_transformation_mode": where}
    check(tmp_path, model([("Resize", ["x", "", "", "s"], ["y"], attrs)],
                          {"s": whole(1, 4, *sizes)}, IMAGE, 13))


def test_an_old_upsample_repeats_pixels(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(model([("Upsample", ["x", "s"], ["y"], {"mode": "nearest"})],
                           {"s": np.array([1, 1, 2, 3], np.float32)}, IMAGE, 9))
    graph, x = load_onnx(path), floats(*IMAGE)
    assert [node.op for node in graph.nodes] == ["resize_nearest"]
    np.testing.assert_array_equal(run_graph(graph, [_last(x)])[graph.outputs[0]],
                                  _last(x.repeat(2, axis=2).repeat(3, axis=3)))


@pytest.mark.parametrize(("op", "name"), [("ArgMax", "argmax"), ("ArgMin", "argmin")])
def test_where_an_extreme_is_comes_without_its_axis(tmp_path: Path, op: str, name: str) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(model([(op, ["x"], ["y"], {"axis": 1})], {}, IMAGE))
    graph, x = load_onnx(path), floats(*IMAGE)
    assert [node.op for node in graph.nodes] == [name]
    made = run_graph(graph, [_last(x)])[graph.outputs[0]]
    np.testing.assert_array_equal(made, getattr(x, name)(axis=1))


HALF, ROOT = np.float32(0.5), np.float32(2 ** 0.5)


@pytest.mark.parametrize("nodes", [
    [("Mul", ["x", "f"], ["g"], {}), ("Mul", ["g", "h"], ["y"], {})],
    [("Mul", ["f", "h"], ["g"], {}), ("Mul", ["x", "g"], ["y"], {})],
    [("Mul", ["x", "h"], ["g"], {}), ("Mul", ["g", "f"], ["y"], {})]], ids=["1", "2", "3"])
@pytest.mark.parametrize("inner", [("Div", ROOT), ("Mul", 1 / ROOT)], ids=["divided", "scaled"])
def test_a_gelu_spelled_out_is_one(tmp_path: Path, nodes: list[Node], inner: tuple[str, Any]
                                   ) -> None:
    before: list[Node] = [(inner[0], ["x", "r"], ["d"], {}), ("Erf", ["d"], ["e"], {}),
                          ("Add", ["o", "e"], ["f"], {})]
    constants = {"r": np.float32(inner[1]), "o": np.float32(1), "h": HALF}
    graph = fuse(check(tmp_path, model([*before, *nodes], constants, IMAGE)))
    assert [node.op for node in graph.nodes] == ["gelu"]


@pytest.mark.parametrize(("nodes", "constants"), [
    ([("Slice", ["x", "s", "e", "a"], ["y"], {})],
     {"s": whole(3), "e": whole(3), "a": whole(1)}),
    ([("Slice", ["x", "s", "e", "a", "t"], ["y"], {})],
     {"s": whole(0), "e": whole(3), "a": whole(1), "t": whole(0)}),
    ([("Split", ["x", "p"], ["y", "z"], {"axis": 1})], {"p": whole(1, 9)}),
    ([("Tile", ["x", "r"], ["y"], {})], {"r": whole(1, 2)}),
    ([("Tile", ["x", "r"], ["y"], {})], {"r": whole(1, 1 << 20, 1 << 20, 1)}),
    ([("Gather", ["x", "i"], ["y"], {"axis": 1})], {"i": whole(9)}),
    ([("DepthToSpace", ["x"], ["y"], {"blocksize": 3})], {}),
    ([("SpaceToDepth", ["x"], ["y"], {"blocksize": 5})], {}),
    ([("Pad", ["x", "p"], ["y"], {})], {"p": whole(0, 0, -9, 0, 0, 0, 0, 0)}),
    ([("Pad", ["x", "p"], ["y"], {"mode": "reflect"})], {"p": whole(0, 0, 9, 0, 0, 0, 0, 0)}),
    ([("Resize", ["x", "", "s"], ["y"], {})], {"s": np.array([1, 1, np.nan, 2], np.float32)}),
    ([("Resize", ["x", "", "s"], ["y"], {})], {"s": np.array([1, 1, 1e9, 1e9], np.float32)}),
    ([("Resize", ["x", "", "s"], ["y"], {})], {"s": np.array([1, 2, 1, 1], np.float32)}),
    ([("Clip", ["x", "l", "h"], ["y"], {})], {"l": np.float32(2), "h": np.float32(1)}),
    ([("ConvTranspose", ["x", "w"], ["y"], {})], {"w": floats(3, 2, 2, 2)}),
    ([("ConvTranspose", ["x", "w"], ["y"], {"pads": [9, 9, 9, 9]})], {"w": floats(4, 2, 2, 2)}),
])
def test_what_cannot_be_is_one_error_line(tmp_path: Path, nodes: list[Node],
                                          constants: dict[str, Any]) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes, constants, IMAGE))
    with pytest.raises(BadInput) as caught:
        load_onnx(path)
    assert "\n" not in str(caught.value) and "net.onnx" in str(caught.value)
