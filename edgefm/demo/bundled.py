# SPDX-License-Identifier: Apache-2.0
"""Two small trained networks in the tree, and the handwritten digits they read.

The networks are SqueezeNet 1.1 and MobileNetV2 with few channels, trained by
`python -m edgefm.training.digits`. The digits are a file of scikit-learn's (extra `[demo]`; none of
its code is used, so its dependencies may be missing): 1,797 images of 8x8 pixels, enlarged here to
the networks' 64x64. The last fifth is held out, as a block because neighbors in the set are often
by the same hand; nothing is trained or calibrated on it.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgefm.errors import BadInput, MissingTool
from edgefm.files.read import read_bytes
from edgefm.files.write import make_folder, writing, writing_text

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Split = Literal["train", "held_out"]

IMAGE_SIZE = 64
DIGIT_SIZE = 8
BRIGHTEST = 16  # digits count the ink of 4x4 blocks
FIRST_HELD_OUT = 1437
MOST_FILE = 1 << 20  # bytes of scikit-learn's file, which has 57 KB


@dataclass(frozen=True, slots=True)
class DemoModel:
    """A bundled network: its weights file, a fast memory (bytes) that makes it interesting, and
    the preprocessing it was trained with."""

    name: str
    weights: Path
    fast: int
    preprocess: str = "tf"  # x / 127.5 - 1
    geometry: str = "crop"  # images of 64x64 stay as they are


def demo_models() -> tuple[DemoModel, ...]:
    """The bundled networks."""
    folder = Path(__file__).parent
    return (DemoModel("digits_mobilenet_v2", folder / "digits_mobilenet_v2.npz", 8 << 10),
            DemoModel("digits_squeezenet", folder / "digits_squeezenet.npz", 4 << 10))


def digits(split: Split) -> tuple[Images, Labels]:
    """Images uint8 [N, 64, 64, 1], ink bright, and their labels 0 to 9.

    Raises BadInput for another split, MissingTool without scikit-learn.
    """
    if split not in ("train", "held_out"):
        raise BadInput(f"digits: no split {split!r}, expected 'train' or 'held_out'")
    lines = gzip.decompress(read_bytes(_digits_file(), MOST_FILE)).decode("ascii").splitlines()
    chosen = slice(FIRST_HELD_OUT, None) if split == "held_out" else slice(FIRST_HELD_OUT)
    rows = np.array([line.split(",") for line in lines[chosen]], np.int64)
    square = rows[:, :-1].reshape(-1, DIGIT_SIZE, DIGIT_SIZE)
    return enlarge(square)[..., None], rows[:, -1]


def _digits_file() -> Path:
    """Where scikit-learn keeps its digits: a row of ink counts and the label for each."""
    package = importlib.util.find_spec("sklearn")
    if package is not None:
        for folder in package.submodule_search_locations or ():
            file = Path(folder) / "datasets" / "data" / "digits.csv.gz"
            if file.is_file():
                return file
    raise MissingTool("the digits come with scikit-learn: pip install 'edgefm[demo]'")


def enlarge(small: npt.NDArray[np.int64]) -> Images:
    """Ink counts [N, 8, 8] -> pixels [N, 64, 64]: bilinear between pixel centers, in integers.

    Integers make the images the same bytes on every machine.
    """
    weights = _bilinear_weights()
    unit = int(weights[0].sum()) ** 2 * BRIGHTEST
    large = np.einsum("yi,nij,xj->nyx", weights, small, weights, optimize=True)
    return np.asarray((large * 255 + unit // 2) // unit, np.uint8)


def _bilinear_weights() -> npt.NDArray[np.int64]:
    """[64, 8]: what each enlarged row takes from each small one, in sixteenths."""
    factor = IMAGE_SIZE // DIGIT_SIZE
    weights = np.zeros((IMAGE_SIZE, DIGIT_SIZE), np.int64)
    for y in range(IMAGE_SIZE):
        low, part = divmod(2 * y + 1 - factor, 2 * factor)
        for row, share in ((low, 2 * factor - part), (low + 1, part)):
            weights[y, min(max(row, 0), DIGIT_SIZE - 1)] += share
    return weights


def write_samples(folder: Path, held_out: int | None = None, calibration: int = 64,
                  ) -> tuple[Path, Path]:
    """Write digits as image files; returns the folders (`held_out`, `calibration`) below `folder`.

    `held_out` gets `labels.csv` (header `file,label`) and that many images (None: all 360);
    `calibration` gets images from the training split, the classes in turn.
    """
    images, labels = digits("held_out")
    test = folder / "held_out"
    names = _write_images(test, images[:held_out], labels[:held_out])
    with writing_text(test / "labels.csv", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "label"))
        writer.writerows(zip(names, labels[:held_out].tolist(), strict=True))
    images, labels = digits("train")
    chosen = _classes_in_turn(labels)[:calibration]
    _write_images(folder / "calibration", images[chosen], labels[chosen])
    return test, folder / "calibration"


def _classes_in_turn(labels: Labels) -> npt.NDArray[np.int64]:
    """Indices ordered so that every run of ten has one image of each class, while they last."""
    rank = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        where = np.flatnonzero(labels == label)
        rank[where] = np.arange(len(where))
    return np.lexsort((labels, rank))


def _write_images(folder: Path, images: Images, labels: Labels) -> list[str]:
    """Write gray PNGs named by position and label; returns the names."""
    make_folder(folder)
    names = [f"{i:04d}_digit_{label}.png" for i, label in enumerate(labels)]
    pairs: Iterable[tuple[str, Images]] = zip(names, images, strict=True)
    for name, image in pairs:
        with writing(folder / name) as file:
            Image.fromarray(image[..., 0]).save(file, "PNG")
    return names
