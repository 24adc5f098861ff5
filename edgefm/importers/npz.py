# SPDX-License-Identifier: Apache-2.0
"""Weights saved by torchvision's names in a NumPy `.npz` -> Graph.

The arrays of a state dict (`features.0.weight`, [O, I, kh, kw], float16 or float32) name the
network and give its width. Two more arrays may describe what they cannot:

| array | meaning | default |
|---|---|---|
| `edgefm.input_size` | height and width of the input | 224, 224 |
| `edgefm.first_stride` | stride of the first convolution | 2 |
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.files.arrays import read_npz
from edgefm.importers.definitions import NetworkSize, mobilenet_v2, squeezenet
from edgefm.network.graph import Array, Graph

METADATA = "edgefm."
LARGEST_INPUT = 4096  # pixels; beyond this an input size is a mistake


def load_npz(path: Path) -> Graph:
    """The float graph of the SqueezeNet or MobileNetV2 whose weights `path` holds.

    Raises BadInput, naming file and tensor, when the file is damaged or a tensor is missing,
    misshapen, superfluous or not finite; UnsupportedModel when the names are another network's.
    """
    arrays = read_npz(path)
    weights = {name: array for name, array in arrays.items()
               if not name.startswith(METADATA) and not name.endswith(".num_batches_tracked")}
    try:
        _check_values(weights)
        variant = _variant(arrays)
        if "features.0.0.weight" in weights:
            return mobilenet_v2(weights, path.stem, variant)
        if "features.0.weight" in weights:
            return squeezenet(weights, path.stem, variant)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
    got = f"the first is {min(weights)!r}" if weights else "there are none"
    raise UnsupportedModel(
        f"{path}: not the tensor names of SqueezeNet (features.0.weight) or MobileNetV2 "
        f"(features.0.0.weight); {got}")


def _check_values(weights: dict[str, Array]) -> None:
    """Refuse weights that are not finite floating-point numbers."""
    for name, array in weights.items():
        if array.dtype.kind != "f":
            raise BadInput(f"tensor {name!r} holds {array.dtype}, expected float16 or float32")
        if not np.isfinite(array).all():
            raise BadInput(f"tensor {name!r} holds a value that is not finite")


def _variant(arrays: dict[str, Array]) -> NetworkSize:
    """The metadata arrays, checked; defaults where they are absent."""
    unknown = sorted(name for name in arrays if name.startswith(METADATA)
                     and name not in ("edgefm.input_size", "edgefm.first_stride"))
    if unknown:
        raise BadInput(f"metadata {unknown[0]!r} is unknown, expected edgefm.input_size or "
                       "edgefm.first_stride")
    standard = NetworkSize()
    height, width = _whole_numbers(arrays, "edgefm.input_size", standard.input_size, LARGEST_INPUT)
    (stride,) = _whole_numbers(arrays, "edgefm.first_stride", (standard.first_stride,), 4)
    return NetworkSize((height, width), stride)


def _whole_numbers(arrays: dict[str, Array], name: str, default: tuple[int, ...],
                   largest: int) -> tuple[int, ...]:
    """As many integers between 1 and `largest` as the default has."""
    if name not in arrays:
        return default
    array = arrays[name].reshape(-1)
    if array.dtype.kind not in "iu" or array.size != len(default):
        raise BadInput(f"metadata {name!r} holds {array.size} x {array.dtype}, "
                       f"expected {len(default)} whole number(s)")
    values = tuple(int(value) for value in array)
    if min(values) < 1 or max(values) > largest:
        raise BadInput(f"metadata {name!r} holds {values}, expected 1 to {largest}")
    return values
