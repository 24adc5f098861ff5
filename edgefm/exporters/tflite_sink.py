# SPDX-License-Identifier: Apache-2.0
"""One node on its way into a TFLite file: where its operators and constants go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgefm.errors import UnsupportedModel
from edgefm.network.graph import Array, Node, Quant, Tensor
from edgefm.network.operators import OF_TFLITE, OPERATORS


@dataclass(frozen=True, slots=True)
class TfliteOperator:
    """One operator of the file; `custom` holds the options of an operator known by name."""

    code: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, int | float | bool] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sink:
    """The node at hand, and the lists that its operators and new tensors go to."""

    node: Node
    tensors: list[Tensor]
    operators: list[TfliteOperator]

    @property
    def x(self) -> Tensor:
        """The first input."""
        return self.tensors[self.node.inputs[0]]

    def emit(self, inputs: tuple[int, ...], options: Mapping[str, Any] | None = None,
             custom: Mapping[str, int | float | bool] | None = None) -> None:
        """Append the one operator that makes the node's outputs."""
        code = OPERATORS[self.node.op].tflite[0]
        while inputs[-1] == -1:
            inputs = inputs[:-1]
        version = version_of(code, self.tensors[inputs[0]].dtype, options or {})
        self.operators.append(
            TfliteOperator(code, version, inputs, self.node.outputs, options or {}, custom))

    def with_constants(self, options: Mapping[str, Any] | None = None, **values: Any) -> None:
        """Append an operator of the first input and of constants of 32-bit integers, by label."""
        self.emit((self.node.inputs[0], *(self.constant(label, np.asarray(value, np.int32))
                                          for label, value in values.items())), options)

    def constant(self, label: str, data: Array, quant: Quant | None = None) -> int:
        """Append a constant and return its index."""
        self.tensors.append(Tensor(f"{self.node.name}/{label}", data.shape, data.dtype.name, quant,
                                   data))
        return len(self.tensors) - 1

    def unsupported(self, what: str) -> UnsupportedModel:
        """The error for this node."""
        return UnsupportedModel(f"{self.node.op} {self.node.name!r}: TFLite cannot express {what}")


def version_of(code: str, dtype: str, options: Mapping[str, Any]) -> int:
    """The version in which TFLite's operator learned this type or option."""
    if code in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR") and options["half_pixel_centers"]:
        return 3
    dilated = options.get("dilation_h", 1) > 1 or options.get("dilation_w", 1) > 1
    if code == "DEPTHWISE_CONV_2D" and dtype != "int8":
        return 2 if dilated else 1
    if code == "FULLY_CONNECTED" and options["keep_dims"]:
        return 5
    return OF_TFLITE[code].int8_version if dtype == "int8" else 1
