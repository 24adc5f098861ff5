# SPDX-License-Identifier: Apache-2.0
"""Weights and biases of an int8 graph, refined for what its operators really get and should give.

Float graph and int8 graph run side by side over a few samples, node by node. At every linear
operator the weights are rounded one input at a time, and the error of each is handed on to inputs
that are correlated with it; then the bias takes up what is still left on average.

Sources: Frantar et al., "GPTQ" (arXiv:2210.17323), for rounding with error feedback; Nagel et al.,
"Data-Free Quantization Through Weight Equalization and Bias Correction" (arXiv:1906.04721), for the
bias.

A linear operator is seen as blocks: each block has rows (output channels) of K taps (inputs) that
all its rows share. A convolution is one block; a depthwise convolution is one per input channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgefm.network.graph import Array, Graph, Node
from edgefm.network.operators import LINEAR
from edgefm.ops import run_node
from edgefm.ops.quantize import dequantized, quantized
from edgefm.ops.window import windows

_PIXELS = 256  # output positions per sample that correlations are taken from
_BLOCK = 64    # taps
_BIAS_LIMIT = 1 << 30
_DAMPING = 1e-2  # of the mean variance
_SMALLEST_VARIANCE = 1e-12

Floats = npt.NDArray[np.float64]
_Values = Sequence[dict[int, Array]]


def refined(graph: Graph, integer: Graph, samples: Sequence[Array]) -> Graph:
    """`integer` with better weights and biases; scales stay.

    Both graphs have the same nodes and computed tensors; no two nodes of `integer` share weights.
    """
    entry = integer.tensors[integer.inputs[0]]
    real: _Values = [{graph.inputs[0]: sample} for sample in samples]
    whole: _Values = [{graph.inputs[0]: quantized(sample, entry)} for sample in samples]
    last_use = {t: i for i, node in enumerate(graph.nodes) for t in node.inputs}
    for i, (node, twin) in enumerate(zip(graph.nodes, integer.nodes, strict=True)):
        if node.op in LINEAR:
            integer = _refined_node(graph, integer, (node, twin), real, whole)
        for floats, steps in zip(real, whole, strict=True):
            floats.update(zip(node.outputs, run_node(graph, node, floats), strict=True))
            steps.update(zip(twin.outputs, run_node(integer, twin, steps), strict=True))
            for t in node.inputs:
                if last_use[t] == i:
                    floats.pop(t, None)
                    steps.pop(t, None)
    return integer


def _refined_node(graph: Graph, integer: Graph, pair: tuple[Node, Node], real: _Values,
                  whole: _Values) -> Graph:
    """`integer` with new weights and a new bias for one linear operator."""
    node, twin = pair
    weights = graph.tensors[node.inputs[1]]
    entry, old, bias = (integer.tensors[t] for t in twin.inputs)
    assert weights.data is not None and old.quant is not None and bias.quant is not None
    rows = as_rows(weights.data.astype(np.float64), node)
    scale = np.array(old.quant.scale).reshape(rows.shape[:2])
    wanted = [_mean_taps(values[node.inputs[0]], node, weights.shape) for values in real]
    got, seen = [], []
    for values in whole:
        x = dequantized(values[twin.inputs[0]], entry)
        got.append(_mean_taps(x, node, weights.shape))
        seen.append(taps_of(x, node, weights.shape, _PIXELS))
    steps = rounded(rows, scale, covariance_of(seen))
    shift = (products(rows, np.mean(wanted, axis=0))
             - products(steps * scale[..., None], np.mean(got, axis=0)))
    stored = graph.tensors[node.inputs[2]].data if node.inputs[2] >= 0 else None
    shift = shift if stored is None else shift + stored
    bias_steps = np.clip(np.rint(shift / np.array(bias.quant.scale)), -_BIAS_LIMIT, _BIAS_LIMIT)
    tensors = list(integer.tensors)
    tensors[twin.inputs[1]] = replace(old, data=from_rows(steps, weights.shape, node))
    tensors[twin.inputs[2]] = replace(bias, data=bias_steps.astype(np.int32))
    return replace(integer, tensors=tuple(tensors))


def as_rows(weights: Floats, node: Node) -> Floats:
    """Weights as [blocks, rows, K]."""
    if node.op != "depthwise_conv2d":
        return weights.reshape(1, len(weights), -1)
    multiplier = int(node.attrs["multiplier"])
    return weights.reshape(-1, weights.shape[3] // multiplier, multiplier).transpose(1, 2, 0)


def from_rows(steps: Floats, shape: tuple[int, ...], node: Node) -> Array:
    """The inverse of `as_rows`, as int8."""
    ordered = steps.transpose(2, 0, 1) if node.op == "depthwise_conv2d" else steps
    return np.ascontiguousarray(ordered.reshape(shape).astype(np.int8))


def taps_of(x: Array, node: Node, shape: tuple[int, ...], most: int | None = None) -> Array:
    """What the rows are multiplied with: float32 [blocks, positions, K]; at most about `most`
    positions, evenly spread."""
    if node.op == "fully_connected":
        flat = x.reshape(1, -1, shape[1])
        return flat[:, ::_every(flat.shape[1], most)]
    view = windows(x, (shape[1], shape[2]), node.attrs)[0]
    height, width = view.shape[:2]
    rows, columns = np.divmod(np.arange(0, height * width, _every(height * width, most)), width)
    some = view[rows, columns]  # [positions, C, kh, kw]
    if node.op == "depthwise_conv2d":
        return np.ascontiguousarray(some.transpose(1, 0, 2, 3).reshape(x.shape[3], len(rows), -1))
    return np.ascontiguousarray(some.transpose(0, 2, 3, 1).reshape(1, len(rows), -1))


def _every(count: int, most: int | None) -> int:
    return 1 if most is None else -(-count // most)


def _mean_taps(x: Array, node: Node, shape: tuple[int, ...]) -> Floats:
    """Mean of every tap over all positions: [blocks, K]."""
    if node.op == "fully_connected":
        return np.asarray(x.reshape(1, -1, shape[1]).mean(axis=1, dtype=np.float64))
    view = windows(x, (shape[1], shape[2]), node.attrs)[0]
    means = np.array([[view[..., i, j].mean(axis=(0, 1), dtype=np.float64)
                       for j in range(shape[2])] for i in range(shape[1])])  # [kh, kw, C]
    if node.op == "depthwise_conv2d":
        return means.reshape(-1, x.shape[3]).T
    return means.reshape(1, -1)


def products(rows: Floats, taps: Floats) -> Floats:
    """What each output channel gets from one vector of taps: [output channels]."""
    return np.asarray(np.einsum("brk,bk->br", rows, taps).ravel())


def covariance_of(taps: Sequence[Array]) -> Floats:
    """Covariance [blocks, K, K], shrunk towards its diagonal as far as positions are too few."""
    seen = np.concatenate([t[:, ::_every(t.shape[1], _PIXELS)] for t in taps], axis=1)
    centered = seen - seen.mean(axis=1, keepdims=True, dtype=np.float64)
    count, k = centered.shape[1:]
    full = centered.transpose(0, 2, 1) @ centered / count
    variances = np.einsum("bkk->bk", full)
    share = count / (count + k)
    floor = _DAMPING * variances.mean(axis=1, keepdims=True) + _SMALLEST_VARIANCE
    return np.asarray(full * share + np.eye(k) * (variances * (1 - share) + floor)[:, None, :])


def rounded(rows: Floats, scale: Floats, covariance: Floats) -> Floats:
    """Integer steps of `rows` [blocks, rows, K] at `scale` [blocks, rows]: tap by tap, later taps
    make up for the error of earlier ones, as far as `covariance` [blocks, K, K] says they can."""
    return rounded_by(rows, scale, influence_of(covariance))


def influence_of(covariance: Floats) -> Floats:
    """How an error of each tap is made up for by later ones: upper triangles [blocks, K, K]. One
    over the square of the diagonal is a tap's variance when all earlier ones are known."""
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance)).transpose(0, 2, 1))


def rounded_by(rows: Floats, scale: Floats, influence: Floats, batch: int = _BLOCK) -> Floats:
    """`rounded` with the influence of each tap. What `batch` taps leave to later ones is handed on
    at once: one product of matrices."""
    left, steps = rows.copy(), np.empty_like(rows)
    for first in range(0, rows.shape[2], batch):
        last = min(first + batch, rows.shape[2])
        errors = np.empty((*rows.shape[:2], last - first))
        for k in range(first, last):
            steps[..., k] = np.clip(np.rint(left[..., k] / scale), -127, 127)
            error = (left[..., k] - steps[..., k] * scale) / influence[:, None, k, k]
            left[..., k + 1:last] -= error[..., None] * influence[:, None, k, k + 1:last]
            errors[..., k - first] = error
        left[..., last:] -= errors @ influence[:, first:last, last:]
    return steps
