# SPDX-License-Identifier: Apache-2.0
"""From a file to the bytes of a network's input, as the model's own preprocessing says.

A `Preprocess` travels inside the .efm. `raw` networks take pixels as they are (uint8) or shifted
by 128 (int8); all others compute with (pixel - mean) / std per channel, which is then quantized
with the input's scale and zero point. Means and deviations are in pixel units (0..255) and in the
order of the network's channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from edgefm.errors import BadInput
from edgefm.files.arrays import read_npy
from edgefm.files.read import MOST_PICTURE
from edgefm.images.geometry import GEOMETRIES, Placement, place
from edgefm.images.picture import fit, load_picture
from edgefm.network.graph import Array, Graph

ORDERS = ("rgb", "bgr")
PREPROCESSES = "raw|tf|torchvision|caffe|mean=…,std=…"  # as messages list them


class InputLike(Protocol):
    """What has to be known of a network's input: TensorInfo and similar records have it."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def scale(self) -> float: ...
    @property
    def zero_point(self) -> int: ...


@dataclass(frozen=True, slots=True)
class InputInfo:
    """A network's input: shape with the batch of one, element type, quantization (1, 0 if none)."""

    shape: tuple[int, ...]
    dtype: str
    scale: float = 1.0
    zero_point: int = 0


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How pictures become this network's input; `raw` ignores mean and std."""

    raw: bool = True
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    order: str = "rgb"
    geometry: str = "crop"

    def to_json(self) -> dict[str, Any]:
        """The object stored in the .efm and shown by `inspect`."""
        return {"raw": self.raw, "mean": list(self.mean), "std": list(self.std),
                "order": self.order, "geometry": self.geometry}

    def __str__(self) -> str:
        values = "raw" if self.raw else (f"mean={_numbers_text(self.mean)} "
                                         f"std={_numbers_text(self.std)}")
        return f"{values} {self.order} {self.geometry}"


_PRESETS: Mapping[str, Preprocess] = {
    "raw": Preprocess(),
    "tf": Preprocess(False, (127.5,), (127.5,)),
    "torchvision": Preprocess(False, (0.485 * 255, 0.456 * 255, 0.406 * 255),
                              (0.229 * 255, 0.224 * 255, 0.225 * 255)),
    "caffe": Preprocess(False, (103.939, 116.779, 123.68), (1.0,), "bgr"),
}


def parse_preprocess(text: str, geometry: str = "crop") -> Preprocess:
    """Read `raw|tf|torchvision|caffe` or `mean=…,std=…,order=…` (any of the three, pixel units).

    A list of one value per channel is written with commas: `mean=124,117,104,std=58,57,57`.
    Raises BadInput.
    """
    fields = _PRESETS[text].to_json() if text in _PRESETS else _parse_fields(text)
    return from_json({**fields, "geometry": geometry})


def _parse_fields(text: str) -> dict[str, Any]:
    """Split `key=value,value,key=value`; BadInput for an unknown key."""
    values: dict[str, list[str]] = {}
    key = ""
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if equals:
            key, part = name.strip(), value
        if key not in ("mean", "std", "order") or (equals and key in values):
            raise BadInput(f"preprocess {text!r}: expected {'|'.join(_PRESETS)} "
                           "or mean=…,std=…,order=…")
        values.setdefault(key, []).append(part.strip())
    return {"raw": False, "mean": _numbers(values.get("mean", ["0"])),
            "std": _numbers(values.get("std", ["1"])),
            "order": ",".join(values.get("order", ["rgb"])).lower()}


def _numbers(texts: Sequence[str]) -> list[float]:
    try:
        return [float(text) for text in texts]
    except ValueError:
        raise BadInput(f"preprocess: expected numbers, got {','.join(texts)!r}") from None


def _numbers_text(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)


def from_json(fields: Mapping[str, Any]) -> Preprocess:
    """Read what `Preprocess.to_json` wrote; BadInput for anything out of range."""
    try:
        result = Preprocess(bool(fields["raw"]), tuple(float(v) for v in fields["mean"]),
                            tuple(float(v) for v in fields["std"]), str(fields["order"]),
                            str(fields["geometry"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"preprocess: broken description ({error})") from None
    for name, values in (("mean", result.mean), ("std", result.std)):
        if len(values) not in (1, 3) or not all(np.isfinite(values)):
            raise BadInput(f"preprocess: {name} needs 1 or 3 finite values, "
                           f"got {_numbers_text(values)}")
    if not all(value > 0 for value in result.std):
        raise BadInput(f"preprocess: std must be positive, got {_numbers_text(result.std)}")
    for value, allowed in ((result.order, ORDERS), (result.geometry, GEOMETRIES)):
        if value not in allowed:
            raise BadInput(f"preprocess: expected {'|'.join(allowed)}, got {value!r}")
    return result


def choose_preprocess(graph: Graph, text: str | None, geometry: str | None,
                      needed: bool = True) -> Preprocess | None:
    """The preprocessing to store with a network; None when its input is not a picture.

    Without `text` integer inputs take pixels raw; a network with a float input must be told
    (BadInput) unless pictures are not `needed`: it then takes arrays only (None). Without
    `geometry`: stretch for detectors, letterbox for segmentation, else crop. A float network's
    `raw` means its real input is the pixel's value.
    """
    source = graph.tensors[graph.inputs[0]]
    if not is_picture(source.shape):
        if text or geometry:
            raise BadInput(f"{graph.name}: input {source.name!r} of shape {list(source.shape)} "
                           "is not a picture, so it takes no --preprocess or --geometry")
        return None
    if text is None and source.dtype == "float32":
        if not needed and geometry is None:
            return None
        raise BadInput(f"{graph.name}: input {source.name!r} is float; expected --preprocess "
                       f"{PREPROCESSES}, which says how pictures become numbers")
    result = parse_preprocess(text or "raw", geometry or default_geometry(graph))
    if result.raw and source.dtype == "float32":
        return Preprocess(False, geometry=result.geometry)
    return result


def default_geometry(graph: Graph) -> str:
    """Stretch for detectors, letterbox for networks that label every pixel, else crop."""
    if any(node.op == "detection_postprocess" for node in graph.nodes):
        return "stretch"
    shape = graph.tensors[graph.outputs[0]].shape
    return "letterbox" if len(shape) >= 3 and min(shape[1:3]) > 1 else "crop"


def is_picture(shape: tuple[int, ...]) -> bool:
    """True for [1, H, W, C] and [1, C, H, W] with one or three channels."""
    return len(shape) == 4 and shape[0] == 1 and (shape[3] in (1, 3) or shape[1] in (1, 3))


def picture_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """(width, height) of a picture input; BadInput when the shape is not a picture's."""
    if not is_picture(shape):
        raise BadInput(f"an input of shape {list(shape)} takes no picture; expected an .npy file")
    return (shape[2], shape[1]) if shape[3] in (1, 3) else (shape[3], shape[2])


def load_image(path: Path, preprocess: Preprocess | None, target: InputLike) -> Array:
    """Read a picture or .npy file into the network's input: its shape and its element type.

    An .npy of the input's shape (the batch dimension may be missing) and type is taken as it is;
    one of floats holds real values and is quantized; uint8 [H, W] or [H, W, 3] is a picture.
    Raises BadInput, naming the file.
    """
    if path.suffix.lower() != ".npy":
        return picture_to_input(load_picture(path), preprocess, target, str(path))
    return array_to_input(read_npy(path, MOST_PICTURE), preprocess, target, str(path))


def array_to_input(array: Array, preprocess: Preprocess | None, target: InputLike,
                   name: str = "array") -> Array:
    """An array as `load_image` takes it from a file, as input data; BadInput (with `name`) if it
    cannot be."""
    shape = tuple(target.shape)
    if array.shape in (shape, shape[1:]):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise BadInput(f"{name}: got NaN or infinite values, expected finite ones")
        if array.dtype == target.dtype:
            return array.reshape(shape)
        if array.dtype.kind == "f":
            return quantize(array.reshape(shape), target)
    pixels = array.dtype == np.uint8 and array.size and (array.ndim == 2 or array.shape[2:] == (3,))
    if preprocess and pixels:
        return picture_to_input(Image.fromarray(array), preprocess, target, name)
    raise BadInput(f"{name}: holds {array.dtype} {list(array.shape)}, "
                   f"expected {target.dtype} {list(shape)}")


def picture_to_input(image: Image.Image, preprocess: Preprocess | None, target: InputLike,
                     name: str = "picture") -> Array:
    """An upright "L" or "RGB" picture as input data; BadInput (with `name`) if it cannot be."""
    if preprocess is None:
        what = f"{target.dtype} {list(target.shape)}"
        raise BadInput(
            f"{name}: nothing says how a picture becomes this network's input, {what}; expected "
            "an .npy file, or --preprocess when the network is compiled"
            if is_picture(tuple(target.shape)) else
            f"{name}: this network takes no picture (input {what}); expected an .npy file")
    placement = placement_of(image.size, preprocess, target)
    channels = target.shape[3] if target.shape[3] in (1, 3) else target.shape[1]
    try:
        fitted = fit(image.convert("L" if channels == 1 else "RGB"), placement)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from None
    pixels = np.asarray(fitted).reshape(*fitted.size[::-1], channels)
    if preprocess.order == "bgr":
        pixels = pixels[:, :, ::-1]
    values = _to_elements(pixels, preprocess, target)
    if target.shape[3] != channels:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values).reshape(target.shape)


def value_range(preprocess: Preprocess) -> tuple[float, float]:
    """The least and the greatest value that a pixel of 0..255 becomes, over all channels."""
    if preprocess.raw:
        return 0.0, 255.0
    channels = range(max(len(preprocess.mean), len(preprocess.std)))
    mean = [preprocess.mean[c % len(preprocess.mean)] for c in channels]
    std = [preprocess.std[c % len(preprocess.std)] for c in channels]
    return (min((0.0 - m) / s for m, s in zip(mean, std, strict=True)),
            max((255.0 - m) / s for m, s in zip(mean, std, strict=True)))


def placement_of(size: tuple[int, int], preprocess: Preprocess, target: InputLike) -> Placement:
    """Where a picture of (width, height) lies in the input, for mapping results back."""
    return place(size, preprocess.geometry, picture_size(tuple(target.shape)))


def _to_elements(pixels: Array, preprocess: Preprocess, target: InputLike) -> Array:
    """Pixels [H, W, C] uint8 to the input's element type."""
    if preprocess.raw and target.dtype == "uint8":
        return pixels
    if preprocess.raw and target.dtype == "int8":
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    if preprocess.raw:
        return pixels.astype(np.float32)
    mean = np.asarray(preprocess.mean, np.float64)
    std = np.asarray(preprocess.std, np.float64)
    return quantize((pixels - mean) / std, target)


def quantize(values: Array, target: InputLike) -> Array:
    """Real values to the input's type: round half away from zero, as TFLite's QUANTIZE does."""
    if target.dtype == "float32":
        return values.astype(np.float32)
    info = np.iinfo(target.dtype)
    steps = np.asarray(values, np.float64) / target.scale
    rounded = np.trunc(steps + np.copysign(0.5, steps)) + target.zero_point
    clipped: Array = np.clip(np.nan_to_num(rounded), info.min, info.max).astype(target.dtype)
    return clipped
