# SPDX-License-Identifier: Apache-2.0
"""Composite ONNX operators spelled out as plain ones, before anything is converted.

A quantized operator (`QLinearConv`, `QLinearAdd`, ...) becomes DequantizeLinear, its float
operator, QuantizeLinear; an operator that only moves quantized values (MaxPool, Reshape, ...) is
put between such a pair too. Dynamic quantization becomes the float network that it stands for, and
what onnxruntime fuses is taken apart. So everything behind knows one spelling of each thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgefm.importers.onnx_build import Call

_Operand = tuple[str, str, str]  # names of values, scale, zero point ("" is left out)

MOVERS = frozenset({
    "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Pad",
    "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose",
    "Unsqueeze", "Upsample"})
"""Operators that give out values of their first input, so on its scale."""


@dataclass(slots=True)
class _Spelling:
    """The calls made so far; `scales` holds scale and zero point of every quantized value."""

    taken: set[str]
    calls: list[Call] = field(default_factory=list)
    scales: dict[str, tuple[str, str]] = field(default_factory=dict)

    def fresh(self, name: str) -> str:
        """A name that no value of the file has."""
        while name in self.taken:
            name += "'"
        self.taken.add(name)
        return name

    def add(self, call: Call, op: str, inputs: Sequence[str], output: str = "",
            **attrs: Any) -> str:
        """Append an operator of one output on behalf of `call`; returns the output's name."""
        output = output or self.fresh(f"{call.outputs[0]}/{op}")
        self.calls.append(Call(op, call.name, tuple(inputs), (output,), attrs))
        return output

    def real(self, call: Call, operand: _Operand, axis: int = 1) -> str:
        """The real values of a quantized operand; `axis` is that of its scales, if several."""
        return self.add(call, "DequantizeLinear", operand, axis=axis)

    def quantized(self, call: Call, x: str, scale: tuple[str, str], output: str) -> None:
        """Put `x` on a scale, as the value `output`."""
        self.add(call, "QuantizeLinear", (x, *scale), output)
        self.scales[output] = scale


def spelled_out(calls: Sequence[Call]) -> list[Call]:
    """The same network in plain operators; calls of unknown operators stay as they are."""
    spelling = _Spelling({name for call in calls for name in (*call.inputs, *call.outputs)})
    for call in calls:
        call = replace(call, op=_OTHER_DOMAIN.get(call.op, call.op))
        expand = _EXPANSIONS.get(call.op, _plain)
        before = len(spelling.calls)
        try:
            expand(spelling, call)
        except IndexError:  # too few inputs or outputs: the check of the whole model says so
            del spelling.calls[before:]
            spelling.calls.append(call)
    return spelling.calls


def _plain(s: _Spelling, call: Call) -> None:
    """An operator as it is; what it reads in quantized form it gets as real values."""
    if call.op in ("QuantizeLinear", "DequantizeLinear"):
        if call.op == "QuantizeLinear":
            s.scales[call.outputs[0]] = _pair(call, 1)
        s.calls.append(call)
        return
    source = next((s.scales[name] for name in call.inputs if name in s.scales), None)
    if source is None:
        s.calls.append(call)
        return
    inputs = tuple(s.real(call, (name, *s.scales[name])) if name in s.scales else name
                   for name in call.inputs)
    if call.op not in MOVERS:
        s.calls.append(replace(call, inputs=inputs, node=None))
        return
    outputs = tuple(name and s.fresh(f"{name}/real") for name in call.outputs)
    s.calls.append(replace(call, inputs=inputs, outputs=outputs, node=None))
    for real, name in zip(outputs, call.outputs, strict=True):
        if name:
            s.quantized(call, real, source, name)


def _pair(call: Call, at: int) -> tuple[str, str]:
    """Scale and zero point that a call names at inputs `at` and `at` + 1."""
    return call.inputs[at], call.inputs[at + 1] if call.has(at + 1) else ""


def _operand(call: Call, at: int) -> _Operand:
    return call.inputs[at], *_pair(call, at + 1)


def _qlinear(op: str, operands: int, *dropped: str) -> Callable[[_Spelling, Call], None]:
    """Expansion of an operator of `operands` with a scale each, and then its own scale."""
    def expand(s: _Spelling, call: Call) -> None:
        if call.attrs.get("channels_last"):
            s.calls.append(call)
            return
        inputs = [s.real(call, _operand(call, 3 * i)) for i in range(operands)]
        attrs = {name: value for name, value in call.attrs.items()
                 if name not in (*dropped, "channels_last")}
        made = s.add(call, op, inputs, **attrs)
        s.quantized(call, made, _pair(call, 3 * operands), call.outputs[0])
    return expand


def _qlinear_concat(s: _Spelling, call: Call) -> None:
    inputs = [s.real(call, _operand(call, at)) for at in range(2, len(call.inputs), 3)]
    made = s.add(call, "Concat", inputs, **call.attrs)
    s.quantized(call, made, _pair(call, 0), call.outputs[0])


def _qlinear_conv(s: _Spelling, call: Call) -> None:
    if call.attrs.get("channels_last"):
        s.calls.append(call)
        return
    inputs = [s.real(call, _operand(call, 0)), s.real(call, _operand(call, 3), axis=0)]
    if call.has(8):
        inputs.append(_bias(s, call, 8))
    attrs = {name: value for name, value in call.attrs.items() if name != "channels_last"}
    made = s.add(call, "Conv", inputs, **attrs)
    s.quantized(call, made, _pair(call, 6), call.outputs[0])


def _bias(s: _Spelling, call: Call, at: int) -> str:
    """A bias whose scale is the product of the scales of the input (1) and of the weights (4)."""
    scale = s.add(call, "Mul", (call.inputs[1], call.inputs[4]))
    return s.real(call, (call.inputs[at], scale, ""), axis=0)


def _qlinear_matmul(s: _Spelling, call: Call) -> None:
    inputs = s.real(call, _operand(call, 0)), s.real(call, _operand(call, 3), axis=-1)
    made = s.add(call, "MatMul", inputs)
    s.quantized(call, made, _pair(call, 6), call.outputs[0])


def _qgemm(s: _Spelling, call: Call) -> None:
    axis = 0 if call.attrs.get("transB") else 1
    inputs = [s.real(call, _operand(call, 0)), s.real(call, _operand(call, 3), axis=axis)]
    if call.has(6):
        inputs.append(_bias(s, call, 6))
    if not call.has(7):
        s.add(call, "Gemm", inputs, call.outputs[0], **call.attrs)
        return
    made = s.add(call, "Gemm", inputs, **call.attrs)
    s.quantized(call, made, _pair(call, 7), call.outputs[0])


# Dynamic quantization: scales that each run computes stand for 1, whole numbers for real ones.

def _dynamic_quantize(s: _Spelling, call: Call) -> None:
    s.add(call, "Identity", call.inputs[:1], call.outputs[0])
    for name, value in zip(call.outputs[1:], (np.float32(1), np.uint8(0)), strict=False):
        s.add(call, "Constant", (), name, value=_tensor(value))


def _integer_product(op: str) -> Callable[[_Spelling, Call], None]:
    """Expansion of ConvInteger or MatMulInteger: weights less their zero point."""
    def expand(s: _Spelling, call: Call) -> None:
        weights = s.add(call, "Cast", call.inputs[1:2], to=1)
        if call.has(3):
            zero = s.add(call, "Cast", call.inputs[3:4], to=1)
            weights = s.add(call, "Sub", (weights, zero))
        s.add(call, op, (call.inputs[0], weights), call.outputs[0], **call.attrs)
    return expand


def _dynamic_matmul(s: _Spelling, call: Call) -> None:
    """DynamicQuantizeMatMul: values, weights, their scale, their zero point, a bias."""
    zero = call.inputs[3] if call.has(3) else ""
    weights = s.real(call, (call.inputs[1], call.inputs[2], zero), axis=-1)
    _matmul_with_bias(s, call, call.inputs[0], weights, 4)


def _matmul_integer_to_float(s: _Spelling, call: Call) -> None:
    """Values, weights, both scales, both zero points, a bias; the values are real here."""
    zero = call.inputs[5] if call.has(5) else ""
    weights = s.real(call, (call.inputs[1], call.inputs[3], zero), axis=-1)
    values = call.inputs[0]
    if values in s.scales:
        values = s.real(call, (values, *s.scales[values]))
    _matmul_with_bias(s, call, values, weights, 6)


def _matmul_with_bias(s: _Spelling, call: Call, values: str, weights: str, bias: int) -> None:
    if not call.has(bias):
        s.add(call, "MatMul", (values, weights), call.outputs[0])
        return
    product = s.add(call, "MatMul", (values, weights))
    s.add(call, "Add", (product, call.inputs[bias]), call.outputs[0])


def _tensor(value: Any) -> Any:
    from onnx.numpy_helper import from_array
    return from_array(np.asarray(value))


# What onnxruntime fuses.

def _fused(op: str) -> Callable[[_Spelling, Call], None]:
    """Expansion of FusedConv and FusedGemm: the operator, then its activation."""
    def expand(s: _Spelling, call: Call) -> None:
        attrs = {name: value for name, value in call.attrs.items()
                 if not name.startswith("activation")}
        activation = bytes(call.attrs.get("activation", b"")).decode("ascii", "replace")
        given = [float(v) for v in call.attrs.get("activation_params", ())]
        names = _ACTIVATION_ATTRS.get(activation)
        if names is None or call.has(3):
            s.calls.append(call)
            return
        own = s.add(call, op, call.inputs, **attrs)
        if activation == "Clip":
            limits = [s.add(call, "Constant", (), value=_tensor(np.float32(v))) for v in given]
            s.add(call, "Clip", (own, *limits), call.outputs[0])
            return
        s.add(call, activation, (own,), call.outputs[0],
              **dict(zip(names, given, strict=False)))
    return expand


_ACTIVATION_ATTRS: Mapping[str, tuple[str, ...]] = {
    "Relu": (), "Sigmoid": (), "Tanh": (), "Clip": (), "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta")}
_OTHER_DOMAIN: Mapping[str, str] = {
    "com.microsoft.QuantizeLinear": "QuantizeLinear",
    "com.microsoft.DequantizeLinear": "DequantizeLinear",
    "com.microsoft.Gelu": "Gelu",
}
_EXPANSIONS: Mapping[str, Callable[[_Spelling, Call], None]] = {
    "QLinearConv": _qlinear_conv,
    "QLinearMatMul": _qlinear_matmul,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "ConvInteger": _integer_product("Conv"),
    "MatMulInteger": _integer_product("MatMul"),
    "com.microsoft.QLinearConv": _qlinear_conv,
    "com.microsoft.QLinearAdd": _qlinear("Add", 2),
    "com.microsoft.QLinearMul": _qlinear("Mul", 2),
    "com.microsoft.QLinearAveragePool": _qlinear("AveragePool", 1),
    "com.microsoft.QLinearGlobalAveragePool": _qlinear("GlobalAveragePool", 1),
    "com.microsoft.QLinearLeakyRelu": _qlinear("LeakyRelu", 1),
    "com.microsoft.QLinearReduceMean": _qlinear("ReduceMean", 1),
    "com.microsoft.QLinearSigmoid": _qlinear("Sigmoid", 1),
    "com.microsoft.QLinearSoftmax": _qlinear("Softmax", 1, "opset"),
    "com.microsoft.QLinearConcat": _qlinear_concat,
    "com.microsoft.QGemm": _qgemm,
    "com.microsoft.DynamicQuantizeMatMul": _dynamic_matmul,
    "com.microsoft.MatMulIntegerToFloat": _matmul_integer_to_float,
    "com.microsoft.FusedConv": _fused("Conv"),
    "com.microsoft.FusedGemm": _fused("Gemm"),
}
EXPANDED = frozenset(_EXPANSIONS)
