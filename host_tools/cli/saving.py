# SPDX-License-Identifier: Apache-2.0
"""Arrays and pictures that verbs write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edgefm.errors import BadInput
from edgefm.files.write import check_file, writing
from edgefm.network.graph import Array


def save_array(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write one array as .npy, or all of them by name as .npz."""
    with writing(path) as file:
        if path.suffix == ".npz":
            named: dict[str, Any] = {}
            for name, array in arrays.items():
                named[_member(name, named)] = array
            np.savez(file, **named)
        else:
            np.save(file, next(iter(arrays.values())))


def _member(name: str, taken: Mapping[str, object]) -> str:
    """A tensor's name in an .npz: not a path, a keyword of savez() or a name that is taken."""
    found = "".join(c if c.isprintable() and c not in "/\\:" else "_" for c in name) or "_"
    while found in taken or found in ("file", "allow_pickle"):
        found += "_"
    return found


PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP"}


def check_picture(path: Path, inputs: Sequence[Path] = ()) -> None:
    """Check the name of a picture to write, as `check_file` does. Raises BadInput."""
    if path.suffix.lower() not in PICTURES:
        raise BadInput(f"{path}: not a name for a picture; expected one that ends in "
                       f"{', '.join(PICTURES)}")
    check_file(path, inputs)


def save_picture(path: Path, picture: Image.Image) -> None:
    """Write a picture in the format that its name says."""
    with writing(path) as file:
        picture.save(file, PICTURES[path.suffix.lower()])
