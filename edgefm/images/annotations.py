# SPDX-License-Identifier: Apache-2.0
"""Label files of detectors and of segmentation: boxes, and a class for every pixel.

Boxes, either of
* a CSV file with the header `file,class,left,top,right,bottom`, one box per line, in pixels of the
  upright picture; a picture without objects has a line with five empty fields;
* a folder that holds NAME.txt for every picture NAME.jpg (.png, …), with lines `class left top
  right bottom`.
A class is a number (the network's own, from 0) or one of the network's names; case, spaces, `_` and
`-` do not matter, and the four names that Pascal VOC and COCO spell differently are one.

Masks, either of
* a CSV file with the header `file,mask`: a picture, and an image beside the CSV file whose pixels
  are class numbers (gray, or a palette's indices), 255 for pixels to leave out;
* a folder that holds NAME.png or NAME_….png for every picture NAME.jpg.
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

from edgefm.errors import BadInput
from edgefm.files.read import files_in, read_lines, read_text
from edgefm.files.suffixes import PICTURES
from edgefm.images.labels import class_number
from edgefm.images.picture import decoded
from edgefm.network.graph import Array

UNLABELED = 255
_VOC = {"aeroplane": "airplane", "motorbike": "motorcycle", "sofa": "couch", "tvmonitor": "tv"}
_BOX_HEADER = ["file", "class", "left", "top", "right", "bottom"]
_MASK_HEADER = ["file", "mask"]


@dataclass(frozen=True, slots=True)
class TrueBox:
    """A labeled object: the network's class, edges in picture pixels."""

    index: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class BoxedFile:
    """A picture and the objects in it."""

    path: Path
    boxes: tuple[TrueBox, ...]


@dataclass(frozen=True, slots=True)
class MaskedFile:
    """A picture and the image that labels its pixels."""

    path: Path
    mask: Path


@dataclass(frozen=True, slots=True)
class Boxes:
    """Labeled pictures, and how many boxes of each unknown class were left out."""

    files: tuple[BoxedFile, ...]
    unknown: Mapping[str, int]


def read_boxes(labels: Path, folder: Path, names: Sequence[str]) -> Boxes:
    """Read the boxes of the pictures in `folder`; `names` are the network's classes.

    Raises BadInput, naming file and line, for anything but a box, for missing files, and when
    no box at all is of a class that the network knows.
    """
    rows = _rows_of_folder(labels, folder) if labels.is_dir() else _rows(labels, _BOX_HEADER)
    known = {_plain(name): index for index, name in enumerate(names)}
    boxes: dict[str, list[TrueBox]] = {}
    unknown: Counter[str] = Counter()
    for where, (file, name, *edges) in rows:
        path = _existing(folder, file, where)
        found = boxes.setdefault(str(path), [])
        if name or any(edges):
            index = class_number(name) if name.isdecimal() else known.get(_plain(name))
            box = _box(where, -1 if index is None else index, edges)
            unknown.update([name] if index is None else [])
            found.extend([] if index is None else [box])
    files = tuple(BoxedFile(Path(path), tuple(found)) for path, found in boxes.items())
    if not any(file.boxes for file in files):
        got = ", ".join(name[:60] for name in sorted(unknown)[:5]) or "no boxes"
        raise BadInput(f"{labels}: no box of a class that the network knows (got {got}); class "
                       "names come from the package or from --names")
    return Boxes(files, dict(unknown))


def read_masks(labels: Path, folder: Path) -> tuple[MaskedFile, ...]:
    """Read which image labels which picture of `folder`. Raises BadInput for missing files."""
    if not labels.is_dir():
        return tuple(MaskedFile(_existing(folder, file, where),
                                _existing(labels.parent, mask, where))
                     for where, (file, mask) in _rows(labels, _MASK_HEADER))
    found, named = [], _by_beginning(files_in(labels, {".png"}))
    for picture in _pictures(folder):
        if picture.suffix.lower() != ".png":
            masks = named.get(picture.stem, [])
            if len(masks) != 1:
                raise BadInput(f"{labels}: {len(masks)} masks for {picture.name}; expected one, "
                               f"{picture.stem}.png or {picture.stem}_….png")
            found.append(MaskedFile(picture, masks[0]))
    if not found:
        raise BadInput(f"{folder}: no pictures; expected .jpg beside masks in .png, or a CSV file "
                       "with the header file,mask as --labels")
    return tuple(found)


def _by_beginning(masks: Sequence[Path]) -> dict[str, list[Path]]:
    """Masks by every name that one of them begins with: all of it, or what is before a `_`."""
    found: dict[str, list[Path]] = {}
    for mask in masks:
        ends = [i for i, letter in enumerate(mask.stem) if letter == "_"]
        for end in (*ends, len(mask.stem)):
            found.setdefault(mask.stem[:end], []).append(mask)
    return found


def read_mask(path: Path) -> Array:
    """The class of every pixel, uint8 [H, W]. Raises BadInput for an image with colors."""
    with decoded(path, ("PNG", "BMP", "TIFF"), "mask") as image:
        if image.mode not in ("L", "P", "1"):
            raise BadInput(f"{path}: mode {image.mode}; expected class numbers as 8-bit gray "
                           "or as a palette's indices")
        return np.asarray(image).astype(np.uint8)


def _rows(path: Path, header: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Where and what, line by line; BadInput for another header or number of fields."""
    try:
        rows = csv.reader(StringIO(read_text(path), newline=""), skipinitialspace=True)
        first = [field.strip() for field in next(rows, [])]
        if first != list(header):
            raise BadInput(f"{path}: line 1: expected the header {','.join(header)}, "
                           f"got {','.join(first)[:60]!r}")
        for row in rows:
            where = f"{path}: line {rows.line_num}"
            if row and len(row) != len(header):
                raise BadInput(f"{where}: expected {len(header)} fields, got {len(row)}")
            if row:
                yield where, [field.strip() for field in row]
    except csv.Error as error:
        raise BadInput(f"{path}: not a readable CSV file ({error})") from None


def _rows_of_folder(labels: Path, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The same from one text file per picture."""
    pictures = _pictures(folder)
    if not pictures:
        raise BadInput(f"{folder}: no pictures in it")
    for picture in pictures:
        path = labels / f"{picture.stem}.txt"
        try:
            lines = read_lines(path)
        except BadInput as error:
            raise BadInput(f"{error}; expected the boxes of {picture.name}") from None
        yield str(path), [picture.name, *[""] * 5]
        for number, line in enumerate(lines, 1):
            if line.strip():
                fields = line.rsplit(maxsplit=4)
                if len(fields) != 5:
                    raise BadInput(f"{path}: line {number}: expected class left top right bottom, "
                                   f"got {line[:60]!r}")
                yield f"{path}: line {number}", [picture.name, *fields]


def _pictures(folder: Path) -> list[Path]:
    if not os.path.isdir(folder):
        raise BadInput(f"{folder}: not a folder; expected one with pictures")
    return files_in(folder, PICTURES)


def _existing(folder: Path, file: str, where: str) -> Path:
    if not file or not os.path.isfile(folder / file):
        raise BadInput(f"{where}: no file {file[:200]!r} in {folder}")
    return folder / file


def _box(where: str, index: int, edges: Sequence[str]) -> TrueBox:
    try:
        left, top, right, bottom = (float(edge) for edge in edges)
    except ValueError:
        left = right = top = bottom = float("nan")
    if not (0 <= left < right < float("inf") and 0 <= top < bottom < float("inf")):
        raise BadInput(f"{where}: expected left < right and top < bottom in pixels, "
                       f"got {' '.join(edges)[:60]!r}")
    return TrueBox(index, left, top, right, bottom)


def _plain(name: str) -> str:
    """A name without what spellings differ in."""
    plain = re.sub(r"[\s_-]+", "", name).lower()
    return _VOC.get(plain, plain)
