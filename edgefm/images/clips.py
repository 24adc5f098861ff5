# SPDX-License-Identifier: Apache-2.0
"""Clips, one frame after the other: a folder of pictures, or one .npy file of frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgefm.errors import BadInput
from edgefm.images.clipping import warn_of_clipped
from edgefm.images.picture import SUFFIXES
from edgefm.images.preprocess import InputLike, Preprocess, array_to_input, load_image, map_npy
from edgefm.network.graph import Array


def frames(clip: Path, preprocess: Preprocess | None,
           target: InputLike) -> Iterator[tuple[str, Array]]:
    """The name of each frame and the network's input made of it.

    A folder's pictures and .npy files come in order of their names. An .npy file holds frames
    along its first dimension, each as `load_image` takes one. Raises BadInput, naming the file,
    also for a clip without frames.
    """
    if clip.is_dir():
        files = sorted(p for p in clip.iterdir() if p.suffix.lower() in SUFFIXES | {".npy"})
        warn_of_clipped(files, target, clip)
        for path in files:
            yield path.name, load_image(path, preprocess, target)
        count = len(files)
    elif clip.suffix.lower() == ".npy":
        array = map_npy(clip)
        warn_of_clipped([clip], target, clip)
        count = len(array) if array.ndim > 1 else 0
        for i in range(count):
            name = f"frame {i}"
            yield name, array_to_input(np.array(array[i]), preprocess, target, f"{clip}, {name}")
    else:
        raise BadInput(f"{clip}: expected a folder of pictures or an .npy file of frames")
    if not count:
        raise BadInput(f"{clip}: no frames in it")
