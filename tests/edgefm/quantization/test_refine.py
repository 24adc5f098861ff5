# SPDX-License-Identifier: Apache-2.0
"""Refinement brings the int8 graph closer to the float graph and touches nothing but constants."""

from collections.abc import Callable

import numpy as np
import pytest

from edgefm.network.graph import Array, Graph
from edgefm.network.operators import LINEAR
from edgefm.ops import run_graph
from edgefm.ops.quantize import dequantized, quantized
from edgefm.quantization.calibrate import observe
from edgefm.quantization.recipe import Recipe, integer_graph
from edgefm.quantization.refine import refined

Samples = Callable[[int], list[Array]]


def errors(graph: Graph, integer: Graph, tensor: int, samples: list[Array]) -> Array:
    """int8 minus float values of one tensor, [samples * positions, channels]."""
    gaps = []
    for sample in samples:
        steps = quantized(sample, integer.tensors[integer.inputs[0]])
        got = dequantized(run_graph(integer, [steps])[tensor], integer.tensors[tensor])
        gap = got - run_graph(graph, [sample])[tensor]
        gaps.append(gap.reshape(-1, gap.shape[-1]))
    return np.concatenate(gaps)


@pytest.mark.parametrize("name", ["fire", "relu", "relu6"])
def test_linear_operators_come_closer_on_unseen_samples(
        name: str, float_nets: dict[str, Graph], float_samples: Samples) -> None:
    graph, samples = float_nets[name], float_samples(40)
    plain = integer_graph(graph, observe(graph, samples[:32]), Recipe("minmax"))
    better = refined(graph, plain, samples[:32])
    before = after = 0.0
    for node in graph.nodes:
        if node.op in LINEAR:
            t = node.outputs[0]
            spread = plain.tensors[t].scale ** 2
            before += float((errors(graph, plain, t, samples[32:]) ** 2).mean()) / spread
            after += float((errors(graph, better, t, samples[32:]) ** 2).mean()) / spread
    assert after < 0.97 * before


def test_means_of_channels_come_closer(float_nets: dict[str, Graph],
                                       float_samples: Samples) -> None:
    graph, samples = float_nets["relu"], float_samples(24)
    plain = integer_graph(graph, observe(graph, samples), Recipe("minmax"))
    project = graph.nodes[3].outputs[0]
    before, after = (np.abs(errors(graph, g, project, samples).mean(axis=0)).max()
                     for g in (plain, refined(graph, plain, samples)))
    assert after < 0.5 * before
    assert after < 0.5 * plain.tensors[project].scale


def test_only_weights_and_biases_change(float_nets: dict[str, Graph],
                                        float_samples: Samples) -> None:
    graph, samples = float_nets["relu6"], float_samples(3)
    plain = integer_graph(graph, observe(graph, samples), Recipe("minmax"))
    better = refined(graph, plain, samples)
    assert better.nodes == plain.nodes
    for old, new in zip(plain.tensors, better.tensors, strict=True):
        assert (old.name, old.shape, old.dtype, old.quant) == (new.name, new.shape, new.dtype,
                                                               new.quant)
        if old.dtype == "int8" and old.data is not None and new.data is not None:
            assert np.abs(new.data.astype(int)).max() <= 127
            assert np.abs(new.data.astype(int) - old.data).max() <= 12


def test_one_sample_is_enough(float_nets: dict[str, Graph], float_samples: Samples) -> None:
    graph, samples = float_nets["fire"], float_samples(1)
    plain = integer_graph(graph, observe(graph, samples), Recipe("minmax"))
    logits = graph.nodes[-1].inputs[0]
    gap = errors(graph, refined(graph, plain, samples), logits, samples)
    assert np.abs(gap).max() < 4 * plain.tensors[logits].scale
