# SPDX-License-Identifier: Apache-2.0
"""What each TFLite operator becomes: nodes of the graph, mostly one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers import tflite_moves as moves
from edgefm.importers.convolutions import TRANSPOSED
from edgefm.importers.flexbuffer import read_map
from edgefm.importers.tflite_layer import Attrs, Layer, Reading
from edgefm.importers.tflite_schema import Padding
from edgefm.importers.windows import same_padding
from edgefm.network.operators import MANY, OF_TFLITE, Kind, by_operator


def read_layer(layer: Layer) -> list[Reading]:
    """The nodes it becomes, with operators and attributes as `network.graph` lists them."""
    if layer.operator in _AS_OTHERS:
        return [_AS_OTHERS[layer.operator](layer)]
    record = OF_TFLITE.get(layer.operator)
    if record is None:
        raise UnsupportedModel("the operator is not supported")
    read = _READERS[record.name](layer)
    if isinstance(read, list):
        return read
    present = len(layer.inputs)
    most = present if record.inputs[1] == MANY else record.inputs[1]
    inputs = tuple(i if i < present else -1 for i in range(most))
    return [Reading(record.name, read, inputs, tuple(range(len(layer.outputs))))]


def _window(layer: Layer, kernel: tuple[int, int], dilation: tuple[int, int]) -> dict[str, Any]:
    """Stride, explicit padding and activation of a window operator."""
    options, shape = layer.options, layer.tensor(0).shape
    stride = options["stride_h"], options["stride_w"]
    if min(*kernel, *stride, *dilation) < 1 or len(shape) != 4:
        raise BadInput(f"kernel {kernel}, stride {stride}, dilation {dilation} on shape {shape}")
    if options["padding"] not in (Padding.SAME, Padding.VALID):
        raise BadInput(f"padding {options['padding']}, expected 0 or 1")
    padding = ((0, 0), (0, 0)) if options["padding"] == Padding.VALID else tuple(
        same_padding(*row) for row in zip(shape[1:3], kernel, stride, dilation, strict=True))
    return {"stride": stride, "padding": padding, "activation": layer.activation()}


def _conv(layer: Layer) -> Attrs:
    shape = layer.tensor(1).shape
    if len(shape) != 4:
        raise BadInput(f"weights have shape {shape}, expected four dimensions")
    dilation = layer.options["dilation_h"], layer.options["dilation_w"]
    return _window(layer, (shape[1], shape[2]), dilation) | {"dilation": dilation}


def _transpose_conv(layer: Layer) -> Reading:
    """Padding is what an ordinary convolution of the output would have."""
    weights, output = layer.tensor(1).shape, layer.outputs[0].shape
    stride = layer.options["stride_h"], layer.options["stride_w"]
    if len(weights) != 4 or len(output) != 4 or min(*stride, *weights, *output) < 1:
        raise BadInput(f"weights of shape {weights}, stride {stride} for an output of {output}")
    if layer.options["padding"] not in (Padding.SAME, Padding.VALID):
        raise BadInput(f"padding {layer.options['padding']}, expected 0 or 1")
    before = (0, 0) if layer.options["padding"] == Padding.VALID else tuple(
        same_padding(n, k, s, 1)[0]
        for n, k, s in zip(output[1:3], weights[1:3], stride, strict=True))
    bias = 3 if len(layer.inputs) > 3 else -1
    return Reading(TRANSPOSED, {"stride": stride, "before": before,
                                "activation": layer.activation()}, (2, 1, bias), (0,))


def _depthwise(layer: Layer) -> Attrs:
    attrs, filters, channels = _conv(layer), layer.tensor(1).shape[3], layer.tensor(0).shape[3]
    if channels < 1 or filters % channels:
        raise BadInput(f"{filters} filters for {channels} channels")
    return attrs | {"multiplier": filters // channels}


def _fully_connected(layer: Layer) -> Attrs:
    if layer.options["weights_format"] != 0:
        raise UnsupportedModel("shuffled weights are not supported")
    return {"activation": layer.activation(), "keep_dims": bool(layer.options["keep_dims"])}


def _arithmetic(layer: Layer) -> Attrs:
    return {"activation": layer.activation()}


def _pairwise(layer: Layer) -> Attrs:
    return _arithmetic(layer) if OF_TFLITE[layer.operator].takes_activation else {}


def _concat(layer: Layer) -> Attrs:
    if layer.activation() is not None:
        raise UnsupportedModel("a fused activation is not supported")
    return {"axis": layer.axis(layer.options["axis"])}


def _pack(layer: Layer) -> Attrs:
    return {"axis": layer.axis(layer.options["axis"], more=1)}


def _pool(layer: Layer) -> Attrs:
    kernel = layer.options["kernel_h"], layer.options["kernel_w"]
    return _window(layer, kernel, (1, 1)) | {"kernel": kernel}


def _reduction(layer: Layer) -> Attrs:
    axes = tuple(sorted({layer.axis(a) for a in layer.constant(1)}))
    return {"axes": axes, "keep_dims": bool(layer.options["keep_dims"])}


def _plain(layer: Layer) -> Attrs:
    """Options that are attributes as they stand."""
    return {name: layer.options[name] for name in OF_TFLITE[layer.operator].attrs}


def _l2_normalization(layer: Layer) -> Attrs:
    if layer.activation() is not None:
        raise UnsupportedModel("a fused activation is not supported")
    return {}


def _resize(layer: Layer) -> Attrs:
    size, shape = layer.constant(1), layer.outputs[0].shape
    if size != shape[1:3]:
        raise BadInput(f"output of shape {shape} for a size {size}")
    return {name: bool(value) for name, value in _plain(layer).items()}


def _argmax(layer: Layer) -> Attrs:
    return {"axis": layer.axis(layer.number(1))}


def _detection(layer: Layer) -> Attrs:
    options = {"detections_per_class": 100, "use_regular_nms": False} | read_map(layer.custom)
    attrs: dict[str, Any] = {"use_regular_nms": bool(options["use_regular_nms"])}
    for name, kind in _DETECTION_OPTIONS.items():
        value = options.get(name)
        least = -_MOST_OPTION if name == "nms_score_threshold" else 0  # of scores of any sign
        if value is None or not least <= value < _MOST_OPTION or (kind is int and value < 1):
            raise BadInput(f"option {name!r} is {value}, expected a number above 0")
        attrs[name] = kind(value)
    return attrs


_MOST_OPTION: Final = 1 << 20
_DETECTION_OPTIONS: Final[Mapping[str, type]] = MappingProxyType({
    "max_detections": int, "max_classes_per_detection": int, "detections_per_class": int,
    "num_classes": int, "nms_score_threshold": float, "nms_iou_threshold": float,
    "y_scale": float, "x_scale": float, "h_scale": float, "w_scale": float,
})

# What the graph has under other names, or by other means.
_AS_OTHERS: Final[Mapping[str, Callable[[Layer], Reading]]] = MappingProxyType({
    "TRANSPOSE_CONV": _transpose_conv,
    "SQUARE": lambda layer: Reading("mul", {"activation": None}, (0, 0), (0,)),
    "REVERSE_V2": moves.read_reverse,
})

_READERS: Final[Mapping[str, Callable[[Layer], Attrs | list[Reading]]]] = by_operator(
    "importers.tflite_operators", {
        Kind.ARITHMETIC: _arithmetic,
        Kind.PAIRWISE: _pairwise,
        Kind.CONVERSION: _plain,
        Kind.POOL: _pool,
        Kind.RESIZE: _resize,
        Kind.UNARY: _plain,
        "conv2d": _conv,
        "depthwise_conv2d": _depthwise,
        "fully_connected": _fully_connected,
        "concat": _concat,
        Kind.REDUCTION: _reduction,
        "softmax": _plain,
        "log_softmax": _plain,
        "l2_normalization": _l2_normalization,
        "batch_matmul": _plain,
        "reshape": _plain,
        "pad": moves.read_pad,
        "pad_with": moves.read_pad_with,
        "mirror_pad": moves.read_mirror_pad,
        "transpose": moves.read_transpose,
        "slice": moves.read_slices,
        "tile": moves.read_tile,
        "gather": moves.read_gather,
        "depth_to_space": moves.read_block,
        "space_to_depth": moves.read_block,
        "space_to_batch": moves.read_space_to_batch,
        "batch_to_space": moves.read_batch_to_space,
        "pack": _pack,
        "argmax": _argmax,
        "argmin": _argmax,
        "detection_postprocess": _detection,
    }, among=lambda one: bool(one.tflite))
