# SPDX-License-Identifier: Apache-2.0
"""Pictures: every mode becomes gray or RGB pixels, every broken file one line."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from limits import Limited
from PIL import Image, ImageOps

from edgefm.errors import BadInput
from edgefm.images.geometry import place
from edgefm.images.picture import fit, load_picture, plain_picture

RED = (255, 0, 0)


def _save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 2))
    exif = Image.Exif()
    exif[274] = 6  # "rotate a quarter turn clockwise to see it upright"
    assert load_picture(_save(tmp_path / "a.jpg", image, exif=exif)).size == (2, 4)


@pytest.mark.parametrize(("mode", "expected"), [
    ("1", "L"), ("L", "L"), ("P", "RGB"), ("RGB", "RGB"), ("RGBA", "RGB"), ("LA", "RGB")])
def test_every_mode_becomes_gray_or_rgb(tmp_path: Path, mode: str, expected: str) -> None:
    path = _save(tmp_path / "a.png", Image.new("RGB", (3, 3), RED).convert(mode))
    assert load_picture(path).mode == expected


def test_cmyk_jpeg_becomes_rgb(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 0, 0, 0)))
    assert load_picture(path).getpixel((0, 0)) == (255, 255, 255)


def test_transparent_pixels_lie_on_white(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", Image.new("RGBA", (1, 1), (0, 0, 0, 0)))
    assert load_picture(path).getpixel((0, 0)) == (255, 255, 255)


def test_transparent_palette_entry_lies_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (1, 1), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    path = _save(tmp_path / "a.png", image, transparency=0)
    assert load_picture(path).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_gray_keeps_its_upper_byte(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", Image.fromarray(np.array([[0x1234]], np.uint16)))
    assert load_picture(path).getpixel((0, 0)) == 0x12


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header)
            + _png_chunk(b"IDAT", zlib.compress(bytes(1000))) + _png_chunk(b"IEND", b""))


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", _bomb(),
                                  b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_a_broken_file_is_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(BadInput) as caught:
        load_picture(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "tif", "webp"])
def test_every_truncation_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    path = _save(tmp_path / f"whole.{suffix}", Image.effect_noise((16, 16), 80))
    data = path.read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    refused = 0
    for size in range(0, len(data), max(1, len(data) // 60)):
        cut.write_bytes(data[:size])
        try:
            load_picture(cut)
        except BadInput:
            refused += 1
    assert refused > 5


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        load_picture(tmp_path / "none.png")


def test_fit_pads_with_gray() -> None:
    image = Image.new("RGB", (4, 2), RED)
    fitted = np.asarray(fit(image, place((4, 2), "letterbox", (4, 4))))
    assert fitted[0].tolist() == [[128] * 3] * 4
    assert fitted[1].tolist() == [list(RED)] * 4


def test_fit_refuses_a_thread_of_a_picture() -> None:
    with pytest.raises(BadInput, match="too long"):
        fit(Image.new("L", (1, 1_000_000)), place((1, 1_000_000), "crop", (224, 224)))


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    for path in (tmp_path / "a.png", tmp_path, Path("/dev/zero")):
        with pytest.raises(BadInput, match="expected a regular file"):
            load_picture(path)


def test_a_jpeg_of_very_many_scans_is_refused_undecoded(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.jpg", Image.new("L", (4000, 4000)), progressive=True)
    data = path.read_bytes()
    last = data.rindex(b"\xff\xda")
    path.write_bytes(data[:last] + data[last:-2] * 5000 + data[-2:])
    with Limited(32 << 20), pytest.raises(BadInput, match="scans, expected at most 100"):
        load_picture(path)


def test_a_file_of_too_many_pixels_is_refused_undecoded(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", Image.new("1", (10_000, 8_948)))
    with Limited(32 << 20), pytest.raises(BadInput, match="pixels"):
        load_picture(path)


@pytest.mark.parametrize("turn", range(10))
def test_pictures_are_turned_as_exif_says(tmp_path: Path, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    image = Image.effect_noise((5, 3), 80)
    path = _save(tmp_path / "a.png", image, exif=exif)
    with Image.open(path) as opened:
        expected = ImageOps.exif_transpose(opened)
    np.testing.assert_array_equal(np.asarray(load_picture(path)), np.asarray(expected))


def test_of_many_frames_the_first_is_read(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.gif", Image.new("L", (2, 2)))
    whole = path.read_bytes()
    frame = whole[whole.index(b"\x2c", 13):-1]
    path.write_bytes(whole[:-1] + frame * 300_000 + b";")
    with Limited(64 << 20):
        assert load_picture(path).size == (2, 2)


def test_real_values_that_are_no_numbers_are_black(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.tif", Image.fromarray(np.array([[np.nan, 7.9, -1, 1e9]], "f4")))
    assert np.asarray(load_picture(path)).tolist() == [[0, 7, 0, 255]]


def test_pictures_of_pillow_are_taken_like_files(tmp_path: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 4), np.uint8))
    picture.save(tmp_path / "a.png")
    assert plain_picture(picture).tobytes() == load_picture(tmp_path / "a.png").tobytes()
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[:len(whole) // 2])
    with Image.open(tmp_path / "b.png") as broken, pytest.raises(BadInput, match="x: not a read"):
        plain_picture(broken, "x")
    with pytest.raises(BadInput, match="0x5 pixels, expected 1 to"):
        plain_picture(Image.new("RGB", (0, 5)))


def test_a_file_of_another_kind_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture at all")
    with pytest.raises(BadInput) as caught:
        load_picture(tmp_path / "a.jpg")
    assert str(caught.value) == (f"{tmp_path / 'a.jpg'}: not a readable picture "
                                 "(expected JPEG, PNG, BMP, GIF, WEBP, TIFF, PPM)")
