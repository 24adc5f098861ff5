# SPDX-License-Identifier: Apache-2.0
"""Detection: mean average precision at an overlap of one half.

Of each class that the labels hold, found boxes are taken by falling score; one is right when it
covers a labeled box of its picture and class with an intersection over union of at least 0.5 that
no better-scored one has taken. Average precision is the area under the precision that is reached at
each recall or beyond (all points, as in Pascal VOC since 2010); mAP is the mean over classes.
With several views, each is a picture of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edgefm.evaluate.validate.statistics import jackknife
from edgefm.images.annotations import BoxedFile

OVERLAP = 0.5
SURE = 0.5  # score from which a box counts for the agreement of two networks

Box = Sequence[float]  # class, score, left, top, right, bottom; without the score for labels
Evidence = Mapping[str, Any]
"""`truth`: labeled boxes; `ours` and `oracle` (or None): found boxes of each view."""


def evidence(file: BoxedFile, ours: Sequence[Sequence[Box]],
             oracle: Sequence[Sequence[Box]] | None) -> Evidence:
    """What is kept of one file."""
    truth = [[b.index, b.left, b.top, b.right, b.bottom] for b in file.boxes]
    return {"truth": truth, "ours": ours, "oracle": oracle}


def figures(found: Sequence[Evidence]) -> dict[str, float | None]:
    """mAP in percent, ours and the judge's; the paired difference; `agreement` is the percentage
    of the judge's sure boxes that we find too."""
    everyone = range(len(found))
    ours = _Matches(found, "ours")
    result: dict[str, float | None] = {
        "map50": ours.map50(everyone), "map50_error": jackknife(len(found), ours.map50),
        "reference_map50": None, "difference": None, "difference_error": None, "agreement": None,
        "changed": None, "classes": ours.classes, "boxes": sum(len(e["truth"]) for e in found)}
    if all(e["oracle"] is not None for e in found):
        judge = _Matches(found, "oracle")

        def difference(pictures: Sequence[int]) -> float:
            return ours.map50(pictures) - judge.map50(pictures)

        shared = _agreement(found)
        result |= {"reference_map50": judge.map50(everyone), "difference": difference(everyone),
                   "difference_error": jackknife(len(found), difference), "agreement": shared,
                   "changed": None if shared is None else 100 - shared}
    return result


class _Matches:
    """One network's boxes, each marked right or wrong once; mAP of any subset of the pictures."""

    def __init__(self, found: Sequence[Evidence], judge: str) -> None:
        self._rows: dict[int, list[tuple[int, float, bool]]] = {}
        self._true: dict[int, list[int]] = {}
        for picture, one in enumerate(found):
            for view in one[judge]:
                for index, *_ in one["truth"]:
                    self._true.setdefault(index, []).append(picture)
                for index, score, right in _marked(view, one["truth"]):
                    self._rows.setdefault(index, []).append((picture, score, right))

    @property
    def classes(self) -> int:
        """Classes that the labels hold."""
        return len(self._true)

    def map50(self, pictures: Sequence[int]) -> float:
        """The mean over classes that these pictures' labels hold, in percent."""
        chosen = set(map(int, pictures))
        precisions = []
        for index, where in self._true.items():
            total = sum(picture in chosen for picture in where)
            if total:
                rows = [(s, r) for p, s, r in self._rows.get(index, ()) if p in chosen]
                precisions.append(average_precision(rows, total))
        return 100 * float(np.mean(precisions)) if precisions else 0.0


def average_precision(rows: Sequence[tuple[float, bool]], total: int) -> float:
    """The area under precision over recall; `rows` are (score, right), `total` boxes are true."""
    if not rows:
        return 0.0
    scores, right = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], bool)
    hits = np.cumsum(right[np.argsort(-scores, kind="stable")])
    precision = hits / np.arange(1, len(hits) + 1)
    reached = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0.0], hits / total])
    return float((np.diff(recall) * reached).sum())


def _marked(boxes: Sequence[Box], truth: Sequence[Box]) -> Iterator[tuple[int, float, bool]]:
    """Class, score and whether it is right, of every found box of a labeled class."""
    free = list(truth)
    known = {int(index) for index, *_ in truth}
    for index, score, *edges in sorted(boxes, key=lambda box: -box[1]):
        same = [t for t in free if t[0] == index] if index in known else []
        fits = max(same, key=lambda t: overlap(edges, t[1:]), default=None)
        right = fits is not None and overlap(edges, fits[1:]) >= OVERLAP
        if right and fits is not None:
            free.remove(fits)
        yield int(index), score, right


def _agreement(found: Sequence[Evidence]) -> float | None:
    """Percentage of the judge's boxes of at least `SURE` for which we have one like it."""
    hits = total = 0
    for one in found:
        for mine, judge in zip(one["ours"], one["oracle"], strict=True):
            sure = [[b[0], *b[2:]] for b in judge if b[1] >= SURE]
            hits += sum(right for _, _, right in _marked(mine, sure))
            total += len(sure)
    return 100 * hits / total if total else None


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return float(shared / (areas - shared))
