# SPDX-License-Identifier: Apache-2.0
"""The bundled digits and networks."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefm.demo.bundled import IMAGE_SIZE, DemoModel, demo_models, digits, enlarge, write_samples
from edgefm.errors import BadInput, MissingTool
from edgefm.importers.npz import load_npz
from edgefm.ops import run_graph

NAMES = [model.name for model in demo_models()]
LEAST_ACCURACY = 94.0  # per cent of 60 held-out digits; all 360 give 96 or more
LARGEST_FILE = 150_000


@pytest.fixture(autouse=True)
def needs_scikit_learn(need_module: Callable[[str], None]) -> None:
    """Every test here reads the digits."""
    need_module("sklearn")


def test_splits_are_disjoint_and_hold_every_digit() -> None:
    images, labels = digits("train")
    unseen, answers = digits("held_out")
    assert (len(images), len(unseen)) == (1437, 360)
    known = {image.tobytes() for image in images}
    assert not known & {image.tobytes() for image in unseen}
    for some in (labels, answers):
        assert np.bincount(some, minlength=10).min() >= len(some) // 12


def test_images_are_gray_bytes_of_the_networks_input_size() -> None:
    images, labels = digits("held_out")
    assert images.shape == (360, IMAGE_SIZE, IMAGE_SIZE, 1) and images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255) and labels.shape == (360,)


def test_unknown_split_is_refused() -> None:
    with pytest.raises(BadInput, match=r"no split 'validation', expected 'train' or 'held_out'"):
        digits("validation")  # type: ignore[arg-type]


def test_missing_scikit_learn_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingTool, match="scikit-learn"):
        digits("train")


def test_enlarging_interpolates_between_pixel_centers() -> None:
    flat = np.full((1, 8, 8), 16)
    assert (enlarge(flat) == 255).all() and (enlarge(0 * flat) == 0).all()
    step = np.zeros((1, 8, 8), np.int64)
    step[:, :, 4:] = 16
    exact = 255 * np.clip((np.arange(IMAGE_SIZE) + 0.5) / 8 - 0.5 - 3, 0, 1)
    np.testing.assert_allclose(enlarge(step)[0, 20], exact, atol=0.51)
    np.testing.assert_array_equal(enlarge(step.transpose(0, 2, 1))[0], enlarge(step)[0].T)


def test_samples_are_pictures_with_a_label_file(tmp_path: Path) -> None:
    held_out, calibration = write_samples(tmp_path, held_out=12, calibration=20)
    images, labels = digits("held_out")
    with (held_out / "labels.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["file", "label"] and len(rows) == 12
    for (name, label), image, answer in zip(rows, images, labels, strict=False):
        assert int(label) == answer
        np.testing.assert_array_equal(np.asarray(Image.open(held_out / name)), image[..., 0])
    written = sorted(calibration.glob("*.png"))
    known = {image.tobytes() for image in digits("train")[0]}
    assert len(written) == 20
    assert all(np.asarray(Image.open(path)).tobytes() in known for path in written)
    assert sorted(int(path.stem[-1]) for path in written) == sorted([*range(10), *range(10)])


@pytest.mark.parametrize("model", demo_models(), ids=NAMES)
def test_bundled_network_reads_unseen_digits(model: DemoModel) -> None:
    graph = load_npz(model.weights)
    assert graph.tensors[graph.inputs[0]].shape == (1, IMAGE_SIZE, IMAGE_SIZE, 1)
    images, labels = digits("held_out")
    assert model.preprocess == "tf"
    inputs = (images[::6] / np.float32(127.5) - 1).astype(np.float32)
    found = [run_graph(graph, [image[None]])[graph.outputs[0]].argmax() for image in inputs]
    assert 100 * np.mean(found == labels[::6]) >= LEAST_ACCURACY


@pytest.mark.parametrize("model", demo_models(), ids=NAMES)
def test_bundled_network_is_small(model: DemoModel) -> None:
    assert model.weights.stat().st_size <= LARGEST_FILE
