# SPDX-License-Identifier: Apache-2.0
"""Files with their labels, for every task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgefm.console.terminal import complain
from edgefm.errors import BadInput
from edgefm.evaluate.validate.unit import Labeled
from edgefm.images.annotations import read_boxes, read_masks
from edgefm.images.labels import read_labels, spread


def labeled_files(labels: Path, images: Path, task: str, names: Sequence[str],
                   limit: int | None = None) -> tuple[Labeled, ...]:
    """The files of a folder with their labels; a line on stderr names boxes that are left out."""
    if task == "segment":
        return spread(read_masks(labels, images), limit)
    if task == "classify":
        if labels.is_dir():
            raise BadInput(f"{labels}: a folder; expected a CSV file with the header file,label")
        return spread(read_labels(labels, images), limit)
    boxes = read_boxes(labels, images, names)
    if boxes.unknown:
        names = ", ".join(sorted(boxes.unknown))
        complain(f"{sum(boxes.unknown.values())} boxes left out, of classes that the network does "
                 f"not know: {names}")
    return spread(boxes.files, limit)
