# SPDX-License-Identifier: Apache-2.0
"""Describes a package's inputs and outputs for `repr` and notebooks."""

from __future__ import annotations

from edgefm.console.names import distinct
from edgefm.console.notation import tensor_text
from edgefm.package.read import PackageInfo, TensorInfo


def end_text(end: TensorInfo) -> str:
    """An input or output in one line: uint8 1x224x224x3, scale 0.0078, zero point 128."""
    return tensor_text(end.shape, end.dtype, end.scale, end.zero_point)


def ends_text(info: PackageInfo) -> str:
    """Types and shapes from inputs to outputs: uint8 1x224x224x3 -> uint8 1x1000."""
    return " -> ".join(", ".join(f"{end.dtype} {'x'.join(map(str, end.shape))}" for end in ends)
                       for ends in (info.inputs, info.outputs))


def ends_fields(info: PackageInfo) -> dict[str, str]:
    """A description of each input and output, by kind and name."""
    told = distinct(end.name for end in (*info.inputs, *info.outputs))
    return {f"{kind} {told[end.name]}": end_text(end)
            for kind, ends in (("input", info.inputs), ("output", info.outputs)) for end in ends}
