# SPDX-License-Identifier: Apache-2.0
"""A callback learns how much there is to do, and that all is done."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import Network

import edgefm
from edgefm.api.progress import quantizing_runs
from edgefm.compiler.options import CompileOptions
from edgefm.exporters.tflite import export_tflite
from edgefm.network.graph import Graph

Told = list[tuple[int, int, str]]


def float_network() -> Graph:
    net = Network(2, name="f")
    x = net.depthwise(net.conv(net.input(1, 8, 8, 3), 4), stride=2)
    graph = net.graph(net.conv(x, 4, 1))
    return replace(graph, tensors=tuple(
        replace(t, dtype="float32", quant=None,
                data=None if t.data is None else t.data.astype(np.float32) / 256)
        for t in graph.tensors))


@pytest.mark.parametrize("files", [1, 5, 70])
def test_runs_of_a_float_network_are_counted_up_to_the_total(tmp_path: Path, files: int) -> None:
    (tmp_path / "f.tflite").write_bytes(export_tflite(float_network()))
    random = np.random.default_rng(1)
    for k in range(files):
        np.save(tmp_path / f"{k}.npy", random.random((1, 8, 8, 3), np.float32))
    told: Told = []
    edgefm.compile(tmp_path / "f.tflite", calib=tmp_path, preprocess="tf",
                   progress=lambda *now: told.append(now))
    totals, quantizing = {total for _, total, _ in told}, [
        done for done, _, what in told if what.startswith("quantize")]
    assert len(totals) == 1 and told[-1] == (*totals, *totals, "done")
    assert [now[0] for now in told] == sorted(now[0] for now in told)
    assert quantizing == list(range(len(quantizing)))  # never held back: the total is not a guess
    assert len(quantizing) > max(totals) / 3


def test_a_quantized_network_is_one_step(model: Path) -> None:
    told: Told = []
    edgefm.compile(model, progress=lambda *now: told.append(now))
    assert told == [(0, 1, "load"), (0, 1, "plan and code"), (1, 1, "done")]
    assert quantizing_runs(model, CompileOptions()) == 0
