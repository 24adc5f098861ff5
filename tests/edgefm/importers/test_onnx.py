# SPDX-License-Identifier: Apache-2.0
"""Every ONNX operator against ONNX's own evaluator, and every way a file can be unusable."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_models import IMAGE, RNG, Node, floats, model, whole

from edgefm.errors import BadInput, MissingTool, UnsupportedModel
from edgefm.importers.onnx import load_onnx
from edgefm.network.graph import Array, Graph
from edgefm.network.rewrite import fuse
from edgefm.ops import run_graph


@pytest.fixture(autouse=True)
def _needs_onnx(need_module: Callable[[str], None]) -> None:
    need_module("onnx")


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    return path


def channel_last(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x


def check(tmp_path: Path, data: bytes, *, last: bool = True) -> Graph:
    """Import, run, fuse, run, and compare both with ONNX's evaluator."""
    import onnx
    from onnx.reference import ReferenceEvaluator
    graph = load_onnx(write(tmp_path, data))
    loaded = onnx.load_from_string(data)
    dims = [d.dim_value or 1 for d in loaded.graph.input[0].type.tensor_type.shape.dim]
    x = floats(*dims)
    expected = ReferenceEvaluator(loaded).run(None, {"x": x})
    for version in (graph, fuse(graph)):
        given = x.reshape(version.tensors[version.inputs[0]].shape) if not last else channel_last(x)
        values = run_graph(version, [given])
        for t, wanted in zip(version.outputs, expected, strict=True):
            np.testing.assert_allclose(values[t], channel_last(wanted) if last else wanted,
                                       rtol=1e-4, atol=1e-5)
            assert version.tensors[t].shape == values[t].shape
    return graph


@pytest.mark.parametrize("attrs", [
    {}, {"pads": [1, 1, 1, 1]}, {"pads": [0, 1, 2, 0], "strides": [2, 1]},
    {"dilations": [2, 2], "pads": [2, 2, 2, 2]}, {"strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, {"auto_pad": "SAME_LOWER", "strides": [2, 3]},
    {"auto_pad": "VALID"}], ids=str)
@pytest.mark.parametrize("biased", [True, False])
def test_convolution_equals_onnx(tmp_path: Path, attrs: dict[str, Any], biased: bool) -> None:
    names = ["x", "w", "b"] if biased else ["x", "w"]
    constants = {"w": floats(5, 4, 3, 3), "b": floats(5)}
    graph = check(tmp_path, model([("Conv", names, ["y"], attrs)],
                                  {name: constants[name] for name in names[1:]}))
    assert [node.op for node in graph.nodes] == ["conv2d"]
    assert graph.tensors[graph.nodes[0].inputs[1]].shape == (5, 3, 3, 4)


@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_convolution_equals_onnx(tmp_path: Path, multiplier: int) -> None:
    constants = {"w": floats(4 * multiplier, 1, 3, 3), "b": floats(4 * multiplier)}
    graph = check(tmp_path, model(
        [("Conv", ["x", "w", "b"], ["y"], {"group": 4, "pads": [1, 1, 1, 1]})], constants))
    assert graph.nodes[0].op == "depthwise_conv2d"
    assert graph.nodes[0].attrs["multiplier"] == multiplier
    assert graph.tensors[graph.nodes[0].inputs[1]].shape == (1, 3, 3, 4 * multiplier)


@pytest.mark.parametrize("size", [(7, 7), (8, 8), (9, 8), (6, 11)])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1]], ids=str)
def test_max_pool_with_ceil_mode_has_torchs_shape_and_values(
        tmp_path: Path, size: tuple[int, int], pads: list[int]) -> None:
    attrs = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "pads": pads}
    graph = load_onnx(write(tmp_path, model([("MaxPool", ["x"], ["y"], attrs)], {}, (1, 2, *size))))
    x = floats(1, *size, 2)
    y = run_graph(graph, [x])[graph.outputs[0]][0]
    starts = [[s for s in range(-pads[0], n, 2) if s == -pads[0] or s < n
               if s + 3 - n - pads[0] < 2] for n in size]
    expected = [[x[0, max(r, 0):r + 3, max(c, 0):c + 3].max(axis=(0, 1)) for c in starts[1]]
                for r in starts[0]]
    np.testing.assert_array_equal(y, np.array(expected))


def test_max_pool_with_ceil_mode_drops_a_window_that_starts_in_the_padding(tmp_path: Path) -> None:
    attrs = {"kernel_shape": [1, 2], "strides": [1, 2], "ceil_mode": 1, "pads": [0, 1, 0, 1]}
    graph = load_onnx(write(tmp_path, model([("MaxPool", ["x"], ["y"], attrs)], {}, (1, 1, 1, 3))))
    assert graph.tensors[graph.outputs[0]].shape == (1, 1, 2, 1)
    x = np.array([5, 1, 2], np.float32).reshape(1, 1, 3, 1)
    assert run_graph(graph, [x])[graph.outputs[0]].ravel().tolist() == [5, 2]


@pytest.mark.parametrize("attrs", [
    {"kernel_shape": [3, 2], "strides": [2, 1]},
    {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "pads": [1, 0, 1, 2], "count_include_pad": 1},
    {"kernel_shape": [2, 2], "count_include_pad": 1}], ids=str)
def test_average_pool_equals_onnx(tmp_path: Path, attrs: dict[str, Any]) -> None:
    check(tmp_path, model([("AveragePool", ["x"], ["y"], attrs)], {}))


def pooled(x: Array, attrs: dict[str, Any], average: bool) -> Array:
    """A pool as torch and onnxruntime define it, window by window, on a map [H, W].

    A window starts in the map or the padding before it, and the one before it has not yet reached
    the end of the padding. It is cut off at that end: the cells that remain are those that count.
    """
    (top, left, bottom, right), (kh, kw) = attrs["pads"], attrs["kernel_shape"]
    (sh, sw), ceil = attrs["strides"], attrs.get("ceil_mode", 0)
    height, width = x.shape

    def starts(size: int, kernel: int, stride: int, before: int, after: int) -> list[int]:
        found = [-before]
        while found[-1] + stride + kernel <= size + after or (
                ceil and found[-1] + kernel < size + after and found[-1] + stride < size):
            found.append(found[-1] + stride)
        return found

    def one(row: int, column: int) -> float:
        cells = [(r, c) for r in range(row, min(row + kh, height + bottom))
                 for c in range(column, min(column + kw, width + right))]
        inside = [float(x[r, c]) for r, c in cells if 0 <= r < height and 0 <= c < width]
        if not average:
            return max(inside)
        return sum(inside) / len(cells if attrs.get("count_include_pad", 0) else inside)

    return np.array([[one(r, c) for c in starts(width, kw, sw, left, right)]
                     for r in starts(height, kh, sh, top, bottom)])


@settings(max_examples=150, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(op=st.sampled_from(["AveragePool", "MaxPool"]), ceil=st.integers(0, 1),
       counted=st.integers(0, 1), opset=st.sampled_from([10, 13, 19]),
       size=st.tuples(*[st.integers(3, 13)] * 2), kernel=st.tuples(*[st.integers(1, 3)] * 2),
       stride=st.tuples(*[st.integers(1, 5)] * 2), pads=st.tuples(*[st.integers(0, 2)] * 4))
def test_pools_equal_their_rule(tmp_path: Path, op: str, ceil: int, counted: int, opset: int,
                                size: tuple[int, int], kernel: tuple[int, int],
                                stride: tuple[int, int], pads: tuple[int, ...]) -> None:
    attrs: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "ceil_mode": ceil,
                             "pads": [min(p, k - 1) for p, k in zip(pads, kernel * 2, strict=True)]}
    if op == "AveragePool":
        attrs["count_include_pad"] = counted
    graph = load_onnx(write(tmp_path, model([(op, ["x"], ["y"], attrs)], {}, (1, 1, *size), opset)))
    x = floats(1, *size, 1)
    y = run_graph(graph, [x])[graph.outputs[0]][0, :, :, 0]
    np.testing.assert_allclose(y, pooled(x[0, :, :, 0], attrs, op == "AveragePool"), rtol=1e-5,
                               atol=1e-6)


def test_a_counted_average_drops_a_window_that_starts_in_the_padding_after_the_map(
        tmp_path: Path) -> None:
    attrs = {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1,
             "count_include_pad": 1}
    graph = load_onnx(write(tmp_path, model([("AveragePool", ["x"], ["y"], attrs)], {},
                                            (1, 4, 10, 11), 19)))
    assert graph.tensors[graph.outputs[0]].shape == (1, 4, 4, 4)


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_a_counted_average_finds_its_own_padding(tmp_path: Path, auto: str) -> None:
    """Seven rows by threes need two rows of padding, one row before and one after; six columns by
    twos need one column."""
    pads = {"SAME_UPPER": [1, 0, 1, 1], "SAME_LOWER": [1, 1, 1, 0], "VALID": [0] * 4}[auto]
    attrs = {"kernel_shape": [3, 3], "strides": [3, 2], "count_include_pad": 1}
    graph = load_onnx(write(tmp_path, model(
        [("AveragePool", ["x"], ["y"], {**attrs, "auto_pad": auto})], {}, (1, 1, 7, 6))))
    x = floats(1, 7, 6, 1)
    y = run_graph(graph, [x])[graph.outputs[0]][0, :, :, 0]
    expected = pooled(x[0, :, :, 0], {**attrs, "pads": pads}, average=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("attrs", [{}, {"count_include_pad": 1}], ids=str)
def test_a_pool_with_windows_of_padding_alone_is_refused(tmp_path: Path, attrs: dict[str, Any]
                                                         ) -> None:
    with pytest.raises(UnsupportedModel, match=r"leaves windows \(2, 2\) empty"):
        load_onnx(write(tmp_path, model([("AveragePool", ["x"], ["y"], {
            "kernel_shape": [2, 2], "pads": [0, 0, 2, 0], **attrs})], {})))


@pytest.mark.parametrize("declared", ["no shape", "no type", "another shape"])
def test_what_a_file_says_about_its_outputs_is_not_needed(tmp_path: Path, declared: str) -> None:
    import onnx
    loaded = onnx.load_from_string(model([("Relu", ["x"], ["r"], {}), ("Relu", ["r"], ["y"], {})],
                                         {}, outputs=("y", "r")))
    for value in loaded.graph.output:
        kind = value.type.tensor_type
        if declared == "another shape":
            kind.shape.dim[0].dim_value = 77
        else:
            kind.ClearField("shape") if declared == "no shape" else value.ClearField("type")
    graph = load_onnx(write(tmp_path, loaded.SerializeToString()))
    assert [graph.tensors[t].shape for t in graph.outputs] == [(1, 9, 8, 4)] * 2


def test_average_pool_with_ceil_mode_counts_only_cells_inside(tmp_path: Path) -> None:
    attrs = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
    graph = load_onnx(write(tmp_path, model([("AveragePool", ["x"], ["y"], attrs)], {},
                                            (1, 1, 3, 3))))
    x = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    assert run_graph(graph, [x])[graph.outputs[0]].ravel().tolist() == [2, 3.5, 6.5, 8]


@pytest.mark.parametrize(("nodes", "constants", "op"), [
    ([("Relu", ["x"], ["y"], {})], {}, "relu"),
    ([("Sigmoid", ["x"], ["y"], {})], {}, "logistic"),
    ([("Clip", ["x", "lo", "hi"], ["y"], {})], {"lo": np.float32(0), "hi": np.float32(6)}, "relu6"),
    ([("Clip", ["x", "lo"], ["y"], {})], {"lo": np.float32(0)}, "relu"),
    ([("HardSwish", ["x"], ["y"], {})], {}, "hard_swish"),
    ([("LeakyRelu", ["x"], ["y"], {})], {}, "leaky_relu"),
    ([("LeakyRelu", ["x"], ["y"], {"alpha": 0.3})], {}, "leaky_relu"),
    ([("HardSigmoid", ["x"], ["y"], {})], {}, "mul"),
    ([("HardSigmoid", ["x"], ["y"], {"alpha": 1 / 6})], {}, "mul"),
    ([("HardSigmoid", ["x"], ["y"], {"alpha": -0.7, "beta": 0.1})], {}, "mul"),
    ([("HardSigmoid", ["x"], ["y"], {"alpha": 0.0, "beta": 3.0})], {}, "mul"),
    ([("GlobalAveragePool", ["x"], ["y"], {})], {}, "mean"),
    ([("ReduceMean", ["x"], ["y"], {"axes": [2, 3], "keepdims": 1})], {}, "mean"),
    ([("Softmax", ["x"], ["y"], {"axis": 1})], {}, "softmax"),
    ([("Pad", ["x", "p"], ["y"], {})], {"p": whole(0, 0, 1, 2, 0, 1, 0, 3)}, "pad"),
    ([("Add", ["x", "c"], ["y"], {})], {"c": floats(4, 1, 1)}, "add"),
    ([("Sub", ["c", "x"], ["y"], {})], {"c": floats(1, 4, 9, 8)}, "sub"),
    ([("Mul", ["x", "x"], ["y"], {})], {}, "mul"),
    ([("Div", ["x", "c"], ["y"], {})], {"c": np.float32(3)}, "mul"),
    ([("Concat", ["x", "x", "c"], ["y"], {"axis": -2})], {"c": floats(1, 4, 1, 8)}, "add"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_operator_equals_onnx(tmp_path: Path, nodes: list[Node], constants: dict[str, Array],
                              op: str) -> None:
    assert check(tmp_path, model(nodes, constants, opset=14)).nodes[-1].op == op


def test_hard_sigmoid_folds_into_the_convolution_before_it(tmp_path: Path) -> None:
    constants = {"w": floats(5, 4, 3, 3), "b": floats(5)}
    data = model([("Conv", ["x", "w", "b"], ["c"], {}), ("HardSigmoid", ["c"], ["h"], {}),
                  ("Mul", ["c", "h"], ["y"], {})], constants)
    gated = check(tmp_path, data)
    assert [node.op for node in gated.nodes] == ["conv2d", "mul", "add", "relu6", "mul", "mul"]
    data = model([("Conv", ["x", "w", "b"], ["c"], {}), ("HardSigmoid", ["c"], ["y"], {})],
                 constants)
    assert [(n.op, n.attrs["activation"]) for n in fuse(check(tmp_path, data)).nodes] == [
        ("conv2d", "relu6"), ("mul", None)]


def test_clip_with_limits_as_attributes_is_relu6(tmp_path: Path) -> None:
    data = model([("Clip", ["x"], ["y"], {"min": 0.0, "max": 6.0})], {}, opset=10)
    assert check(tmp_path, data).nodes[0].op == "relu6"


def test_batch_normalization_folds_into_the_convolution(tmp_path: Path) -> None:
    constants = {"w": floats(5, 4, 3, 3), "s": floats(5), "t": floats(5), "m": floats(5),
                 "v": np.abs(floats(5))}
    data = model([("Conv", ["x", "w"], ["c"], {}),
                  ("BatchNormalization", ["c", "s", "t", "m", "v"], ["n"], {"epsilon": 1e-3}),
                  ("Relu", ["n"], ["y"], {})], constants, opset=15)
    graph = check(tmp_path, data)
    assert [(n.op, n.attrs["activation"]) for n in fuse(graph).nodes] == [("conv2d", "relu")]


def test_flatten_of_a_map_reorders_the_weights_after_it(tmp_path: Path) -> None:
    data = model([("Flatten", ["x"], ["f"], {}), ("Relu", ["f"], ["r"], {}),
                  ("Gemm", ["f", "w", "b"], ["y"], {"transB": 1, "alpha": 0.5, "beta": 2.0})],
                 {"w": floats(3, 4 * 9 * 8), "b": floats(3)})
    graph = check(tmp_path, data)
    assert "transpose" in [node.op for node in graph.nodes]
    assert [node.op for node in fuse(graph).nodes] == ["reshape", "fully_connected"]


def test_torchs_computed_flatten_is_folded(tmp_path: Path) -> None:
    data = model(
        [("GlobalAveragePool", ["x"], ["g"], {}), ("Shape", ["g"], ["s"], {}),
         ("Gather", ["s", "zero"], ["batch"], {"axis": 0}),
         ("Unsqueeze", ["batch", "axes"], ["b1"], {}),
         ("Concat", ["b1", "minus"], ["to"], {"axis": 0}), ("Reshape", ["g", "to"], ["f"], {}),
         ("Dropout", ["f"], ["d"], {}), ("MatMul", ["d", "w"], ["m"], {}),
         ("Add", ["m", "b"], ["y"], {})],
        {"zero": np.array(0, np.int64), "axes": whole(0), "minus": whole(-1),
         "w": floats(4, 7), "b": floats(7)}, ("N", 4, 9, 8))
    graph = check(tmp_path, data)
    assert graph.tensors[graph.outputs[0]].shape == (1, 7)
    assert [node.op for node in fuse(graph).nodes] == ["mean", "reshape", "fully_connected"]


@pytest.mark.parametrize(("nodes", "constants"), [
    ([("Transpose", ["x"], ["y"], {"perm": [0, 2, 3, 1]})], {}),
    ([("Transpose", ["x"], ["t"], {"perm": [0, 2, 1, 3]}),
      ("Reshape", ["t", "to"], ["y"], {})], {"to": whole(1, 36, -1)}),
    ([("Reshape", ["x", "to"], ["y"], {})], {"to": whole(0, 2, 18, 8)}),
    ([("ReduceMean", ["x"], ["m"], {"axes": [3], "keepdims": 0}),
      ("Unsqueeze", ["m", "axes"], ["u"], {}), ("Squeeze", ["u", "axes"], ["y"], {})],
     {"axes": whole(1)}),
    ([("ReduceMean", ["x"], ["m"], {"axes": [2, 3]}), ("Squeeze", ["m"], ["y"], {})], {}),
    ([("Flatten", ["x"], ["y"], {"axis": 2})], {}),
], ids=["channel last", "transposed", "image", "means", "squeeze", "flatten 2"])
def test_order_of_elements_survives_reshapes(tmp_path: Path, nodes: list[Node],
                                             constants: dict[str, Array]) -> None:
    import onnx
    from onnx.reference import ReferenceEvaluator
    data = model(nodes, constants)
    graph = load_onnx(write(tmp_path, data))
    x = floats(*IMAGE)
    expected = ReferenceEvaluator(onnx.load_from_string(data)).run(None, {"x": x})[0]
    for version in (graph, fuse(graph)):
        y = run_graph(version, [channel_last(x)])[version.outputs[0]]
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_channel_last_input_is_kept_when_it_is_only_transposed(tmp_path: Path) -> None:
    data = model([("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]}),
                  ("Conv", ["t", "w"], ["y"], {})], {"w": floats(2, 3, 1, 1)}, (1, 5, 6, 3))
    graph = load_onnx(write(tmp_path, data))
    assert graph.tensors[graph.inputs[0]].shape == (1, 5, 6, 3)
    assert [node.op for node in graph.nodes] == ["conv2d"]


REFUSED: list[tuple[str, list[Node], dict[str, Array], str]] = [
    ("unknown operator", [("Asin", ["x"], ["y"], {})], {}, "no operator Asin"),
    ("cubic", [("Resize", ["x", "", "s"], ["y"], {"mode": "cubic"})],
     {"s": np.array([1, 1, 2, 2], np.float32)}, "expected nearest or linear"),
    ("odd scale", [("Resize", ["x", "", "s"], ["y"], {"mode": "linear"})],
     {"s": np.array([1, 1, 1.3, 1.3], np.float32)}, "do not give whole pixels"),
    ("computed weights", [("Conv", ["x", "x"], ["y"], {})], {}, "expected a constant"),
    ("dilated pool", [("MaxPool", ["x"], ["y"], {"kernel_shape": [2, 2], "dilations": [2, 2],
                                                 "pads": [1, 1, 1, 1]})], {}, "dilated"),
    ("power", [("Pow", ["x", "e"], ["y"], {})], {"e": np.float32(0.3)}, "exponent 0.3"),
    ("indices", [("MaxPool", ["x"], ["y", "i"], {"kernel_shape": [2, 2]})], {}, "positions"),
    ("pad value", [("Pad", ["x", "p", "v"], ["y"], {})],
     {"p": whole(0, 0, 1, 1, 0, 0, 1, 1), "v": np.float32(-np.inf)}, "expected constant with a"),
    ("transposed activation", [("Flatten", ["x"], ["f"], {}),
                               ("Gemm", ["f", "w"], ["y"], {"transA": 1})],
     {"w": floats(1, 3)}, "transA"),
    ("whole weights", [("Conv", ["x", "w"], ["y"], {})], {"w": np.zeros((1, 4, 1, 1), np.int32)},
     "int32"),
    ("gather", [("Gather", ["x", "i"], ["y"], {})], {"i": whole(0).reshape(1, 1)},
     "expected one whole number or a list"),
    ("constant output", [("Relu", ["x"], ["r"], {}), ("Identity", ["c"], ["y"], {})],
     {"c": floats(3)}, "does not depend on an input"),
]


@pytest.mark.parametrize(("nodes", "constants", "text"), [case[1:] for case in REFUSED],
                         ids=[case[0] for case in REFUSED])
def test_unsupported_model_is_named_in_one_line(tmp_path: Path, nodes: list[Node],
                                                constants: dict[str, Array], text: str) -> None:
    with pytest.raises(UnsupportedModel, match=text) as caught:
        load_onnx(write(tmp_path, model(nodes, constants)))
    assert str(tmp_path / "net.onnx") in str(caught.value)
    assert "\n" not in str(caught.value) and "'y'" in str(caught.value)


@pytest.mark.parametrize(("domain", "op", "text"), [
    ("com.microsoft", "QLinearWhere", "quantized already: expected the float model"),
    ("com.microsoft", "QLinearConv", "quantized already: expected the float model"),
    ("com.microsoft", "FusedMatMul", "expected the file before that"),
    ("", "Foo", "no operator Foo$"), ("", "Fo\no", r"no operator 'Fo\\no'$"),
    ("some.where", "Relu", r"no operator some\.where\.Relu$")])
def test_an_unknown_operator_comes_with_a_way_out_where_there_is_one(
        tmp_path: Path, domain: str, op: str, text: str) -> None:
    with pytest.raises(UnsupportedModel, match=text):
        load_onnx(write(tmp_path, model([(op, ["x"], ["y"], {"domain": domain})], {})))


def with_opsets(data: bytes, *opsets: tuple[str, int]) -> bytes:
    """The same file for these versions of operator sets."""
    import onnx
    from onnx import helper
    loaded = onnx.load_from_string(data)
    del loaded.opset_import[:]
    loaded.opset_import.extend(helper.make_opsetid(*one) for one in opsets)
    return bytes(loaded.SerializeToString())


@pytest.mark.parametrize(("opsets", "text"), [
    ([("", 99)], r"ONNX opset 99; expected 7\.\.\d+ "), ([("", 6)], "ONNX opset 6; expected 7"),
    ([("", 0)], "ONNX opset 0; expected 7"), ([("", 1 << 40)], "ONNX opset 1099511627776; "),
    ([("", 13), ("ai.onnx", 99)], "ONNX opset 99"), ([], "ONNX opset 1; expected 7"),
    ([("com.microsoft", 1)], r"imports no opset of ONNX's own operators; expected 7\.\.")])
def test_an_opset_whose_rules_are_not_known_is_refused(
        tmp_path: Path, opsets: list[tuple[str, int]], text: str) -> None:
    data = with_opsets(model([("Relu", ["x"], ["y"], {})], {}), *opsets)
    with pytest.raises(UnsupportedModel, match=text):
        load_onnx(write(tmp_path, data))


@pytest.mark.parametrize("opset", [7, 13, 28])
def test_opsets_from_the_oldest_to_the_newest_are_read(tmp_path: Path, opset: int) -> None:
    need = pytest.importorskip("onnx").defs.onnx_opset_version()
    if opset > need:
        pytest.skip(f"the installed onnx knows opsets to {need}; a newer one knows {opset}")
    data = with_opsets(model([("Relu", ["x"], ["y"], {})], {}), ("", opset), ("other.domain", 3))
    assert load_onnx(write(tmp_path, data)).nodes[0].op == "relu"


WRONG: list[tuple[str, list[Node], dict[str, Array]]] = [
    ("channels", [("Conv", ["x", "w"], ["y"], {})], {"w": floats(2, 3, 1, 1)}),
    ("window", [("Conv", ["x", "w"], ["y"], {})], {"w": floats(2, 4, 10, 1)}),
    ("bias", [("Conv", ["x", "w", "b"], ["y"], {})], {"w": floats(2, 4, 1, 1), "b": floats(3)}),
    ("stride", [("Conv", ["x", "w"], ["y"], {"strides": [0, 1]})], {"w": floats(2, 4, 1, 1)}),
    ("pads", [("Conv", ["x", "w"], ["y"], {"pads": [1, 1]})], {"w": floats(2, 4, 1, 1)}),
    ("reshape", [("Reshape", ["x", "to"], ["y"], {})], {"to": whole(5, -1)}),
    ("matrix", [("Flatten", ["x"], ["f"], {}), ("Gemm", ["f", "w"], ["y"], {})],
     {"w": floats(3, 5)}),
    ("axis", [("Concat", ["x", "x"], ["y"], {"axis": 7})], {}),
    ("slope", [("LeakyRelu", ["x"], ["y"], {"alpha": float("nan")})], {}),
    ("line", [("HardSigmoid", ["x"], ["y"], {"beta": float("inf")})], {}),
    ("shapes", [("Add", ["x", "c"], ["y"], {})], {"c": floats(3)}),
    ("division", [("Div", ["x", "c"], ["y"], {})], {"c": np.zeros((1,), np.float32)}),
    ("variance", [("BatchNormalization", ["x", *"stmv"], ["y"], {})],
     {name: np.full(4, -1, np.float32) for name in "stmv"}),
    ("constant", [("Gather", ["c", "i"], ["s"], {}), ("Reshape", ["x", "s"], ["y"], {})],
     {"c": whole(1), "i": whole(9)}),
]


@pytest.mark.parametrize(("nodes", "constants"), [case[1:] for case in WRONG],
                         ids=[case[0] for case in WRONG])
def test_contradictory_model_is_one_error_line(tmp_path: Path, nodes: list[Node],
                                               constants: dict[str, Array]) -> None:
    with pytest.raises(BadInput, match=r"net\.onnx: \w+ 'the_\w+' \(tensor '\w+'\): .") as caught:
        load_onnx(write(tmp_path, model(nodes, constants)))
    assert "\n" not in str(caught.value)


def test_names_are_made_distinct(tmp_path: Path) -> None:
    """The importer's own names may be there already, and outputs may be one tensor."""
    long = "q" * 4000  # the file may have names of at most 4,096
    data = model([("Conv", ["x", "w"], ["a"], {}),
                  ("Transpose", ["a"], ["b"], {"perm": [0, 2, 3, 1]}),
                  ("Relu", ["b"], ["a/order0123"], {}), ("Flatten", ["a"], ["f"], {}),
                  ("Relu", ["f"], [f"{long}1"], {}), ("Relu", [f"{long}1"], [f"{long}2"], {}),
                  ("Identity", [f"{long}2"], ["y"], {}), ("Identity", ["y"], ["z"], {})],
                 {"w": floats(2, 4, 1, 1)}, outputs=("y", "z"))
    graph = check(tmp_path, data)
    for version in (graph, fuse(graph)):
        names = [tensor.name for tensor in version.tensors]
        assert len(set(names)) == len(names) and max(map(len, names)) < 1100
        assert len(set(version.outputs)) == 2
    assert max(len(node.name) for node in graph.nodes) < 1100


@pytest.mark.parametrize(("shape", "remedy"), [
    ((2, 4, 9, 8), "batch 2.*--input-shape 1,4,9,8$"), ((1, 4, "H", "W"), "-shape 1,4,[?],[?] "),
    ((1, 4, 0, 8), "--input-shape 1,4,[?],8 with numbers")], ids=str)
def test_an_input_that_leaves_sizes_open_says_how_to_give_them(
        tmp_path: Path, shape: Sequence[int | str], remedy: str) -> None:
    path = write(tmp_path, model([("Relu", ["x"], ["y"], {})], {}, shape))
    with pytest.raises(UnsupportedModel, match=f"input 'x': .*{remedy}"):
        load_onnx(path)
    graph = load_onnx(path, (1, 4, 9, 8))
    assert graph.tensors[graph.inputs[0]].shape == (1, 9, 8, 4)


@pytest.mark.parametrize("given", [(1, 3, 9, 8), (2, 4, 9, 8), (1, 4, 9), (4, 9, 8)], ids=str)
def test_a_given_shape_that_contradicts_the_file_is_refused(tmp_path: Path, given: tuple[int, ...]
                                                            ) -> None:
    path = write(tmp_path, model([("Relu", ["x"], ["y"], {})], {}, (1, 4, "H", "W")))
    with pytest.raises(BadInput, match="got the input shape .*, expected 1,4,[?],[?]$"):
        load_onnx(path, given)


def test_a_reshape_that_names_the_files_batch_is_for_one(tmp_path: Path) -> None:
    path = write(tmp_path, model([("Reshape", ["x", "s"], ["y"], {})], {"s": whole(4, -1)},
                                 (4, 4, 3, 2)))
    graph = load_onnx(path, (1, 4, 3, 2))
    assert graph.tensors[graph.outputs[0]].shape == (1, 24)


@pytest.mark.parametrize("width", [np.float16, np.float64])
def test_real_numbers_of_any_width_are_float32(tmp_path: Path, width: type) -> None:
    import onnx
    from onnx import helper
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(width))
    weights = floats(2, 4, 1, 1).astype(width)
    made = onnx.load_from_string(model(
        [("Cast", ["x"], ["c"], {"to": kind}), ("Conv", ["c", "w"], ["r"], {}),
         ("Cast", ["r"], ["y"], {"to": 1})], {"w": weights}))
    made.graph.input[0].type.tensor_type.elem_type = kind
    graph = load_onnx(write(tmp_path, made.SerializeToString()))
    assert [node.op for node in graph.nodes] == ["conv2d"]
    assert {tensor.dtype for tensor in graph.tensors} == {"float32"}
    np.testing.assert_array_equal(graph.tensors[graph.nodes[0].inputs[1]].data,
                                  weights.transpose(0, 2, 3, 1).astype(np.float32))


def test_an_input_that_nothing_reads_is_left_out(tmp_path: Path) -> None:
    import onnx
    made = onnx.load_from_string(model([("Relu", ["x"], ["y"], {})], {}))
    made.graph.input.add().CopyFrom(made.graph.input[0])
    made.graph.input[1].name = "extra"
    graph = load_onnx(write(tmp_path, made.SerializeToString()))
    assert [graph.tensors[t].name for t in graph.inputs] == ["x"]


def test_pixels_that_are_cast_are_real_numbers(tmp_path: Path) -> None:
    import onnx
    made = onnx.load_from_string(model([("Cast", ["x"], ["r"], {"to": 1}),
                                        ("Conv", ["r", "w"], ["y"], {})],
                                       {"w": floats(2, 4, 1, 1)}))
    made.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    graph = load_onnx(write(tmp_path, made.SerializeToString()))
    entry = graph.tensors[graph.inputs[0]]
    assert (entry.dtype, entry.scale, entry.zero_point) == ("uint8", 1.0, 0)
    assert graph.is_float() and graph.nodes[0].op == "dequantize"


def test_broken_files_are_one_error_line(tmp_path: Path) -> None:
    data = model([("Conv", ["x", "w"], ["r"], {}), ("Relu", ["r"], ["y"], {})],
                 {"w": floats(2, 4, 1, 1)})
    for end in range(0, len(data)):
        try:
            load_onnx(write(tmp_path, data[:end]))
        except BadInput as error:
            assert "\n" not in str(error) and "net.onnx" in str(error)
        else:
            pytest.fail(f"{end} of {len(data)} bytes were taken for a model")


def test_changed_bytes_never_crash_the_importer(tmp_path: Path) -> None:
    data = model([("Conv", ["x", "w"], ["r"], {"pads": [1, 1, 1, 1]}),
                  ("Flatten", ["r"], ["f"], {}), ("Gemm", ["f", "v"], ["y"], {})],
                 {"w": floats(1, 4, 3, 3), "v": floats(72, 2)})
    refused = 0
    for at in RNG.choice(len(data), 400):
        changed = bytearray(data)
        changed[at] ^= int(RNG.integers(1, 256))
        try:
            load_onnx(write(tmp_path, bytes(changed)))
        except BadInput as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 50


def test_missing_file_is_one_error_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent\.onnx: no such file"):
        load_onnx(tmp_path / "absent.onnx")


def test_missing_package_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                ) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingTool, match=r"edgefm\[onnx\]"):
        load_onnx(tmp_path / "net.onnx")


def test_squeezenet_equals_onnx(data_dir: Path) -> None:
    import onnx
    from onnx.reference import ReferenceEvaluator
    path = data_dir / "models" / "squeezenet1_1_torchvision.onnx"
    graph = fuse(load_onnx(path))
    x = floats(1, 3, 224, 224)
    expected = ReferenceEvaluator(onnx.load(str(path))).run(None, {"input": x})[0]
    values = run_graph(graph, [channel_last(x)])[graph.outputs[0]]
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-4)
    assert len(graph.nodes) == 39
