# SPDX-License-Identifier: Apache-2.0
"""`edgefm.Interpreter`: the methods of tflite_runtime's Interpreter, so that its scripts run.

    from edgefm import Interpreter      # instead of tflite_runtime.interpreter

It opens an .efm, or compiles a quantized .tflite in memory. Tensors have the indices of the .tflite
file, as in tflite_runtime. An .efm does not have these indices: its inputs and then its outputs are
numbered from 0. Only inputs and outputs are visible, because a plan keeps no other tensor whole. No
dimension is free: `shape_signature` is the shape.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_loaded
from edgefm.errors import BadInput
from edgefm.files.read import read_bytes
from edgefm.importers.tflite import parse_tflite
from edgefm.network.graph import Array
from edgefm.package.read import TensorInfo
from edgefm.package.records import MAGIC
from edgefm.runtime import Runtime
from edgefm.runtime.lending import MOST_THREADS, frozen_bytes, whole_number


class BadCall(BadInput, ValueError, RuntimeError):
    """A call that cannot be answered; also an instance of what tflite_runtime raises for it."""


class Interpreter:
    """A network: set its inputs, invoke it, get its outputs. Do not share one between threads."""

    def __init__(self, model_path: str | os.PathLike[str] | None = None,
                 model_content: bytes | None = None,
                 experimental_delegates: Sequence[object] | None = None,
                 num_threads: int | None = None, **experimental: object) -> None:
        """Open a package, or compile a quantized .tflite, from a file or from its bytes.

        `num_threads` threads share the work of each call (None, 0 or less: one; above 32: 32);
        `experimental_…` options are accepted and have no effect.
        Raises BadCall (a ValueError) for no model or two, for delegates, and for a float network.
        Files that cannot be read or run raise BadInput, UnsupportedModel or BadContainer.
        """
        strange = [name for name in experimental if not name.startswith("experimental_")]
        if strange:
            raise TypeError(f"Interpreter() got an unexpected keyword argument {strange[0]!r}")
        if experimental_delegates:
            raise BadCall("Interpreter: got delegates, expected none: edgefm runs all operators")
        data, name = _source(model_path, model_content)
        package, indices = (data, None) if data[:len(MAGIC)] == MAGIC else _compiled(data, name)
        self._runtime = Runtime(package, name, _threads(num_threads))
        ends = (*self._runtime.inputs, *self._runtime.outputs)
        known = indices or tuple(range(len(ends)))
        self._infos = dict(zip(known, ends, strict=True))
        self._inputs = known[:len(self._runtime.inputs)]
        self._outputs = known[len(self._runtime.inputs):]
        self._values: dict[int, Array] = {}
        self._name = name

    def __repr__(self) -> str:
        return f"<Interpreter of {self._runtime!r}>"

    def allocate_tensors(self) -> None:
        """Allocate inputs and outputs; they are 0 until they are set."""
        if not self._values:
            self._values = {i: np.zeros(end.shape, end.dtype) for i, end in self._infos.items()}

    def get_input_details(self) -> list[dict[str, Any]]:
        """A dictionary for each input, with the keys and types of tflite_runtime."""
        return [_details(i, self._infos[i]) for i in self._inputs]

    def get_output_details(self) -> list[dict[str, Any]]:
        """The same for each output."""
        return [_details(i, self._infos[i]) for i in self._outputs]

    def get_tensor_details(self) -> list[dict[str, Any]]:
        """The same for all visible tensors: inputs and outputs."""
        return [_details(i, end) for i, end in sorted(self._infos.items())]

    def set_tensor(self, tensor_index: int, value: Any) -> None:
        """Copy a value into an input. Raises BadCall for a wrong index, dtype or shape."""
        end = self._known(tensor_index)
        array = np.asarray(value)
        if tensor_index not in self._inputs:
            raise BadCall(f"{self._name}: tensor {tensor_index} is an output; expected an input, "
                          f"one of {list(self._inputs)}")
        if array.dtype != end.dtype or array.shape != tuple(end.shape):
            raise BadCall(f"{self._name}: input {end.name!r} (tensor {tensor_index}): got "
                          f"{array.dtype} {list(array.shape)}, expected {end.dtype} "
                          f"{list(end.shape)}")
        self._value(tensor_index)[...] = array

    def get_tensor(self, tensor_index: int) -> Array:
        """A copy of an input's or output's value. Raises BadCall for a wrong index."""
        self._known(tensor_index)
        return self._value(tensor_index).copy()

    def tensor(self, tensor_index: int) -> Callable[[], Array]:
        """A function that returns the tensor itself: `invoke` reads what was written into an input,
        and changes an output."""
        self._known(tensor_index)
        return lambda: self._value(tensor_index)

    def invoke(self) -> None:
        """Run once. Raises BadCall before `allocate_tensors`, RuntimeFault when C stops."""
        result = self._runtime.run([self._value(i) for i in self._inputs])
        for i, output in zip(self._outputs, result.outputs, strict=True):
            self._values[i][...] = output

    def resize_tensor_input(self, input_index: int, tensor_size: Sequence[int],
                            strict: bool = False) -> None:
        """Accept the present size of an input; raise BadCall for another, as a plan has one size.
        """
        end = self._known(input_index)
        wanted = [int(n) for n in tensor_size]
        if wanted != list(end.shape):
            raise BadCall(f"{self._name}: input {end.name!r}: got the new shape {wanted}, expected "
                          f"{list(end.shape)}: a package is planned for one shape; invoke it for "
                          "one picture at a time")

    def reset_all_variables(self) -> None:
        """Do nothing: the compiler refuses networks with variables."""

    def get_signature_list(self) -> Mapping[str, object]:
        """No signatures: {}."""
        return {}

    def _known(self, index: int) -> TensorInfo:
        if index not in self._infos:
            raise BadCall(f"{self._name}: got tensor index {index!r:.40}, expected one of the "
                          f"inputs {list(self._inputs)} or outputs {list(self._outputs)}: a plan "
                          "keeps no other tensor")
        return self._infos[index]

    def _value(self, index: int) -> Array:
        if not self._values:
            raise BadCall(f"{self._name}: tensors are not allocated; call allocate_tensors() first")
        return self._values[index]


def _threads(number: int | None) -> int:
    """What tflite_runtime takes as a number of threads, as one of ours."""
    return max(1, min(whole_number(number or 1, -1 << 31, 1 << 31, "num_threads"), MOST_THREADS))


def _source(path: str | os.PathLike[str] | None, content: object) -> tuple[bytes, str]:
    """The file's bytes, and its name for messages."""
    if (path is None) == (content is None):
        raise BadCall(f"Interpreter: got {'neither' if path is None else 'both'}, expected "
                      "model_path or model_content")
    if path is None:
        return frozen_bytes(content, "model_content"), "model_content"
    return read_bytes(os.fspath(path)), os.fspath(path)


def _compiled(data: bytes, name: str) -> tuple[bytes, tuple[int, ...]]:
    """The package of a quantized .tflite, and the indices of its inputs and outputs there."""
    graph = parse_tflite(data, name)
    if graph.is_float():
        raise BadCall(f"{name}: got a float network, expected a quantized one or an .efm; "
                      "edgefm.compile(…, calib=…) quantizes it with typical pictures")
    model = Model(graph, graph, None, hashlib.sha256(data).hexdigest())
    compiled = compile_loaded(model, CompileOptions(pictures=False))
    return compiled.package, (*graph.inputs, *graph.outputs)


def _details(index: int, end: TensorInfo) -> dict[str, Any]:
    known = [end.scale] if end.scale else []
    zeros = [end.zero_point] if end.scale else []
    return {
        "name": end.name, "index": index, "shape": np.array(end.shape, np.int32),
        "shape_signature": np.array(end.shape, np.int32), "dtype": np.dtype(end.dtype).type,
        "quantization": (float(end.scale), int(end.zero_point)),
        "quantization_parameters": {
            "scales": np.array(known, np.float32), "zero_points": np.array(zeros, np.int32),
            "quantized_dimension": 0, "block_size": 0},
        "sparsity_parameters": {}}
