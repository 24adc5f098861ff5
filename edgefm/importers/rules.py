# SPDX-License-Identifier: Apache-2.0
"""One rule per operator: which types and shapes it takes, and the output shapes that follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.moved_shapes import moved_shape
from edgefm.importers.windows import window_size
from edgefm.network.graph import Node, Quant, Tensor
from edgefm.network.operators import OPERATORS, REORDERS, Kind, by_operator, output_axis

Shape = tuple[int, ...]
BYTES: Final = ("int8", "uint8")
_MAPS: Final = (*BYTES, "float32")
_SHOWN: Final = 72  # characters of a name in a message


def expect(condition: bool, where: str, what: str, kind: type[BadInput] = BadInput) -> None:
    """Raise `kind` with "where: what" unless the condition holds."""
    if not condition:
        raise kind(f"{where}: {what}")


def quoted(name: str) -> str:
    """A name for a message: in quotes, printable, and without the middle of a very long one."""
    if len(name) > _SHOWN:
        name = f"{name[:_SHOWN // 2]}...{name[-_SHOWN // 2:]}"
    return repr(name)


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """A node with its tensors, as the rules below look at it."""

    node: Node
    ins: Sequence[Tensor | None]
    outs: Sequence[Tensor]
    where: str

    def expect(self, condition: bool, what: str, kind: type[BadInput] = BadInput) -> None:
        """Raise `kind` for this layer unless the condition holds."""
        expect(condition, self.where, what, kind)

    def input(self, i: int) -> Tensor:
        """Input i, which must be there."""
        tensor = self.ins[i]
        if tensor is None:
            raise BadInput(f"{self.where}: input {i} is left out")
        return tensor

    def types(self, *allowed: tuple[str, str]) -> None:
        """Require (type of input 0, type of output 0) to be one of `allowed`."""
        got = self.input(0).dtype, self.outs[0].dtype
        self.expect(got in allowed, f"types {got[0]} -> {got[1]} are not supported",
                    UnsupportedModel)

    def same_type(self, allowed: Sequence[str] = _MAPS) -> None:
        """Require input 0 and output 0 to have one type out of `allowed`."""
        self.types(*((t, t) for t in allowed))

    def same_quant(self, tensor: Tensor) -> None:
        """Require `tensor` and output 0 to share scale and zero point, as TFLite does."""
        out = self.outs[0]
        if tensor.quant is None or out.quant is None or tensor.quant == out.quant:
            return
        self.expect(tensor.quant.zero_point == out.quant.zero_point
                    and abs(tensor.quant.scale[0] - out.quant.scale[0]) <= 1e-6,
                    f"{quoted(tensor.name)} and {quoted(out.name)} differ in scale or zero point, "
                    "which this operator cannot convert", UnsupportedModel)

    def image(self) -> tuple[int, int, int]:
        """(height, width, channels) of input 0, which must have four dimensions."""
        shape = self.input(0).shape
        self.expect(len(shape) == 4, f"input of shape {shape}, expected [1,H,W,C]")
        return shape[1], shape[2], shape[3]


def output_shapes(node: Node, tensors: Sequence[Tensor], where: str) -> tuple[Shape, ...]:
    """Output shapes that follow from the inputs, after the operator's own checks.

    The node's indices must be in range; `where` names it in messages.
    """
    record = OPERATORS.get(node.op)
    if record is None:
        raise UnsupportedModel(f"{where}: edgefm has no such operator")
    least, most = record.inputs
    ins = [tensors[t] if t >= 0 else None for t in node.inputs]
    expect(least <= len(ins) <= most, where, f"{len(ins)} inputs, expected {least} to {most}")
    expect(len(node.outputs) == record.outputs, where,
           f"{len(node.outputs)} outputs, {record.outputs} expected")
    layer = _Layer(node, ins, [tensors[t] for t in node.outputs], where)
    if record.kind not in (Kind.ARITHMETIC, Kind.PAIRWISE):
        layer.expect(layer.input(0).data is None, "it computes on a constant only",
                     UnsupportedModel)
    return _RULES[node.op](layer)


def _check_weights(layer: _Layer) -> tuple[Tensor, Tensor]:
    """(x, w) of an operator with weights and maybe a bias, types and quantization checked."""
    x, w, op = layer.input(0), layer.input(1), layer.node.op
    layer.same_type()
    layer.expect(w.data is not None, "its weights are not constant", UnsupportedModel)
    layer.expect(w.dtype == x.dtype, f"{w.dtype} weights with a {x.dtype} input are not supported",
                 UnsupportedModel)
    if x.dtype in BYTES:
        layer.expect(w.quant is not None, f"weights {quoted(w.name)} have no scale")
        quant = w.quant or Quant((), ())
        layer.expect(quant.axis in (None, output_axis(op)),
                     f"weights are quantized along dimension {quant.axis}, "
                     f"expected {output_axis(op)}", UnsupportedModel)
        layer.expect(w.dtype == "uint8" or not any(quant.zero_point),
                     "int8 weights with a zero point are not supported", UnsupportedModel)
    return x, w


def _check_bias(layer: _Layer, channels: int) -> None:
    bias = layer.ins[2] if len(layer.ins) > 2 else None
    if bias is None:
        return
    dtype = "float32" if layer.input(0).dtype == "float32" else "int32"
    layer.expect(bias.data is not None, "its bias is not constant", UnsupportedModel)
    layer.expect(bias.dtype == dtype, f"bias is {bias.dtype}, expected {dtype}",
                 UnsupportedModel)
    layer.expect(bias.shape == (channels,),
                 f"bias has shape {bias.shape}, expected ({channels},)")
    layer.expect(bias.quant is None or not any(bias.quant.zero_point),
                 "a bias with a zero point is not supported", UnsupportedModel)


def _window(layer: _Layer, kernel: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the output of a window operator."""
    attrs, (height, width, _) = layer.node.attrs, layer.image()
    stride, padding = attrs["stride"], attrs["padding"]
    layer.expect(min(*kernel, *stride, *dilation) >= 1,
                 f"kernel {kernel}, stride {stride} and dilation {dilation} must be at least 1")
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    layer.expect(max(*stride, *reach) <= 0xFFFF,
                 f"window {reach} with stride {stride} is too large", UnsupportedModel)
    layer.expect(all(0 <= p < r for pads, r in zip(padding, reach, strict=True) for p in pads),
                 f"padding {padding} does not suit a window of {reach}", UnsupportedModel)
    sizes = [window_size(*row) for row in zip((height, width), kernel, stride, dilation, padding,
                                              strict=True)]
    layer.expect(min(sizes) >= 1, f"a window of {reach} does not fit {height}x{width}")
    return sizes[0], sizes[1]


def _conv2d(layer: _Layer) -> tuple[Shape, ...]:
    x, w = _check_weights(layer)
    layer.expect(len(w.shape) == 4, f"weights have shape {w.shape}, expected [O,kh,kw,I]")
    channels = layer.image()[2]
    layer.expect(w.shape[3] == channels,
                 f"weights of {w.shape[3]} channels on an input of {channels}", UnsupportedModel)
    _check_bias(layer, w.shape[0])
    size = _window(layer, (w.shape[1], w.shape[2]), layer.node.attrs["dilation"])
    return ((x.shape[0], *size, w.shape[0]),)


def _depthwise(layer: _Layer) -> tuple[Shape, ...]:
    x, w = _check_weights(layer)
    layer.expect(len(w.shape) == 4 and w.shape[0] == 1,
                 f"weights have shape {w.shape}, expected [1,kh,kw,C]")
    channels, multiplier = layer.image()[2], layer.node.attrs["multiplier"]
    layer.expect(w.shape[3] == channels * multiplier,
                 f"{w.shape[3]} filters for {channels} channels times {multiplier}")
    _check_bias(layer, w.shape[3])
    size = _window(layer, (w.shape[1], w.shape[2]), layer.node.attrs["dilation"])
    return ((x.shape[0], *size, w.shape[3]),)


def _fully_connected(layer: _Layer) -> tuple[Shape, ...]:
    x, w = _check_weights(layer)
    layer.expect(len(w.shape) == 2, f"weights have shape {w.shape}, expected [O,I]")
    outputs, inputs = w.shape
    _check_bias(layer, outputs)
    count = math.prod(x.shape)
    layer.expect(count % inputs == 0, f"{count} inputs for weights of {inputs}")
    if layer.node.attrs["keep_dims"]:
        layer.expect(x.shape[-1:] == (inputs,), f"input of shape {x.shape} for weights of {inputs}")
        return ((*x.shape[:-1], outputs),)
    return ((count // inputs, outputs),)


def _pool(layer: _Layer) -> tuple[Shape, ...]:
    layer.same_type()
    layer.same_quant(layer.input(0))
    size = _window(layer, layer.node.attrs["kernel"], (1, 1))
    return ((layer.input(0).shape[0], *size, layer.image()[2]),)


def _arithmetic(layer: _Layer) -> tuple[Shape, ...]:
    layer.same_type()
    a, b = layer.input(0), layer.input(1)
    layer.expect(a.data is None or b.data is None, "it computes on constants only",
                 UnsupportedModel)
    layer.expect(a.dtype == b.dtype, f"{a.dtype} with {b.dtype} is not supported",
                 UnsupportedModel)
    for operand in (a, b):
        layer.expect(operand.dtype == "float32"
                     or (operand.quant is not None and operand.quant.axis is None),
                     f"{quoted(operand.name)} needs one scale and zero point")
    try:
        return (np.broadcast_shapes(a.shape, b.shape),)
    except ValueError:
        raise BadInput(f"{layer.where}: shapes {a.shape} and {b.shape} do not fit") from None


def _concat(layer: _Layer) -> tuple[Shape, ...]:
    parts, axis = [layer.input(i) for i in range(len(layer.ins))], layer.node.attrs["axis"]
    layer.same_type()
    first = parts[0].shape
    layer.expect(0 <= axis < len(first), f"axis {axis} of a shape {first}")
    for part in parts:
        layer.expect(part.data is None, f"{quoted(part.name)} is constant", UnsupportedModel)
        layer.expect(part.dtype == parts[0].dtype, f"{part.dtype} with {parts[0].dtype}")
        layer.expect(len(part.shape) == len(first) and all(
            i == axis or d == e for i, (d, e) in enumerate(zip(part.shape, first, strict=True))),
            f"shapes {first} and {part.shape} cannot be joined along {axis}")
    total = sum(part.shape[axis] for part in parts)
    return ((*first[:axis], total, *first[axis + 1:]),)


def _reduction(layer: _Layer) -> tuple[Shape, ...]:
    layer.same_type()
    shape, axes = layer.input(0).shape, layer.node.attrs["axes"]
    layer.expect(len(set(axes)) == len(axes) > 0 and all(0 <= a < len(shape) for a in axes),
                 f"axes {axes} of a shape {shape}")
    keep = layer.node.attrs["keep_dims"]
    return (tuple(1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes),)


def _elementwise(layer: _Layer) -> tuple[Shape, ...]:
    layer.same_type()
    return (layer.input(0).shape,)


def _unary(layer: _Layer) -> tuple[Shape, ...]:
    record = OPERATORS[layer.node.op]
    for name in record.attrs:
        value = float(layer.node.attrs[name])
        layer.expect(math.isfinite(value), f"{name} is {value}, expected a finite number")
    scales = [t.quant.scale[0] for t in (layer.input(0), layer.outs[0])
              if t.dtype in BYTES and t.quant is not None]
    if len(scales) == 2:
        layer.expect(scales[1] > record.finest * scales[0],
                     f"output scale {scales[1]:g} for an input scale {scales[0]:g}, expected more "
                     f"than {record.finest:g} of it", UnsupportedModel)
    return _elementwise(layer)


def _batch_matmul(layer: _Layer) -> tuple[Shape, ...]:
    layer.same_type()
    shapes = []
    for k, name in enumerate(("adj_x", "adj_y")):
        operand = layer.input(k)
        layer.expect(operand.data is None, f"{quoted(operand.name)} is constant", UnsupportedModel)
        layer.expect(operand.dtype == layer.input(0).dtype and len(operand.shape) >= 2,
                     f"{operand.dtype} {operand.shape}, expected matrices of one type")
        turned = (*operand.shape[:-2], operand.shape[-1], operand.shape[-2])
        shapes.append(turned if layer.node.attrs[name] else operand.shape)
    a, b = shapes
    try:
        batches = np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        batches = None
    layer.expect(batches is not None and a[-1] == b[-2], f"matrices {a} and {b} do not fit")
    return ((*(batches or ()), a[-2], b[-1]),)


def _softmax(layer: _Layer) -> tuple[Shape, ...]:
    layer.expect(0 < layer.node.attrs["beta"] < math.inf,
                 f"beta is {layer.node.attrs['beta']}, expected a number above 0")
    return _elementwise(layer)


def _quantize(layer: _Layer) -> tuple[Shape, ...]:
    layer.types(*((x, y) for x in _MAPS for y in BYTES))
    return (layer.input(0).shape,)


def _dequantize(layer: _Layer) -> tuple[Shape, ...]:
    layer.types(("int8", "float32"), ("uint8", "float32"))
    return (layer.input(0).shape,)


def _moved(layer: _Layer) -> tuple[Shape, ...]:
    layer.same_type()
    try:
        return (moved_shape(layer.node.op, layer.node.attrs, layer.input(0).shape,
                            layer.outs[0].shape),)
    except ValueError as error:
        raise BadInput(f"{layer.where}: {error}") from None


def _pack(layer: _Layer) -> tuple[Shape, ...]:
    layer.same_type()
    parts, axis = [layer.input(i) for i in range(len(layer.ins))], layer.node.attrs["axis"]
    first = parts[0]
    layer.expect(0 <= axis <= len(first.shape), f"axis {axis} of parts of shape {first.shape}")
    for part in parts:
        layer.expect(part.data is None, f"{quoted(part.name)} is constant", UnsupportedModel)
        layer.expect((part.shape, part.dtype) == (first.shape, first.dtype),
                     f"{part.dtype} {part.shape} with {first.dtype} {first.shape}")
        layer.same_quant(part)
    return ((*first.shape[:axis], len(parts), *first.shape[axis:]),)


def _resize(layer: _Layer) -> tuple[Shape, ...]:
    layer.same_type()
    channels, shape = layer.image()[2], layer.outs[0].shape
    layer.expect(len(shape) == 4, f"output of shape {shape}, expected [1,H,W,C]")
    both = layer.node.attrs["align_corners"] and layer.node.attrs["half_pixel_centers"]
    layer.expect(not both, "align_corners excludes half_pixel_centers")
    return ((layer.input(0).shape[0], shape[1], shape[2], channels),)


def _argmax(layer: _Layer) -> tuple[Shape, ...]:
    layer.types(*((x, y) for x in _MAPS for y in ("int32", "int64")))
    shape, axis = layer.input(0).shape, layer.node.attrs["axis"]
    layer.expect(0 <= axis < len(shape), f"axis {axis} of a shape {shape}")
    return (shape[:axis] + shape[axis + 1:],)


def _detection(layer: _Layer) -> tuple[Shape, ...]:
    boxes, scores, anchors = (layer.input(i) for i in range(3))
    layer.types(*((x, "float32") for x in _MAPS))
    for part in (scores, anchors):
        layer.expect(part.dtype == boxes.dtype, f"{quoted(part.name)} is {part.dtype}, "
                     f"expected {boxes.dtype}", UnsupportedModel)
    layer.expect(anchors.data is not None, "its anchors are not constant", UnsupportedModel)
    layer.expect(scores.data is None, "its scores are constant", UnsupportedModel)
    layer.expect(anchors.dtype == "float32" or anchors.quant is not None, "anchors need a scale")
    count, classes = anchors.shape[0] if anchors.shape else 0, layer.node.attrs["num_classes"]
    layer.expect(boxes.shape == (1, count, 4) and anchors.shape == (count, 4),
                 f"boxes {boxes.shape} and anchors {anchors.shape}, [1,N,4] and [N,4] expected")
    layer.expect(scores.shape in ((1, count, classes), (1, count, classes + 1)),
                 f"scores {scores.shape} for {count} boxes of {classes} classes")
    kept = layer.node.attrs["max_detections"] * layer.node.attrs["max_classes_per_detection"]
    return (1, kept, 4), (1, kept), (1, kept), (1,)


_RULES: Final[Mapping[str, Callable[[_Layer], tuple[Shape, ...]]]] = by_operator(
    "importers.rules", {
        Kind.ARITHMETIC: _arithmetic,
        Kind.PAIRWISE: _arithmetic,
        Kind.POOL: _pool,
        Kind.RESIZE: _resize,
        Kind.UNARY: _unary,
        "conv2d": _conv2d,
        "depthwise_conv2d": _depthwise,
        "fully_connected": _fully_connected,
        "concat": _concat,
        Kind.REDUCTION: _reduction,
        "softmax": _softmax,
        "log_softmax": _elementwise,
        "l2_normalization": _elementwise,
        "batch_matmul": _batch_matmul,
        "pack": _pack,
        **dict.fromkeys(REORDERS, _moved),
        "quantize": _quantize,
        "dequantize": _dequantize,
        "argmax": _argmax,
        "argmin": _argmax,
        "detection_postprocess": _detection,
    })
