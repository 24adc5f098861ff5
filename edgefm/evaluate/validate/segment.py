# SPDX-License-Identifier: Apache-2.0
"""Segmentation: mean intersection over union, in the picture's own pixels.

Pixels of all pictures and views are counted together. A class's figure is the number of pixels
that both the labels and the network give it, over those that either does; mIoU is the mean over
the classes that the labels hold. Pixels labeled 255 are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadInput
from edgefm.evaluate.validate.statistics import jackknife
from edgefm.images.annotations import UNLABELED, MaskedFile, read_mask
from edgefm.network.graph import Array

Counts = npt.NDArray[np.int64]
Evidence = Mapping[str, Any]
"""`ours` and `oracle` (or None): pixels [label][class]; `same` of `pixels` have one class."""


def evidence(file: MaskedFile, size: tuple[int, int], ours: Sequence[Array],
             oracle: Sequence[Array] | None) -> Evidence:
    """What is kept of one file of `size` (width, height); masks [H, W] of every view.

    Raises BadInput when the label's size is another.
    """
    truth = read_mask(file.mask)
    if truth.shape != size[::-1]:
        raise BadInput(f"{file.mask}: {truth.shape[1]}x{truth.shape[0]} pixels, expected "
                       f"{size[0]}x{size[1]} like {file.path.name}")
    same = [int((a == b).sum()) for a, b in zip(ours, oracle, strict=True)] if oracle else []
    return {"ours": _counted(truth, ours).tolist(),
            "oracle": _counted(truth, oracle).tolist() if oracle else None,
            "same": sum(same), "pixels": len(ours) * truth.size}


def _counted(truth: Array, masks: Sequence[Array]) -> Counts:
    """Pixels by label and by the network's class."""
    size = 1 + max(int(truth[truth != UNLABELED].max(initial=0)), *(int(m.max()) for m in masks))
    seen = truth != UNLABELED
    codes = [size * truth[seen].astype(np.int64) + mask[seen] for mask in masks]
    return np.bincount(np.concatenate(codes), minlength=size * size).reshape(size, size)


def figures(found: Sequence[Evidence]) -> dict[str, float | None]:
    """mIoU in percent, ours and the judge's; the paired difference; `agreement` is the percentage
    of pixels that we and the judge give the same class."""
    everyone = range(len(found))
    ours = _stacked([e["ours"] for e in found])
    result: dict[str, float | None] = {
        "miou": miou(ours, everyone),
        "miou_error": jackknife(len(found), lambda some: miou(ours, some)),
        "reference_miou": None, "difference": None, "difference_error": None, "agreement": None,
        "changed": None, "classes": int((ours.sum(axis=(0, 2)) > 0).sum())}
    if all(e["oracle"] is not None for e in found):
        judge = _stacked([e["oracle"] for e in found])

        def difference(pictures: Sequence[int]) -> float:
            return miou(ours, pictures) - miou(judge, pictures)

        shared = 100 * sum(e["same"] for e in found) / sum(e["pixels"] for e in found)
        result |= {"reference_miou": miou(judge, everyone), "difference": difference(everyone),
                   "difference_error": jackknife(len(found), difference), "agreement": shared,
                   "changed": 100 - shared}
    return result


def miou(counts: Counts, pictures: Sequence[int]) -> float:
    """The mean over labeled classes in percent; `counts` [pictures, label, class]."""
    total = counts[list(pictures)].sum(axis=0)
    both = np.diagonal(total)
    either = total.sum(axis=0) + total.sum(axis=1) - both
    labeled = total.sum(axis=1) > 0
    return 100 * float((both[labeled] / either[labeled]).mean()) if labeled.any() else 0.0


def _stacked(tables: Sequence[Sequence[Sequence[int]]]) -> Counts:
    """Tables of several sizes as [pictures, label, class]."""
    size = max(map(len, tables))
    result = np.zeros((len(tables), size, size), np.int64)
    for picture, table in enumerate(tables):
        result[picture, :len(table), :len(table)] = table
    return result
