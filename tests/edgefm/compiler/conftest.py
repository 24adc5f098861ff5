# SPDX-License-Identifier: Apache-2.0
"""A small model file and inputs to calibrate it with."""

from pathlib import Path

import numpy as np
import pytest
from networks import small_classifier

from edgefm.evaluate.diff import random_inputs
from edgefm.exporters.tflite import export_tflite


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(export_tflite(small_classifier()))
    return path


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten inputs as .npy, and a file of another kind."""
    folder = tmp_path_factory.mktemp("samples")
    for k in range(10):
        np.save(folder / f"{k:02}.npy", random_inputs(small_classifier(), k)[0])
    (folder / "notes.txt").write_text("not a picture")
    return folder
