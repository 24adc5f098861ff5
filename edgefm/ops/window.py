# SPDX-License-Identifier: Apache-2.0
"""Windows that slide over the two middle dimensions of a [N,H,W,C] map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgefm.network.graph import Array


def windows(x: Array, kernel: tuple[int, int], attrs: Mapping[str, Any],
            fill: float = 0) -> Array:
    """A view [N, oh, ow, C, kh, kw] of `x` padded with `fill`; reads stride, dilation, padding."""
    (top, bottom), (left, right) = attrs["padding"]
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)
    dh, dw = attrs.get("dilation", (1, 1))
    sh, sw = attrs["stride"]
    span = ((kernel[0] - 1) * dh + 1, (kernel[1] - 1) * dw + 1)
    view = np.lib.stride_tricks.sliding_window_view(padded, span, axis=(1, 2))
    return view[:, ::sh, ::sw, :, ::dh, ::dw]
