# SPDX-License-Identifier: Apache-2.0
"""What an operator's meaning is a function of: its node, its operands, and what it must produce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgefm.network.graph import Array, Tensor
from edgefm.network.operators import ACTIVATIONS


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One node with the values of its inputs; inputs that are left out are missing at the end."""

    attrs: Mapping[str, Any]
    inputs: tuple[Tensor, ...]
    values: tuple[Array, ...]
    outputs: tuple[Tensor, ...]

    @property
    def output(self) -> Tensor:
        """The first output; most operators have no other."""
        return self.outputs[0]

    @property
    def activation(self) -> str | None:
        """The fused activation."""
        name: str | None = self.attrs.get("activation")
        return name

    @property
    def is_float(self) -> bool:
        """True when the first input is float32."""
        return self.inputs[0].dtype == "float32"


def activated(x: Array, activation: str | None) -> Array:
    """float32 `x` after the activation."""
    low, high = ACTIVATIONS[activation]
    return np.clip(x, np.float32(low), np.float32(high)) if activation else x
