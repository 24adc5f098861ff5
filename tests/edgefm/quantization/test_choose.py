# SPDX-License-Identifier: Apache-2.0
"""Quantized networks follow their float originals, and TFLite agrees with every bit of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from long_tests import some

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.exporters.tflite import export_tflite
from edgefm.importers.onnx import load_onnx
from edgefm.importers.tflite import load_tflite
from edgefm.litert.reference import Reference
from edgefm.network.graph import Array, Graph, Tensor
from edgefm.network.rewrite import fuse, prune
from edgefm.ops import run_graph
from edgefm.ops.quantize import dequantized, quantized
from edgefm.quantization.calibrate import observe
from edgefm.quantization.choose import (
    METHODS,
    QuantizeOptions,
    most_runs,
    quantizations,
    quantize,
)
from edgefm.quantization.recipe import Recipe, integer_graph

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
    tried = quantizations(graph, samples, QuantizeOptions(held_out=4))
    assert {(c.equalized, c.method) for c in tried if c.refined} == {
        (equal, method) for equal in (False, True) for method in METHODS}
    assert sum(not c.refined for c in tried) == 2
    best = min(tried, key=lambda c: c.distance)
    chosen = quantize(graph, samples, QuantizeOptions(held_out=4))
    only = QuantizeOptions((best.method,), (best.refined,), (best.equalized,), held_out=4)
    assert same(chosen, quantize(graph, samples, only))


def same(a: Graph, b: Graph) -> bool:
    """True when two graphs have the same numbers."""
    return all(x.quant == y.quant and np.array_equal(x.data, y.data)
               for x, y in zip(a.tensors, b.tensors, strict=True))


def span(tensor: Tensor) -> tuple[float, float]:
    """What the 8 bits of a tensor reach, with half a step for rounding."""
    return (tensor.scale * (-128.5 - tensor.zero_point), tensor.scale * (127.5 - tensor.zero_point))


@pytest.mark.parametrize("count", [2, 20, 64, 65, 130])
@pytest.mark.parametrize("spiky", [0, 1, -1])
def test_every_sample_counts_in_the_end(count: int, spiky: int, float_nets: dict[str, Graph],
                                        float_samples: Samples) -> None:
    """The first sample is always held out, the second never is."""
    graph, samples = float_nets["relu"], float_samples(count)
    samples[spiky][0, 3, 4] = -9.0, 12.0, 0.5
    options = QuantizeOptions(("minmax",), (False,), (False,), held_out=16)
    result = quantize(graph, samples, options)
    low, high = span(result.tensors[result.inputs[0]])
    assert low <= -9 and 12 <= high < 12.2
    low, high = span(result.tensors[result.outputs[0]])
    values = [run_graph(graph, [sample])[graph.outputs[0]] for sample in samples]
    assert low <= min(v.min() for v in values) and max(v.max() for v in values) <= high


def test_few_samples_all_say_what_percentiles_leave_out(float_nets: dict[str, Graph],
                                                        float_samples: Samples) -> None:
    graph, samples = float_nets["relu"], float_samples(8)
    options = QuantizeOptions(("90",), (False,), (False,), held_out=4)
    whole = integer_graph(fuse(graph), observe(fuse(graph), samples), Recipe("90"))
    assert same(quantize(graph, samples, options), prune(whole))


@pytest.mark.parametrize("name", ["fire", "relu6"])
def test_of_many_samples_those_held_out_change_nothing_that_they_do_not_exceed(
        name: str, float_nets: dict[str, Graph], float_samples: Samples) -> None:
    graph, samples = float_nets[name], float_samples(65)
    samples[::5] = [sample * np.float32(.5) for sample in samples[::5]]  # one in five is held out
    options = QuantizeOptions(("99.9", "minmax"), held_out=13)
    best = min(quantizations(graph, samples, options), key=lambda c: c.distance)
    assert same(quantize(graph, samples, options), best.graph)


def test_options_of_one_entry_leave_one_candidate(float_nets: dict[str, Graph],
                                                  float_samples: Samples) -> None:
    options = QuantizeOptions(methods=("99.5",), refine=(False,), equalize=(True,))
    tried = quantizations(float_nets["relu"], float_samples(4), options)
    assert [(c.method, c.equalized, c.refined) for c in tried] == [("99.5", True, False)]


def test_progress_is_told_after_every_run(float_nets: dict[str, Graph],
                                          float_samples: Samples) -> None:
    ticks: list[None] = []
    options = QuantizeOptions(("minmax", "mse"), (True, False), held_out=4)
    quantize(float_nets["fire"], float_samples(20), options, lambda: ticks.append(None))
    seen, judged, refined = 16 + 20, 3 * 4, 2 * 16 + 20  # in the end, all are seen, and refine
    assert len(ticks) == seen + judged + refined <= most_runs(20, options)


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


@pytest.mark.parametrize("name", some(["mobilenet_v1_0.25_224_float.tflite",
                                       "squeezenet1_1_torchvision.onnx"], fast=1))
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
    tried = quantizations(graph, samples, options)
    assert tried[0].refined and tried[0].distance < tried[1].distance
    best = tried[0].graph
    same = [outputs(best, s)[0].argmax() == outputs(graph, s)[0].argmax() for s in samples]
    assert sum(same) >= 0.8 * len(same)
