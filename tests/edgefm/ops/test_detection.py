# SPDX-License-Identifier: Apache-2.0
"""Detection post-processing equals the oracle's, boxes and ties included."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.graph import Array
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
        quantised = np.round(anchors / 0.005).astype(np.uint8)
        ins = [judge.tensor(codes.shape, dtype, 0.06, 120), judge.tensor(scores.shape, dtype,
               1 / 256, 0), judge.tensor(anchors.shape, dtype, 0.005, 0, None, quantised)]
        values = [codes.astype(np.uint8), scores.astype(np.uint8)]
    else:
        ins = [judge.tensor(codes.shape, dtype), judge.tensor(scores.shape, dtype),
               judge.tensor(anchors.shape, dtype, data=anchors)]
        values = [((codes - 120) * 0.06).astype(np.float32), (scores / 256).astype(np.float32)]
    size = options["max_detections"] * options["max_classes_per_detection"]
    outs = [judge.tensor(shape, "float32") for shape in ((1, size, 4), (1, size), (1, size), (1,))]
    judge.agrees("detection_postprocess", ins, outs, values=values, **options)


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
