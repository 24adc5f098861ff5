# SPDX-License-Identifier: Apache-2.0
"""The files of `--calib`: typical inputs, for ranges, codec tables, caps and budgets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from warnings import warn

from edgefm.errors import BadInput, CalibrationWarning
from edgefm.files.read import files_in
from edgefm.files.suffixes import ARRAYS, INPUTS
from edgefm.images.clipping import warn_of_clipped
from edgefm.images.picture import load_picture
from edgefm.images.preprocess import InputInfo, Preprocess, load_image, picture_size
from edgefm.network.graph import Array, Graph

CALIBRATION_IMAGES = 500  # how many files quantize a float network
CODEC_IMAGES = 16         # how many codec tables are learned from
POOL_IMAGES = 112         # how many a page pool takes: of seven, one fits tables and sensitivities,
POOL_PARTS = 7            # two fit caps, four hold the budget
FEW_FOR_TABLES = 4        # fewer files give a warning about poor tables
FEW_FOR_BUDGET = 20       # the same for a budget, which is measured on four in five of them


def calibration_files(directory: Path | None, why: str) -> list[Path]:
    """The pictures and .npy files of a folder, in order of name. Raises BadInput when none."""
    if directory is None:
        raise BadInput(f"{why}: calibration files are needed; expected --calib DIR")
    if not directory.is_dir():
        raise BadInput(f"{directory}: not a folder; expected one with pictures or .npy files")
    files = files_in(directory, INPUTS)
    if not files:
        raise BadInput(f"{directory}: no pictures or .npy files in it")
    return files


def calibration_inputs(graph: Graph, preprocess: Preprocess | None, directory: Path | None,
                       most: int = CALIBRATION_IMAGES) -> list[Array]:
    """At most `most` inputs for a graph, evenly spread over the folder's files."""
    return inputs_of(spread_files(directory, graph.name, most), graph, preprocess)


def spread_files(directory: Path | None, why: str, most: int = CALIBRATION_IMAGES) -> list[Path]:
    """At most `most` calibration files, evenly spread."""
    files = calibration_files(directory, why)
    return files[::max(1, len(files) // most)][:most]


def inputs_of(files: Sequence[Path], graph: Graph, preprocess: Preprocess | None) -> list[Array]:
    """The files as inputs for a graph; warns of pictures that are much smaller, or clipped."""
    info = graph.tensors[graph.inputs[0]]
    target = InputInfo(info.shape, info.dtype) if info.quant is None else InputInfo(
        info.shape, info.dtype, info.scale, info.zero_point)
    _warn_of_small(files, preprocess, target)
    inputs = [load_image(f, preprocess, target) for f in files]
    warn_of_clipped(files, target, files[0].parent)
    return inputs


def warn_of_few(directory: Path | None, got: int, few: int, consequence: str) -> None:
    """Warn of the consequence when a folder has fewer files than `few`."""
    if got < few:
        warn(CalibrationWarning(f"{directory}: {got} calibration file{'s' * (got != 1)}, expected "
                                f"at least {few}: {consequence}"), stacklevel=3)


def _warn_of_small(files: Sequence[Path], preprocess: Preprocess | None, target: InputInfo) -> None:
    """Warn when the first picture has less than half of the input's pixels on each side."""
    pictures = [path for path in files if path.suffix.lower() not in ARRAYS]
    if preprocess is None or not pictures:
        return
    size, wanted = load_picture(pictures[0]).size, picture_size(target.shape)
    if all(2 * got < side for got, side in zip(size, wanted, strict=True)):
        warn(CalibrationWarning(
            f"{pictures[0]}: {size[0]}x{size[1]} pixels are enlarged to {wanted[0]}x{wanted[1]}: "
            "ranges, codec tables and budgets are fitted to blurred pictures"), stacklevel=3)
