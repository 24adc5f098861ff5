# SPDX-License-Identifier: Apache-2.0
"""Weights are coded where that saves enough, and stay as kernels want them elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from edgefm.codecs.weights import WeightCode
from edgefm.compiler.coded_weights import RAW, WEIGHT_CODECS, with_coding
from edgefm.kernels.sets import suited
from edgefm.lower import lower
from edgefm.network.graph import Graph, Tensor
from edgefm.network.program import OpKind, Program
from tests.support.networks import Network


def network(calm: bool) -> Graph:
    """Two convolutions, one of them depthwise, with thousands of weights."""
    net = Network(4)
    graph = net.graph(net.conv(net.depthwise(net.conv(net.input(1, 6, 6, 16), 40)), 50))
    return replace(graph, tensors=tuple(map(_peaked, graph.tensors))) if calm else graph


def _peaked(tensor: Tensor) -> Tensor:
    """Weights most of which are near zero."""
    if tensor.data is None or tensor.dtype != "int8":
        return tensor
    return replace(tensor, data=np.rint(30 * (tensor.data / 127) ** 3).astype(np.int8))


def coded(codec: str, calm: bool = True, kernels: str = "portable") -> Program:
    program = lower(network(calm))
    return with_coding(suited(program, kernels, "rows"), suited(program, kernels), codec)


def test_raw_weights_stay_in_the_packing_of_the_kernels() -> None:
    assert coded(RAW, kernels="dsp") == suited(lower(network(True)), "dsp")


def test_coded_ones_lie_in_rows_and_say_how_many_bytes_they_take() -> None:
    program = coded("auto", kernels="dsp")
    for op in program.ops:
        if op.kind == OpKind.CONV:
            assert op.packing == 0 and op.coding is not None
            assert 0.4 * len(op.weights) < op.coding.bytes < 0.8 * len(op.weights)


def test_weights_of_all_sizes_are_not_worth_a_code() -> None:
    assert all(op.coding is None for op in coded("auto", calm=False).ops)


@pytest.mark.parametrize(("codec", "codes"), [
    ("huffman", {WeightCode.HUFFMAN}), ("packed", {WeightCode.PACKED}),
    ("auto", {WeightCode.RAW, WeightCode.HUFFMAN, WeightCode.PACKED})])
def test_tiles_have_the_code_that_was_asked_for(codec: str, codes: set[WeightCode]) -> None:
    found = [op.coding for op in coded(codec).ops if op.coding is not None]
    assert found and all(set(coding.codes) == codes for coding in found)
    assert all(bool(coding.record) == (codec != "packed") for coding in found)
    assert codec in WEIGHT_CODECS


def test_a_network_without_weights_has_nothing_to_code() -> None:
    net = Network(1)
    program = lower(net.graph(net.pool(net.input(1, 4, 4, 2))))
    assert with_coding(program, program, "auto") == program
    assert np.all([op.coding is None for op in program.ops])
