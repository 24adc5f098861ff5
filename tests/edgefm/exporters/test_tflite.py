# SPDX-License-Identifier: Apache-2.0
"""Every operator through the exporter and back, and what TFLite's reference makes of the file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.exporters.tflite import export_tflite
from edgefm.importers.tflite import load_tflite, parse_tflite
from edgefm.network.graph import Array, Graph, Node, Quant, Tensor

RNG = np.random.default_rng(7)
ZERO = {"int8": -3, "uint8": 120}
IMAGE = (1, 9, 8, 6)
WINDOW = {"stride": (2, 1), "dilation": (1, 1), "padding": ((1, 1), (1, 1)), "activation": "relu6"}
POOL = {"kernel": (3, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "activation": None}
DETECTION = {"max_detections": 5, "max_classes_per_detection": 1, "detections_per_class": 7,
             "num_classes": 3, "nms_score_threshold": 0.25, "nms_iou_threshold": 0.6,
             "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0,
             "use_regular_nms": False}


def edge(name: str, shape: tuple[int, ...], dtype: str, scale: float = 0.5,
         zero: int | None = None) -> Tensor:
    """A computed tensor, quantized when its type is of one byte."""
    if dtype not in ZERO:
        return Tensor(name, shape, dtype)
    zero = ZERO[dtype] if zero is None else zero
    return Tensor(name, shape, dtype, Quant((float(np.float32(scale)),), (zero,)))


def weights(name: str, shape: tuple[int, ...], dtype: str, axis: int) -> Tensor:
    """Constant weights: int8 per channel, uint8 with a zero point, or float32."""
    if dtype == "float32":
        return Tensor(name, shape, dtype, data=RNG.standard_normal(shape).astype("float32"))
    if dtype == "uint8":
        data = RNG.integers(0, 256, shape).astype("uint8")
        return Tensor(name, shape, dtype, Quant((0.0078125,), (131,)), data)
    count = shape[axis]
    scales = tuple(np.linspace(0.01, 0.02, count, dtype="float32").tolist())
    data = RNG.integers(-127, 128, shape).astype("int8")
    return Tensor(name, shape, dtype, Quant(scales, (0,) * count, axis), data)


def bias(count: int, dtype: str) -> Tensor:
    """A bias without a scale: the exporter knows it."""
    kind = "float32" if dtype == "float32" else "int32"
    return Tensor("bias", (count,), kind, data=RNG.integers(-90, 90, count).astype(kind))


def graph(op: str, ins: list[Tensor | None], outs: list[Tensor], **attrs: Any) -> Graph:
    """One node; constants and maps among `ins`, None for a left-out bias."""
    tensors = [t for t in ins if t is not None] + outs
    places = iter(range(len(tensors)))
    inputs = tuple(-1 if t is None else next(places) for t in ins)
    outputs = tuple(places)
    return Graph("net", tuple(tensors), (Node(op, outs[0].name, inputs, outputs, attrs),),
                 tuple(t for t in inputs if t >= 0 and tensors[t].data is None), outputs)


def conv(dtype: str, **changes: Any) -> Graph:
    attrs = WINDOW | changes
    return graph("conv2d", [edge("x", IMAGE, dtype), weights("w", (4, 3, 3, 6), dtype, 0),
                            bias(4, dtype)], [edge("y", (1, 5, 8, 4), dtype, 0.75)], **attrs)


def unary(op: str, dtype: str, shape: tuple[int, ...], out: tuple[int, ...], **attrs: Any) -> Graph:
    probability = op in ("softmax", "logistic") and dtype in ZERO
    scale, zero = (1 / 256, -128 if dtype == "int8" else 0) if probability else (0.5, None)
    return graph(op, [edge("x", shape, dtype)], [edge("y", out, dtype, scale, zero)], **attrs)


def two(op: str, dtype: str, second: tuple[int, ...] = IMAGE) -> Graph:
    return graph(op, [edge("a", IMAGE, dtype), edge("b", second, dtype, 0.25)],
                 [edge("y", IMAGE, dtype, 0.8)], activation="relu")


def pair(op: str, dtype: str, second: tuple[int, ...], **attrs: Any) -> Graph:
    return graph(op, [edge("a", IMAGE, dtype), edge("b", second, dtype)],
                 [edge("y", IMAGE, dtype)], **attrs)


def detection(dtype: str) -> Graph:
    """Anchors are positive: TFLite refuses boxes that are inside out."""
    low = {"int8": -128, "uint8": 0}.get(dtype, 0)
    quant = Quant((0.0078125,), (low,)) if dtype in ZERO else None
    anchors = Tensor("anchors", (12, 4), dtype, quant,
                     (RNG.integers(40, 90, (12, 4)) + low).astype(dtype))
    ends = [edge(n, s, "float32") for n, s in (("boxes", (1, 5, 4)), ("classes", (1, 5)),
                                               ("scores", (1, 5)), ("count", (1,)))]
    return graph("detection_postprocess", [edge("x", (1, 12, 4), dtype, 0.05),
                                           edge("s", (1, 12, 4), dtype, 1 / 256), anchors],
                 ends, **DETECTION)


CASES: dict[str, Callable[[str], Graph]] = {
    "conv2d": conv,
    "conv2d_dilated": lambda d: graph(
        "conv2d", [edge("x", IMAGE, d), weights("w", (4, 3, 3, 6), d, 0), bias(4, d)],
        [edge("y", (1, 5, 4, 4), d)], **WINDOW | {
            "stride": (1, 1), "dilation": (2, 2), "padding": ((0, 0), (0, 0))}),
    "depthwise": lambda d: graph(
        "depthwise_conv2d", [edge("x", IMAGE, d), weights("w", (1, 3, 3, 12), d, 3), bias(12, d)],
        [edge("y", (1, 5, 8, 12), d)], **WINDOW | {"multiplier": 2}),
    "fully_connected": lambda d: graph(
        "fully_connected", [edge("x", (2, 5, 6), d), weights("w", (4, 6), d, 0), bias(4, d)],
        [edge("y", (10, 4), d)], activation="relu_n1_to_1", keep_dims=False),
    "fully_connected_keeps": lambda d: graph(
        "fully_connected", [edge("x", (1, 5, 6), d), weights("w", (4, 6), d, 0), None],
        [edge("y", (1, 5, 4), d)], activation=None, keep_dims=True),
    "add": lambda d: two("add", d),
    "add_broadcast": lambda d: two("add", d, (1, 1, 1, 6)),
    "sub": lambda d: two("sub", d),
    "mul": lambda d: two("mul", d, (6,)),
    "concat": lambda d: graph("concat", [edge("a", IMAGE, d), edge("b", (1, 9, 8, 2), d)],
                              [edge("y", (1, 9, 8, 8), d)], axis=3),
    "average_pool": lambda d: unary("average_pool", d, IMAGE, (1, 4, 4, 6), **POOL),
    "max_pool": lambda d: unary("max_pool", d, IMAGE, (1, 5, 4, 6), **POOL | {
        "padding": ((1, 1), (0, 0))}),
    "mean": lambda d: unary("mean", d, IMAGE, (1, 6), axes=(1, 2), keep_dims=False),
    "mean_keeps": lambda d: unary("mean", d, IMAGE, (1, 9, 8, 1), axes=(3,), keep_dims=True),
    "sum": lambda d: unary("sum", d, IMAGE, (1, 9, 6), axes=(2,), keep_dims=False),
    "reduce_max": lambda d: unary("reduce_max", d, IMAGE, (1, 1, 8, 1), axes=(1, 3),
                                  keep_dims=True),
    "reduce_min": lambda d: unary("reduce_min", d, IMAGE, (1, 9, 8), axes=(3,), keep_dims=False),
    "log_softmax": lambda d: graph("log_softmax", [edge("x", (1, 10), d)], [
        edge("y", (1, 10), d, 1 / 16, {"int8": 127, "uint8": 255}.get(d))]),
    "l2_normalization": lambda d: graph("l2_normalization", [edge("x", (1, 10), d)], [
        edge("y", (1, 10), d, 1 / 128, {"int8": 0, "uint8": 128}.get(d))]),
    "batch_matmul": lambda d: graph("batch_matmul", [
        edge("a", (1, 3, 4, 5), d), edge("b", (1, 1, 6, 5), d)], [edge("y", (1, 3, 4, 6), d)],
        adj_x=False, adj_y=True),
    "softmax": lambda d: unary("softmax", d, (1, 10), (1, 10), beta=1.5),
    "logistic": lambda d: unary("logistic", d, IMAGE, IMAGE),
    "relu": lambda d: unary("relu", d, IMAGE, IMAGE),
    "relu6": lambda d: unary("relu6", d, IMAGE, IMAGE),
    "hard_swish": lambda d: unary("hard_swish", d, IMAGE, IMAGE),
    "leaky_relu": lambda d: unary("leaky_relu", d, IMAGE, IMAGE, alpha=0.25),
    "gelu": lambda d: unary("gelu", d, IMAGE, IMAGE, approximate=True),
    "relu_n1_to_1": lambda d: unary("relu_n1_to_1", d, IMAGE, IMAGE),
    "tanh": lambda d: unary("tanh", d, IMAGE, IMAGE),
    "maximum": lambda d: pair("maximum", d, (1, 9, 1, 6)),
    "prelu": lambda d: pair("prelu", d, (1, 1, 6)),
    "minimum": lambda d: pair("minimum", d, IMAGE),
    "reshape": lambda d: unary("reshape", d, IMAGE, (1, 72, 6)),
    "pad": lambda d: unary("pad", d, IMAGE, (1, 12, 8, 6),
                           padding=((0, 0), (1, 2), (0, 0), (0, 0))),
    "transpose": lambda d: unary("transpose", d, IMAGE, (1, 6, 9, 8), perm=(0, 3, 1, 2)),
    "pad_with": lambda d: unary("pad_with", d, IMAGE, (1, 9, 8, 9), value=7,
                                padding=((0, 0), (0, 0), (0, 0), (1, 2))),
    "mirror_pad": lambda d: unary("mirror_pad", d, IMAGE, (1, 12, 8, 6), reflect=True,
                                  padding=((0, 0), (1, 2), (0, 0), (0, 0))),
    "slice": lambda d: unary("slice", d, IMAGE, (9, 3, 2), begin=(0, 8, 1, 3), size=(1, 9, 3, 2),
                             stride=(1, -1, 2, 1), dropped=(0,)),
    "tile": lambda d: unary("tile", d, IMAGE, (1, 18, 8, 6), repeats=(1, 2, 1, 1)),
    "gather": lambda d: unary("gather", d, IMAGE, (1, 9, 8, 3), axis=3, indices=(5, 0, 2)),
    "depth_to_space": lambda d: unary("depth_to_space", d, (1, 3, 5, 8), (1, 6, 10, 2), block=2),
    "space_to_depth": lambda d: unary("space_to_depth", d, (1, 6, 10, 2), (1, 3, 5, 8), block=2),
    "pack": lambda d: graph("pack", [edge("a", (1, 9, 6), d), edge("b", (1, 9, 6), d)],
                            [edge("y", (1, 9, 2, 6), d)], axis=2),
    "resize_bilinear": lambda d: unary("resize_bilinear", d, IMAGE, (1, 17, 5, 6),
                                       align_corners=True, half_pixel_centers=False),
    "resize_nearest": lambda d: unary("resize_nearest", d, IMAGE, (1, 18, 4, 6),
                                      align_corners=False, half_pixel_centers=True),
    "quantize": lambda d: graph("quantize", [edge("x", IMAGE, d)],
                                [edge("y", IMAGE, "int8" if d == "float32" else d, 0.3, 5)]),
    "dequantize": lambda d: graph("dequantize", [edge("x", IMAGE, "int8" if d == "float32" else d)],
                                  [edge("y", IMAGE, "float32")]),
    "argmax": lambda d: graph("argmax", [edge("x", IMAGE, d)], [edge("y", (1, 9, 8), "int64")],
                              axis=3),
    "argmin": lambda d: graph("argmin", [edge("x", IMAGE, d)], [edge("y", (1, 9, 8), "int32")],
                              axis=3),
    "detection": detection,
}


def same(a: Graph, b: Graph) -> bool:
    """Equal nodes, ends, and every tensor that a node touches."""
    def nodes(g: Graph) -> list[tuple[Any, ...]]:
        return [(n.op, n.name, n.inputs, n.outputs, dict(n.attrs)) for n in g.nodes]

    def edges(g: Graph) -> list[tuple[Any, ...]]:
        used = sorted({t for n in g.nodes for t in (*n.inputs, *n.outputs)} - {-1})
        return [(t.name, t.shape, t.dtype, t.data is None or t.data.tobytes())
                for t in (g.tensors[i] for i in used)]

    return nodes(a) == nodes(b) and edges(a) == edges(b) and (a.inputs, a.outputs) == (
        b.inputs, b.outputs)


def sample(tensor: Tensor) -> Array:
    """Random values of the tensor's type and shape."""
    if tensor.dtype == "float32":
        return RNG.standard_normal(tensor.shape).astype("float32")
    limits = np.iinfo(tensor.dtype)
    return RNG.integers(limits.min, limits.max + 1, tensor.shape).astype(tensor.dtype)


def reference(data: bytes, feeds: dict[int, Array]) -> Any:
    """TFLite's reference kernels after one run; every tensor can be read."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    runner = Interpreter(model_content=data, experimental_preserve_all_tensors=True,
                         experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    runner.allocate_tensors()
    for index, value in feeds.items():
        runner.set_tensor(index, value)
    runner.invoke()
    return runner


@pytest.mark.parametrize("dtype", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_every_operator_survives_the_round_trip(case: str, dtype: str) -> None:
    before = CASES[case](dtype)
    after = parse_tflite(export_tflite(before), "net.tflite")
    assert same(before, after)
    for x, y in zip(before.tensors, after.tensors, strict=False):
        assert y.quant == x.quant or x.name == "bias"
    assert same(after, parse_tflite(export_tflite(after), "net.tflite"))


@pytest.mark.parametrize(("case", "dtype"), [
    (case, dtype) for case in CASES for dtype in ("int8", "uint8", "float32")
    if (case, dtype) not in (("detection", "int8"), ("batch_matmul", "uint8"))])  # without kernels
def test_reference_kernels_run_every_operator(case: str, dtype: str,
                                              need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    net = CASES[case](dtype)
    runner = reference(export_tflite(net), {i: sample(net.tensors[i]) for i in net.inputs})
    for index in net.outputs:
        value = runner.get_tensor(index)
        assert value.dtype == net.tensors[index].dtype
        assert value.shape == net.tensors[index].shape


def test_bias_gets_input_scale_times_weight_scale() -> None:
    after = parse_tflite(export_tflite(conv("int8")), "net.tflite")
    w, b = after.tensors[1].quant, after.tensors[2].quant
    assert w is not None and b is not None and b.axis == 0 and b.zero_point == (0,) * 4
    assert b.scale == tuple(float(np.float32(0.5) * np.float32(s)) for s in w.scale)


def test_convolution_without_a_bias_gets_one_of_zeros() -> None:
    net = graph("conv2d", [edge("x", IMAGE, "int8"), weights("w", (4, 3, 3, 6), "int8", 0), None],
                [edge("y", (1, 5, 8, 4), "int8")], **WINDOW)
    after = parse_tflite(export_tflite(net), "net.tflite")
    made = after.tensors[after.nodes[0].inputs[2]]
    assert made.data is not None and made.data.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("stride", "padding", "height"), [
    ((1, 1), ((1, 1), (1, 1)), 9), ((1, 1), ((0, 0), (0, 0)), 7), ((2, 2), ((1, 1), (1, 1)), 5)])
def test_paddings_that_tflite_can_name_need_no_pad(
        stride: tuple[int, int], padding: tuple[tuple[int, int], ...], height: int) -> None:
    x = edge("x", (1, 9, 9, 6), "int8")
    net = graph("conv2d", [x, weights("w", (4, 3, 3, 6), "int8", 0), None],
                [edge("y", (1, height, height, 4), "int8")],
                **WINDOW | {"stride": stride, "padding": padding})
    after = parse_tflite(export_tflite(net), "net.tflite")
    assert [n.op for n in after.nodes] == ["conv2d"]
    assert after.nodes[0].attrs["padding"] == padding


def torch_like(dtype: str, op: str) -> Graph:
    """Stride 2 and one cell before on an even size: neither SAME nor VALID."""
    attrs = WINDOW | {"stride": (2, 2), "padding": ((1, 1), (1, 1)), "activation": None}
    x, y = edge("x", (1, 8, 8, 6), dtype), edge("y", (1, 4, 4, 6), dtype, 40.0)
    if op == "conv2d":
        w = weights("w", (6, 3, 3, 6), dtype, 0)
        return graph(op, [x, w, bias(6, dtype)], [y], **attrs)
    return graph(op, [x], [replace(y, quant=x.quant)], kernel=(3, 3), **attrs)


def test_other_paddings_become_a_pad_of_the_cells_that_are_read() -> None:
    after = parse_tflite(export_tflite(torch_like("int8", "conv2d")), "net.tflite")
    assert [n.op for n in after.nodes] == ["pad", "conv2d"]
    assert after.nodes[0].attrs["padding"] == ((0, 0), (1, 0), (1, 0), (0, 0))
    padded = after.tensors[after.nodes[0].outputs[0]]
    assert padded.quant == after.tensors[0].quant and padded.shape == (1, 9, 9, 6)


def test_inserted_pad_computes_what_the_padding_says(need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    net = torch_like("float32", "conv2d")
    x = sample(net.tensors[0])
    w, b = net.tensors[1].data, net.tensors[2].data
    assert w is not None and b is not None
    wide = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.stack([[np.tensordot(w, wide[0, 2 * r:2 * r + 3, 2 * c:2 * c + 3], 3) + b
                          for c in range(4)] for r in range(4)])[None]
    made = reference(export_tflite(net), {0: x}).get_tensor(3)
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)


def test_quantized_pad_is_the_zero_point(need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    net = torch_like("uint8", "conv2d")
    made = reference(export_tflite(net), {0: np.full((1, 8, 8, 6), ZERO["uint8"], "uint8")})
    value = made.get_tensor(3)
    assert (value == value[0, 3, 3]).all()  # a real 0 everywhere: the border sees no difference


def test_max_pool_is_padded_only_where_the_zero_point_is_the_lowest_value() -> None:
    net = torch_like("uint8", "max_pool")
    with pytest.raises(UnsupportedModel, match=r"max_pool 'y': TFLite cannot express padding"):
        export_tflite(net)
    quant = Quant((0.5,), (0,))
    lowest = replace(net, tensors=tuple(replace(t, quant=quant) for t in net.tensors))
    after = parse_tflite(export_tflite(lowest), "net.tflite")
    assert [n.op for n in after.nodes] == ["pad", "max_pool"]


def test_average_pool_is_never_padded_with_cells_that_count() -> None:
    with pytest.raises(UnsupportedModel, match=r"average_pool 'y'"):
        export_tflite(torch_like("uint8", "average_pool"))


def test_tensor_that_nothing_reads_keeps_its_place_without_data() -> None:
    net = conv("int8")
    spare = Tensor("spare", (3,), "string")
    unread = weights("unread", (5, 2), "int8", 0)
    after = parse_tflite(export_tflite(replace(net, tensors=(*net.tensors, spare, unread))), "n")
    assert [t.name for t in after.tensors[4:]] == ["spare", "unread"]
    assert after.tensors[5].data is None and same(net, after)


def test_graph_that_contradicts_itself_is_refused() -> None:
    net = conv("int8")
    wrong = replace(net.tensors[3], shape=(1, 4, 8, 4))
    with pytest.raises(BadInput, match=r"layer 0 \(conv2d 'y'\): output 'y' has shape"):
        export_tflite(replace(net, tensors=(*net.tensors[:3], wrong)))


@pytest.mark.parametrize("name", [
    "ad01_int8", "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29", "kws_ref_model",
    "mobilenet_v1_0.25_128_quant", "mobilenet_v1_0.25_224_float", "person_detect_patched",
    "pretrainedResnet_quant", "tf2_mobilenet_v2_1.0_224_ptq", "vww_96_int8"])
def test_exported_real_model_computes_every_tensor_alike(
        name: str, data_dir: Path, need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    path = data_dir / "models" / f"{name}.tflite"
    net = load_tflite(path)
    again = export_tflite(net)
    assert same(net, parse_tflite(again, path.name))
    feeds = {i: sample(net.tensors[i]) for i in net.inputs}
    ours, theirs = reference(again, feeds), reference(path.read_bytes(), feeds)
    for index in (t for node in net.nodes for t in node.outputs):
        made, expected = ours.get_tensor(index), theirs.get_tensor(index)
        assert made.tobytes() == expected.tobytes(), net.tensors[index].name
