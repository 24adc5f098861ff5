# SPDX-License-Identifier: Apache-2.0
"""Clips, one frame after the other: a folder of pictures, or one .npy file of frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgefm.errors import BadInput
from edgefm.files.arrays import npy_rows
from edgefm.files.read import MOST_FRAMES, files_in
from edgefm.files.suffixes import INPUTS
from edgefm.images.clipping import warn_of_clipped
from edgefm.images.preprocess import InputLike, Preprocess, array_to_input, load_image
from edgefm.network.graph import Array


def frames(clip: Path, preprocess: Preprocess | None,
           target: InputLike) -> Iterator[tuple[str, Array]]:
    """The name of each frame and the network's input made of it.

    A folder's pictures and .npy files come in order of their names. An .npy file holds frames
    along its first dimension, each as `load_image` takes one. Raises BadInput, naming the file,
    also for a clip without frames.
    """
    if clip.is_dir():
        files = files_in(clip, INPUTS)
        warn_of_clipped(files, target, clip)
        found = ((path.name, load_image(path, preprocess, target)) for path in files)
    elif clip.suffix.lower() == ".npy":
        warn_of_clipped([clip], target, clip)
        found = ((f"frame {i}", array_to_input(frame, preprocess, target, f"{clip}, frame {i}"))
                 for i, frame in enumerate(npy_rows(clip, MOST_FRAMES)))
    else:
        raise BadInput(f"{clip}: expected a folder of pictures or an .npy file of frames")
    first = next(found, None)
    if first is None:
        raise BadInput(f"{clip}: no frames in it")
    yield first
    yield from found
