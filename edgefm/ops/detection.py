# SPDX-License-Identifier: Apache-2.0
"""detection_postprocess: TFLite's custom operator TFLite_Detection_PostProcess.

Boxes are decoded from their anchors, then overlapping ones are dropped (non-maximum suppression),
either once over every box's best class ("fast") or class by class ("regular"). All of it is
float32 arithmetic except the decoding, which is double and stored as float32. Source: TFLite's
detection_postprocess.cc, including what it leaves in unused output slots (fast: whatever was there,
here zero; regular: zero).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgefm.network.graph import Array, Tensor
from edgefm.ops.call import Call


def detection_postprocess(call: Call) -> tuple[Array, ...]:
    """Boxes [1,D,4] as (ymin, xmin, ymax, xmax), classes [1,D], scores [1,D], count [1]."""
    boxes = decoded(_real(call, 0)[0], _real(call, 2), call.attrs)
    scores = _real(call, 1)[0][:, -int(call.attrs["num_classes"]):]
    regular = call.attrs.get("use_regular_nms", False)
    rows, classes = (_regular if regular else _fast)(boxes, scores, call.attrs)
    per_box = 1 if regular else int(call.attrs["max_classes_per_detection"])
    size = int(call.attrs["max_detections"]) * int(call.attrs["max_classes_per_detection"])
    found = (boxes[rows], classes.astype(np.float32), scores[rows, classes])
    filled = [np.concatenate([part, np.zeros((size - len(part), *part.shape[1:]), np.float32)])
              for part in found]
    count = np.array([len(rows) // per_box], np.float32)
    return (*(part[None] for part in filled), count)


def decoded(codes: Array, anchors: Array, attrs: Mapping[str, Any]) -> Array:
    """Corners [N,4] of boxes coded as offsets of center and logarithms of size."""
    scales = np.array([attrs[name] for name in ("y_scale", "x_scale", "h_scale", "w_scale")])
    wide = codes[:, :4].astype(np.float64) / scales.astype(np.float32)
    anchor = anchors.astype(np.float64)
    center = (wide[:, :2] * anchor[:, 2:] + anchor[:, :2]).astype(np.float32)
    half = (0.5 * np.exp(wide[:, 2:]) * anchor[:, 2:]).astype(np.float32)
    return np.concatenate([center - half, center + half], axis=1)


def _real(call: Call, index: int) -> Array:
    """Input `index` as float32."""
    tensor: Tensor = call.inputs[index]
    if tensor.dtype == "float32":
        return call.values[index]
    steps = call.values[index].astype(np.float32) - np.float32(tensor.zero_point)
    return steps * np.float32(tensor.scale)


def _fast(boxes: Array, scores: Array, attrs: Mapping[str, Any]) -> tuple[Array, Array]:
    """Suppress on each box's best class; every kept box then reports its best classes."""
    keep = suppressed(boxes, scores.max(axis=1), int(attrs["max_detections"]), attrs)
    best = min(int(attrs["max_classes_per_detection"]), scores.shape[1])
    classes = np.argsort(-scores[keep], axis=1, kind="stable")[:, :best]
    return np.repeat(keep, best), classes.reshape(-1)


def _regular(boxes: Array, scores: Array, attrs: Mapping[str, Any]) -> tuple[Array, Array]:
    """Suppress within each class; the best of all classes remain, earlier classes first on ties."""
    limit = int(attrs["max_detections"])
    per_class = min(int(attrs.get("detections_per_class", 100)), limit)
    rows, classes = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for c in range(scores.shape[1]):
        keep = suppressed(boxes, scores[:, c], per_class, attrs)
        rows = np.concatenate([rows, keep])
        classes = np.concatenate([classes, np.full(len(keep), c)])
        order = np.argsort(-scores[rows, classes], kind="stable")[:limit]
        rows, classes = rows[order], classes[order]
    return rows, classes


def suppressed(boxes: Array, scores: Array, limit: int, attrs: Mapping[str, Any]) -> Array:
    """Indices of at most `limit` boxes, best first, none overlapping a better one too much."""
    candidates = np.flatnonzero(scores >= np.float32(attrs["nms_score_threshold"]))
    candidates = candidates[np.argsort(-scores[candidates], kind="stable")]
    keep: list[int] = []
    while len(candidates) and len(keep) < limit:
        best, candidates = candidates[0], candidates[1:]
        keep.append(int(best))
        overlap = intersection_over_union(boxes[best], boxes[candidates])
        candidates = candidates[overlap <= np.float32(attrs["nms_iou_threshold"])]
    return np.array(keep, np.int64)


def intersection_over_union(box: Array, others: Array) -> Array:
    """float32 [N]; 0 where either area is not positive."""
    def area(b: Array) -> Array:
        return np.asarray((b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1]))
    size = np.maximum(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]),
                      np.float32(0))
    shared = size[:, 0] * size[:, 1]
    union = area(box) + area(others) - shared
    solid = (area(box) > 0) & (area(others) > 0)
    return np.asarray(np.where(solid, shared / np.where(solid, union, 1), 0), np.float32)
