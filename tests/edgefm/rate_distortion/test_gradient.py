# SPDX-License-Identifier: Apache-2.0
"""Derivatives are those of the real-valued network that an integer network stands for."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from networks import Network

from edgefm.errors import UnsupportedModel
from edgefm.network.graph import Array, Graph, Quant, Tensor
from edgefm.ops import run_graph
from edgefm.rate_distortion.divergence import package_of
from edgefm.rate_distortion.fisher import every_value
from edgefm.rate_distortion.gradient import pulled_back
from edgefm.runtime import Runtime


def real_valued(graph: Graph) -> Graph:
    """The network of the numbers that the integers stand for."""
    def real(tensor: Tensor) -> Tensor:
        if tensor.data is None or tensor.quant is None:
            return replace(tensor, dtype="float32", quant=None)
        scale, zero = np.array(tensor.quant.scale), np.array(tensor.quant.zero_point)
        shape = [1] * tensor.data.ndim
        shape[tensor.quant.axis or 0] = -1
        if len(scale) > 1:
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        data = ((tensor.data - zero) * scale).astype(np.float32)
        return replace(tensor, dtype="float32", quant=None, data=data)

    return replace(graph, tensors=tuple(real(t) for t in graph.tensors))


def networks() -> list[Graph]:
    """Small networks that together use every operator that has a derivative."""
    net = Network(1)
    x = net.conv(net.input(1, 9, 8, 3), 6, stride=2)
    x = net.add(net.conv(net.depthwise(x, dilation=2), 6, kernel=1), x)
    residual = net.graph(net.dense(net.mean(x), 5))
    net = Network(2)
    a = net.conv(net.input(1, 8, 8, 2), 4)
    b = net.conv(a, 4, kernel=1, result=net.tensors[a].quant)
    x = net.pool(net.concat(a, b, quant=net.tensors[a].quant), "average_pool")
    fire = net.graph(net.dense(net.mean(net.depthwise(x, multiplier=2)), 4))
    net = Network(3)
    x = net.relu(net.conv(net.input(1, 7, 6, 3), 4), "hard_swish")
    curved = net.graph(net.dense(net.mean(x), 5))
    return [residual, fire, curved]


@pytest.mark.parametrize("graph", networks())
def test_derivatives_foretell_small_changes(graph: Graph) -> None:
    random = np.random.default_rng(3)
    tensor, entry = graph.outputs[0], graph.tensors[graph.inputs[0]]
    sample = random.integers(-60, 60, entry.shape).astype(np.int8)
    with Runtime(package_of(graph)) as runtime:
        values = every_value(graph, runtime, sample, tensor)
    weights = random.standard_normal(graph.tensors[tensor].shape).astype(np.float32)
    slope = pulled_back(graph, values, tensor, weights)[graph.inputs[0]]
    twin = real_valued(graph)
    real = ((sample.astype(np.float32) - entry.zero_point) * np.float32(entry.scale))

    def at(x: Array) -> float:
        return float((run_graph(twin, [x.astype(np.float32)])[tensor] * weights).sum())

    for _ in range(3):
        way = random.standard_normal(entry.shape).astype(np.float32)
        step = 0.5 * entry.scale
        got = (at(real + step * way) - at(real - step * way)) / (2 * step)
        assert got == pytest.approx(float((slope * way).sum()), rel=0.1, abs=0.1 * float(
            np.linalg.norm(slope)))


@pytest.mark.parametrize("op, attrs, slope", [
    ("leaky_relu", {"alpha": -0.25}, lambda x: np.where(x > 0, 1, -0.25)),
    ("hard_swish", {}, lambda x: np.where(abs(x) < 3, (2 * x + 3) / 6, x > 0))])
def test_a_unary_operator_passes_the_slope_of_its_real_function(
        op: str, attrs: dict[str, float], slope: Callable[[Array], Array]) -> None:
    net = Network()
    x = net.input(1, 16, 16, 1)
    graph = net.graph(net.relu(x, op, **attrs))
    quant = Quant((0.05,), (-30,))
    graph = replace(graph, tensors=(replace(graph.tensors[0], quant=quant), *graph.tensors[1:]))
    every = np.arange(-128, 128, dtype=np.int8).reshape(1, 16, 16, 1)
    found = pulled_back(graph, {x: every}, 1, np.full(every.shape, 2, np.float32))[x]
    real = 0.05 * (every.astype(np.float64) + 30)
    smooth = np.abs(np.abs(np.abs(real) - 1.5) - 1.5) > 0.03
    np.testing.assert_allclose(found[smooth], 2 * slope(real)[smooth], atol=1e-3)


def test_nothing_passes_where_a_value_is_clamped() -> None:
    net = Network(4)
    x = net.input(1, 4, 4, 2)
    y = net.conv(x, 3, activation="relu")
    graph = net.graph(y)
    quant = graph.tensors[y].quant
    assert quant is not None
    dead = np.full(graph.tensors[y].shape, quant.zero_point[0], np.int8)
    slope = pulled_back(graph, {x: np.zeros((1, 4, 4, 2), np.int8), y: dead}, y,
                        np.ones(graph.tensors[y].shape, np.float32))
    assert not slope[x].any()


def test_an_operator_without_a_derivative_is_named() -> None:
    net = Network()
    x = net.input(1, 4, 4, 2)
    graph = net.graph(net.conv(net.node("logistic", (x,), net.shape(x)), 3))
    values = {t: np.zeros(graph.tensors[t].shape, np.int8) for t in range(len(graph.tensors))
              if graph.tensors[t].data is None}
    with pytest.raises(UnsupportedModel, match="logistic"):
        pulled_back(graph, values, graph.outputs[0],
                    np.ones(graph.tensors[graph.outputs[0]].shape, np.float32))
