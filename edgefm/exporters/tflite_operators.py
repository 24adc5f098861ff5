# SPDX-License-Identifier: Apache-2.0
"""What each operator of the graph becomes in TFLite: the importer's mapping, backwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from edgefm.exporters.tflite_moves import MOVES
from edgefm.exporters.tflite_sink import Sink, TfliteOperator, version_of
from edgefm.importers.tflite_schema import ACTIVATIONS, DTYPES, Padding
from edgefm.importers.windows import same_padding, window_size
from edgefm.network.graph import Graph, Node, Quant, Tensor
from edgefm.network.operators import OPERATORS, Kind, by_operator, output_axis

_Pads = tuple[tuple[int, int], tuple[int, int]]
_LOWEST: Final = MappingProxyType({"int8": -128, "uint8": 0})


def write_operators(graph: Graph) -> tuple[list[Tensor], list[TfliteOperator]]:
    """All tensors and operators of the file.

    Tensor i of the graph stays tensor i; constants that TFLite reads as inputs (shapes, axes) and
    maps between an inserted PAD and its operator come behind. UnsupportedModel names a node that
    TFLite cannot express.
    """
    tensors, operators = list(graph.tensors), list[TfliteOperator]()
    for node in graph.nodes:
        _WRITERS[node.op](Sink(node, tensors, operators))
    return tensors, operators


def _conv(sink: Sink) -> None:
    node = sink.node
    w = sink.tensors[node.inputs[1]]
    stride, dilation = node.attrs["stride"], node.attrs["dilation"]
    kernel = w.shape[1], w.shape[2]
    x, padding = node.inputs[0], _named_padding(sink, kernel, stride, dilation)
    if padding is None:
        x = _insert_pad(sink, _reached(sink, kernel, stride, dilation))
        padding = Padding.VALID
    options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1],
               "dilation_h": dilation[0], "dilation_w": dilation[1], **_activation(node)}
    if node.op == "depthwise_conv2d":
        options["multiplier"] = node.attrs["multiplier"]
    sink.emit((x, *_weights(sink)), options)


def _fully_connected(sink: Sink) -> None:
    options = {"keep_dims": sink.node.attrs["keep_dims"], **_activation(sink.node)}
    sink.emit((sink.node.inputs[0], *_weights(sink)), options)


def _pool(sink: Sink) -> None:
    node = sink.node
    kernel, stride = node.attrs["kernel"], node.attrs["stride"]
    x, padding = node.inputs[0], _named_padding(sink, kernel, stride, (1, 1))
    if padding is None:
        quant = sink.x.quant
        if (node.op == "average_pool" or quant is None
                or quant.zero_point[0] != _LOWEST.get(sink.x.dtype)):
            raise sink.unsupported(f"padding {node.attrs['padding']}")  # PAD would add values
        x, padding = _insert_pad(sink, _reached(sink, kernel, stride, (1, 1))), Padding.VALID
    sink.emit((x,), {"padding": padding, "stride_h": stride[0], "stride_w": stride[1],
                     "kernel_h": kernel[0], "kernel_w": kernel[1], **_activation(node)})


def _named_padding(sink: Sink, kernel: tuple[int, int], stride: tuple[int, int],
                   dilation: tuple[int, int]) -> Padding | None:
    """SAME or VALID when it reads the same cells: same cells before, same number of windows."""
    size, pads = sink.x.shape[1:3], sink.node.attrs["padding"]
    rows = tuple(zip(size, kernel, stride, dilation, strict=True))
    made = [window_size(*row, pad) for row, pad in zip(rows, pads, strict=True)]
    for name, named in ((Padding.VALID, [(0, 0), (0, 0)]),
                        (Padding.SAME, [same_padding(*row) for row in rows])):
        if all(pad[0] == want[0] and count == window_size(*row, want)
               for pad, want, count, row in zip(pads, named, made, rows, strict=True)):
            return name
    return None


def _reached(sink: Sink, kernel: tuple[int, int], stride: tuple[int, int],
             dilation: tuple[int, int]) -> _Pads:
    """The node's padding, cut to the cells that the windows read."""
    pads = []
    for size, k, s, d, pad in zip(sink.x.shape[1:3], kernel, stride, dilation,
                                  sink.node.attrs["padding"], strict=True):
        end = (window_size(size, k, s, d, pad) - 1) * s + (k - 1) * d + 1
        pads.append((pad[0], max(end - size - pad[0], 0)))
    return pads[0], pads[1]


def _insert_pad(sink: Sink, pads: _Pads) -> int:
    """Append a PAD of the first input; a quantized PAD pads with the zero point."""
    x, wide = sink.x, ((0, 0), *pads, (0, 0))
    shape = tuple(d + a + b for d, (a, b) in zip(x.shape, wide, strict=True))
    padding = sink.constant("padding", np.array(wide, np.int32))
    sink.tensors.append(replace(x, name=f"{sink.node.name}/padded", shape=shape))
    made = len(sink.tensors) - 1
    sink.operators.append(TfliteOperator("PAD", version_of("PAD", x.dtype, {}),
                                   (sink.node.inputs[0], padding), (made,)))
    return made


def _weights(sink: Sink) -> tuple[int, int]:
    """(weights, bias); a quantized bias without a scale gets input scale times weight scale."""
    w, bias = (*sink.node.inputs[1:], -1)[:2]
    weights = sink.tensors[w]
    if bias < 0 and sink.node.op != "fully_connected":  # TFLite's convolutions insist on a bias
        count = weights.shape[output_axis(sink.node.op)]
        kind = "float32" if sink.x.dtype == "float32" else "int32"
        bias = sink.constant("bias", np.zeros(count, kind))
    if bias >= 0 and sink.tensors[bias].quant is None and weights.quant is not None:
        scale = tuple(float(np.float32(sink.x.scale) * np.float32(s)) for s in weights.quant.scale)
        axis = None if weights.quant.axis is None else 0
        sink.tensors[bias] = replace(sink.tensors[bias],
                                     quant=Quant(scale, (0,) * len(scale), axis))
    return w, bias


def _activation(node: Node) -> dict[str, int]:
    return {"activation": ACTIVATIONS.index(node.attrs["activation"])}


def _arithmetic(sink: Sink) -> None:
    sink.emit(sink.node.inputs,
              _activation(sink.node) if OPERATORS[sink.node.op].takes_activation else {})


def _concat(sink: Sink) -> None:
    sink.emit(sink.node.inputs, {"axis": sink.node.attrs["axis"]})


def _reduction(sink: Sink) -> None:
    attrs = sink.node.attrs
    sink.with_constants({"keep_dims": attrs["keep_dims"]}, axes=attrs["axes"])


def _plain(sink: Sink) -> None:
    """An operator of the first input alone, whose attributes are options as they stand."""
    attrs = OPERATORS[sink.node.op].attrs
    sink.emit(sink.node.inputs[:1], {name: sink.node.attrs[name] for name in attrs})


def _product(sink: Sink) -> None:
    sink.emit(sink.node.inputs, sink.node.attrs)


def _reshape(sink: Sink) -> None:
    sink.with_constants(shape=sink.tensors[sink.node.outputs[0]].shape)


def _resize(sink: Sink) -> None:
    size = sink.tensors[sink.node.outputs[0]].shape[1:3]
    sink.with_constants(sink.node.attrs, size=size)


def _argmax(sink: Sink) -> None:
    dtype = sink.tensors[sink.node.outputs[0]].dtype
    sink.with_constants({"output_type": DTYPES.index(dtype)}, axis=sink.node.attrs["axis"])


def _detection(sink: Sink) -> None:
    sink.emit(sink.node.inputs, custom=sink.node.attrs)


_WRITERS: Final[Mapping[str, Callable[[Sink], None]]] = by_operator("exporters", {
    Kind.ARITHMETIC: _arithmetic,
    Kind.PAIRWISE: _arithmetic,
    Kind.CONVERSION: _plain,
    Kind.POOL: _pool,
    Kind.RESIZE: _resize,
    Kind.UNARY: _plain,
    "conv2d": _conv,
    "depthwise_conv2d": _conv,
    "fully_connected": _fully_connected,
    "concat": _concat,
    Kind.REDUCTION: _reduction,
    "softmax": _plain,
    "log_softmax": _plain,
    "l2_normalization": _plain,
    "batch_matmul": _product,
    "reshape": _reshape,
    **MOVES,
    "argmax": _argmax,
    "argmin": _argmax,
    "detection_postprocess": _detection,
}, among=lambda one: bool(one.tflite))
