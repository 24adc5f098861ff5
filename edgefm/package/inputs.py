# SPDX-License-Identifier: Apache-2.0
"""Checks a caller's arrays against a package's description of its inputs, and copies them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgefm.errors import BadInput
from edgefm.network.graph import Array
from edgefm.package.read import PackageInfo


def own_inputs(inputs: Sequence[Array], info: PackageInfo, where: str) -> list[Array]:
    """Copies of the inputs, which nobody else can change or free.

    Raises BadInput, beginning with `where`, unless they are arrays as `info` describes them.
    """
    if not isinstance(inputs, Sequence):
        raise BadInput(f"{where}: the inputs are of type {type(inputs).__name__}, "
                       f"expected a list of {len(info.inputs)} NumPy arrays")
    given = list(inputs)
    if len(given) != len(info.inputs):
        raise BadInput(f"{where}: {len(given)} inputs given, expected {len(info.inputs)}")
    return [own_array(array, one.shape, one.dtype, f"{where}: input {one.name!r}")
            for array, one in zip(given, info.inputs, strict=True)]


def own_array(data: Any, shape: tuple[int, ...], dtype: str, where: str) -> Array:
    """A contiguous copy of an array that has this shape and dtype; BadInput for anything else."""
    if not isinstance(data, np.ndarray):
        raise BadInput(f"{where} is of type {type(data).__name__}, "
                       f"expected a NumPy array {dtype} {list(shape)}")
    plain = np.asarray(data)
    if plain.shape != tuple(shape) or plain.dtype != np.dtype(dtype):
        raise BadInput(f"{where} is {plain.dtype} {list(plain.shape)}, "
                       f"expected {dtype} {list(shape)}")
    return np.array(plain, order="C")
