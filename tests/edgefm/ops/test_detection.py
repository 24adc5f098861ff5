# SPDX-License-Identifier: Apache-2.0
"""Detection post-processing equals the oracle's, boxes and ties included."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.network.graph import Array
from edgefm.ops import run_graph
from edgefm.ops.detection import intersection_over_union

OPTIONS = {"max_detections": 8, "max_classes_per_detection": 1, "detections_per_class": 4,
           "nms_score_threshold": 0.2, "nms_iou_threshold": 0.5, "num_classes": 3,
           "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}


def _anchors(boxes: int, rng: np.random.Generator) -> Array:
    return np.concatenate([rng.uniform(0, 1, (boxes, 2)), rng.uniform(0.1, 0.6, (boxes, 2))],
                          axis=1).astype(np.float32)


def _judged(judge: Any, dtype: str, seed: int, options: dict[str, Any], coarse: int) -> None:
    """Random boxes; scores in steps of `coarse` so that many are equal."""
    rng = np.random.default_rng(seed)
    boxes, classes = 40, options["num_classes"] + 1
    codes = rng.integers(0, 256, (1, boxes, 4))
    scores = rng.integers(0, 256 // coarse, (1, boxes, classes)) * coarse
    anchors = _anchors(boxes, rng)
    if dtype == "uint8":
        quantized = np.round(anchors / 0.005).astype(np.uint8)
        ins = [judge.tensor(codes.shape, dtype, 0.06, 120), judge.tensor(scores.shape, dtype,
               1 / 256, 0), judge.tensor(anchors.shape, dtype, 0.005, 0, None, quantized)]
        values = [codes.astype(np.uint8), scores.astype(np.uint8)]
    else:
        ins = [judge.tensor(codes.shape, dtype), judge.tensor(scores.shape, dtype),
               judge.tensor(anchors.shape, dtype, data=anchors)]
        values = [((codes - 120) * 0.06).astype(np.float32), (scores / 256).astype(np.float32)]
    size = options["max_detections"] * options["max_classes_per_detection"]
    outs = [judge.tensor(shape, "float32") for shape in ((1, size, 4), (1, size), (1, size), (1,))]
    judge.agrees("detection_postprocess", ins, outs, values=values,
                 counted=options["max_classes_per_detection"] == 1, **options)


@given(seed=st.integers(0, 2**16), coarse=st.sampled_from([1, 8, 64]))
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("regular", [False, True])
def test_suppression_equals_the_oracle(judge: Any, dtype: str, regular: bool, seed: int,
                                       coarse: int) -> None:
    _judged(judge, dtype, seed, {**OPTIONS, "use_regular_nms": regular}, coarse)


@pytest.mark.parametrize("seed", range(5))
def test_several_classes_of_one_box(judge: Any, seed: int) -> None:
    _judged(judge, "uint8", seed,
            {**OPTIONS, "max_classes_per_detection": 2, "use_regular_nms": False}, 1)


def test_a_flat_box_overlaps_nothing() -> None:
    flat = np.array([0, 0, 0, 1], np.float32)
    assert intersection_over_union(flat, np.array([[0, 0, 1, 1]], np.float32)).tolist() == [0]


def test_a_box_that_overlaps_exactly_as_allowed_stays(judge: Any) -> None:
    """Intersection over union 1/2 at a threshold of 1/2."""
    anchors = np.array([[0.5, 0.5, 1, 1], [0.5, 0.25, 1, 0.5]], np.float32)
    ins = [judge.tensor((1, 2, 4), "float32"), judge.tensor((1, 2, 4), "float32"),
           judge.tensor((2, 4), "float32", data=anchors)]
    outs = [judge.tensor(shape, "float32") for shape in ((1, 8, 4), (1, 8), (1, 8), (1,))]
    values = [np.zeros((1, 2, 4), np.float32), np.full((1, 2, 4), 0.7, np.float32)]
    *_, count = judge.agrees("detection_postprocess", ins, outs, values=values, counted=True,
                             **{**OPTIONS, "use_regular_nms": False})
    assert count.tolist() == [2]


def test_unused_slots_are_zero(judge: Any) -> None:
    """TFLite leaves them as they were."""
    ins = [judge.tensor((1, 1, 4), "float32"), judge.tensor((1, 1, 4), "float32"),
           judge.tensor((1, 4), "float32", data=np.ones((1, 4), np.float32))]
    outs = [judge.tensor(shape, "float32") for shape in ((1, 8, 4), (1, 8), (1, 8), (1,))]
    graph = judge.graph("detection_postprocess", ins, outs, OPTIONS)
    made = run_graph(graph, [np.zeros((1, 1, 4), np.float32), np.ones((1, 1, 4), np.float32)])
    boxes, classes, scores, count = (made[index] for index in graph.outputs)
    assert count.tolist() == [1]
    assert scores.tolist() == [[1, 0, 0, 0, 0, 0, 0, 0]]
    assert not boxes[0, 1:].any() and not classes[0, 1:].any()
