# SPDX-License-Identifier: Apache-2.0
"""One operator of a TFLite file as its readers see it, and what they make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.rules import quoted
from edgefm.importers.tflite_schema import ACTIVATIONS
from edgefm.network.graph import Tensor

Attrs = dict[str, Any]
_MOST_INTEGERS: Final = 64  # in a constant of axes or sizes


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One operator of the file: its options by name and its tensors (None is left out)."""

    operator: str
    options: Mapping[str, Any]
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    custom: bytes = b""

    def tensor(self, i: int) -> Tensor:
        """Input i; BadInput when it is left out."""
        tensor = self.inputs[i] if i < len(self.inputs) else None
        if tensor is None:
            raise BadInput(f"input {i} is left out")
        return tensor

    def constant(self, i: int, most: int = _MOST_INTEGERS) -> tuple[int, ...]:
        """The integers of constant input i; UnsupportedModel when it is computed."""
        tensor = self.tensor(i)
        if tensor.data is None or tensor.dtype not in ("int32", "int64"):
            raise UnsupportedModel(f"input {i}, {quoted(tensor.name)}, is not constant integers")
        if tensor.data.size > most:
            raise BadInput(f"input {i}, {quoted(tensor.name)}, has {tensor.data.size} elements")
        return tuple(tensor.data.ravel().tolist())

    def number(self, i: int) -> int:
        """The one integer of constant input i."""
        numbers = self.constant(i)
        if len(numbers) != 1:
            raise BadInput(f"input {i} has {len(numbers)} elements, expected 1")
        return numbers[0]

    def axis(self, axis: int, of: int = 0, more: int = 0) -> int:
        """`axis`, maybe counted from the end, of input `of` (with `more` dimensions) as >= 0."""
        rank = len(self.tensor(of).shape) + more
        if not -rank <= axis < rank:
            raise BadInput(f"axis {axis} of an input with {rank} dimensions")
        return axis % rank

    def activation(self) -> str | None:
        """The fused activation."""
        code = self.options["activation"]
        if not 0 <= code < len(ACTIVATIONS):
            raise UnsupportedModel(f"fused activation {code} is not supported")
        return ACTIVATIONS[code]


@dataclass(frozen=True, slots=True)
class Reading:
    """One node of the graph: its operator, attributes, and which of the layer's inputs (-1: left
    out) and outputs are its own."""

    op: str
    attrs: Attrs
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
