# SPDX-License-Identifier: Apache-2.0
"""TFLite behind one shim: as the judge, and as what runs float networks fast.

The verdict on bits is given by one implementation only: the reference kernels (BUILTIN_REF) of
ai-edge-litert 2.3, with every tensor preserved. Where it is not installed, another version of it,
tflite_runtime or tensorflow stand in for labels and final outputs; `Reference.exact` tells.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import numpy as np

from edgefm.errors import BadInput, MissingTool
from edgefm.network.graph import Array

_MODULES = {"ai_edge_litert": "ai_edge_litert.interpreter",
            "tflite_runtime": "tflite_runtime.interpreter",
            "tensorflow": "tensorflow.lite.python.interpreter"}
_PINNED = ("ai-edge-litert", "2.3.")
_INSTALL = "pip install 'edgefm[tflite]'"


def available() -> str | None:
    """The package that would judge: "ai_edge_litert", "tflite_runtime", "tensorflow" or None."""
    return _found()[0]


def _found() -> tuple[str | None, Any]:
    """The first package that works, and its interpreter module."""
    for name in _MODULES:
        module = _module(name)
        if module is not None:
            return name, module
    return None, None


def _module(name: str) -> Any:
    """The interpreter module of a package that can build an Interpreter, else None.

    tflite_runtime imports under NumPy 2 and only fails when the first Interpreter is made, so an
    import proves nothing: a package works when it refuses garbage in its own words (ValueError).
    """
    try:
        module = importlib.import_module(_MODULES[name])
        module.Interpreter(model_content=b"no model")
    except ValueError:
        return module
    except Exception:
        return None
    return None


def _is_pinned(name: str) -> bool:
    """True for the one implementation whose bits are the verdict."""
    if name != "ai_edge_litert":
        return False
    try:
        return importlib.metadata.version(_PINNED[0]).startswith(_PINNED[1])
    except importlib.metadata.PackageNotFoundError:
        return False


@contextmanager
def _silent() -> Iterator[None]:
    """Drop what C code prints to stderr meanwhile (which kernels it uses)."""
    try:
        saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # no stderr at all
        yield
        return
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


class Reference:
    """One model in the oracle; also a context manager. Not to be shared between threads.

    `package` names who judges, `exact` says whether it is the pinned implementation. Raises
    MissingTool when no TFLite is installed and BadInput when it refuses the model.
    """

    _KERNELS = "BUILTIN_REF"

    def __init__(self, model: bytes) -> None:
        name, module = _found()
        if name is None:
            raise MissingTool(f"no TFLite is installed: {_INSTALL}")
        self.package = name
        self.exact = _is_pinned(name)
        try:
            with warnings.catch_warnings(action="ignore"), _silent():
                self._interpreter = module.Interpreter(
                    model_content=model, num_threads=1,
                    experimental_op_resolver_type=getattr(module.OpResolverType, self._KERNELS),
                    experimental_preserve_all_tensors=True)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BadInput(f"{name} refuses the model: {' '.join(str(error).split())}") from error

    def __enter__(self) -> Reference:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._interpreter = None

    def outputs(self, inputs: Sequence[Array]) -> list[Array]:
        """The network's outputs; `inputs` in the model's order, with its shapes and types."""
        self._run(inputs)
        return [self._get(detail["index"]) for detail in self._interpreter.get_output_details()]

    def tensors(self, inputs: Sequence[Array]) -> dict[int, Array]:
        """Every operator's outputs, by tensor index in the model's main subgraph.

        Raises MissingTool unless `exact`: other packages overwrite some tensors although they are
        told to preserve them.
        """
        if not self.exact:
            raise MissingTool(f"{self.package} cannot show every tensor; "
                              f"ai-edge-litert 2.3 can: {_INSTALL}")
        self._run(inputs)
        return {index: self._get(index) for index in self._computed()}

    def _computed(self) -> list[int]:
        operators = self._interpreter._get_ops_details()
        return [int(index) for operator in operators for index in operator["outputs"] if index >= 0]

    def _get(self, index: int) -> Array:
        value: Array = self._interpreter.get_tensor(index)
        return value

    def _run(self, inputs: Sequence[Array]) -> None:
        details = self._interpreter.get_input_details()
        if len(inputs) != len(details):
            raise BadInput(f"{self.package}: got {len(inputs)} inputs, expected {len(details)}")
        for detail, value in zip(details, inputs, strict=True):
            self._set(detail, value)
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise BadInput(f"{self.package} cannot run: {' '.join(str(error).split())}") from error

    def _set(self, detail: Any, value: Array) -> None:
        shape, dtype = tuple(int(n) for n in detail["shape"]), np.dtype(detail["dtype"])
        if (value.shape, value.dtype) != (shape, dtype):
            raise BadInput(f"{self.package}: input {detail['name']!r} is "
                           f"{value.dtype}{value.shape}, expected {dtype}{shape}")
        self._interpreter.set_tensor(detail["index"], value)


class FastFloat(Reference):
    """A float model in the optimized kernels: every tensor, right up to float32 rounding."""

    _KERNELS = "BUILTIN"
