# SPDX-License-Identifier: Apache-2.0
"""What the demo runs: the bundled networks on digits, and real networks on photos where they are.

The environment variable EDGEFM_DATA names a folder with `models/` and `images/`; without it the
demo needs nothing but what is installed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from edgefm.compiler.options import CompileOptions
from edgefm.demo.bundled import demo_models, write_samples
from edgefm.images.labels import LabeledFile, read_labels, spread

PHOTOS = 100  # of the labeled photos; all of them take minutes


@dataclass(frozen=True, slots=True)
class Subject:
    """One network of the demo: its file, how it is compiled, and the pictures that judge it."""

    name: str
    model: Path
    options: CompileOptions
    files: tuple[LabeledFile, ...]


def subjects(folder: Path) -> tuple[Subject, ...]:
    """Everything the demo can run here; writes the digits' pictures below `folder`."""
    return (*_digits(folder), *_photos())


def _digits(folder: Path) -> tuple[Subject, ...]:
    held_out, calibration = write_samples(folder)
    files = read_labels(held_out / "labels.csv", held_out)
    return tuple(Subject(model.name, model.weights,
                         CompileOptions(fast=model.fast, objective="maps", codec="context",
                                        calib=calibration,
                                        preprocess=model.preprocess, geometry=model.geometry),
                         files) for model in demo_models())


def _photos() -> tuple[Subject, ...]:
    data = Path(os.environ.get("EDGEFM_DATA", ""))
    models, images = data / "models", data / "images"
    if not (models.is_dir() and images.is_dir()):
        return ()
    files = spread(read_labels(images / "imagenet_val" / "labels.csv", images / "imagenet_val"),
                   PHOTOS)
    fits = CompileOptions(fast=96 << 10, objective="maps", codec="context",
                          calib=images / "imagenet_sample")
    return (Subject("MobileNetV2 1.0 224", models / "tf2_mobilenet_v2_1.0_224_ptq.tflite",
                    fits, files),
            Subject("SqueezeNet 1.1", models / "squeezenet1_1_torchvision.onnx",
                    replace(fits, preprocess="torchvision"), files))
