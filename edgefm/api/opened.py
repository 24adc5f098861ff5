# SPDX-License-Identifier: Apache-2.0
"""`edgefm.open`: a package that runs on arrays, pictures or files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from edgefm.api.given import Given, dequantized, read_inputs, without_batch
from edgefm.errors import BadInput
from edgefm.files.read import read_bytes
from edgefm.package.records import MAGIC
from edgefm.runtime import RunResult, Runtime
from edgefm.runtime.lending import frozen_bytes
from edgefm.runtime.weight_port import Weights

_MODELS = (".tflite", ".onnx", ".npz")


@runtime_checkable
class HasPackage(Protocol):
    """The result of a compilation."""

    @property
    def package(self) -> bytes: ...


Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | HasPackage"


def open(source: Source, threads: int = 1, weights: Weights | None = None) -> OpenPackage:
    """Open an .efm: its path, its bytes, or the result of `edgefm.compile`. `threads` (1..32) share
    the work of each run; outputs are the same bits. A package whose weights are behind a port
    (`compile(…, weights="port")`) reads them from `weights` in each run: a path, or an object with
    `seek` and `readinto` that has the same file or its weights alone. Without it they are read from
    the package in memory.

    Raises BadContainer when it is damaged or too new, BadInput when there is no such file.
    """
    data, name = package_bytes(source)
    return OpenPackage(data, name, threads, weights)


def package_bytes(source: Source) -> tuple[bytes, str | None]:
    """A package's bytes, and the name of its file if it has one. Raises BadInput."""
    if isinstance(source, HasPackage):
        return source.package, None
    if isinstance(source, (bytes, bytearray, memoryview)):
        return frozen_bytes(source, "package"), None
    if not isinstance(source, (str, os.PathLike)):
        raise BadInput(f"edgefm.open: got {type(source).__name__}, expected a path, bytes or the "
                       "result of edgefm.compile")
    path = Path(source)
    data = read_bytes(path)
    if path.suffix.lower() in _MODELS and data[:len(MAGIC)] != MAGIC:
        raise BadInput(f"{path}: got a model, expected an .efm package; edgefm.compile makes one")
    return data, str(path)


class OpenPackage(Runtime):
    """An open package; a context manager. Only one thread may use it at a time.

    `inputs` and `outputs` are records with `name`, `shape`, `dtype`, `scale` and `zero_point`
    (real = scale * (element - zero_point); scale 0: not quantized); `info` has everything else.
    """

    def run(self, inputs: Given, taps: bool = False, frame: int = 0, *,
            quantize: bool = False, dequantize: bool = False) -> RunResult:
        """Run once: `run(array)`, `run("cat.jpg")`, `run(picture)`, `run([a, b])` or
        `run({"name": a, …})`.

        An array has exactly the dtype and shape of its input, with or without the batch dimension;
        outputs have the batch dimension if the inputs have it. With `quantize`, floats are real
        values for a quantized input. With `dequantize`, quantized outputs become the float32 values
        that they stand for. `frame` is the number of the picture in a stream: the package may code
        pictures after number 0 against the one before. `taps` returns every stream of the plan.

        Raises BadInput for inputs that do not fit ("got X, expected Y") and for a package that is
        closed or busy in another thread, and RuntimeFault when the C runtime stops.
        """
        self._still_open()
        given = read_inputs(inputs, self.info, self._where, quantize)
        result = super().run(given.arrays, taps, frame)
        outputs = result.outputs
        if dequantize:
            outputs = [dequantized(*pair) for pair in zip(outputs, self.outputs, strict=True)]
        if not given.batched:
            outputs = [without_batch(array) for array in outputs]
        return replace(result, outputs=outputs)

    __call__ = run
