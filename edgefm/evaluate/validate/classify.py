# SPDX-License-Identifier: Apache-2.0
"""Classification: which class each network names, and how often that is the label's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from edgefm.errors import BadInput
from edgefm.evaluate.validate.statistics import mean_and_error
from edgefm.images.labels import LabeledFile
from edgefm.network.graph import Array

TOP = 5
_FLOOR = 1e-5  # least probability in a KL divergence
_BACKGROUND = 1001

Evidence = Mapping[str, Any]
"""`label`, and per judge `ours`, `oracle` and `source` the best classes of each view or None."""


def evidence(file: LabeledFile, ours: Sequence[Array], oracle: Sequence[Array] | None,
             source: Sequence[Array] | None) -> Evidence:
    """What is kept of one file; each judge gives the class scores of every view.

    Raises BadInput for a label the network does not have.
    """
    if file.label >= len(ours[0]):
        raise BadInput(f"{file.path}: label {file.label}, expected less than the network's "
                       f"{len(ours[0])} classes")
    return {"label": file.label, "ours": [best(view) for view in ours],
            "oracle": oracle and [best(view) for view in oracle],
            "source": source and [best(view) for view in source]}


def figures(found: Sequence[Evidence]) -> dict[str, float | None]:
    """Percentages over all files and views; `difference` is ours minus the judge's, in points."""
    judges = [e["source"] or e["oracle"] for e in found]
    judged = all(judges)
    top1, top1_error = mean_and_error([_hits(e, e["ours"]) for e in found])
    pairs = [_hits(e, e["ours"]) - _hits(e, judge)
             for e, judge in zip(found, judges, strict=True)] if judged else []
    difference, error = mean_and_error(pairs) if judged else (None, None)
    agreement = float(np.mean([
        100 * np.mean([mine[0] == other[0] for mine, other in zip(e["ours"], judge, strict=True)])
        for e, judge in zip(found, judges, strict=True)])) if judged else None
    return {"top1": top1, "top1_error": top1_error, "top5": _mean(found, "ours", TOP),
            "reference_top1": _mean(found, "oracle"), "reference_top5": _mean(found, "oracle", TOP),
            "float_top1": _mean(found, "source"), "difference": difference,
            "difference_error": error, "top1_agreement": agreement,
            "changed": None if agreement is None else 100 - agreement}


def _hits(found: Evidence, views: Iterable[Sequence[int]], top: int = 1) -> float:
    """The percentage of views on which the label is among the best."""
    return 100 * float(np.mean([found["label"] in view[:top] for view in views]))


def _mean(found: Sequence[Evidence], judge: str, top: int = 1) -> float | None:
    if not all(e[judge] for e in found):
        return None
    return float(np.mean([_hits(e, e[judge], top) for e in found]))


def class_scores(output: Array, scale: float, zero_point: int) -> Array:
    """Real scores [classes], background dropped; BadInput when the output is not a class vector."""
    if output.size != max(output.shape, default=0) or output.size < 2:
        raise BadInput(f"validate needs one score per class; the network's first output is "
                       f"{output.dtype} {list(output.shape)}")
    scores: Array = output.astype(np.float64).ravel()
    if output.dtype.kind != "f":
        scores = (scores - zero_point) * (scale or 1.0)
    return scores[1:] if len(scores) == _BACKGROUND else scores


def best(scores: Array) -> list[int]:
    """The `TOP` best classes, best first; equal scores in order of their index."""
    return [int(index) for index in np.argsort(-scores, kind="stable")[:TOP]]


def divergence(judge: Array, ours: Array) -> float:
    """KL(judge || ours) in nats."""
    p, q = _probabilities(judge), _probabilities(ours)
    return float(np.sum(p * np.log(p / q)))


def _probabilities(scores: Array) -> Array:
    """Scores that are not probabilities yet pass a softmax; none stays below the floor."""
    if scores.min() < 0 or not 0.5 <= scores.sum() <= 1.5:
        scores = np.exp(scores - scores.max())
    floored = np.maximum(scores / scores.sum(), _FLOOR)
    result: Array = floored / floored.sum()
    return result
