# SPDX-License-Identifier: Apache-2.0
"""Dilated convolutions that a converter has spelled out: space to batches, an ordinary convolution
of each batch, batches to space. What lies between is done at once, with the dilation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgefm.importers.draft import Draft
from edgefm.network.graph import Graph, Node
from edgefm.network.operators import CONVOLUTIONS, Kind, of_kind

_BETWEEN = of_kind(Kind.UNARY, Kind.ARITHMETIC, Kind.PAIRWISE, Kind.CONVERSION)


def without_batches(graph: Graph) -> Graph:
    """The graph with such chains folded; others stay as they are."""
    readers: dict[int, list[Node]] = {}
    for node in graph.nodes:
        for t in dict.fromkeys(node.inputs):
            readers.setdefault(t, []).append(node)
    chains = {id(chain[0]): chain for chain in (
        _chain(graph, node, readers) for node in graph.nodes if node.op == "space_to_batch")
        if chain}
    inside = {id(node) for chain in chains.values() for node in chain}
    draft = Draft(graph)
    for node in graph.nodes:
        if id(node) in chains:
            _fold(draft, chains[id(node)])
        elif id(node) not in inside:
            draft.nodes.append(node)
    return draft.finished()


def _chain(graph: Graph, first: Node, readers: Mapping[int, Sequence[Node]]) -> list[Node]:
    """From the operator that makes batches to the one that ends them; empty if that cannot be
    folded."""
    chain, convolutions = [first], 0
    while chain[-1].op != "batch_to_space":
        output = chain[-1].outputs[0]
        found = readers.get(output, ())
        if (len(found) != 1 or output in graph.outputs or found[0] in chain
                or not _passes(graph, found[0], output)):
            return []
        chain.append(found[0])
        convolutions += found[0].op in CONVOLUTIONS
    alike = chain[-1].attrs["block"] == first.attrs["block"]
    geometry = _geometry(graph, chain) if alike and convolutions == 1 else None
    return chain if geometry is not None else []


def _passes(graph: Graph, node: Node, x: int) -> bool:
    """True for an operator that treats every batch, and every pixel of the result, alike."""
    if node.op in CONVOLUTIONS:
        return node.inputs[0] == x and {*node.attrs["stride"], *node.attrs["dilation"]} == {1}
    others = [graph.tensors[t] for t in node.inputs if t not in (x, -1)]
    small = all(t.data is not None and t.data.size in (1, *t.shape[-1:]) for t in others)
    return node.op in ("reshape", "batch_to_space") or (node.op in _BETWEEN and small)


def _geometry(graph: Graph, chain: Sequence[Node]
              ) -> tuple[tuple[int, ...], list[list[int]]] | None:
    """(dilation, padding) of the folded convolution; None where batches become other dimensions or
    where more is cropped than padded."""
    (conv,) = (node for node in chain if node.op in CONVOLUTIONS)
    block, last = chain[0].attrs["block"], chain[-1]
    shape = graph.tensors[conv.inputs[0]].shape
    before, after = (graph.tensors[t].shape for t in (*chain[0].outputs, last.inputs[0]))
    if len(shape) != 4 or any(s[:1] != shape[:1] for s in (before, after)) or len(block) > 2:
        return None
    places = [0, 1] if len(block) == 2 else [d for d in (0, 1) if before[1] == shape[1 + d]
                                             and shape[2 - d] == 1][:1]
    if len(places) != len(block) or (len(block) == 2 and len(before) != 4):
        return None
    dilation, padding = [1, 1], [list(pair) for pair in conv.attrs["padding"]]
    for place, b, pads, crops in zip(places, block, chain[0].attrs["padding"],
                                     last.attrs["crops"], strict=True):
        dilation[place] = b
        padding[place] = [own * b + pad - crop for own, pad, crop in zip(
            conv.attrs["padding"][place], pads, crops, strict=True)]
    return (tuple(dilation), padding) if min(min(p) for p in padding) >= 0 else None


def _fold(draft: Draft, chain: Sequence[Node]) -> None:
    graph = draft.graph
    geometry = _geometry(graph, chain)
    assert geometry is not None
    dilation, padding = geometry
    x = chain[0].inputs[0]
    out = graph.tensors[chain[-1].outputs[0]].shape
    (conv,) = (node for node in chain if node.op in CONVOLUTIONS)
    flat = len(graph.tensors[x].shape) == 3
    rows = graph.tensors[conv.inputs[0]].shape[1] == 1 if flat else False
    shapes = {3: out, 4: (1, 1, out[1], out[2]) if rows else (1, out[1], 1, out[-1])}
    if flat:
        _, length, channels = graph.tensors[x].shape
        wide = (1, 1, length, channels) if rows else (1, length, 1, channels)
        x = draft.node("reshape", (x,), draft.like(x, f"{conv.name}/row", wide))
    for k, node in enumerate(chain[1:-1]):
        if node.op == "reshape":
            continue
        inputs = tuple(x if t == chain[k].outputs[0] else t for t in node.inputs)
        y = node.outputs[0]
        shape = shapes[4] if flat else (*out[:3], graph.tensors[y].shape[-1])
        attrs = dict(node.attrs)
        if node is conv:
            attrs |= {"dilation": dilation, "padding": tuple(tuple(p) for p in padding)}
        x = draft.node(node.op, inputs, draft.like(y, node.name, shape), **attrs)
    draft.node("reshape", (x,), chain[-1].outputs[0])
