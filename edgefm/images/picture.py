# SPDX-License-Identifier: Apache-2.0
"""Picture files as upright 8-bit pixels: whatever a file holds, pixels or one clear line."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image, UnidentifiedImageError

from edgefm.errors import BadInput
from edgefm.files.read import MOST_PICTURE, one_line, read_bytes
from edgefm.images.geometry import Placement

MOST_PIXELS = 89_478_485  # of a file, as many as Pillow takes without a warning
MOST_RESIZED = 1 << 25    # pixels
MOST_SCANS = 100          # of a JPEG: each goes over all pixels, and may take a few bytes

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_SCAN = b"\xff\xda"       # in a JPEG's coded data 0xff is never followed by 0xda
_ORIENTATION = 0x0112     # an EXIF tag
_UPRIGHT = MappingProxyType({
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90})
# What Pillow's decoders raise on broken files.
_BROKEN = (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, EOFError,
           MemoryError, RuntimeError, AttributeError, AssertionError, struct.error, zlib.error,
           Image.DecompressionBombError, Image.DecompressionBombWarning)


def load_picture(path: Path) -> Image.Image:
    """Read a picture file, upright (EXIF), first frame; mode "L" for gray files, else "RGB".

    Transparent pixels are laid on white; 16-bit gray keeps its upper 8 bits. Raises BadInput for a
    missing, broken, oversized or unknown file.
    """
    with decoded(path, _FORMATS, "picture") as image:
        return _flatten(_upright(image))


def plain_picture(image: Image.Image, name: str = "picture") -> Image.Image:
    """A picture of Pillow's as `load_picture` gives it. Raises BadInput, naming it, for one that
    is broken, empty or too large."""
    try:
        if not 0 < image.width * image.height <= MOST_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels, expected 1 to {MOST_PIXELS}")
        return _flatten(_upright(image))
    except _BROKEN as error:
        raise BadInput(f"{name}: not a readable picture ({one_line(error)})") from None


@contextmanager
def decoded(path: Path, formats: tuple[str, ...], what: str) -> Iterator[Image.Image]:
    """The first picture of a file in one of Pillow's formats, for as long as the block lasts.

    Raises BadInput for a missing, broken, oversized or unknown file, a `what` that cannot be read.
    """
    data = read_bytes(path, MOST_PICTURE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # broken EXIF: the picture is still fine
            with Image.open(BytesIO(data), formats=formats) as image:
                _check(image, data)
                image.load()
                yield image
    except UnidentifiedImageError:  # its message has an address in memory
        raise BadInput(f"{path}: not a readable {what} (expected {', '.join(formats)})") from None
    except _BROKEN as error:
        raise BadInput(f"{path}: not a readable {what} ({one_line(error)})") from None


def _check(image: Image.Image, data: bytes) -> None:
    """Refuse what takes much longer, or much more memory, than its bytes promise."""
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"{image.width}x{image.height} pixels, expected at most {MOST_PIXELS}")
    scans = data.count(_SCAN) if image.format in ("JPEG", "MPO") else 0
    if scans > MOST_SCANS:
        raise ValueError(f"{scans} scans, expected at most {MOST_SCANS}")


def _upright(image: Image.Image) -> Image.Image:
    turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    return image if turn is None else image.transpose(turn)


def _flatten(image: Image.Image) -> Image.Image:
    """Any Pillow mode to "L" or "RGB"."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        values = np.nan_to_num(values) if image.mode == "F" else values >> 8
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def fit(image: Image.Image, placement: Placement, fill: int = 128) -> Image.Image:
    """Resize (bilinear, antialiased) and cut or pad a picture as its placement says.

    Raises BadInput when a very long picture would grow beyond reason.
    """
    width, height = placement.resized
    if width * height > MOST_RESIZED:
        raise BadInput(f"a picture of {image.width}x{image.height} is too long and thin: "
                       f"resized for this input it would be {width}x{height}")
    if image.size != placement.resized:
        image = image.resize(placement.resized, Image.Resampling.BILINEAR)
    if placement.resized == placement.input:
        return image
    left, top = placement.offset
    if left <= 0 and top <= 0:
        return image.crop((-left, -top, placement.input[0] - left, placement.input[1] - top))
    canvas = Image.new(image.mode, placement.input, (fill,) * len(image.getbands()))
    canvas.paste(image, placement.offset)
    return canvas
