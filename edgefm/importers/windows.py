# SPDX-License-Identifier: Apache-2.0
"""How many windows fit along one dimension, and what TFLite's SAME pads."""

from __future__ import annotations


def window_size(size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int]) -> int:
    """How many windows fit: floor((size + pads - (kernel - 1) * dilation - 1) / stride) + 1."""
    return (size + sum(pads) - (kernel - 1) * dilation - 1) // stride + 1


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) of TFLite's SAME: ceil(size / stride) outputs, the odd cell after."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2
