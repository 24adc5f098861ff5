# SPDX-License-Identifier: Apache-2.0
"""Converts the inputs that a caller passes to `run` into the arrays that a package takes.

| given for an input of shape [1, H, W, C] | becomes |
|---|---|
| array of that shape and dtype | itself |
| array [H, W, C] of that dtype | itself; if all inputs have no batch, outputs have none either |
| floats, with `quantize` | real values, rounded to the input's scale and zero point |
| file name or Pillow image | the result of the package's own preprocessing |

Several inputs are a list or tuple in order, or a dict by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from edgefm.errors import BadInput
from edgefm.images.picture import plain_picture
from edgefm.images.preprocess import load_image, picture_to_input
from edgefm.images.preprocess import quantize as quantized
from edgefm.network.graph import Array
from edgefm.package.read import PackageInfo, TensorInfo

One: TypeAlias = "Array | Image.Image | str | os.PathLike[str]"
Given: TypeAlias = "One | Mapping[str, One] | Sequence[One]"

_MOST_NAMES = 8  # in a message
_QUANTIZED = ("int8", "uint8")


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Arrays with the shapes and dtypes of a package's inputs; `batched` is False when the
    caller's arrays had no batch dimension."""

    arrays: list[Array]
    batched: bool


def read_inputs(given: Given, info: PackageInfo, where: str, quantize: bool = False) -> Inputs:
    """The given inputs as arrays, one per input of the package.

    Raises BadInput, beginning with `where`, for a wrong number of inputs, an unknown name, a wrong
    shape or dtype, and a picture that cannot be read.
    """
    found: list[Array] = []
    batched: set[bool] = set()
    for one, end in zip(_in_order(given, info, where), info.inputs, strict=True):
        name = f"{where}: input {end.name!r}"
        picture = _picture(one, info, end, name)
        if picture is None:
            array, with_batch = _fitted(_array(one, name), end, quantize, name)
            batched.add(with_batch)
        found.append(array if picture is None else picture)
    if len(batched) == 2:
        raise BadInput(f"{where}: got inputs with and without the batch dimension, "
                       "expected all with it or all without")
    return Inputs(found, batched != {False})


def without_batch(array: Array) -> Array:
    """An output without its batch dimension, if that is 1."""
    return array[0] if array.shape[:1] == (1,) else array


def dequantized(array: Array, end: TensorInfo) -> Array:
    """The float32 values that quantized elements stand for; other arrays as they are."""
    if end.dtype not in _QUANTIZED or not end.scale:
        return array
    real: Array = (array.astype(np.float32) - np.float32(end.zero_point)) * np.float32(end.scale)
    return real


def _in_order(given: Given, info: PackageInfo, where: str) -> list[Any]:
    names = [end.name for end in info.inputs]
    if isinstance(given, Mapping):
        wrong = [str(name) for name in given if name not in names]
        missing = [name for name in names if name not in given]
        if wrong or missing:
            raise BadInput(f"{where}: got inputs {_listed(list(map(str, given)))}, "
                           f"expected {_listed(names)}")
        return [given[name] for name in names]
    inputs = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(inputs) != len(names):
        raise BadInput(f"{where}: got {len(inputs)} inputs, expected {len(names)}: "
                       f"{_listed(names)}")
    return inputs


def _listed(names: Sequence[str]) -> str:
    shown = [f"{name!r:.80}" for name in names[:_MOST_NAMES]]
    more = [f"and {len(names) - len(shown)} more"] if len(names) > len(shown) else []
    return ", ".join(shown + more) or "none"


def _picture(given: Any, info: PackageInfo, end: TensorInfo, name: str) -> Array | None:
    """The input that a file or a picture becomes; None for an array."""
    if isinstance(given, (str, os.PathLike)):
        return load_image(Path(given), info.preprocess, end)
    if isinstance(given, Image.Image):
        return picture_to_input(plain_picture(given, name), info.preprocess, end, name)
    return None


def _array(given: Any, name: str) -> Array:
    if not hasattr(given, "__array__"):
        raise BadInput(f"{name}: got {type(given).__name__}, expected a NumPy array, a picture or "
                       "the name of a file")
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:  # such as a tensor on another device
        raise BadInput(f"{name}: got {type(given).__name__}, which NumPy does not take "
                       f"({' '.join(str(error).split())[:120]})") from None


def _fitted(array: Array, end: TensorInfo, quantize: bool, name: str) -> tuple[Array, bool]:
    """The array in the input's shape, and whether it had the batch dimension."""
    shape = tuple(end.shape)
    bare = shape[1:] if shape[:1] == (1,) else shape
    real = quantize and array.dtype.kind == "f"
    if array.shape not in (shape, bare) or (array.dtype != end.dtype and not real):
        raise BadInput(f"{name}: got {_type_text(array)}, expected {_expected(end)}"
                       f"{_advice(array, end, quantize)}")
    if real:
        array = quantized(array, end)
    return array.reshape(shape), array.shape == shape


def _type_text(array: Array) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _expected(end: TensorInfo) -> str:
    bare = f" or {list(end.shape[1:])}" if end.shape[:1] == (1,) and len(end.shape) > 1 else ""
    return f"{end.dtype} {list(end.shape)}{bare}"


def _advice(array: Array, end: TensorInfo, quantize: bool) -> str:
    """How to fix a common mistake."""
    if array.dtype.kind == "f" and end.dtype in _QUANTIZED and not quantize:
        return (f"; the input is quantized (scale {end.scale:.6g}, zero point {end.zero_point}): "
                "quantize=True rounds real values to it, and a picture or its file is preprocessed")
    if array.ndim == len(end.shape) and array.shape[1:] == end.shape[1:] and len(array) != 1:
        return "; one picture is run at a time"
    if array.dtype == np.uint8 and array.ndim >= 2 and len(end.shape) == 4:
        return "; Image.fromarray of [H, W, 3] is a picture, which is preprocessed"
    if array.dtype.kind == "f" and end.dtype == "float32":
        return "; array.astype(numpy.float32) converts"
    return ""
