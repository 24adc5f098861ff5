# SPDX-License-Identifier: Apache-2.0
"""A float graph in torch: what it computes, as a function of its weights and biases.

Maps are [N, C, H, W] here, whatever else has its own shape; constants of linear operators are the
parameters, by index of tensor and as the graph holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as tnf

from edgefm.errors import UnsupportedModel
from edgefm.network.graph import Array, Graph, Node
from edgefm.network.operators import LINEAR, by_operator

Parameters = Mapping[int, torch.Tensor]
Store = Callable[[int, torch.Tensor], torch.Tensor]  # what a map, by tensor, comes back as

_AXES = (0, 2, 3, 1)  # where [N, C, H, W] has the axes of the graph's [N, H, W, C]
_ACTIVATIONS: Mapping[str | None, Callable[[torch.Tensor], torch.Tensor]] = {
    None: lambda x: x, "relu": tnf.relu, "relu6": tnf.relu6,
    "relu_n1_to_1": lambda x: x.clamp(-1, 1)}


def as_it_is(tensor: int, x: torch.Tensor) -> torch.Tensor:
    """A `Store` that changes nothing."""
    del tensor
    return x


def parameters(graph: Graph) -> dict[int, torch.Tensor]:
    """Weights and biases of the linear operators, by tensor."""
    found = {}
    for node in graph.nodes:
        for t in node.inputs[1:] if node.op in LINEAR else ():
            if t >= 0 and graph.tensors[t].data is not None:
                found[t] = torch.from_numpy(np.array(graph.tensors[t].data))
    return found


def with_parameters(graph: Graph, values: Parameters) -> Graph:
    """The graph with other weights and biases."""
    tensors = list(graph.tensors)
    for t, value in values.items():
        tensors[t] = replace(tensors[t], data=value.detach().numpy())
    return replace(graph, tensors=tuple(tensors))


def scores(graph: Graph, values: Parameters, x: torch.Tensor, store: Store = as_it_is
           ) -> torch.Tensor:
    """Logits [N, classes] of images [N, C, H, W]: the first output, before a softmax.

    Every computed map passes through `store`. Raises UnsupportedModel for an operator that has no
    meaning here.
    """
    wanted, logits = graph.outputs[0], {node.outputs[0]: node for node in graph.nodes}
    while wanted in logits and logits[wanted].op == "softmax":
        wanted = logits[wanted].inputs[0]
    known = {graph.inputs[0]: x, **values}
    for node in graph.nodes:
        if node.op == "softmax":
            continue
        if node.op not in _MEANINGS:
            raise UnsupportedModel(f"{graph.name}: {node.op} {node.name!r} cannot be trained; "
                                   f"expected {', '.join(_MEANINGS)}")
        operands = [known[t] if t in known else _constant(graph, t) for t in node.inputs if t >= 0]
        made = _MEANINGS[node.op](graph, node, operands)
        made = _ACTIVATIONS[node.attrs.get("activation")](made)
        known[node.outputs[0]] = store(node.outputs[0], made)
    return known[wanted].flatten(1)


Operands = list[torch.Tensor]


def _constant(graph: Graph, tensor: int) -> torch.Tensor:
    data = graph.tensors[tensor].data
    assert data is not None
    return _from_rows(torch.from_numpy(np.array(data)))


def _from_rows(x: torch.Tensor) -> torch.Tensor:
    """[N, H, W, C] as it is held here."""
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


def _axis(axis: int, x: torch.Tensor) -> int:
    return _AXES[axis] if x.ndim == 4 else axis


def _padded(node: Node, x: torch.Tensor, value: float = 0.0) -> torch.Tensor:
    (top, bottom), (left, right) = node.attrs["padding"]
    return tnf.pad(x, (left, right, top, bottom), value=value)


def _conv2d(graph: Graph, node: Node, of: Operands) -> torch.Tensor:
    del graph
    x, weights, *bias = of
    return tnf.conv2d(_padded(node, x), _from_rows(weights), *bias, stride=node.attrs["stride"],
                      dilation=node.attrs["dilation"])


def _depthwise(graph: Graph, node: Node, of: Operands) -> torch.Tensor:
    del graph
    x, weights, *bias = of
    return tnf.conv2d(_padded(node, x), weights.permute(3, 0, 1, 2), *bias,
                      stride=node.attrs["stride"], dilation=node.attrs["dilation"],
                      groups=x.shape[1])


def _fully_connected(graph: Graph, node: Node, of: Operands) -> torch.Tensor:
    del graph, node
    x, weights, *bias = of
    return tnf.linear(_rows(x).flatten(1), weights, *bias)


def _rows(x: torch.Tensor) -> torch.Tensor:
    """As the graph holds it: [N, H, W, C]."""
    return x.permute(_AXES) if x.ndim == 4 else x


def _reshape(graph: Graph, node: Node, of: Operands) -> torch.Tensor:
    shape = graph.tensors[node.outputs[0]].shape
    return _from_rows(_rows(of[0]).reshape(of[0].shape[0], *shape[1:]))


def _concat(graph: Graph, node: Node, of: Operands) -> torch.Tensor:
    del graph
    return torch.cat(of, _axis(node.attrs["axis"], of[0]))


def _mean(graph: Graph, node: Node, of: Operands) -> torch.Tensor:
    del graph
    axes = [_axis(axis, of[0]) for axis in node.attrs["axes"]]
    return of[0].mean(axes, keepdim=node.attrs.get("keep_dims", True))


def _average_pool(graph: Graph, node: Node, of: Operands) -> torch.Tensor:
    """The mean of the cells inside the map."""
    del graph
    size, stride = node.attrs["kernel"], node.attrs["stride"]
    share = tnf.avg_pool2d(_padded(node, torch.ones_like(of[0][:1, :1])), size, stride)
    return tnf.avg_pool2d(_padded(node, of[0]), size, stride) / share


def _max_pool(graph: Graph, node: Node, of: Operands) -> torch.Tensor:
    del graph
    return tnf.max_pool2d(_padded(node, of[0], -torch.inf), node.attrs["kernel"],
                          node.attrs["stride"])


_MEANINGS: Mapping[str, Callable[[Graph, Node, Operands], torch.Tensor]] = by_operator("training", {
    "conv2d": _conv2d, "depthwise_conv2d": _depthwise, "fully_connected": _fully_connected,
    "add": lambda graph, node, of: of[0] + of[1], "sub": lambda graph, node, of: of[0] - of[1],
    "mul": lambda graph, node, of: of[0] * of[1], "concat": _concat, "mean": _mean,
    "average_pool": _average_pool, "max_pool": _max_pool, "reshape": _reshape,
    "relu": lambda graph, node, of: tnf.relu(of[0]),
    "relu6": lambda graph, node, of: tnf.relu6(of[0]),
    "logistic": lambda graph, node, of: torch.sigmoid(of[0]),
}, among=lambda one: one.trainable)


def images(inputs: Sequence[Array]) -> torch.Tensor:
    """Inputs [1, H, W, C] of a float graph as [N, C, H, W]."""
    return torch.from_numpy(np.concatenate(inputs).transpose(0, 3, 1, 2).copy())
