# SPDX-License-Identifier: Apache-2.0
"""What a network's outputs mean: scores of classes, boxes, or a class for every pixel."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edgefm.images.geometry import Placement
from edgefm.images.labels import names_for
from edgefm.network.graph import Array


@dataclass(frozen=True, slots=True)
class Score:
    """One class and its real-valued score."""

    index: int
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Box:
    """One detected object; edges in picture pixels, `index` is its class's number."""

    name: str
    score: float
    top: float
    left: float
    bottom: float
    right: float
    index: int = 0


def kind(shapes: Sequence[tuple[int, ...]], source: tuple[int, ...] = ()) -> str:
    """"boxes", "mask", "scores" or "tensors", from the outputs' shapes alone.

    An output of the input's own shape (`source`) is an autoencoder's, not a list of classes.
    """
    if len(shapes) == 4 and [len(shape) for shape in shapes] == [3, 2, 2, 1] \
            and shapes[0][2] == 4 and shapes[0][1] == shapes[1][1] == shapes[2][1]:
        return "boxes"
    first = shapes[0]
    if first == source:
        return "tensors"
    if len(first) >= 3 and first[0] == 1 and min(first[1:3]) > 1:
        return "mask"
    if 1 < max(first, default=0) == np.prod(first):
        return "scores"
    return "tensors"


def expect_names(names: tuple[str, ...], shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise BadInput for class names of another number than the outputs have scores."""
    if names and kind(shapes) == "scores":
        names_for(names, max(shapes[0]))


def dequantized(output: Array, scale: float, zero_point: int) -> Array:
    """An output's real values; floats and outputs without a scale as they are."""
    if output.dtype.kind == "f" or not scale:
        return output.astype(np.float64)
    real: Array = (output.astype(np.float64) - zero_point) * scale
    return real


def name_of(index: int, names: Sequence[str]) -> str:
    """A class's name, or its number where names do not reach."""
    return names[index] if 0 <= index < len(names) else f"class {index}"


def top_scores(scores: Array, names: Sequence[str], most: int = 5) -> tuple[Score, ...]:
    """The best classes, best first; equal scores in order of their index."""
    flat = scores.ravel()
    order = np.argsort(-flat, kind="stable")[:most]
    return tuple(Score(int(i), name_of(int(i), names), float(flat[i])) for i in order)


def boxes(outputs: Sequence[Array], placement: Placement, names: Sequence[str],
          threshold: float) -> tuple[Box, ...]:
    """Objects of at least `threshold`, best first, from (boxes, classes, scores, count)."""
    edges, classes, scores = (np.asarray(values, np.float64)[0] for values in outputs[:3])
    found = int(np.clip(np.nan_to_num(outputs[3].ravel()[0]), 0, len(scores)))
    corners = placement.boxes_to_picture(np.nan_to_num(edges[:found]))
    order = [i for i in np.argsort(-scores[:found], kind="stable") if scores[i] >= threshold]
    numbers = np.nan_to_num(classes).astype(int)
    return tuple(_box(int(numbers[i]), names, float(scores[i]), corners[i]) for i in order)


def _box(index: int, names: Sequence[str], score: float, corners: Array) -> Box:
    top, left, bottom, right = (float(edge) for edge in corners)
    return Box(name_of(index, names), score, top, left, bottom, right, index)


def mask(output: Array, placement: Placement) -> Array:
    """The class of every picture pixel, int64 [H, W]; 0 where the input did not reach.

    An output [1, H, W] (or with one channel) holds classes, [1, H, W, C] scores per class.
    """
    labels = output[0] if output.ndim == 3 else (
        output[0, :, :, 0] if output.shape[3] == 1 else output[0].argmax(axis=2))
    return placement.mask_to_picture(labels.astype(np.int64))


def draw_boxes(image: Image.Image, found: Sequence[Box]) -> Image.Image:
    """The picture with a named frame around each object."""
    result = image.convert("RGB")
    pen = ImageDraw.Draw(result)
    width = max(2, max(result.size) // 300)
    font = ImageFont.load_default(max(12, max(result.size) // 45))
    for number, box in enumerate(found):
        color = _color(number)
        pen.rectangle((box.left, box.top, max(box.left, box.right), max(box.top, box.bottom)),
                      outline=color, width=width)
        text, at = f"{box.name} {box.score:.0%}", (box.left + width, box.top + width)
        pen.rectangle(pen.textbbox(at, text, font=font), fill=color)
        pen.text(at, text, fill=(0, 0, 0), font=font)
    return result


def draw_mask(image: Image.Image, labels: Array) -> Image.Image:
    """The picture with every class but 0 (background) laid over it in a color of its own."""
    picture = np.asarray(image.convert("RGB"), np.float64)
    result = picture.copy()
    for label in np.unique(labels[labels > 0]):
        here = labels == label
        result[here] = 0.4 * picture[here] + 0.6 * np.asarray(_color(int(label)))
    return Image.fromarray(result.round().astype(np.uint8))


def _color(number: int) -> tuple[int, int, int]:
    """A bright color; the golden ratio keeps neighbors apart."""
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.75, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)
