# SPDX-License-Identifier: Apache-2.0
"""Whole graphs: every tensor of every real model equals the oracle's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.tflite import load_tflite
from edgefm.litert.reference import Reference
from edgefm.network.graph import Array, Graph, Node
from edgefm.ops import MEANINGS, run_graph

QUANTIZED = [
    "ad01_int8", "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29",
    "deeplabv3_mnv2_dm05_pascal_quant", "kws_ref_model", "mobilenet_v1_0.25_128_quant",
    "mobilenet_v2_1.0_224_quant", "person_detect_patched", "pretrainedResnet_quant",
    "tf2_mobilenet_v2_1.0_224_ptq", "vww_96_int8"]


def _random(graph: Graph, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [_random_like(rng, graph, index) for index in graph.inputs]


def _random_like(rng: np.random.Generator, graph: Graph, index: int) -> Array:
    like = graph.tensors[index]
    if like.dtype == "float32":
        return rng.uniform(-1, 1, like.shape).astype(np.float32)
    info = np.iinfo(like.dtype)
    return rng.integers(info.min, info.max + 1, like.shape).astype(like.dtype)


def _compared(path: Path) -> tuple[Graph, dict[str, tuple[Array, Array]]]:
    """Our and the oracle's value of every operator's output, by the tensor's name."""
    graph = load_tflite(path)
    values = _random(graph)
    ours = run_graph(graph, values)
    with Reference(path.read_bytes()) as oracle:
        theirs = oracle.tensors(values)
    return graph, {graph.tensors[t].name: (ours[t], theirs[t])
                   for node in graph.nodes for t in node.outputs}


@pytest.mark.parametrize("name", QUANTIZED)
def test_every_tensor_of_a_quantized_model_equals_the_oracle(
        data_dir: Path, need_module: Any, name: str) -> None:
    need_module("ai_edge_litert")
    graph, pairs = _compared(data_dir / "models" / f"{name}.tflite")
    assert len(pairs) == sum(len(node.outputs) for node in graph.nodes)
    different = [tensor for tensor, (ours, theirs) in pairs.items()
                 if not np.array_equal(ours, theirs)]
    assert different == []


def test_a_float_model_is_right_to_float_accuracy(data_dir: Path, need_module: Any) -> None:
    need_module("ai_edge_litert")
    _, pairs = _compared(data_dir / "models" / "mobilenet_v1_0.25_224_float.tflite")
    for ours, theirs in pairs.values():
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def _chain(judge: Any) -> Graph:
    """x -> relu -> y."""
    graph: Graph = judge.graph("relu", [judge.tensor((1, 4))], [judge.tensor((1, 4))], {})
    return graph


def test_run_graph_holds_inputs_and_computed_tensors_but_no_constants(judge: Any) -> None:
    data = np.ones((1, 4), np.int8)
    graph = judge.graph("add", [judge.tensor((1, 4)), judge.tensor((1, 4), data=data)],
                        [judge.tensor((1, 4))], {})
    assert set(run_graph(graph, [data])) == {0, 2}


@pytest.mark.parametrize("inputs, got", [
    ([], "got 0 inputs, expected 1"),
    ([np.zeros((1, 5), np.int8)], "int8(1, 5), expected int8(1, 4)"),
    ([np.zeros((1, 4), np.uint8)], "uint8(1, 4), expected int8(1, 4)")])
def test_run_graph_refuses_inputs_that_do_not_fit(judge: Any, inputs: list[Array],
                                                  got: str) -> None:
    with pytest.raises(BadInput) as error:
        run_graph(_chain(judge), inputs)
    assert got in str(error.value)


def test_run_graph_names_an_unknown_operator(judge: Any) -> None:
    graph = replace(_chain(judge), nodes=(Node("erf", "layer7", (0,), (1,)),))
    with pytest.raises(UnsupportedModel, match=r"layer7.*'erf'"):
        run_graph(graph, [np.zeros((1, 4), np.int8)])


def test_every_operator_of_the_data_model_has_a_meaning() -> None:
    import edgefm.network.graph

    document = edgefm.network.graph.__doc__ or ""
    rows = [line for line in document.splitlines() if line.startswith("| ")]
    named = {op for row in rows[1:] for op in row.split("|")[1].strip().split(", ")}
    assert named == set(MEANINGS)
