# SPDX-License-Identifier: Apache-2.0
"""QuantizeLinear, DequantizeLinear and Cast: where an ONNX network changes its number type."""

from __future__ import annotations

import numpy as np

from edgefm.importers.onnx_build import Build, Call, Edge, axis_of, constant_of
from edgefm.network.affine import in_type
from edgefm.network.graph import Array, Quant

_TYPES = ("int8", "uint8")
_STORED = (*_TYPES, "int32")  # of constants; int32 is a bias
_OUTPUT_TYPES = {2: "uint8", 3: "int8"}  # TensorProto.DataType of attribute output_dtype
_REAL_TYPES = (1, 10, 11, 16)            # float32, float16, float64, bfloat16


def quantize_linear(build: Build, call: Call) -> Edge | Array:
    """Real values on a scale; a constant is computed."""
    scale, zero = _parameters(build, call)
    x = build.values[call.inputs[0]]
    dtype = _type(build, call, _OUTPUT_TYPES.get(int(call.attrs.get("output_dtype", 0)), "uint8")
                  if zero is None else str(zero.dtype))
    zeros = np.zeros_like(scale) if zero is None else zero.astype(np.float64)
    if isinstance(x, np.ndarray):
        build.spend(call, 8 * x.size)
        shape = _column(call, x.ndim, x.shape, scale)
        steps = np.rint(x.astype(np.float64) / scale.reshape(shape)) + zeros.reshape(shape)
        info = np.iinfo(dtype)
        return np.asarray(np.clip(steps, info.min, info.max), dtype)
    if scale.size != 1:
        raise build.fail(call, f"an activation with {scale.size} scales; expected one")
    quant = Quant((float(scale[0]),), (int(zeros[0]),))
    return build.emit("quantize", call.outputs[0], (x.tensor,), x.shape, x.axes, dtype=dtype,
                      quant=quant)


def dequantize_linear(build: Build, call: Call) -> Edge | Array:
    """Real values again; a constant is computed, and keeps its scales (`Build.quants`)."""
    scale, zero = _parameters(build, call)
    zeros = np.zeros(scale.size, np.int64) if zero is None else zero.astype(np.int64)
    x = build.values[call.inputs[0]]
    if isinstance(x, np.ndarray):
        return _real_constant(build, call, x, scale, zeros)
    if scale.size != 1:
        raise build.fail(call, f"an activation with {scale.size} scales; expected one")
    _settle(build, call, x, Quant((float(scale[0]),), (int(zeros[0]),)))
    return build.emit("dequantize", call.outputs[0], (x.tensor,), x.shape, x.axes)


def cast(build: Build, call: Call) -> Edge:
    """Another type: real numbers of any width are float32 here, a picture's pixels become so."""
    x = build.values[call.inputs[0]]
    assert isinstance(x, Edge)  # constants are folded before
    if call.attrs.get("to") not in _REAL_TYPES:
        raise build.fail(call, "it makes whole numbers of an activation; expected real ones")
    if build.tensors[x.tensor].dtype == "float32":
        return x
    _settle(build, call, x, Quant((1.0,), (0,)))
    return build.emit("dequantize", call.outputs[0], (x.tensor,), x.shape, x.axes)


def _settle(build: Build, call: Call, x: Edge, quant: Quant) -> None:
    """Give an 8-bit tensor its scale, or see that it has this one."""
    tensor = build.tensors[x.tensor]
    if tensor.dtype not in _TYPES:
        raise build.fail(call, f"it takes {tensor.dtype}; expected {' or '.join(_TYPES)}")
    if tensor.quant is None:
        build.with_quant(x.tensor, quant)
    elif tensor.quant != quant:
        raise build.fail(call, f"scale {quant.scale[0]:g} and zero point {quant.zero_point[0]} "
                               f"for values of scale {tensor.quant.scale[0]:g} and zero point "
                               f"{tensor.quant.zero_point[0]}")


def _parameters(build: Build, call: Call) -> tuple[Array, Array | None]:
    """Scales (float64) and zero points or None, one dimension each."""
    if int(call.attrs.get("block_size", 0)):
        raise build.fail(call, "scales per block; expected one per tensor or per channel")
    scale = constant_of(build, call, 1).ravel()
    zero = constant_of(build, call, 2).ravel() if call.has(2) else None
    if scale.dtype.kind != "f" or not scale.size or (zero is not None
                                                     and zero.size not in (1, scale.size)):
        raise ValueError(f"{scale.size} scales of {scale.dtype} and "
                         f"{0 if zero is None else zero.size} zero points")
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise ValueError(f"a scale is {float(scale.min())}; expected finite numbers above 0")
    if zero is not None:
        _type(build, call, str(zero.dtype), _STORED)
        zero = np.broadcast_to(zero, scale.shape)
    return scale.astype(np.float64), zero


def _type(build: Build, call: Call, dtype: str, known: tuple[str, ...] = _TYPES) -> str:
    if dtype not in known:
        raise build.fail(call, f"values of {dtype}; expected {' or '.join(_TYPES)} (quantize the "
                               "network in 8 bits, or give the float one)")
    return dtype


def _real_constant(build: Build, call: Call, x: Array, scale: Array, zeros: Array) -> Array:
    _type(build, call, str(x.dtype), _STORED)
    build.spend(call, 8 * x.size)
    shape = _column(call, x.ndim, x.shape, scale)
    build.quants[call.outputs[0]] = in_type(
        Quant(tuple(scale.tolist()), tuple(zeros.tolist())), str(x.dtype), "int8")
    real = (x.astype(np.float64) - zeros.reshape(shape)) * scale.reshape(shape)
    return real.astype(np.float32)


def _column(call: Call, rank: int, shape: tuple[int, ...], scale: Array) -> tuple[int, ...]:
    """The shape in which scales meet a constant: along `axis` where there are several."""
    if scale.size == 1:
        return (1,) * rank
    axis = axis_of(int(call.attrs.get("axis", 1)), rank)
    if shape[axis] != scale.size:
        raise ValueError(f"{scale.size} scales along axis {axis} of {list(shape)}")
    return tuple(-1 if i == axis else 1 for i in range(rank))
