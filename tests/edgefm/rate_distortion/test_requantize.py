# SPDX-License-Identifier: Apache-2.0
"""Requantized networks are ordinary networks: near the original, and exact to TFLite."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import Network, random_network

from edgefm.compiler.load import Model, load_model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_loaded
from edgefm.errors import BadInput
from edgefm.evaluate.diff import diff_compiled, random_inputs
from edgefm.network.graph import Array, Graph, Quant
from edgefm.ops import run_graph
from edgefm.ops.quantize import dequantized
from edgefm.rate_distortion import groups, requantize


def coarse(graph: Graph, seed: int = 0) -> Graph:
    """Every group of maps that can be coarser, by random factors."""
    random = np.random.default_rng(seed)
    return requantize(graph, {group[0]: float(random.uniform(1, 9)) for group in groups(graph)})


def exact(graph: Graph, inputs: list[list[Array]], **options: object) -> tuple[str, float]:
    """Who judged the deployed package, and the largest difference from it."""
    compiled = compile_loaded(Model(graph, graph, None, ""), CompileOptions(**options))
    result = diff_compiled(compiled, inputs)
    return result.witness, result.max_abs_diff


def test_a_map_keeps_its_real_values_and_its_lowest_code(classifier: Graph, maps: dict[str, int],
                                                         samples: list[Array]) -> None:
    t = maps["conv2d_0"]
    changed = requantize(classifier, {t: 3.7})
    before, after = classifier.tensors[t], changed.tensors[t]
    assert after.scale == pytest.approx(3.7 * before.scale)
    lowest = [tensor.scale * (-128 - tensor.zero_point) for tensor in (before, after)]
    assert abs(lowest[0] - lowest[1]) <= after.scale / 2
    old, new = (dequantized(run_graph(g, samples[:1])[t], g.tensors[t])
                for g in (classifier, changed))
    inside = old < before.scale * (127 - before.zero_point)  # saturated values may get further
    assert np.abs(old - new)[inside].max() <= (before.scale + after.scale) / 2 * 1.01


@pytest.mark.parametrize("dtype, lowest", [("int8", -128), ("uint8", 0)])
def test_a_map_without_negative_values_keeps_zero_at_the_lowest_code(dtype: str,
                                                                     lowest: int) -> None:
    net = Network(dtype=dtype)
    x = net.conv(net.input(1, 8, 8, 3), 4, activation="relu6",
                 result=Quant((0.03125,), (lowest,)))
    graph = requantize(net.graph(net.conv(x, 4)), {x: 5.0})
    assert graph.tensors[x].quant == Quant((0.15625,), (lowest,))


def test_biases_follow_the_scale_of_the_input(classifier: Graph, maps: dict[str, int]) -> None:
    changed = requantize(classifier, {maps["conv2d_0"]: 4.0})
    node = next(n for n in changed.nodes if n.name == "depthwise_conv2d_1")
    entry, weights, bias = (changed.tensors[t] for t in node.inputs)
    old = classifier.tensors[node.inputs[2]]
    assert weights.quant and bias.quant and old.quant and bias.data is not None
    np.testing.assert_allclose(bias.quant.scale, entry.scale * np.array(weights.quant.scale),
                               rtol=1e-6)
    assert old.data is not None and bias.data.dtype == np.int32
    assert np.abs(bias.data * 4.0 - old.data).max() <= 2.01


def test_a_bias_of_two_layers_changes_for_one_of_them() -> None:
    net = Network()
    a = net.conv(net.input(1, 6, 6, 3), 3)
    b = net.conv(a, 3)
    graph = net.graph(net.conv(b, 3))
    shared = graph.nodes[1].inputs[2]
    nodes = (*graph.nodes[:2], replace(graph.nodes[2],
                                       inputs=(*graph.nodes[2].inputs[:2], shared)))
    changed = requantize(replace(graph, nodes=nodes), {b: 2.0})
    own = changed.nodes[2].inputs[2]
    assert changed.nodes[1].inputs[2] == shared != own
    assert changed.tensors[shared] is graph.tensors[shared]
    assert changed.tensors[own].name != graph.tensors[shared].name


@pytest.mark.parametrize("ratio, free", [(0.49, False), (0.51, True)])
def test_a_map_whose_reader_could_not_follow_keeps_its_step(ratio: float, free: bool) -> None:
    """The kernel of hard_swish takes no output finer than 1/128 of its input."""
    net = Network()
    x = net.conv(net.input(1, 6, 6, 3), 3)
    quant = net.tensors[x].quant
    assert quant is not None
    y = net.node("hard_swish", (x,), net.shape(x), Quant((quant.scale[0] * ratio,), (0,)))
    graph = net.graph(net.conv(y, 3))
    assert groups(graph) == ([(x,), (y,)] if free else [(y,)])
    assert exact(coarse(graph), [random_inputs(graph, 1)])[1] == 0


def test_tied_maps_change_together_and_ends_never() -> None:
    net = Network()
    x = net.conv(net.input(1, 8, 8, 4), 4)
    quant = net.tensors[x].quant
    y = net.conv(x, 4, result=quant)
    joined = net.concat(x, y)
    pooled = net.pool(joined)
    z = net.conv(pooled, 4)
    last = net.resize(z, 6, 6)
    graph = net.graph(last)
    assert groups(graph) == [(x, y, joined, pooled)]
    changed = requantize(graph, {pooled: 3.0})
    assert {changed.tensors[t].quant for t in (x, y, joined, pooled)} == {
        changed.tensors[x].quant} != {quant}
    for t in (graph.inputs[0], z, last):
        assert changed.tensors[t] is graph.tensors[t]


def test_a_picture_that_only_moves_to_int8_keeps_its_steps() -> None:
    net = Network(dtype="uint8")
    x = net.input(1, 8, 8, 3)
    moved = net.node("quantize", (x,), net.shape(x), Quant(net.tensors[x].quant.scale, (0,)),
                     "int8")
    rescaled = net.node("quantize", (x,), net.shape(x), Quant((0.03125,), (0,)), "int8")
    graph = net.graph(net.add(moved, rescaled))
    assert groups(graph) == [(rescaled,)]


def test_nothing_to_change_changes_nothing(classifier: Graph, maps: dict[str, int]) -> None:
    assert requantize(classifier, {}) is classifier
    assert requantize(classifier, {maps["conv2d_0"]: 1.0}) is classifier


@pytest.mark.parametrize("node, factor, message", [
    ("conv2d_0", 0.5, "at least 1"), ("conv2d_0", float("nan"), "at least 1"),
    ("conv2d_0", float("inf"), "at least 1"), ("softmax_8", 2.0, "scale is fixed")])
def test_impossible_steps_are_refused(classifier: Graph, maps: dict[str, int], node: str,
                                      factor: float, message: str) -> None:
    name = next(name for name in maps if name.startswith(node.rsplit("_", 1)[0]))
    with pytest.raises(BadInput, match=message):
        requantize(classifier, {maps[name]: factor})


def test_tied_maps_cannot_have_two_steps(classifier: Graph) -> None:
    group = next(g for g in groups(classifier) if len(g) > 1)
    with pytest.raises(BadInput, match="shares its scale"):
        requantize(classifier, {group[0]: 2.0, group[1]: 3.0})


@pytest.mark.parametrize("seed", range(8))
def test_tflite_computes_the_same_bits(seed: int, need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    graph = random_network(seed)
    changed = coarse(graph, seed)
    inputs = [random_inputs(graph, n) for n in range(2)]
    witness, before = exact(graph, inputs)
    assert exact(changed, inputs) == (witness, 0) and before == 0


def test_a_real_network_stays_exact(data_dir: Path, need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    model = load_model(data_dir / "models" / "vww_96_int8.tflite", CompileOptions())
    changed = coarse(model.graph)
    assert len(groups(changed)) > 20
    assert exact(changed, [random_inputs(changed, 1)], fast=64 << 10, objective="maps") == (
        "ai_edge_litert", 0)
