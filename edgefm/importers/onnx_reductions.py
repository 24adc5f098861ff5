# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that leave one value of many: means, sums, extremes, and where an extreme is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgefm.importers.onnx_build import Build, Call, Edge, axis_of, edge_of, ints_of

_OPERATORS: Mapping[str, str] = {
    "GlobalAveragePool": "mean", "GlobalMaxPool": "reduce_max", "ReduceMax": "reduce_max",
    "ReduceMean": "mean", "ReduceMin": "reduce_min", "ReduceSum": "sum"}


def reduced(build: Build, call: Call) -> Edge:
    """One value of all along some axes; along all of them where none is named."""
    x = edge_of(build, call)
    rank = len(x.shape)
    if call.op.startswith("Global"):
        axes = list(range(2, rank))
    else:
        axes = ints_of(build, call, "axes", 1) or []
        if not axes and call.attrs.get("noop_with_empty_axes", 0):
            return x
    gone = {axis_of(axis, rank) for axis in axes} or set(range(rank))
    keep = bool(call.attrs.get("keepdims", 1))
    left = [axis for axis in range(rank) if keep or axis not in gone]
    shape = tuple(1 if axis in gone else x.shape[axis] for axis in left)
    order = tuple(left.index(axis) for axis in x.axes if axis in left)
    stored = tuple(sorted(x.axes.index(axis) for axis in gone))
    return build.emit(_OPERATORS[call.op], call.outputs[0], (x.tensor,), shape, order,
                      keep_dims=keep, axes=stored)


def argument(build: Build, call: Call) -> Edge:
    """ArgMax and ArgMin, the first of several; the axis is always left out, whatever keepdims."""
    x = edge_of(build, call)
    if call.attrs.get("select_last_index", 0):
        raise build.fail(call, "the last of several equal values; expected the first")
    axis = axis_of(int(call.attrs.get("axis", 0)), len(x.shape))
    left = [a for a in range(len(x.shape)) if a != axis]
    order = tuple(left.index(a) for a in x.axes if a != axis)
    op = "argmax" if call.op == "ArgMax" else "argmin"
    return build.emit(op, call.outputs[0], (x.tensor,), tuple(x.shape[a] for a in left), order,
                      dtype="int64", axis=x.axes.index(axis))


REDUCTIONS: Mapping[str, Callable[[Build, Call], Edge]] = {
    **dict.fromkeys(_OPERATORS, reduced), "ArgMax": argument, "ArgMin": argument}
