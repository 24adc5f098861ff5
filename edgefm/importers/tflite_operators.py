# SPDX-License-Identifier: Apache-2.0
"""What each TFLite operator becomes: one of the graph's operators, or a constant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.flexbuffer import read_map
from edgefm.importers.rules import quoted
from edgefm.importers.tflite_schema import ACTIVATIONS, Padding
from edgefm.importers.windows import same_padding
from edgefm.network.graph import Array, Tensor
from edgefm.network.operators import MANY, OF_TFLITE, Kind, by_operator

_MOST_INTEGERS: Final = 64  # in a constant of axes or sizes
_MOST_PACKED: Final = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One operator of the file: its options by name and its tensors (None is left out)."""

    operator: str
    options: Mapping[str, Any]
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    custom: bytes = b""

    def tensor(self, i: int) -> Tensor:
        """Input i; BadInput when it is left out."""
        tensor = self.inputs[i] if i < len(self.inputs) else None
        if tensor is None:
            raise BadInput(f"input {i} is left out")
        return tensor

    def constant(self, i: int) -> tuple[int, ...]:
        """The integers of constant input i; UnsupportedModel when it is computed."""
        tensor = self.tensor(i)
        if tensor.data is None or tensor.dtype not in ("int32", "int64"):
            raise UnsupportedModel(f"input {i}, {quoted(tensor.name)}, is not constant integers")
        if tensor.data.size > _MOST_INTEGERS:
            raise BadInput(f"input {i}, {quoted(tensor.name)}, has {tensor.data.size} elements")
        return tuple(tensor.data.ravel().tolist())


Attrs = dict[str, Any]


def read_layer(layer: Layer) -> tuple[str, int, dict[str, Any]]:
    """(operator, how many of the inputs it keeps, attributes) as `network.graph` lists them."""
    record = OF_TFLITE.get(layer.operator)
    if record is None:
        raise UnsupportedModel("the operator is not supported")
    most = record.inputs[1]
    kept = len(layer.inputs) if most == MANY else most
    return record.name, kept, _READERS[record.name](layer)


def fold_layer(layer: Layer) -> Array | None:
    """The value of an operator that depends on constants only, None for any other."""
    fold = _FOLDS.get(layer.operator)
    if fold is None:
        return None
    shape_only = layer.operator == "SHAPE"
    if not shape_only and any(t is not None and t.data is None for t in layer.inputs):
        return None
    try:
        return np.array(fold(layer), order="C")
    except (ValueError, IndexError, OverflowError) as error:
        raise BadInput(f"its constants do not fit: {error}") from None


def _activation(layer: Layer) -> str | None:
    code = layer.options["activation"]
    if not 0 <= code < len(ACTIVATIONS):
        raise UnsupportedModel(f"fused activation {code} is not supported")
    return ACTIVATIONS[code]


def _window(layer: Layer, kernel: tuple[int, int], dilation: tuple[int, int]) -> dict[str, Any]:
    """Stride, explicit padding and activation of a window operator."""
    options, shape = layer.options, layer.tensor(0).shape
    stride = options["stride_h"], options["stride_w"]
    if min(*kernel, *stride, *dilation) < 1 or len(shape) != 4:
        raise BadInput(f"kernel {kernel}, stride {stride}, dilation {dilation} on shape {shape}")
    if options["padding"] not in (Padding.SAME, Padding.VALID):
        raise BadInput(f"padding {options['padding']}, 0 or 1 is expected")
    padding = ((0, 0), (0, 0)) if options["padding"] == Padding.VALID else tuple(
        same_padding(*row) for row in zip(shape[1:3], kernel, stride, dilation, strict=True))
    return {"stride": stride, "padding": padding, "activation": _activation(layer)}


def _conv(layer: Layer) -> Attrs:
    shape = layer.tensor(1).shape
    if len(shape) != 4:
        raise BadInput(f"weights have shape {shape}, four dimensions are expected")
    dilation = layer.options["dilation_h"], layer.options["dilation_w"]
    return _window(layer, (shape[1], shape[2]), dilation) | {"dilation": dilation}


def _depthwise(layer: Layer) -> Attrs:
    attrs, filters, channels = _conv(layer), layer.tensor(1).shape[3], layer.tensor(0).shape[3]
    if channels < 1 or filters % channels:
        raise BadInput(f"{filters} filters for {channels} channels")
    return attrs | {"multiplier": filters // channels}


def _fully_connected(layer: Layer) -> Attrs:
    if layer.options["weights_format"] != 0:
        raise UnsupportedModel("shuffled weights are not supported")
    return {"activation": _activation(layer), "keep_dims": bool(layer.options["keep_dims"])}


def _arithmetic(layer: Layer) -> Attrs:
    return {"activation": _activation(layer)}


def _concat(layer: Layer) -> Attrs:
    if _activation(layer) is not None:
        raise UnsupportedModel("a fused activation is not supported")
    return {"axis": _axis(layer, layer.options["axis"])}


def _pool(layer: Layer) -> Attrs:
    kernel = layer.options["kernel_h"], layer.options["kernel_w"]
    return _window(layer, kernel, (1, 1)) | {"kernel": kernel}


def _mean(layer: Layer) -> Attrs:
    axes = tuple(sorted({_axis(layer, a) for a in layer.constant(1)}))
    return {"axes": axes, "keep_dims": bool(layer.options["keep_dims"])}


def _plain(layer: Layer) -> Attrs:
    """Options that are attributes as they stand."""
    return {name: layer.options[name] for name in OF_TFLITE[layer.operator].attrs}


def _pad(layer: Layer) -> Attrs:
    numbers = layer.constant(1)
    return {"padding": tuple(zip(numbers[::2], numbers[1::2], strict=False))}


def _transpose(layer: Layer) -> Attrs:
    return {"perm": tuple(_axis(layer, p) for p in layer.constant(1))}


def _resize(layer: Layer) -> Attrs:
    size, shape = layer.constant(1), layer.outputs[0].shape
    if size != shape[1:3]:
        raise BadInput(f"output of shape {shape} for a size {size}")
    return {name: bool(value) for name, value in _plain(layer).items()}


def _argmax(layer: Layer) -> Attrs:
    axes = layer.constant(1)
    if len(axes) != 1:
        raise BadInput(f"{len(axes)} axes, 1 is expected")
    return {"axis": _axis(layer, axes[0])}


def _detection(layer: Layer) -> Attrs:
    options = {"detections_per_class": 100, "use_regular_nms": False} | read_map(layer.custom)
    attrs: dict[str, Any] = {"use_regular_nms": bool(options["use_regular_nms"])}
    for name, kind in _DETECTION_OPTIONS.items():
        value = options.get(name)
        if value is None or not 0 <= value < _MOST_OPTION or (kind is int and value < 1):
            raise BadInput(f"option {name!r} is {value}, a number above 0 is expected")
        attrs[name] = kind(value)
    return attrs


def _axis(layer: Layer, axis: int) -> int:
    rank = len(layer.tensor(0).shape)
    if not -rank <= axis < rank:
        raise BadInput(f"axis {axis} of an input with {rank} dimensions")
    return axis % rank


def _fold_shape(layer: Layer) -> Array:
    if layer.outputs[0].dtype not in ("int32", "int64"):
        raise BadInput(f"a shape of type {layer.outputs[0].dtype}, int32 or int64 is expected")
    return np.array(layer.tensor(0).shape, layer.outputs[0].dtype)


def _fold_slice(layer: Layer) -> Array:
    x, options = layer.tensor(0).data, layer.options
    if x is None or options["ellipsis_mask"] or options["new_axis_mask"] or options["offset"]:
        raise UnsupportedModel("only plain slices of constants are supported")
    parts: list[slice | int] = []
    for i, (begin, end, step) in enumerate(zip(*map(layer.constant, (1, 2, 3)), strict=True)):
        if options["shrink_axis_mask"] >> i & 1:
            parts.append(begin)
        else:
            parts.append(slice(None if options["begin_mask"] >> i & 1 else begin,
                               None if options["end_mask"] >> i & 1 else end, step))
    return np.asarray(x[tuple(parts)])


def _fold_pack(layer: Layer) -> Array:
    values = [t.data for t in layer.inputs if t is not None and t.data is not None]
    if sum(v.size for v in values) > _MOST_PACKED:
        raise UnsupportedModel(f"only constants of up to {_MOST_PACKED} elements are packed")
    return np.stack(values, axis=layer.options["axis"])


def _fold_reshape(layer: Layer) -> Array:
    return np.reshape(_data(layer), layer.outputs[0].shape)


def _fold_dequantize(layer: Layer) -> Array:
    if layer.tensor(0).dtype != "float16":
        raise UnsupportedModel(f"{layer.tensor(0).dtype} constants that are dequantized are not "
                               "supported")
    return _data(layer).astype(np.float32)


def _data(layer: Layer) -> Array:
    data = layer.tensor(0).data
    if data is None:
        raise BadInput("input 0 is not constant")
    return data


_MOST_OPTION: Final = 1 << 20
_DETECTION_OPTIONS: Final[Mapping[str, type]] = MappingProxyType({
    "max_detections": int, "max_classes_per_detection": int, "detections_per_class": int,
    "num_classes": int, "nms_score_threshold": float, "nms_iou_threshold": float,
    "y_scale": float, "x_scale": float, "h_scale": float, "w_scale": float,
})

_READERS: Final[Mapping[str, Callable[[Layer], Attrs]]] = by_operator(
    "importers.tflite_operators", {
        Kind.ARITHMETIC: _arithmetic,
        Kind.CONVERSION: _plain,
        Kind.POOL: _pool,
        Kind.RESIZE: _resize,
        Kind.UNARY: _plain,
        "conv2d": _conv,
        "depthwise_conv2d": _depthwise,
        "fully_connected": _fully_connected,
        "concat": _concat,
        "mean": _mean,
        "softmax": _plain,
        "reshape": _plain,
        "pad": _pad,
        "transpose": _transpose,
        "argmax": _argmax,
        "detection_postprocess": _detection,
    }, among=lambda one: bool(one.tflite))

_FOLDS: Final[Mapping[str, Callable[[Layer], Array]]] = MappingProxyType({
    "SHAPE": _fold_shape, "STRIDED_SLICE": _fold_slice, "PACK": _fold_pack,
    "RESHAPE": _fold_reshape, "SQUEEZE": _fold_reshape,
    "DEQUANTIZE": _fold_dequantize,
})
