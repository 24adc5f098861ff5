# SPDX-License-Identifier: Apache-2.0
"""The int8 graph obeys every rule of TFLite's 8-bit operators."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgefm.errors import UnsupportedModel
from edgefm.exporters.tflite import export_tflite
from edgefm.litert.reference import Reference
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph, Node, Tensor
from edgefm.ops import run_graph
from edgefm.ops.quantize import dequantized, quantized
from edgefm.quantization.calibrate import observe
from edgefm.quantization.recipe import Recipe, integer_graph, refuse_unquantizable

Samples = Callable[[int], list[Array]]
NAMES = ["fire", "relu", "relu6", "mixed"]


def made(graph: Graph, samples: list[Array], **recipe: Any) -> Graph:
    return integer_graph(graph, observe(graph, samples), Recipe(**{"method": "minmax", **recipe}))


@pytest.mark.parametrize("name", NAMES)
def test_operators_that_cannot_rescale_share_one_scale(
        name: str, float_nets: dict[str, Graph], float_samples: Samples) -> None:
    graph = made(float_nets[name], float_samples(4))
    found = 0
    for node in graph.nodes:
        if node.op in ("concat", "average_pool", "max_pool", "reshape", "pad", "transpose",
                       "resize_nearest"):
            found += 1
            assert len({graph.tensors[t].quant for t in (*node.inputs, *node.outputs)}) == 1
        if node.op in ("softmax", "logistic"):
            output = graph.tensors[node.outputs[0]]
            assert (output.scale, output.zero_point) == (1 / 256, -128)
    assert found


@pytest.mark.parametrize("name", NAMES)
def test_weights_and_biases_have_tflites_form(
        name: str, float_nets: dict[str, Graph], float_samples: Samples) -> None:
    graph = made(float_nets[name], float_samples(4))
    for node in graph.nodes:
        assert all(graph.tensors[t].dtype in ("int8", "int32") for t in node.inputs)
        if node.op not in ("conv2d", "depthwise_conv2d", "fully_connected"):
            continue
        x, w, b = (graph.tensors[t] for t in node.inputs)
        assert w.quant is not None and b.quant is not None and w.data is not None
        axis = 3 if node.op == "depthwise_conv2d" else 0
        assert w.quant.axis == axis and len(w.quant.scale) == w.shape[axis]
        assert set(w.quant.zero_point) == set(b.quant.zero_point) == {0}
        largest = np.abs(np.moveaxis(w.data, axis, 0).reshape(w.shape[axis], -1)).max(axis=1)
        assert (largest == 127).all()
        np.testing.assert_allclose(b.quant.scale, x.scale * np.array(w.quant.scale), rtol=1e-6)
        assert b.dtype == "int32"


@pytest.mark.parametrize("name", NAMES)
def test_scales_are_float32_numbers(name: str, float_nets: dict[str, Graph],
                                    float_samples: Samples) -> None:
    for tensor in made(float_nets[name], float_samples(4)).tensors:
        for scale in tensor.quant.scale if tensor.quant else ():
            assert scale == float(np.float32(scale))


def test_rectified_maps_start_at_the_lowest_step(float_nets: dict[str, Graph],
                                                 float_samples: Samples) -> None:
    graph = made(float_nets["relu6"], float_samples(4))
    zeros = [graph.tensors[node.outputs[0]].zero_point for node in graph.nodes
             if node.attrs.get("activation") == "relu6"]
    assert zeros == [-128, -128]


def test_given_input_range_decides_the_inputs_scale(float_nets: dict[str, Graph],
                                                    float_samples: Samples) -> None:
    graph = made(float_nets["fire"], float_samples(2), input_range=(-4.0, 6.2))
    entry = graph.tensors[graph.inputs[0]]
    assert abs(entry.scale - 0.04) < 1e-8 and entry.zero_point == -28


@pytest.mark.parametrize(("limits", "low", "high"), [
    ((0.0, 255.0), -2.0, 255.0), ((-1.0, 1.0), -2.0, 2.5), ((-8.0, 1.0), -8.0, 2.5)])
def test_what_was_seen_beyond_the_given_range_counts_too(
        limits: tuple[float, float], low: float, high: float, float_nets: dict[str, Graph],
        float_samples: Samples) -> None:
    entry = made(float_nets["fire"], float_samples(2), input_range=limits).tensors[0]
    assert entry.scale == pytest.approx((high - low) / 255, rel=0.01)
    assert entry.scale * (-128 - entry.zero_point) == pytest.approx(low, abs=entry.scale)


def test_rounding_is_not_beyond_the_given_range(float_nets: dict[str, Graph]) -> None:
    """Samples are float32, what preprocessing says is not."""
    low, high = -0.485 / 0.229, (1 - 0.406) / 0.225
    sample = np.full((1, 12, 10, 3), np.nextafter(np.float32(low), np.float32(-9)))
    sample[0, 0] = np.nextafter(np.float32(high), np.float32(9))
    entry = made(float_nets["fire"], [sample], input_range=(low, high)).tensors[0]
    assert entry.scale == float(np.float32((high - low) / 255))


def test_outputs_keep_all_that_was_seen(float_nets: dict[str, Graph],
                                        float_samples: Samples) -> None:
    graph, samples = float_nets["relu"], float_samples(4)
    seen = observe(graph, samples)
    result = integer_graph(graph, seen, Recipe("90"))
    output, values = result.tensors[result.outputs[0]], seen.histograms[graph.outputs[0]]
    assert output.scale * (127 - output.zero_point) >= values.high - output.scale
    assert output.scale * (-128 - output.zero_point) <= values.low + output.scale


def conv(weights: Array, bias: Array) -> Graph:
    tensors = (Tensor("x", (1, 4, 4, 2), "float32"),
               Tensor("w", weights.shape, "float32", data=weights),
               Tensor("b", bias.shape, "float32", data=bias),
               Tensor("y", (1, 4, 4, len(bias)), "float32"))
    attrs = {"stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (0, 0)), "activation": None}
    return Graph("net", tensors, (Node("conv2d", "conv", (0, 1, 2), (3,), attrs),), (0,), (3,))


@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-30])
@pytest.mark.parametrize("bias", [3.0, 1e-9, 0.0])
def test_channels_of_tiny_weights_still_give_their_bias(size: float, bias: float) -> None:
    weights = np.ones((2, 1, 1, 2), np.float32)
    weights[0] *= np.float32(size)
    graph = conv(weights, np.array([bias, -1], np.float32))
    x = np.random.default_rng(0).uniform(-1, 1, (1, 4, 4, 2)).astype(np.float32)
    result = made(graph, [x])
    values = run_graph(result, [quantized(x, result.tensors[0])])[3]
    assert lower(result).ops
    got = dequantized(values, result.tensors[3])
    np.testing.assert_allclose(got, run_graph(graph, [x])[3], atol=2 * result.tensors[3].scale)


@pytest.mark.parametrize("low, high", [(-9, -3.1), (-3.2, -2.9), (-1e-3, 1e-3), (-2, 40)])
def test_a_hard_swish_has_an_output_that_its_kernel_takes(low: float, high: float,
                                                         need_module: Callable[[str], None]
                                                         ) -> None:
    need_module("ai_edge_litert")
    tensors = tuple(Tensor(name, (1, 4, 4, 2), "float32") for name in "xyz")
    nodes = tuple(Node("hard_swish", f"swish{i}", (i,), (i + 1,)) for i in range(2))
    graph = Graph("net", tensors, nodes, (0,), (2,))
    x = np.random.default_rng(1).uniform(low, high, (1, 4, 4, 2)).astype(np.float32)
    result = made(graph, [x])
    steps = quantized(x, result.tensors[0])
    with Reference(export_tflite(result)) as oracle:
        np.testing.assert_array_equal(oracle.outputs([steps])[0], run_graph(result, [steps])[2])
    for t in (1, 2):
        got = dequantized(run_graph(result, [steps])[t], result.tensors[t])
        np.testing.assert_allclose(got, run_graph(graph, [x])[t],
                                   atol=2 * max(u.scale for u in result.tensors))


def test_refuses_what_has_no_int8_form(float_nets: dict[str, Graph]) -> None:
    graph = float_nets["fire"]
    strange = replace(graph.nodes[0], op="dequantize")
    with pytest.raises(UnsupportedModel, match=r"dequantize 'conv2d' \(tensor 'conv2d0'\)"):
        refuse_unquantizable(replace(graph, nodes=(strange, *graph.nodes[1:])))


def test_refuses_computed_weights(float_nets: dict[str, Graph]) -> None:
    graph = float_nets["fire"]
    node = replace(graph.nodes[2], inputs=(0, graph.nodes[1].outputs[0], -1))
    with pytest.raises(UnsupportedModel, match="expected constant weights"):
        refuse_unquantizable(replace(graph, nodes=(node,)))


def test_refuses_an_integer_graph(float_nets: dict[str, Graph], float_samples: Samples) -> None:
    with pytest.raises(UnsupportedModel, match="expected float32"):
        refuse_unquantizable(made(float_nets["fire"], float_samples(2)))


def test_refuses_probabilities_joined_with_other_maps(float_nets: dict[str, Graph],
                                                      float_samples: Samples) -> None:
    graph = float_nets["mixed"]
    gate = next(node for node in graph.nodes if node.op == "logistic")
    tensors = (*graph.tensors, Tensor("joined", (1, 14, 11, 6), "float32"))
    join = Node("concat", "join", (gate.inputs[0], gate.outputs[0]), (len(tensors) - 1,),
                {"axis": 3})
    bad = replace(graph, tensors=tensors, nodes=(*graph.nodes, join), outputs=join.outputs)
    with pytest.raises(UnsupportedModel, match="joins probabilities"):
        made(bad, float_samples(1))
