# SPDX-License-Identifier: Apache-2.0
"""Real values in .npy files: what an input's range would cut off of them is said, with counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from warnings import warn

import numpy as np

from edgefm.errors import CalibrationWarning, ClippingWarning
from edgefm.files.arrays import npy_dtype, npy_rows, read_npy
from edgefm.files.read import MOST_FRAMES, MOST_PICTURE
from edgefm.images.preprocess import InputLike, Preprocess, value_range
from edgefm.network.graph import Array

Range = tuple[float, float]


def holds_numbers(path: Path) -> bool:
    """True for an .npy file of floats: it holds input values as they are, and no picture.

    Raises BadInput, naming the file, for an .npy that cannot be read.
    """
    return path.suffix.lower() == ".npy" and npy_dtype(path).kind == "f"


def input_range(files: Sequence[Path], samples: Sequence[Array], preprocess: Preprocess | None
                ) -> Range | None:
    """What may enter a float network besides what its calibration samples hold: what preprocessing
    makes of pixels, or nothing (None) where none of `files`, which became `samples`, is a picture.

    Warns, in the name of the files' folder, of numbers outside of what pixels become, and of
    pictures that will be clipped to the range of the numbers.
    """
    numbers = [sample for file, sample in zip(files, samples, strict=True) if holds_numbers(file)]
    if preprocess is None:
        return None
    limits, alone = value_range(preprocess), len(numbers) == len(samples)
    if numbers:
        _warn_of_other_range(numbers, limits, alone, files[0].parent)
    return None if alone else limits


def _warn_of_other_range(numbers: Sequence[Array], limits: Range, alone: bool, where: Path) -> None:
    """Say how the range of numbers differs from that of pixels, and what follows for pictures."""
    half = (limits[1] - limits[0]) / 510
    low, high = min(float(x.min()) for x in numbers), max(float(x.max()) for x in numbers)
    outside = _outside(([sample] for sample in numbers), limits, half)
    clips = alone and (low > limits[0] + half or high < limits[1] - half)
    if outside or clips:
        warn(CalibrationWarning(
            f"{where}: {outside or 'no value in the calibration files lies'} outside "
            f"{_text(limits)}, which --preprocess makes of pixels; the input's range is "
            f"{'' if alone else 'widened to '}that of the files, {_text((low, high))}"
            + (", and pictures will be clipped to it" if clips else "")), stacklevel=3)


def warn_of_clipped(files: Sequence[Path], target: InputLike, where: Path) -> None:
    """Warn of real values in `files` that the integer input `target` cannot hold."""
    if np.dtype(target.dtype).kind == "f":
        return
    steps = np.iinfo(target.dtype)
    limits = ((steps.min - target.zero_point) * target.scale,
              (steps.max - target.zero_point) * target.scale)
    numbers = (_parts(file) for file in files if holds_numbers(file))
    outside = _outside(numbers, limits, target.scale / 2)
    if outside:
        warn(ClippingWarning(f"{where}: {outside} outside {_text(limits)}, which is all that the "
                             "network's input can hold, and will be clipped"), stacklevel=3)


def _parts(file: Path) -> Iterator[Array]:
    """The frames of a clip one at a time, and a vector whole."""
    whole = True
    for part in npy_rows(file, MOST_FRAMES):
        yield part
        whole = False
    if whole:
        yield read_npy(file, MOST_PICTURE)


def _outside(files: Iterable[Iterable[Array]], limits: Range, rounding: float) -> str:
    """How many values of files lie outside by more than rounding, in words; "" for none."""
    low, high = limits[0] - rounding, limits[1] + rounding
    counts, values = [], 0
    for parts in files:
        counts.append(0)
        for part in parts:
            counts[-1] += int(np.count_nonzero(~((part >= low) & (part <= high))))
            values += part.size
    if not any(counts):
        return ""
    return (f"{sum(counts)} of {values} values in {np.count_nonzero(counts)} of {len(counts)} "
            ".npy files lie")


def _text(limits: Range) -> str:
    return f"{limits[0]:.4g}..{limits[1]:.4g}"
