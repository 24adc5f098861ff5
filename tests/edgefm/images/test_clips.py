# SPDX-License-Identifier: Apache-2.0
"""Clips: frames in order, from folders and from arrays, and one clear line for anything else."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefm.errors import BadInput
from edgefm.images.clips import frames
from edgefm.images.preprocess import InputInfo, Preprocess

INPUT = InputInfo((1, 4, 6, 3), "uint8")
RAW = Preprocess(True)
CLIP = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3)).astype(np.uint8)


def read(clip: Path) -> list[tuple[str, np.ndarray]]:
    return list(frames(clip, RAW, INPUT))


def test_an_array_of_frames_is_read_along_its_first_dimension(tmp_path):
    np.save(tmp_path / "clip.npy", CLIP)
    found = read(tmp_path / "clip.npy")
    assert [name for name, _ in found] == ["frame 0", "frame 1", "frame 2"]
    assert np.array_equal(np.concatenate([data for _, data in found]), CLIP)


def test_a_folder_is_read_in_order_of_names(tmp_path):
    for name, frame in zip(("b.png", "a.png", "c.npy"), CLIP, strict=True):
        if name.endswith("npy"):
            np.save(tmp_path / name, frame)
        else:
            Image.fromarray(frame).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a frame")
    found = read(tmp_path)
    assert [name for name, _ in found] == ["a.png", "b.png", "c.npy"]
    assert np.array_equal(found[0][1][0], CLIP[1])


def test_frames_of_another_size_are_fitted_like_pictures(tmp_path):
    np.save(tmp_path / "clip.npy", np.zeros((2, 9, 8, 3), np.uint8))
    assert [data.shape for _, data in read(tmp_path / "clip.npy")] == [(1, 4, 6, 3)] * 2


@pytest.mark.parametrize("array", [np.zeros((0, 4, 6, 3), np.uint8), np.zeros(5, np.uint8),
                                   np.uint8(3)])
def test_a_clip_without_frames_is_refused(tmp_path, array):
    np.save(tmp_path / "clip.npy", array)
    with pytest.raises(BadInput, match=r"clip\.npy: no frames in it"):
        read(tmp_path / "clip.npy")


def test_a_frame_that_fits_nothing_is_named(tmp_path):
    np.save(tmp_path / "clip.npy", np.zeros((2, 5), np.float32))
    with pytest.raises(BadInput, match=r"clip\.npy, frame 0: holds float32 \[5\]"):
        read(tmp_path / "clip.npy")


def test_what_is_no_clip_is_refused(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"\0")
    with pytest.raises(BadInput, match="expected a folder of pictures or an .npy file"):
        read(tmp_path / "clip.mp4")
    with pytest.raises(BadInput, match="no frames in it"):
        read_empty = tmp_path / "empty"
        read_empty.mkdir()
        read(read_empty)
    with pytest.raises(BadInput, match="no such file"):
        read(tmp_path / "missing.npy")
