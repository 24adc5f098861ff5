# SPDX-License-Identifier: Apache-2.0
"""detection_postprocess -> DETECTION, which takes codes and scores anchor by anchor."""

from __future__ import annotations

import numpy as np

from edgefm.lower.builder import Builder
from edgefm.lower.fixed_point import SHIFT
from edgefm.lower.row_needs import identity
from edgefm.network.graph import Array, Node, Tensor
from edgefm.network.program import Op, OpKind
from edgefm.ops.quantize import dequantized

_OUTPUTS = 4
_ANCHORS_MAX, _CLASSES_MAX, _DETECTIONS_MAX = 1 << 16, 256, 1 << 12
_BOX_BYTES, _STATE_BYTES = 16, 6


def detection(b: Builder, node: Node) -> None:
    """The fast suppression with one class per box; anything else is refused."""
    attrs = node.attrs
    if attrs.get("use_regular_nms", False) or attrs["max_classes_per_detection"] != 1:
        raise b.fail(node, "suppression class by class, or several classes per box",
                     "fast suppression with one class per box")
    codes, scores = (_quantized(b, node, k) for k in (0, 1))
    anchors = _anchors(b, node)
    limit, classes = int(attrs["max_detections"]), int(attrs["num_classes"])
    _check_sizes(b, node, (codes, scores), len(anchors), (classes, limit))
    outputs = [b.add_stream(node, t) for t in node.outputs]
    tensors = [b.graph.tensors[t] for t in (codes, scores)]
    section = (np.float32(attrs["nms_iou_threshold"]).tobytes()
               + np.float32(tensors[1].scale).tobytes()
               + _decoded_codes(tensors[0], node).astype("<f8").tobytes()
               + anchors.astype("<f4").tobytes())
    lowest = _lowest_score(tensors[1], float(attrs["nms_score_threshold"]))
    b.ops.append(Op(OpKind.DETECTION, node.name, (b.stream_of[codes], b.stream_of[scores]),
                    tuple(outputs), (lowest, classes, limit), section,
                    _BOX_BYTES * limit + _STATE_BYTES * len(anchors),
                    (identity(len(anchors)),) * 2, accumulates=True))


def _quantized(b: Builder, node: Node, k: int) -> int:
    """The 8-bit tensor of input k; one that was only dequantized for us is taken as it was."""
    index = node.inputs[k]
    if b.tensor(node, k).dtype == "float32" and index in b.graph.producer():
        maker = b.graph.nodes[b.graph.producer()[index]]
        if maker.op == "dequantize":
            index = maker.inputs[0]
    b.zero_point(node, index)
    if index not in b.stream_of:
        raise b.fail(node, f"input {k} is a constant", "a computed tensor")
    return index


def _anchors(b: Builder, node: Node) -> Array:
    """float32 [N, 4]: center y, center x, height, width."""
    tensor, data = b.tensor(node, 2), b.constant(node, 2)
    real = data if tensor.dtype == "float32" else dequantized(data, tensor)
    if real.ndim != 2 or real.shape[1] != 4:
        raise b.fail(node, f"anchors of shape {real.shape}", "[N, 4]")
    return real


def _decoded_codes(tensor: Tensor, node: Node) -> Array:
    """float64 [4, 256] by int8 code from -128 on: offsets y and x, half the growth in h and w."""
    every = np.arange(-128, 128) + SHIFT[tensor.dtype]
    real = dequantized(every, tensor).astype(np.float64)
    y, x, h, w = (real / np.float64(np.float32(node.attrs[name]))
                  for name in ("y_scale", "x_scale", "h_scale", "w_scale"))
    return np.stack((y, x, 0.5 * np.exp(h), 0.5 * np.exp(w)))


def _lowest_score(tensor: Tensor, threshold: float) -> int:
    """The smallest int8 score that reaches the threshold; 128 when none does."""
    every = np.arange(-128, 128)
    real = dequantized(every + SHIFT[tensor.dtype], tensor)
    reaching = every[real >= np.float32(threshold)]
    return int(reaching[0]) if len(reaching) else 128


def _check_sizes(b: Builder, node: Node, inputs: tuple[int, int], anchors: int,
                 params: tuple[int, int]) -> None:
    codes, scores = (b.shape(node, t) for t in inputs)
    classes, limit = params
    if codes != (anchors, 1, 4) or scores[:2] != (anchors, 1) or scores[2] < classes:
        raise b.fail(node, f"codes {codes}, scores {scores}, {anchors} anchors, {classes} classes",
                     "rows of 4 codes and of a score per class, one for each anchor")
    if anchors > _ANCHORS_MAX or not 1 <= classes <= _CLASSES_MAX or not (
            1 <= limit <= _DETECTIONS_MAX):
        raise b.fail(node, f"{anchors} anchors, {classes} classes, {limit} detections",
                     f"at most {_ANCHORS_MAX}, {_CLASSES_MAX}, {_DETECTIONS_MAX}")
    shapes = [b.shape(node, t) for t in node.outputs]
    if shapes != [(limit, 1, 4), (1, 1, limit), (1, 1, limit), (1, 1, 1)]:
        raise b.fail(node, f"outputs {shapes}", f"{_OUTPUTS} outputs for {limit} detections")
