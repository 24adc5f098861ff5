# SPDX-License-Identifier: Apache-2.0
"""TFLite files to graphs: what is understood, what is folded, what is refused, what is damaged."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefm.errors import BadInput, EdgefmError, UnsupportedModel
from edgefm.exporters.tflite import pack
from edgefm.exporters.tflite_sink import TfliteOperator
from edgefm.importers import load
from edgefm.importers.tflite import parse_tflite
from edgefm.network.graph import Graph, Quant, Tensor, rows_of
from edgefm.ops import run_graph

QUANT = Quant((0.5,), (3,))


def edge(name: str, *shape: int, dtype: str = "int8", quant: Quant | None = QUANT) -> Tensor:
    """A computed tensor."""
    return Tensor(name, shape, dtype, quant if dtype in ("int8", "uint8") else None)


def const(name: str, values: Any, dtype: str = "int32", quant: Quant | None = None) -> Tensor:
    """A constant."""
    data = np.array(values, dtype)
    return Tensor(name, data.shape, dtype, quant, data)


def op(code: str, inputs: tuple[int, ...], outputs: tuple[int, ...], **options: Any
       ) -> TfliteOperator:
    """An operator of version 1."""
    return TfliteOperator(code, 1, inputs, outputs, options)


def parse(tensors: list[Tensor], operators: list[TfliteOperator], inputs: tuple[int, ...] = (0,),
          outputs: tuple[int, ...] | None = None) -> Graph:
    """The graph of a file with these parts; the last tensor is the output unless told."""
    outputs = (len(tensors) - 1,) if outputs is None else outputs
    return parse_tflite(pack(tensors, operators, inputs, outputs), "net.tflite")


def conv_file(**options: Any) -> bytes:
    """One small convolution with a per-channel weight and a bias."""
    quant = Quant((0.5, 0.25), (0, 0), 0)
    weights = const("w", np.arange(54).reshape(2, 3, 3, 3), "int8", quant)
    options = {"stride_h": 2, "stride_w": 2, "activation": 3} | options
    return pack([edge("x", 1, 7, 6, 3), weights, const("b", [5, -5], quant=quant),
                 edge("y", 1, 4, 3, 2)],
                [op("CONV_2D", (0, 1, 2), (3,), **options)], (0,), (3,))


def test_convolution_has_explicit_geometry_and_its_numbers() -> None:
    net = parse_tflite(conv_file(), "dir.net.tflite")
    assert net.name == "dir.net" and (net.inputs, net.outputs) == ((0,), (3,))
    node = net.nodes[0]
    assert (node.op, node.name, node.inputs, node.outputs) == ("conv2d", "y", (0, 1, 2), (3,))
    assert dict(node.attrs) == {"stride": (2, 2), "dilation": (1, 1), "activation": "relu6",
                                "padding": ((1, 1), (0, 1))}
    assert net.tensors[0].quant == QUANT
    assert net.tensors[1].quant == Quant((0.5, 0.25), (0, 0), 0)
    assert net.tensors[1].data is not None and net.tensors[1].data.ravel().tolist() == [*range(54)]


def test_valid_padding_is_none() -> None:
    with pytest.raises(BadInput, match=r"net: layer 0 \(conv2d 'y'\): output 'y' has shape "
                                       r"\(1, 4, 3, 2\), its inputs give \(1, 3, 2, 2\)"):
        parse_tflite(conv_file(padding=1), "net")


def test_shape_slice_and_pack_are_folded() -> None:
    net = parse([edge("x", 1, 2, 3, 4), const("begin", [0]), const("end", [1]), const("step", [1]),
                 edge("shape", 4, dtype="int32"), edge("batch", dtype="int32"),
                 const("minus", -1), edge("to", 2, dtype="int32"), edge("y", 1, 24)],
                [op("SHAPE", (0,), (4,), output_type=2),
                 op("STRIDED_SLICE", (4, 1, 2, 3), (5,), shrink_axis_mask=1),
                 op("PACK", (5, 6), (7,), count=2, axis=0), op("RESHAPE", (0, 7), (8,))])
    assert [(n.op, n.inputs) for n in net.nodes] == [("reshape", (0,))]
    folded = [net.tensors[i].data for i in (4, 5, 7)]
    assert [d.tolist() for d in folded if d is not None] == [[1, 2, 3, 4], 1, [1, -1]]


def test_slice_follows_its_masks() -> None:
    net = parse([edge("x", 1, 2, 3, 4), const("begin", [3, 0]), const("end", [0, 2]),
                 const("step", [-1, 1]), const("c", np.arange(12).reshape(4, 3)),
                 edge("cut", 4, 2, dtype="int32"), edge("y", 1, 24)],
                [op("STRIDED_SLICE", (4, 1, 2, 3), (5,), end_mask=1),
                 op("RESHAPE", (0, 5), (6,))])
    cut = net.tensors[5].data
    assert cut is not None and cut.tolist() == [[9, 10], [6, 7], [3, 4], [0, 1]]


@pytest.mark.parametrize("code", ["STRIDED_SLICE", "FILL"])
def test_shape_arithmetic_on_computed_tensors_is_refused(code: str) -> None:
    with pytest.raises(UnsupportedModel, match=rf"layer 0 \({code} 'y'\)"):
        parse([edge("x", 1, 4), edge("y", 1, 4)], [op(code, (0, 0, 0, 0), (1,))])


def test_half_precision_weights_become_float32() -> None:
    half = const("h", [[1.5, 2.5]], "float16")
    net = parse([edge("x", 1, 2, dtype="float32"), half, edge("w", 1, 2, dtype="float32"),
                 edge("y", 1, 1, dtype="float32")],
                [op("DEQUANTIZE", (1,), (2,)), op("FULLY_CONNECTED", (0, 2, -1), (3,))])
    assert [n.op for n in net.nodes] == ["fully_connected"] and net.is_float()
    data = net.tensors[2].data
    assert data is not None and data.dtype == "float32" and data.tolist() == [[1.5, 2.5]]


def test_squeeze_is_a_reshape_and_axes_count_from_the_front() -> None:
    net = parse([edge("x", 1, 2, 3, 4), const("axes", [-2, 1]), edge("m", 1, 1, 1, 4),
                 edge("s", 1, 4), edge("c", 1, 8), const("last", -1), edge("y", 1, dtype="int64")],
                [op("MEAN", (0, 1), (2,), keep_dims=True), op("SQUEEZE", (2,), (3,)),
                 op("CONCATENATION", (3, 3), (4,), axis=-1), op("ARG_MAX", (4, 5), (6,))])
    assert [(n.op, dict(n.attrs)) for n in net.nodes] == [
        ("mean", {"axes": (1, 2), "keep_dims": True}), ("reshape", {}), ("concat", {"axis": 1}),
        ("argmax", {"axis": 1})]


def test_any_batch_is_one_image() -> None:
    net = parse([edge("x", -1, 2, 2, 1), edge("y", -1, 2, 2, 1)], [op("RELU", (0,), (1,))])
    assert [t.shape for t in net.tensors] == [(1, 2, 2, 1)] * 2


def test_several_inputs_and_outputs_keep_their_order() -> None:
    tensors = [edge(name, 1, 4) for name in "abyz"]
    net = parse(tensors, [op("ADD", (1, 0), (2,)), op("RELU6", (2,), (3,))], (1, 0), (3, 2))
    assert (net.inputs, net.outputs, net.nodes[0].inputs) == ((1, 0), (3, 2), (1, 0))


def test_names_are_made_distinct() -> None:
    net = parse([edge("t", 1, 4), edge("t", 1, 4), edge("", 1, 4)],
                [op("RELU", (0,), (1,)), op("RELU", (1,), (2,))])
    assert [t.name for t in net.tensors] == ["t", "t#1", "tensor_2"]
    net = parse([edge("t#2", 1, 4), edge("t", 1, 4), edge("t", 1, 4)],
                [op("RELU", (0,), (1,)), op("RELU", (1,), (2,))])
    assert [t.name for t in net.tensors] == ["t#2", "t", "t#2#2"]


def test_detector_outputs_without_shapes_get_them() -> None:
    options = {"max_detections": 5, "max_classes_per_detection": 2, "num_classes": 2,
               "nms_score_threshold": 0.5, "nms_iou_threshold": 0.25,
               "y_scale": 10, "x_scale": 10, "h_scale": 5, "w_scale": 5, "_other": 3}
    anchors = const("anchors", np.ones((7, 4)), "float32")
    tensors = [edge("boxes", 1, 7, 4, dtype="float32"), edge("scores", 1, 7, 3, dtype="float32"),
               anchors, *(edge(name, dtype="float32") for name in ("b", "c", "s", "n"))]
    layer = TfliteOperator("TFLite_Detection_PostProcess", 1, (0, 1, 2), (3, 4, 5, 6), {}, options)
    net = parse(tensors, [layer], (0, 1), (3, 4, 5, 6))
    assert [net.tensors[t].shape for t in net.outputs] == [(1, 10, 4), (1, 10), (1, 10), (1,)]
    del options["_other"]
    assert dict(net.nodes[0].attrs) == options | {"detections_per_class": 100,
                                                  "use_regular_nms": False}
    with pytest.raises(BadInput, match="option 'num_classes' is None"):
        short = {k: v for k, v in options.items() if k != "num_classes"}
        parse(tensors, [replace(layer, custom=short)], (0, 1), (3, 4, 5, 6))
    with pytest.raises(BadInput, match="option 'x_scale' is inf"):
        parse(tensors, [replace(layer, custom=options | {"x_scale": float("inf")})], (0, 1),
              (3, 4, 5, 6))


def test_unsupported_operator_is_named_with_layer_and_tensor() -> None:
    tensors = [edge("x", 1, 4), edge("y", 1, 4), edge("z", 1, 4)]
    with pytest.raises(UnsupportedModel) as caught:
        parse(tensors, [op("RELU", (0,), (1,)), op("RFFT2D", (1,), (2,))])
    assert str(caught.value) == ("net.tflite: layer 1 (RFFT2D 'z'): "
                                 "the operator is not supported")
    with pytest.raises(UnsupportedModel, match=r"layer 0 \(MyOperator 'z'\)"):
        parse(tensors, [op("MyOperator", (0,), (2,))])


def dense(**changes: Any) -> list[Tensor]:
    """Tensors of a fully connected layer, some of them changed."""
    tensors = {"x": edge("x", 1, 3), "w": const("w", np.ones((2, 3)), "int8", Quant((1.0,), (0,))),
               "b": const("b", [1, 2], quant=Quant((0.5,), (0,))), "y": edge("y", 1, 2)}
    return [replace(t, **changes.get(n, {})) for n, t in tensors.items()]


@pytest.mark.parametrize(("changes", "message"), [
    ({"x": {"dtype": "int16"}}, "types int16 -> int8 are not supported"),
    ({"x": {"dtype": "float32", "quant": None}, "y": {"dtype": "float32", "quant": None}},
     "bias is int32, expected float32"),
    ({"x": {"quant": None}}, "'x' is int8 and needs one scale and zero point"),
    ({"x": {"quant": Quant((0.0,), (0,))}}, "'x': a scale is not a finite number above 0"),
    ({"x": {"quant": Quant((1.0,), (200,))}}, "zero point is outside -128..127"),
    ({"w": {"quant": None}}, "weights 'w' have no scale"),
    ({"w": {"quant": Quant((1.0,), (1,))}}, "int8 weights with a zero point"),
    ({"w": {"quant": Quant((1.0, 1.0), (0, 0), 1)}}, "2 scales, expected 3"),
    ({"w": {"quant": Quant((1.0, 1.0, 1.0), (0, 0, 0), 1)}}, "along dimension 1, expected 0"),
    ({"w": {"quant": Quant((1.0, 1.0), (0, 0), 7)}}, "along dimension 7 of 2"),
    ({"w": {"data": None}}, "input 'w' is neither constant nor made by an earlier layer"),
    ({"w": {"shape": (3, 3)}}, r"'w'\) is int8 \(3, 3\), its data has 6 bytes"),
    ({"b": {"data": np.ones(3, "int32"), "shape": (3,)}}, r"bias has shape \(3,\)"),
    ({"b": {"quant": Quant((1.0,), (4,))}}, "bias with a zero point"),
    ({"y": {"shape": (1, 3)}}, r"output 'y' has shape \(1, 3\), its inputs give \(1, 2\)"),
    ({"x": {"shape": (1, 4)}}, "4 inputs for weights of 3"),
    ({"x": {"shape": (1, 0)}}, "expected sizes of at least 1"),
    ({"x": {"shape": (2, 1, 1, 3)}}, "not a batch of one image"),
    ({"x": {"shape": (1 << 30, 3)}}, "has more than 268435456 elements"),
    ({"x": {"shape": (1,) * 9}}, "has 9 dimensions"),
])
def test_contradictions_and_unusable_types_are_named(changes: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        parse(dense(**changes), [op("FULLY_CONNECTED", (0, 1, 2), (3,))])
    assert str(caught.value).startswith("net.tflite: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(("operators", "inputs", "outputs", "message"), [
    ([op("RELU", (1,), (2,)), op("RELU", (0,), (1,))], (0,), (2,), "'b' is neither constant nor"),
    ([op("RELU", (0,), (1,)), op("RELU", (0,), (1,))], (0,), (1,), "'b' was made before"),
    ([op("RELU", (0,), (0,))], (0,), (0,), "'a' was made before"),
    ([op("RELU", (9,), (1,))], (0,), (1,), "names tensor 9 of 4"),
    ([op("RELU", (), (1,))], (0,), (1,), "input 0 is left out"),
    ([op("RELU", (-1,), (1,))], (0,), (1,), "input 0 is left out"),
    ([op("RELU", (0,), ())], (0,), (1,), "has no output"),
    ([op("RELU", (0,), (1, 2))], (0,), (1,), "2 outputs, 1 expected"),
    ([op("RELU", (3,), (1,))], (0,), (1,), "computes on a constant only"),
    ([op("RELU", (0,), (3,))], (0,), (3,), "'c' is a constant"),
    ([op("RELU", (0,), (1,))], (0,), (2,), "graph output 'y' is made by no layer"),
    ([op("RELU", (0,), (1,))], (0,), (5,), "output is tensor 5 of 4"),
    ([op("RELU", (0,), (1,))], (), (1,), "it has no input"),
    ([op("RELU", (0,), (1,))], (0, 0), (1,), "an input is listed twice"),
    ([op("RELU", (0,), (1,))], (0, 3), (1,), "graph input 'c' is a constant"),
    ([], (0,), (1,), "it has no layer"),
    ([op("ADD", (0, 0), (1,), activation=4)], (0,), (1,), "fused activation 4"),
    ([op("SOFTMAX", (0,), (1,), beta=-1.0)], (0,), (1,), "beta is -1.0"),
    ([op("MEAN", (0, 3), (1,))], (0,), (1,), "axis 7 of an input with 2 dimensions"),
    ([op("TRANSPOSE", (0, 0), (1,))], (0,), (1,), "is not constant integers"),
])
def test_wrong_wiring_is_named(operators: list[TfliteOperator], inputs: tuple[int, ...],
                               outputs: tuple[int, ...], message: str) -> None:
    tensors = [edge("a", 1, 4), edge("b", 1, 4), edge("y", 1, 4), const("c", [7, 8])]
    with pytest.raises(BadInput, match=message):
        parse(tensors, operators, inputs, outputs)


def edited(edit: Callable[[Any], None]) -> bytes:
    """The small convolution with its schema objects changed by `edit`."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
    model = schema.ModelT.InitFromPackedBuf(conv_file(), 0)
    edit(model)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _set(name: str, value: Any, pick: Callable[[Any], Any]) -> Callable[[Any], None]:
    return lambda model: setattr(pick(model), name, value)


@pytest.mark.parametrize(("edit", "message"), [
    (lambda m: m.subgraphs.append(m.subgraphs[0]), "2 subgraphs, expected 1"),
    (_set("builtinCode", 142, lambda m: m.operatorCodes[0]),
     r"keeps variables between runs \(VAR_HANDLE\), expected"),
    (_set("version", 2, lambda m: m), "schema version 2, expected 3"),
    (_set("offset", 4096, lambda m: m.buffers[1]), "weights lie outside the flatbuffer"),
    (_set("externalBuffer", 1, lambda m: m.subgraphs[0].tensors[1]), "outside the flatbuffer"),
    (_set("isVariable", True, lambda m: m.subgraphs[0].tensors[0]), "keeps its value between runs"),
    (_set("buffer", 77, lambda m: m.subgraphs[0].tensors[1]), "is in buffer 77 of 3"),
    (_set("opcodeIndex", 3, lambda m: m.subgraphs[0].operators[0]), "operator code 3 of 1"),
    (_set("builtinOptionsType", 5, lambda m: m.subgraphs[0].operators[0]),
     "options of type 5, expected 1"),
    (_set("shapeSignature", [1, -1, -1, 3], lambda m: m.subgraphs[0].tensors[0]),
     "graph input 'x' has no fixed size"),
    (_set("zeroPoint", [0, 0, 0], lambda m: m.subgraphs[0].tensors[1].quantization),
     "3 zero points for 2 scales"),
])
def test_files_that_need_more_than_one_plain_subgraph_are_refused(
        edit: Callable[[Any], None], message: str, need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    with pytest.raises(BadInput, match=message):
        parse_tflite(edited(edit), "net.tflite")


def test_bias_with_the_dimension_of_its_weights_is_accepted(
        need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    edit = _set("quantizedDimension", 3, lambda m: m.subgraphs[0].tensors[2].quantization)
    net = parse_tflite(edited(edit), "net.tflite")
    assert net.tensors[2].quant == Quant((0.5, 0.25), (0, 0), 0)


@pytest.mark.parametrize("field", ["deprecatedBuiltinCode", "builtinCode"])
def test_either_operator_code_field_is_read(field: str, need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    net = parse_tflite(edited(_set(field, 0, lambda m: m.operatorCodes[0])), "net.tflite")
    assert net.nodes[0].op == "conv2d"


def test_every_truncation_is_refused() -> None:
    data = conv_file()
    for size in range(len(data)):
        with pytest.raises(BadInput, match=r"^net.tflite: "):
            parse_tflite(data[:size], "net.tflite")


def flipped(data: bytes, count: int, seed: int) -> int:
    """Parse `count` variants with a few wild bytes; how many were refused."""
    rng, refused = random.Random(seed), 0
    for _ in range(count):
        wild = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 4))):
            at, width = rng.randrange(len(data) - 4), rng.choice((1, 1, 2, 4))
            wild[at:at + width] = rng.choice(
                (rng.randbytes(width), b"\xff" * width, bytes(width), b"\x7f" * width))
        try:
            parse_tflite(bytes(wild), "net.tflite")
        except EdgefmError as error:
            refused += 1
            assert "\n" not in str(error)
    return refused


def test_every_changed_byte_gives_a_graph_or_an_error() -> None:
    data = conv_file()
    for at in range(len(data)):
        for value in (0, 0x7f, 0x80, 0xff, data[at] ^ 1):
            wild = data[:at] + bytes([value]) + data[at + 1:]
            try:
                assert parse_tflite(wild, "net").nodes[0].op
            except EdgefmError as error:
                assert "\n" not in str(error)  # anything else would escape and fail the test


def test_wild_bytes_give_a_graph_or_an_error() -> None:
    assert 500 < flipped(conv_file(), 3000, 1) < 3000


def test_constants_that_share_their_bytes_too_often_are_refused(
        need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")

    def share(model: Any) -> None:
        model.buffers[1].data = np.zeros(54 * 100, "uint8")
        tensor = model.subgraphs[0].tensors[1]
        tensor.shape = [200, 3, 3, 3]
        model.subgraphs[0].tensors += [tensor] * 2000

    with pytest.raises(BadInput, match="constants cover the same bytes too often"):
        parse_tflite(edited(share), "net.tflite")


def test_load_chooses_by_suffix_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "small.tflite"
    path.write_bytes(conv_file())
    assert load(path).name == load(str(path)).name == "small"
    with pytest.raises(BadInput, match=r"missing.tflite: no such file"):
        load(tmp_path / "missing.tflite")
    with pytest.raises(BadInput, match=r"unknown kind of model '.pb'"):
        load(tmp_path / "net.pb")
    path.write_bytes(b"")
    with pytest.raises(BadInput, match=r"small.tflite: not a flatbuffer"):
        load(path)


def test_real_models_are_read(data_dir: Path) -> None:
    paths = sorted((data_dir / "models").glob("*.tflite"))
    assert paths
    for path in paths:
        net = load(path)
        made = {t for node in net.nodes for t in node.outputs}
        assert set(net.outputs) <= made
        for t in made:
            assert min(rows_of(net.tensors[t].shape)) >= 1


def test_published_person_detector_equals_the_patched_one(data_dir: Path) -> None:
    one, two = (load(data_dir / "models" / f"{name}.tflite")
                for name in ("person_detect", "person_detect_patched"))
    assert [t.quant for t in one.tensors] == [t.quant for t in two.tensors]


def test_wild_bytes_in_a_real_model_give_a_graph_or_an_error(data_dir: Path) -> None:
    data = (data_dir / "models" / "kws_ref_model.tflite").read_bytes()
    assert 0 < flipped(data, 300, 2) < 300


def cells(graph: Graph, index: int, x: Any) -> Any:
    """What a tensor of a graph of float32 maps holds."""
    return run_graph(graph, [np.array(x, np.float32)])[index].tolist()


def test_splits_and_unpacks_are_slices() -> None:
    f = {"dtype": "float32"}
    net = parse([edge("x", 1, 6, 2, **f), const("axis", 1), edge("a", 1, 3, 2, **f),
                 edge("b", 1, 3, 2, **f), const("sizes", [1, -1]), edge("c", 1, 1, 2, **f),
                 edge("d", 1, 2, 2, **f), edge("e", 1, 2, **f), edge("f", 1, 2, **f)],
                [op("SPLIT", (1, 0), (2, 3), count=2), op("SPLIT_V", (3, 4, 1), (5, 6), count=2),
                 op("UNPACK", (6,), (7, 8), count=2, axis=1)], outputs=(2, 5, 7, 8))
    assert {node.op for node in net.nodes} == {"slice"}
    x = np.arange(12).reshape(1, 6, 2)
    assert [cells(net, t, x) for t in (5, 7, 8)] == [[[[6, 7]]], [[8, 9]], [[10, 11]]]


@pytest.mark.parametrize(("begin", "end", "stride", "masks", "wanted"), [
    ([0, 1], [1, -1], [1, 1], {}, [[2, 3], [4, 5]]),
    ([0, -1], [0, 0], [1, -2], {"begin_mask": 2, "end_mask": 3}, [[6, 7], [2, 3]]),
    ([0, -1], [1, 0], [1, 1], {"shrink_axis_mask": 2}, [6, 7]),
    ([0, 1], [0, 2], [1, 1], {"ellipsis_mask": 1}, [[1], [3], [5], [7]]),
    ([0, 1], [1, 2], [1, 1], {"offset": True}, [[2, 3], [4, 5]])])
def test_slices_follow_masks(begin: Any, end: Any, stride: Any, masks: Any, wanted: Any) -> None:
    shape = np.shape([wanted])
    net = parse([edge("x", 1, 4, 2, dtype="float32"), const("b", begin), const("e", end),
                 const("s", stride), edge("y", *shape, dtype="float32")],
                [op("STRIDED_SLICE", (0, 1, 2, 3), (4,), **masks)])
    assert cells(net, 4, np.arange(8).reshape(1, 4, 2)) == [wanted]


def test_a_slice_to_the_end_and_a_broadcast() -> None:
    net = parse([edge("x", 1, 3, dtype="float32"), const("b", [0, 1]), const("n", [1, -1]),
                 edge("y", 1, 2, dtype="float32"), const("to", [3, 2]),
                 edge("z", 3, 2, dtype="float32")],
                [op("SLICE", (0, 1, 2), (3,)), op("BROADCAST_TO", (3, 4), (5,))])
    assert cells(net, 5, [[1, 2, 3]]) == [[2, 3]] * 3


def test_arithmetic_on_shapes_is_folded() -> None:
    net = parse([edge("x", 1, 5, 3), edge("shape", 3, dtype="int32"), const("two", [2, 2, 2]),
                 edge("rest", 3, dtype="int32"), edge("long", 3, dtype="int64"),
                 edge("short", 3, dtype="int32"), const("last", [2, 1]),
                 edge("some", 2, dtype="int32"), const("all", [0]),
                 edge("count", dtype="int32"), const("one", 1),
                 edge("to", 2, dtype="int32"), edge("y", 1, 15)],
                [op("SHAPE", (0,), (1,), output_type=2), op("FLOOR_MOD", (1, 2), (3,)),
                 op("CAST", (3,), (4,)), op("CAST", (4,), (5,)), op("GATHER", (5, 6), (7,)),
                 op("REDUCE_PROD", (1, 8), (9,)), op("PACK", (10, 9), (11,), count=2),
                 op("RESHAPE", (0, 11), (12,))])
    assert [node.op for node in net.nodes] == ["reshape"]
    folded = [net.tensors[t].data for t in (3, 7, 11)]
    assert [d.tolist() for d in folded if d is not None] == [[1, 1, 1], [1, 1], [1, 15]]


def test_arithmetic_on_shapes_that_divides_by_zero_is_refused() -> None:
    with pytest.raises(BadInput, match=r"layer 0 \(FLOOR_DIV 'z'\): its constants do not fit"):
        parse([edge("x", 1, 4), const("a", [1]), const("b", [0]), edge("z", 1, dtype="int32"),
               edge("y", 1, 4)], [op("FLOOR_DIV", (1, 2), (3,)), op("RELU", (0,), (4,))])


def test_quantized_weights_of_a_float_network_become_float32() -> None:
    quant = Quant((0.5, 0.25), (0, 0), 0)
    net = parse([edge("x", 1, 2, dtype="float32"), const("w", [[1, 2], [3, -4]], "int8", quant),
                 edge("y", 1, 2, dtype="float32")], [op("FULLY_CONNECTED", (0, 1, -1), (2,))])
    assert net.is_float() and cells(net, 2, [[1, 1]]) == [[1.5, -0.25]]


@pytest.mark.parametrize(("code", "inputs", "line"), [
    ("TILE", (0, 1), r"layer 0 \(TILE 'y'\): input 1, 'n', is not constant integers"),
    ("GATHER", (0, 1), r"layer 0 \(GATHER 'y'\): input 1, 'n', is not constant integers"),
    ("SPLIT", (0, 0), r"layer 0 \(SPLIT 'y'\): input 0, 'x', is not constant integers")])
def test_moves_by_computed_numbers_are_refused(code: str, inputs: Any, line: str) -> None:
    with pytest.raises(UnsupportedModel, match=line):
        parse([edge("x", 1, 4), edge("n", 2, dtype="int32"), edge("y", 1, 4)],
              [op(code, inputs, (2,))], (0, 1))


def test_a_square_is_a_product_and_a_reversal_a_slice() -> None:
    net = parse([edge("x", 1, 3, 2, dtype="float32"), const("axes", [-2]),
                 edge("y", 1, 3, 2, dtype="float32"), edge("z", 1, 3, 2, dtype="float32")],
                [op("REVERSE_V2", (0, 1), (2,)), op("SQUARE", (2,), (3,))])
    assert [(node.op, node.inputs) for node in net.nodes] == [("slice", (0,)), ("mul", (2, 2))]
    assert cells(net, 3, [[[1, 2], [3, 4], [5, 6]]]) == [[[25, 36], [9, 16], [1, 4]]]
