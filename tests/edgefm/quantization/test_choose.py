# SPDX-License-Identifier: Apache-2.0
"""Quantized networks follow their float originals, and TFLite agrees with every bit of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.evaluate.reference import Reference
from edgefm.exporters.tflite import export_tflite
from edgefm.importers.onnx import load_onnx
from edgefm.importers.tflite import load_tflite
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph
from edgefm.ops.quantize import dequantized, quantized
from edgefm.quantization.choose import METHODS, QuantizeOptions, candidates, quantize, runs

Samples = Callable[[int], list[Array]]
NAMES = ["fire", "relu", "relu6", "mixed"]


def outputs(graph: Graph, sample: Array) -> list[Array]:
    """The real values of a graph's outputs, float or int8."""
    entry = graph.tensors[graph.inputs[0]]
    values = run_graph(graph, [sample if entry.dtype == "float32" else quantized(sample, entry)])
    return [values[t] if graph.tensors[t].dtype == "float32" else
            dequantized(values[t], graph.tensors[t]) for t in graph.outputs]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_on_unseen_samples_stay_close(name: str, float_nets: dict[str, Graph],
                                              float_samples: Samples) -> None:
    graph, samples = float_nets[name], float_samples(80)
    result = quantize(graph, samples[:64], QuantizeOptions(held_out=16))
    pairs = [zip(outputs(result, s), outputs(graph, s), strict=True) for s in samples[64:]]
    gaps, powers = zip(*((((a - b) ** 2).mean(), (b ** 2).mean())
                         for pair in pairs for a, b in pair), strict=True)
    assert np.sqrt(sum(gaps) / sum(powers)) < 0.04


@pytest.mark.parametrize("name", NAMES)
def test_tflites_reference_kernels_give_the_same_bits(
        name: str, need_module: Callable[[str], None], float_nets: dict[str, Graph],
        float_samples: Samples) -> None:
    need_module("ai_edge_litert")
    samples = float_samples(6)
    result = quantize(float_nets[name], samples[:4],
                      QuantizeOptions(methods=("minmax",), held_out=1))
    with Reference(export_tflite(result)) as judge:
        for sample in samples:
            steps = quantized(sample, result.tensors[result.inputs[0]])
            ours = run_graph(result, [steps])
            for t, theirs in zip(result.outputs, judge.outputs([steps]), strict=True):
                np.testing.assert_array_equal(ours[t], theirs)


def test_best_measured_candidate_is_taken(float_nets: dict[str, Graph],
                                          float_samples: Samples) -> None:
    graph, samples = float_nets["relu6"], float_samples(8)
    tried = candidates(graph, samples, QuantizeOptions(held_out=4))
    assert {(c.equalized, c.method) for c in tried if c.refined} == {
        (equal, method) for equal in (False, True) for method in METHODS}
    assert sum(not c.refined for c in tried) == 2
    best = min(tried, key=lambda c: c.distance).graph
    chosen = quantize(graph, samples, QuantizeOptions(held_out=4))
    for a, b in zip(best.tensors, chosen.tensors, strict=True):
        assert a.quant == b.quant
        np.testing.assert_array_equal(a.data, b.data)


def test_options_of_one_entry_leave_one_candidate(float_nets: dict[str, Graph],
                                                  float_samples: Samples) -> None:
    options = QuantizeOptions(methods=("99.5",), refine=(False,), equalize=(True,))
    tried = candidates(float_nets["relu"], float_samples(4), options)
    assert [(c.method, c.equalized, c.refined) for c in tried] == [("99.5", True, False)]


@pytest.mark.parametrize("name", ["fire", "relu6"])
@pytest.mark.parametrize("count", [1, 7, 20])
def test_progress_reaches_what_was_announced(name: str, count: int, float_nets: dict[str, Graph],
                                             float_samples: Samples) -> None:
    ticks: list[None] = []
    options = QuantizeOptions(held_out=4)
    candidates(float_nets[name], float_samples(count), options, lambda: ticks.append(None))
    assert len(ticks) == runs(float_nets[name], count, options)


@pytest.mark.parametrize("bad", [
    np.zeros((1, 12, 10, 4), np.float32), np.zeros((1, 12, 10, 3)),
    np.full((1, 12, 10, 3), np.nan, np.float32)], ids=["shape", "type", "not finite"])
def test_unusable_samples_are_refused(bad: Array, float_nets: dict[str, Graph],
                                      float_samples: Samples) -> None:
    with pytest.raises(BadInput, match=r"calibration sample 2"):
        quantize(float_nets["fire"], [*float_samples(2), bad])
    with pytest.raises(BadInput, match="at least one"):
        quantize(float_nets["fire"], [])


def test_quantized_graph_is_refused(float_nets: dict[str, Graph], float_samples: Samples) -> None:
    options = QuantizeOptions(methods=("minmax",), refine=(False,))
    result = quantize(float_nets["fire"], float_samples(2), options)
    with pytest.raises(UnsupportedModel, match="expected float32"):
        quantize(result, float_samples(2))


def photos(folder: Path, mean: Array, std: Array, stride: int) -> list[Array]:
    from PIL import Image
    files = sorted((folder / "images" / "imagenet_sample").glob("*.jpg"))[::stride]
    assert files
    return [((np.asarray(Image.open(file).convert("RGB"), np.float32) / 255 - mean) / std)
            .astype(np.float32)[None] for file in files]


@pytest.mark.parametrize("name", ["squeezenet1_1_torchvision.onnx",
                                  "mobilenet_v1_0.25_224_float.tflite"])
def test_real_network_follows_its_float_original(name: str, data_dir: Path,
                                                 need_module: Callable[[str], None]) -> None:
    path = data_dir / "models" / name
    if path.suffix == ".onnx":
        need_module("onnx")
        graph = load_onnx(path)
        mean, std = np.float32([.485, .456, .406]), np.float32([.229, .224, .225])
    else:
        graph, mean, std = load_tflite(path), np.float32([.5]), np.float32([.5])
    samples = photos(data_dir, mean, std, 50)
    options = QuantizeOptions(methods=("minmax",), equalize=(False,), held_out=5, refine_with=8)
    tried = candidates(graph, samples, options)
    assert tried[0].refined and tried[0].distance < tried[1].distance
    best = tried[0].graph
    same = [outputs(best, s)[0].argmax() == outputs(graph, s)[0].argmax() for s in samples]
    assert sum(same) >= 0.8 * len(same)
