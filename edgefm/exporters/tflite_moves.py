# SPDX-License-Identifier: Apache-2.0
"""Operators that only move values, as TFLite has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from edgefm.exporters.tflite_sink import Sink


def _pad(sink: Sink) -> None:
    sink.with_constants(padding=sink.node.attrs["padding"])


def _pad_with(sink: Sink) -> None:
    x, attrs = sink.x, sink.node.attrs
    padding = sink.constant("padding", np.array(attrs["padding"], np.int32))
    value = sink.constant("value", np.array(attrs["value"], x.dtype), x.quant)
    sink.emit((sink.node.inputs[0], padding, value))


def _mirror_pad(sink: Sink) -> None:
    attrs = sink.node.attrs
    sink.with_constants({"mode": int(not attrs["reflect"])}, padding=attrs["padding"])


def _transpose(sink: Sink) -> None:
    sink.with_constants(perm=sink.node.attrs["perm"])


def _slice(sink: Sink) -> None:
    """A dimension that runs backwards to its first cell has no end."""
    begin, size, stride = (sink.node.attrs[name] for name in ("begin", "size", "stride"))
    stride = [s if n > 1 else 1 for n, s in zip(size, stride, strict=True)]
    ends = [b + n * s for b, n, s in zip(begin, size, stride, strict=True)]
    sink.with_constants({"shrink_axis_mask": sum(1 << d for d in sink.node.attrs["dropped"]),
                         "end_mask": sum(1 << d for d, end in enumerate(ends) if end < 0)},
                        begin=begin, end=ends, stride=stride)


def _tile(sink: Sink) -> None:
    sink.with_constants(repeats=sink.node.attrs["repeats"])


def _gather(sink: Sink) -> None:
    attrs, behind = sink.node.attrs, len(sink.x.shape) - sink.node.attrs["axis"] - 1
    output = sink.tensors[sink.node.outputs[0]].shape
    indices = np.reshape(attrs["indices"], output[attrs["axis"]:len(output) - behind])
    sink.with_constants({"axis": attrs["axis"]}, indices=indices)


def _block(sink: Sink) -> None:
    sink.emit(sink.node.inputs, sink.node.attrs)


def _blocks(sink: Sink) -> None:
    sink.with_constants(**sink.node.attrs)


def _pack(sink: Sink) -> None:
    sink.emit(sink.node.inputs, {"count": len(sink.node.inputs), "axis": sink.node.attrs["axis"]})


MOVES: Final[Mapping[str, Callable[[Sink], None]]] = MappingProxyType({
    "pad": _pad,
    "pad_with": _pad_with,
    "mirror_pad": _mirror_pad,
    "transpose": _transpose,
    "slice": _slice,
    "tile": _tile,
    "gather": _gather,
    "depth_to_space": _block,
    "space_to_depth": _block,
    "space_to_batch": _blocks,
    "batch_to_space": _blocks,
    "pack": _pack,
})
