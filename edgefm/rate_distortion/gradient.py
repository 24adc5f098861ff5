# SPDX-License-Identifier: Apache-2.0
"""Derivatives of an integer network's scores with respect to its maps, ignoring rounding.

A clamped value (by an activation or by its type) has derivative 0. All values are in real units: a
map's derivative is the change per unit, not per step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.errors import UnsupportedModel
from edgefm.network.graph import Array, Graph, Node
from edgefm.network.operators import OPERATORS, Kind, by_operator, such
from edgefm.ops import fixed
from edgefm.ops.unary import UNARY
from edgefm.ops.window import windows

Floats = npt.NDArray[np.float32]
_CLAMPING = such(lambda one: one.clamps)


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One node on the way back: the values its inputs had, and what its output passes on."""

    graph: Graph
    node: Node
    values: Mapping[int, Array]
    dy: Floats

    def real(self, position: int) -> Floats:
        """An operand in real units; constants with one scale per channel too."""
        t = self.node.inputs[position]
        tensor = self.graph.tensors[t]
        data = tensor.data if tensor.data is not None else self.values[t]
        assert tensor.quant is not None
        scale, zero = (np.array(v, np.float32) for v in (tensor.quant.scale,
                                                         tensor.quant.zero_point))
        if len(scale) > 1:  # symmetric, whatever the zero points say
            shape = [1] * data.ndim
            shape[tensor.quant.axis or 0] = -1
            return np.asarray(data.astype(np.float32) * scale.reshape(shape), np.float32)
        return np.asarray((data.astype(np.float32) - zero[:1]) * scale, np.float32)

    def shape(self, position: int = 0) -> tuple[int, ...]:
        return self.graph.tensors[self.node.inputs[position]].shape


def pulled_back(graph: Graph, values: Mapping[int, Array], tensor: int, weights: Floats
                ) -> dict[int, Floats]:
    """The derivative of sum(weights * tensor) with respect to every map it was computed from.

    `values` are the integers of one run, by tensor. Raises UnsupportedModel for an operator whose
    derivative is not known here.
    """
    found: dict[int, Floats] = {tensor: weights.reshape(graph.tensors[tensor].shape)}
    for node in reversed(graph.nodes):
        dy = found.get(node.outputs[0])
        if dy is None:
            continue
        if node.op not in _BACKWARD:
            raise UnsupportedModel(f"{graph.name}: {node.op} {node.name!r} has no derivative here")
        step = _Step(graph, node, values, passing(graph, node, values, dy))
        for t, dx in _BACKWARD[node.op](step).items():
            found[t] = found[t] + dx if t in found else dx
    return found


def passing(graph: Graph, node: Node, values: Mapping[int, Array], dy: Floats) -> Floats:
    """`dy` where the output was not clamped."""
    if node.op not in _CLAMPING:
        return dy
    output = graph.tensors[node.outputs[0]]
    activation = node.op if OPERATORS[node.op].activates else node.attrs["activation"]
    low, high = fixed.activation_range(output, activation)
    y = values[node.outputs[0]]
    return np.asarray(dy * ((y > low) & (y < high)), np.float32)


def _conv2d(step: _Step) -> dict[int, Floats]:
    w = step.real(1)
    return {step.node.inputs[0]: _spread(step, w.shape[1:3], lambda i, j: step.dy @ w[:, i, j])}


def _depthwise(step: _Step) -> dict[int, Floats]:
    w = step.real(1)[0]
    dy = step.dy.reshape(*step.dy.shape[:3], step.shape()[3], -1)
    return {step.node.inputs[0]: _spread(step, w.shape[:2], lambda i, j: (
        dy * w[i, j].reshape(dy.shape[3:])).sum(axis=4))}


def _spread(step: _Step, kernel: tuple[int, ...], part: Callable[[int, int], Floats]) -> Floats:
    """Every tap's part of the derivative, added where the tap read its input."""
    attrs, (n, h, w, c) = step.node.attrs, step.shape()
    (top, bottom), (left, right) = attrs["padding"]
    dh, dw = attrs.get("dilation", (1, 1))
    sh, sw = attrs["stride"]
    oh, ow = step.dy.shape[1:3]
    padded = np.zeros((n, h + top + bottom, w + left + right, c), np.float32)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = slice(i * dh, i * dh + sh * (oh - 1) + 1, sh)
            columns = slice(j * dw, j * dw + sw * (ow - 1) + 1, sw)
            padded[:, rows, columns] += part(i, j)
    return padded[:, top:top + h, left:left + w]


def _fully_connected(step: _Step) -> dict[int, Floats]:
    w = step.real(1)
    dx = step.dy.reshape(-1, len(w)) @ w
    return {step.node.inputs[0]: dx.reshape(step.shape())}


def _sum(step: _Step) -> dict[int, Floats]:
    sign = np.float32(-1 if step.node.op == "sub" else 1)
    return _operands(step, (step.dy, step.dy * sign))


def _product(step: _Step) -> dict[int, Floats]:
    return _operands(step, (step.dy * step.real(1), step.dy * step.real(0)))


def _operands(step: _Step, parts: tuple[Floats, Floats]) -> dict[int, Floats]:
    """What both operands get; broadcast ones get the sum, constants nothing."""
    found: dict[int, Floats] = {}
    for position, part in enumerate(parts):
        t = step.node.inputs[position]
        if step.graph.tensors[t].data is None:
            dx = _folded(part, step.shape(position))
            found[t] = found[t] + dx if t in found else dx
    return found


def _folded(part: Floats, shape: tuple[int, ...]) -> Floats:
    extra = part.ndim - len(shape)
    axes = tuple(i for i in range(part.ndim)
                 if i < extra or (shape[i - extra] == 1 and part.shape[i] > 1))
    return np.asarray(part.sum(axis=axes).reshape(shape), np.float32)


def _concat(step: _Step) -> dict[int, Floats]:
    axis = step.node.attrs["axis"]
    sizes = [step.shape(i)[axis] for i in range(len(step.node.inputs))]
    return dict(zip(step.node.inputs, np.split(step.dy, np.cumsum(sizes)[:-1], axis), strict=True))


def _average_pool(step: _Step) -> dict[int, Floats]:
    kernel = step.node.attrs["kernel"]
    cells = np.ones((1, *step.shape()[1:3], 1), np.float32)
    share = step.dy / windows(cells, kernel, step.node.attrs).sum(axis=(4, 5))
    return {step.node.inputs[0]: _spread(step, kernel, lambda i, j: share)}


def _max_pool(step: _Step) -> dict[int, Floats]:
    x, kernel = step.values[step.node.inputs[0]], step.node.attrs["kernel"]
    low = fixed.type_range(str(x.dtype))[0]
    view = windows(x, kernel, step.node.attrs, low)
    won = view.reshape(*view.shape[:4], -1).argmax(axis=4)
    return {step.node.inputs[0]: _spread(step, kernel, lambda i, j: (
        step.dy * (won == i * kernel[1] + j)))}


def _mean(step: _Step) -> dict[int, Floats]:
    shape, axes = step.shape(), tuple(step.node.attrs["axes"])
    kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
    cells = np.prod([shape[i] for i in axes])
    return {step.node.inputs[0]: np.broadcast_to(step.dy.reshape(kept) / np.float32(cells), shape)}


def _reshape(step: _Step) -> dict[int, Floats]:
    return {step.node.inputs[0]: step.dy.reshape(step.shape())}


def _pad(step: _Step) -> dict[int, Floats]:
    inside = tuple(slice(before, before + n) for (before, _), n in zip(
        step.node.attrs["padding"], step.shape(), strict=True))
    return {step.node.inputs[0]: step.dy[inside]}


def _same(step: _Step) -> dict[int, Floats]:
    return {step.node.inputs[0]: step.dy}


def _slope(step: _Step) -> dict[int, Floats]:
    """A unary operator: the slope of its real function at each of the input's 256 values."""
    t = step.node.inputs[0]
    x = step.graph.tensors[t]
    low, high = fixed.type_range(x.dtype)
    real = x.scale * (np.arange(low, high + 1) - x.zero_point)
    before, after = (UNARY[step.node.op].real((real + side * x.scale / 2).astype(np.float32),
                                              step.node.attrs) for side in (-1, 1))
    slopes = (after - before) / np.float32(x.scale)
    return {t: np.asarray(step.dy * slopes[step.values[t].astype(np.int64) - low], np.float32)}


_BACKWARD: Mapping[str, Callable[[_Step], dict[int, Floats]]] = by_operator("rate_distortion", {
    Kind.UNARY: _slope,
    "conv2d": _conv2d, "depthwise_conv2d": _depthwise, "fully_connected": _fully_connected,
    "add": _sum, "sub": _sum, "mul": _product, "concat": _concat, "average_pool": _average_pool,
    "max_pool": _max_pool, "mean": _mean, "reshape": _reshape, "pad": _pad, "quantize": _same,
    "relu": _same, "relu6": _same,
}, among=lambda one: one.differentiable)
