# SPDX-License-Identifier: Apache-2.0
"""Convolutions that a graph does not have, as some that it has: grouped and transposed ones.

A grouped convolution is one of each slice of channels. A transposed one is an ordinary one at the
input's resolution, with as many output channels for each output pixel that falls into an input
pixel, which are then woven into rows. Sums have the same terms, so integer results have the same
bits.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from edgefm.errors import UnsupportedModel
from edgefm.importers.draft import Draft, part_of
from edgefm.importers.rules import expect, quoted
from edgefm.network.graph import Array, Graph, Node, Tensor

TRANSPOSED: Final = "transpose_conv2d"
"""A node that only importers make: inputs x, w [O,kh,kw,I], bias or -1; attrs stride, before (rows
above and pixels left that are cut off), activation."""

_MOST_GROUPS: Final = 15  # convolutions side by side
_MOST_WEIGHTS: Final = 1 << 26  # that an ordinary convolution needs in place of another one's


def ordinary(graph: Graph) -> Graph:
    """The graph without grouped and transposed convolutions."""
    draft = Draft(graph)
    for node in graph.nodes:
        if node.op == TRANSPOSED:
            _transposed(draft, node)
        elif node.op == "conv2d" and _groups(draft, node) > 1:
            _grouped(draft, node)
        else:
            draft.nodes.append(node)
    return draft.finished()


def is_ordinary(graph: Graph) -> bool:
    """True where `ordinary` has nothing to do."""
    draft = Draft(graph)
    return not any(node.op == TRANSPOSED or (node.op == "conv2d" and _groups(draft, node) > 1)
                   for node in graph.nodes)


def _groups(draft: Draft, node: Node) -> int:
    """How many groups a convolution has, 1 also for one that cannot be."""
    if min(node.inputs[:2]) < 0:
        return 1
    x, w = (draft.tensors[t].shape for t in node.inputs[:2])
    if len(x) != 4 or len(w) != 4 or min(*x, *w) < 1 or x[3] % w[3] or w[0] % (x[3] // w[3]):
        return 1
    return x[3] // w[3] if draft.tensors[node.inputs[1]].data is not None else 1


def _grouped(draft: Draft, node: Node) -> None:
    groups, w = _groups(draft, node), draft.tensors[node.inputs[1]]
    if w.shape[3] == 1:
        _depthwise(draft, node, w)
        return
    x, y = node.inputs[0], node.outputs[0]
    count = max(n for n in range(1, _MOST_GROUPS + 1) if groups % n == 0)
    shape, out = draft.tensors[x].shape, draft.tensors[y].shape
    deep, wide, parts = shape[3] // count, w.shape[0] // count, []
    _check_weights(node, w.shape[0] * w.shape[1] * w.shape[2] * deep)
    for k in range(count):
        name, places = f"{node.name}/group{k}", np.arange(k * wide, (k + 1) * wide)
        part = draft.node("slice", (x,), draft.like(x, f"{name}/input", (*shape[:3], deep)),
                          begin=(0, 0, 0, k * deep), size=(*shape[:3], deep), stride=(1,) * 4,
                          dropped=())
        weights = draft.constant(f"{name}/weights", _diagonal(w, places, deep),
                                 part_of(w.quant, places, 0))
        made = draft.like(y, name, (*out[:3], wide) if out else ())
        parts.append(draft.node("conv2d", (part, weights, _bias(draft, node, places, name)), made,
                                **node.attrs))
    draft.node("concat", parts, y, axis=3)


def _check_weights(node: Node, count: int) -> None:
    expect(count <= _MOST_WEIGHTS, f"{node.op} {quoted(node.name)}",
           f"as ordinary convolutions it has {count} weights, {_MOST_WEIGHTS} are possible",
           UnsupportedModel)


def _depthwise(draft: Draft, node: Node, w: Tensor) -> None:
    """A group for each channel."""
    assert w.data is not None
    channels = draft.tensors[node.inputs[0]].shape[3]
    weights = draft.constant(f"{node.name}/weights", w.data.transpose(3, 1, 2, 0),
                             part_of(w.quant, np.arange(w.shape[0]), 3))
    draft.node("depthwise_conv2d", (node.inputs[0], weights, *node.inputs[2:]), node.outputs[0],
               **node.attrs, multiplier=w.shape[0] // channels)


def _diagonal(w: Tensor, places: Array, deep: int) -> Array:
    """The weights of these output channels for `deep` input channels: zero where groups differ."""
    assert w.data is not None
    own = w.shape[3]
    groups = deep // own
    made = np.full((len(places), *w.shape[1:3], deep), _zero(w), w.data.dtype)
    each = len(places) // groups
    for g in range(groups):
        rows = slice(g * each, (g + 1) * each)
        made[rows, :, :, g * own:(g + 1) * own] = w.data[places[rows]]
    return made


def _zero(w: Tensor) -> int:
    """What stands for a weight of zero."""
    return w.quant.zero_point[0] if w.quant is not None and w.quant.axis is None else 0


def _bias(draft: Draft, node: Node, places: Array, name: str) -> int:
    """The bias of these output channels, -1 where there is none."""
    index = node.inputs[2] if len(node.inputs) > 2 else -1
    bias = draft.tensors[index] if index >= 0 else None
    if bias is None or bias.data is None or bias.data.ndim != 1 or len(bias.data) <= places.max():
        return index
    return draft.constant(f"{name}/bias", bias.data[places], part_of(bias.quant, places, 0))


def _transposed(draft: Draft, node: Node) -> None:
    """Output row y + before is row (y + before) // stride of the input's resolution, and the
    (y + before) % stride-th of it."""
    where = f"{TRANSPOSED} {quoted(node.name)}"
    expect(min(node.inputs[:2]) >= 0, where, "its input or its weights are left out")
    x, w, y = (draft.tensors[t] for t in (*node.inputs[:2], *node.outputs))
    expect(len(x.shape) == len(w.shape) == len(y.shape) == 4 and w.data is not None
           and min(*x.shape, *w.shape, *y.shape) >= 1, where,
           f"{x.shape}, weights {w.shape} and output {y.shape}; expected maps and constant weights "
           "of four dimensions")
    stride, before = node.attrs["stride"], node.attrs["before"]
    taps = tuple(-(-k // s) for k, s in zip(w.shape[1:3], stride, strict=True))
    sizes = tuple((n - 1 + b) // s + 1
                  for n, b, s in zip(y.shape[1:3], before, stride, strict=True))
    after = tuple(n - old for n, old in zip(sizes, x.shape[1:3], strict=True))
    expect(all(a < t for a, t in zip(after, taps, strict=True)), where,
           f"output {y.shape} is larger than {x.shape}, weights {w.shape} and stride {stride} give")
    (sh, sw), channels = stride, w.shape[0]
    _check_weights(node, sh * sw * math.prod(taps) * channels * w.shape[3])
    extra = tuple(max(-a, 0) for a in after)
    high, wide = (n + e for n, e in zip(sizes, extra, strict=True))
    places = np.tile(np.arange(channels), sh * sw)
    weights = draft.constant(f"{node.name}/weights", _phases(w, stride, taps),
                             part_of(w.quant, places, 0))
    fine = draft.node(
        "conv2d", (node.inputs[0], weights, _bias(draft, node, places, node.name)),
        draft.like(node.outputs[0], f"{node.name}/phases", (1, high, wide, len(places))),
        stride=(1, 1), dilation=(1, 1), activation=node.attrs["activation"],
        padding=tuple((t - 1, max(a, 0)) for t, a in zip(taps, after, strict=True)))
    cells = _like(draft, node, "cells", (1, high, wide, sh, sw, channels))
    draft.node("reshape", (fine,), cells)
    woven = _like(draft, node, "woven", (1, high, sh, wide, sw, channels))
    draft.node("transpose", (cells,), woven, perm=(0, 1, 3, 2, 4, 5))
    whole = _like(draft, node, "whole", (1, 1, high * sh, wide * sw, channels))
    draft.node("reshape", (woven,), whole)
    draft.node("slice", (whole,), node.outputs[0], begin=(0, 0, *before, 0), stride=(1,) * 5,
               size=(1, 1, *y.shape[1:3], channels), dropped=(1,))


def _like(draft: Draft, node: Node, name: str, shape: tuple[int, ...]) -> int:
    return draft.like(node.outputs[0], f"{node.name}/{name}", shape)


def _phases(w: Tensor, stride: tuple[int, int], taps: tuple[int, ...]) -> Array:
    """Weights [sh * sw * O, th, tw, I]: each phase has every stride-th tap, in opposite order."""
    assert w.data is not None
    (sh, sw), (th, tw) = stride, taps
    wide = np.full((w.shape[0], th * sh, tw * sw, w.shape[3]), _zero(w), w.data.dtype)
    wide[:, :w.shape[1], :w.shape[2]] = w.data
    cells = wide.reshape(w.shape[0], th, sh, tw, sw, w.shape[3])[:, ::-1, :, ::-1]
    return cells.transpose(2, 4, 0, 1, 3, 5).reshape(-1, th, tw, w.shape[3])
