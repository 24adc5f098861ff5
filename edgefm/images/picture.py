# SPDX-License-Identifier: Apache-2.0
"""Picture files as upright 8-bit pixels: whatever a file holds, pixels or one clear line."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from edgefm.errors import BadInput
from edgefm.images.geometry import Placement

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm",
                      ".pgm"})

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_MOST_PIXELS = 1 << 27  # after resizing; what Pillow opens is limited by Image.MAX_IMAGE_PIXELS
# What Pillow's decoders raise on broken files.
BROKEN = (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, EOFError,
           MemoryError, struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning)


def load_picture(path: Path) -> Image.Image:
    """Read a picture file, upright (EXIF), first frame; mode "L" for grey files, else "RGB".

    Transparent pixels are laid on white; 16-bit grey keeps its upper 8 bits. Raises BadInput for a
    missing, broken, oversized or unknown file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # broken EXIF: the picture is still fine
            with Image.open(path, formats=_FORMATS) as image:
                image.load()
                return _flatten(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(f"{path}: not a readable picture ({reason})") from None


def _flatten(image: Image.Image) -> Image.Image:
    """Any Pillow mode to "L" or "RGB"."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, np.float64)
        if image.mode != "F":
            values = np.floor(values / 256)
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
    if width * height > _MOST_PIXELS:
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
