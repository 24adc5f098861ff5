# SPDX-License-Identifier: Apache-2.0
"""Run convolutional networks on devices whose memory is too small for their feature maps.

    import edgefm

    compiled = edgefm.compile("net.tflite", fast="96K")     # or external=, calib=, codec=, budget=…
    compiled.save("net.efm")
    with edgefm.open("net.efm") as net:                     # a path, or the package's bytes
        result = net.run("cat.jpg")                         # or an array, a list, a dict by name
        print(result.outputs[0].argmax(), result.counters)

`plan` says how much memory a network needs and how many bytes it moves. `diff` and `validate` check
that it is right. `Device` is a board. `Interpreter` has the methods of tflite_runtime's class.

Modules are imported when a name is first used, so `import edgefm` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgefm.api.compiling import compile, diff, plan
    from edgefm.api.device import Device
    from edgefm.api.interpreter import Interpreter
    from edgefm.api.opened import OpenPackage, open
    from edgefm.api.summary import PlanSummary
    from edgefm.api.validating import validate
    from edgefm.compiler.options import LossBudget, Memory, Quality, Temporal
    from edgefm.compiler.pipeline import Compiled
    from edgefm.errors import BadInput, EdgefmError, Infeasible
    from edgefm.evaluate.diff import DiffResult
    from edgefm.evaluate.validate import Validation
    from edgefm.runtime import Counters, RunResult, Runtime

    __version__: str

__all__ = ["BadInput", "Compiled", "Counters", "Device", "DiffResult", "EdgefmError", "Infeasible",
           "Interpreter", "LossBudget", "Memory", "OpenPackage", "PlanSummary", "Quality",
           "RunResult", "Runtime", "Temporal", "Validation", "__version__", "compile", "diff",
           "open", "plan", "validate"]

_HOMES = {
    "api.compiling": ("compile", "diff", "plan"),
    "api.device": ("Device",),
    "api.interpreter": ("Interpreter",),
    "api.opened": ("OpenPackage", "open"),
    "api.summary": ("PlanSummary",),
    "api.validating": ("validate",),
    "compiler.options": ("LossBudget", "Memory", "Quality", "Temporal"),
    "compiler.pipeline": ("Compiled",),
    "errors": ("BadInput", "EdgefmError", "Infeasible"),
    "evaluate.diff": ("DiffResult",),
    "evaluate.validate": ("Validation",),
    "runtime": ("Counters", "RunResult", "Runtime"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("edgefm")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"edgefm.{home}"), name)
    raise AttributeError(f"module 'edgefm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
