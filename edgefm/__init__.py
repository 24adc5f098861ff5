# SPDX-License-Identifier: Apache-2.0
"""Run convolutional networks on devices whose memory is too small for their feature maps.

    import edgefm
    from pathlib import Path

    options = edgefm.CompileOptions(fast=96 * 1024)
    compiled = edgefm.compile_model(Path("net.tflite"), options)
    Path("net.efm").write_bytes(compiled.package)
    with edgefm.Runtime(compiled.package) as net:
        result = net.run([image])           # .outputs, .counters

Names are loaded when first used, so that `import edgefm` costs nothing. Quantizing and validating
are modules: `edgefm.quantization.choose.quantize`, `edgefm.evaluate.validate.validate`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgefm.compiler.options import CompileOptions
    from edgefm.compiler.pipeline import Compiled, compile_model, load_model
    from edgefm.errors import BadInput, EdgefmError, Infeasible
    from edgefm.evaluate.codec_costs import measure_codecs
    from edgefm.evaluate.diff import DiffResult, diff_model
    from edgefm.exporters.tflite import export_tflite
    from edgefm.images.preprocess import load_image
    from edgefm.importers import load
    from edgefm.package.container import PackageInfo, read_info
    from edgefm.runtime import Counters, RunResult, Runtime

__all__ = ["BadInput", "CompileOptions", "Compiled", "Counters", "DiffResult", "EdgefmError",
           "Infeasible", "PackageInfo", "RunResult", "Runtime", "compile_model", "diff_model",
           "export_tflite", "load", "load_image", "load_model", "measure_codecs", "read_info"]

_HOMES = {
    "runtime": ("Counters", "RunResult", "Runtime"),
    "compiler.options": ("CompileOptions",),
    "compiler.pipeline": ("Compiled", "compile_model", "load_model"),
    "package.container": ("PackageInfo", "read_info"),
    "evaluate.diff": ("DiffResult", "diff_model"),
    "errors": ("BadInput", "EdgefmError", "Infeasible"),
    "exporters.tflite": ("export_tflite",),
    "importers": ("load",),
    "evaluate.codec_costs": ("measure_codecs",),
    "images.preprocess": ("load_image",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"edgefm.{home}"), name)
    raise AttributeError(f"module 'edgefm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
