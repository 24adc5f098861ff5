# SPDX-License-Identifier: Apache-2.0
"""Networks as people publish them: what runs, in how much memory, and why the others do not.

One row per file of DATA/models_wild. Quantized TFLite files run once on noise, and TFLite's
reference kernels judge their outputs. Float files are refused here, as `edgefm compile` refuses
them without calibration files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _common import data_folder, parser, print_command, print_table, say

import edgefm
from edgefm.errors import EdgefmError
from edgefm.litert.reference import Reference
from edgefm.network.graph import Array


def main() -> None:
    """Print one row per network."""
    arguments = parser(__doc__)
    arguments.add_argument("--networks", nargs="*", default=[""], metavar="PART",
                           help="parts of names (default: all)")
    options = arguments.parse_args()
    folder = data_folder(options.data) / "models_wild"
    if not folder.is_dir():
        say(f"no published networks in {folder}; expected .tflite and .onnx files")
        raise SystemExit(2)
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".tflite", ".onnx")
             and any(part in path.stem for part in options.networks)]
    print_command()
    print_table(("network", "arena, bytes", "package, bytes", "outputs"), _rows(files))


def _rows(files: list[Path]) -> Iterator[tuple[object, ...]]:
    """Networks that run first, then the refused ones."""
    yield from sorted(map(_row, files), key=lambda row: row[1] == "")


def _row(path: Path) -> tuple[object, ...]:
    """Name, arena and package in bytes, and the verdict or the refusal."""
    say(path.name)
    try:
        compiled = _compiled(path)
        with edgefm.open(compiled.package) as runtime:
            noise = [_noise(i.shape, i.dtype) for i in runtime.inputs]
            outputs = runtime.run(noise).outputs
    except EdgefmError as error:
        return path.name, "", "", _reason(str(error), path)
    verdict = _verdict(path, noise, outputs)
    return path.name, compiled.plan.fast_bytes, len(compiled.package), verdict


def _compiled(path: Path) -> edgefm.Compiled:
    """Files that ask how pictures are prepared get them raw."""
    try:
        return edgefm.compile(path)
    except EdgefmError as error:
        if "preprocess" not in str(error):
            raise
    return edgefm.compile(path, preprocess="raw")


def _reason(text: str, path: Path) -> str:
    for start in (str(path), path.name):
        text = text.removeprefix(f"{start}: ")
    return text.replace("|", "/")


def _noise(shape: tuple[int, ...], dtype: str) -> Array:
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.uniform(-1, 1, shape).astype(dtype)
    bounds = np.iinfo(dtype)
    return rng.integers(bounds.min, bounds.max, shape, dtype, endpoint=True)


def _verdict(path: Path, inputs: list[Array], outputs: list[Array]) -> str:
    if path.suffix != ".tflite":
        return "not judged"
    with Reference(path.read_bytes()) as reference:
        right = reference.outputs(inputs)
    same = len(right) == len(outputs) and all(map(np.array_equal, right, outputs))
    return "bit-exact" if same else "NOT THE SAME"


if __name__ == "__main__":
    main()
