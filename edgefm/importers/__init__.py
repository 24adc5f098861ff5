# SPDX-License-Identifier: Apache-2.0
"""Model files of every kind to one `Graph`."""

from __future__ import annotations

from pathlib import Path

from edgefm.errors import BadInput
from edgefm.importers.faults import Faults
from edgefm.network.graph import Graph


def load(path: str | Path, input_shape: tuple[int, ...] | None = None,
         faults: Faults | None = None) -> Graph:
    """Read a .tflite, .onnx or .npz model; BadInput names the file and what is wrong with it.

    `input_shape` says which shape the one input of an ONNX file that leaves sizes open has, in the
    file's order of dimensions. `faults` may keep the errors of single layers.
    """
    path = Path(path)
    if path.suffix not in (".tflite", ".onnx", ".npz"):
        raise BadInput(f"{path}: unknown kind of model {path.suffix!r}, "
                       "expected .tflite, .onnx or .npz")
    if path.suffix == ".onnx":
        from edgefm.importers.onnx import load_onnx
        return load_onnx(path, input_shape, faults)
    if input_shape is not None:
        raise BadInput(f"{path}: got an input shape, expected none: only .onnx files leave theirs "
                       "open")
    if path.suffix == ".npz":
        from edgefm.importers.npz import load_npz
        return load_npz(path)
    from edgefm.importers.tflite import load_tflite
    return load_tflite(path, faults)
