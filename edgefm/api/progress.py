# SPDX-License-Identifier: Apache-2.0
"""Reports the progress of a compilation to a callback, with the total number of steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from edgefm import importers
from edgefm.compiler.calibration import CALIBRATION_IMAGES, calibration_files
from edgefm.compiler.options import CompileOptions
from edgefm.quantization.choose import QuantizeOptions, held_out_of, most_runs

Progress: TypeAlias = "Callable[[int, int, str], object]"


def quantizing_runs(model: Path, options: CompileOptions) -> int:
    """The most runs that quantizing a float network takes; 0 for a quantized one.

    Raises BadInput for a model or a folder that cannot be read.
    """
    if options.calib is None or not importers.load(model, options.input_shape).is_float():
        return 0
    count = min(len(calibration_files(options.calib, str(model))), CALIBRATION_IMAGES)
    return most_runs(count, QuantizeOptions(held_out=held_out_of(count)))


class Steps:
    """Steps of a compilation: `runs` to quantize, and one for everything after that."""

    def __init__(self, progress: Progress | None, runs: int) -> None:
        self._progress = progress or (lambda done, total, what: None)
        self._runs, self._total = runs, runs + 1
        self._what, self._ran = "quantize" if runs else "load", 0
        self._tell(0)

    def ran(self) -> None:
        """The network was run once more."""
        self._ran += 1
        quantizing = self._what == "quantize"
        self._tell(min(self._ran, self._runs) if quantizing else self._runs)

    def plan(self) -> None:
        """The network is quantized; planning and coding of its maps begin."""
        self._what, self._ran = "plan and code", 0
        self._tell(self._runs)

    def end(self) -> None:
        """Everything is done."""
        self._what, self._ran = "done", 0
        self._tell(self._total)

    def _tell(self, done: int) -> None:
        runs = f", {self._ran} runs" if self._ran else ""
        self._progress(done, self._total, self._what + runs)
