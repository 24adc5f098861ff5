# SPDX-License-Identifier: Apache-2.0
"""Rewrites of float graphs that keep what is computed and leave fewer, larger operators.

Every step is a pure function Graph -> Graph. Tensors of the result that also were in the input keep
their names; an operator that took another one in carries the name of the later one's output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgefm.network.graph import Array, Graph, Node, Tensor, with_distinct_names
from edgefm.network.operators import (
    CONVOLUTIONS,
    LINEAR,
    Kind,
    by_operator,
    of_kind,
    output_axis,
    such,
)


def fuse(graph: Graph) -> Graph:
    """Apply every step below; the outputs stay equal up to float rounding."""
    for step in (fold_constants, fold_scales, fuse_activations, fuse_pads, fold_orders, prune):
        graph = step(graph)
    return replace(graph, tensors=tuple(with_distinct_names(graph.tensors)))


def fold_constants(graph: Graph) -> Graph:
    """Compute reshape, transpose and dequantize (weights stored in float16) of constants."""
    tensors, nodes = list(graph.tensors), []
    for node in graph.nodes:
        source = tensors[node.inputs[0]]
        fold = _FOLDS.get(node.op)
        if source.data is None or source.quant is not None or fold is None:
            nodes.append(node)
            continue
        output = tensors[node.outputs[0]]
        data = np.ascontiguousarray(fold(source.data, node, output), output.dtype)
        tensors[node.outputs[0]] = replace(output, data=data)
    return replace(graph, tensors=tuple(tensors), nodes=tuple(nodes))


def fold_scales(graph: Graph) -> Graph:
    """Fold multiplications and additions of per-channel constants (batch normalization) into the
    weights and the bias of the operator before."""
    tensors: list[Tensor] = list(graph.tensors)
    nodes: list[Node | None] = list(graph.nodes)
    for i, node in enumerate(graph.nodes):
        change = _affine(tensors, node)
        if change is None:
            continue
        x, factor, offset = change
        j = _only_feeder(graph, nodes, x)
        feeder = None if j is None else nodes[j]
        if j is None or feeder is None or not _is_plain_linear(tensors, feeder):
            continue
        inputs = _scaled_weights(tensors, feeder, factor, offset)
        attrs = {**feeder.attrs, "activation": node.attrs.get("activation")}
        nodes[j], nodes[i] = replace(feeder, inputs=inputs, outputs=node.outputs, attrs=attrs), None
    return _with(graph, tensors, nodes)


def fuse_activations(graph: Graph) -> Graph:
    """Let relu and relu6 become the `activation` of the operator before."""
    nodes: list[Node | None] = list(graph.nodes)
    for i, node in enumerate(graph.nodes):
        if node.op not in _ACTIVATIONS:
            continue
        j = _only_feeder(graph, nodes, node.inputs[0])
        feeder = None if j is None else nodes[j]
        if j is None or feeder is None or feeder.op not in _ACTIVATED or feeder.attrs["activation"]:
            continue
        attrs = {**feeder.attrs, "activation": node.op}
        nodes[j], nodes[i] = replace(feeder, outputs=node.outputs, attrs=attrs), None
    return _with(graph, graph.tensors, nodes)


def fuse_pads(graph: Graph) -> Graph:
    """Move a pad of rows and columns into the convolutions after it."""
    pads = {node.outputs[0]: node for node in graph.nodes
            if node.op == "pad" and len(node.attrs["padding"]) == 4
            and not any(node.attrs["padding"][0]) and not any(node.attrs["padding"][3])}
    nodes = []
    for node in graph.nodes:
        pad = pads.get(node.inputs[0])
        if pad is not None and node.op in CONVOLUTIONS:
            padding = tuple((a + c, b + d) for (a, b), (c, d) in zip(
                node.attrs["padding"], pad.attrs["padding"][1:3], strict=True))
            node = replace(node, inputs=(pad.inputs[0], *node.inputs[1:]),
                           attrs={**node.attrs, "padding": padding})
        nodes.append(node)
    return prune(replace(graph, nodes=tuple(nodes)))


def fold_orders(graph: Graph) -> Graph:
    """Drop detours through other shapes and orders: a reshape of a reshape is one, and a flatten
    in another order (ONNX is channel-first) becomes an order of the weights after it."""
    tensors, made = list(graph.tensors), {t: node for node in graph.nodes for t in node.outputs}
    nodes: list[Node] = []
    for node in graph.nodes:
        feeder = made.get(node.inputs[0])
        if node.op == "reshape" and feeder is not None and feeder.op == "reshape":
            node = replace(node, inputs=feeder.inputs)
        elif node.op == "fully_connected" and feeder is not None and feeder.op == "reshape":
            mover = made.get(feeder.inputs[0])
            if mover is not None and mover.op == "transpose" and _takes_all(tensors, node, mover):
                node, flat = _in_source_order(tensors, node, feeder, mover)
                nodes.append(flat)
        made.update((t, node) for t in node.outputs)
        nodes.append(node)
    return prune(replace(graph, tensors=tuple(tensors), nodes=tuple(nodes)))


def prune(graph: Graph) -> Graph:
    """Remove nodes that no output depends on, and tensors that nothing uses."""
    needed, kept = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(t for t in node.inputs if t >= 0)
    needed.update(graph.inputs, (t for node in kept for t in node.outputs))
    at = {old: new for new, old in enumerate(sorted(needed))}
    at[-1] = -1
    nodes = tuple(replace(node, inputs=tuple(at[t] for t in node.inputs),
                          outputs=tuple(at[t] for t in node.outputs)) for node in reversed(kept))
    return replace(graph, tensors=tuple(graph.tensors[t] for t in sorted(needed)), nodes=nodes,
                   inputs=tuple(at[t] for t in graph.inputs),
                   outputs=tuple(at[t] for t in graph.outputs))


_ARITHMETIC = of_kind(Kind.ARITHMETIC)  # add, sub and mul
_ACTIVATIONS = such(lambda one: one.activates)
_ACTIVATED = such(lambda one: one.takes_activation)
_FOLDS: Mapping[str, Callable[[Array, Node, Tensor], Array]] = by_operator("network.rewrite", {
    "reshape": lambda data, node, output: data.reshape(output.shape),
    "transpose": lambda data, node, output: data.transpose(node.attrs["perm"]),
    "dequantize": lambda data, node, output: data,
}, among=lambda one: one.folds)


def _with(graph: Graph, tensors: Sequence[Tensor], nodes: Sequence[Node | None]) -> Graph:
    return prune(replace(graph, tensors=tuple(tensors), nodes=tuple(n for n in nodes if n)))


def _only_feeder(graph: Graph, nodes: Sequence[Node | None], tensor: int) -> int | None:
    """The index of the node that makes `tensor`, if nothing but one other node reads it."""
    users = sum(node.inputs.count(tensor) for node in nodes if node)
    if users != 1 or tensor in graph.outputs:
        return None
    return next((i for i, node in enumerate(nodes) if node and tensor in node.outputs), None)


def _is_plain_linear(tensors: Sequence[Tensor], node: Node) -> bool:
    """A float linear operator with constant weights and no activation yet."""
    return (node.op in LINEAR and not node.attrs["activation"]
            and all(t < 0 or tensors[t].data is not None for t in node.inputs[1:])
            and tensors[node.inputs[1]].dtype == "float32")


def _affine(tensors: Sequence[Tensor], node: Node) -> tuple[int, Array, Array] | None:
    """(x, factor, offset) if `node` computes x * factor + offset with constants per channel."""
    if node.op not in _ARITHMETIC or tensors[node.outputs[0]].dtype != "float32":
        return None
    swapped = tensors[node.inputs[0]].data is not None
    x, other = reversed(node.inputs) if swapped else node.inputs
    data, shape = tensors[other].data, tensors[node.outputs[0]].shape
    if data is None or tensors[x].shape != shape or data.size not in (1, shape[-1]):
        return None
    if data.size > 1 and data.shape[-1] != shape[-1]:
        return None
    value = np.broadcast_to(data.reshape(-1), shape[-1:]).astype(np.float64)
    one, zero = np.ones_like(value), np.zeros_like(value)
    if node.op == "mul":
        return x, value, zero
    if node.op == "add":
        return x, one, value
    return (x, -one, value) if swapped else (x, one, -value)


def _scaled_weights(tensors: list[Tensor], node: Node, factor: Array, offset: Array
                    ) -> tuple[int, int, int]:
    """New constants for `node` so that it computes what it did * factor + offset."""
    weights = tensors[node.inputs[1]]
    assert weights.data is not None
    column = np.moveaxis(factor.reshape((-1,) + (1,) * (weights.data.ndim - 1)), 0,
                         output_axis(node.op))
    bias = tensors[node.inputs[2]].data if node.inputs[2] >= 0 else None
    shifted = (np.zeros_like(factor) if bias is None else bias * factor) + offset
    name = tensors[node.inputs[2]].name if bias is not None else f"{weights.name}/bias"
    tensors.append(replace(weights, data=(weights.data * column).astype(np.float32)))
    tensors.append(Tensor(name, shifted.shape, "float32", data=shifted.astype(np.float32)))
    return node.inputs[0], len(tensors) - 2, len(tensors) - 1


def _takes_all(tensors: Sequence[Tensor], node: Node, mover: Node) -> bool:
    """True when one row of float weights spans the whole map that `mover` reorders."""
    weights = tensors[node.inputs[1]]
    return (weights.data is not None and weights.dtype == "float32"
            and weights.shape[1] == np.prod(tensors[mover.inputs[0]].shape))


def _in_source_order(tensors: list[Tensor], node: Node, flatten: Node, mover: Node
                     ) -> tuple[Node, Node]:
    """`node` with its weights in the order from which `mover` comes, and the flatten for it."""
    weights, flat = tensors[node.inputs[1]], tensors[flatten.outputs[0]]
    assert weights.data is not None
    moved = weights.data.reshape(-1, *tensors[mover.outputs[0]].shape)
    back = [0, *(1 + int(i) for i in np.argsort(mover.attrs["perm"]))]
    data = np.ascontiguousarray(moved.transpose(back).reshape(weights.shape))
    tensors += [replace(weights, data=data), replace(flat, name=f"{flat.name}/flat")]
    w, x = len(tensors) - 2, len(tensors) - 1
    reshape = replace(flatten, inputs=mover.inputs, outputs=(x,))
    return replace(node, inputs=(x, w, *node.inputs[2:])), reshape
