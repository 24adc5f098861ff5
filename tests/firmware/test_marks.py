# SPDX-License-Identifier: Apache-2.0
"""The marker pin: an edge where each stage begins and after the last, which aligns a recording."""

import numpy as np
from networks import random_network
from packages import build

from edgefm.evaluate.diff import random_inputs
from edgefm.planner import Target
from host_tools.measurement.align import align
from host_tools.measurement.record import RunRecorder
from host_tools.measurement.runs import read_runs
from host_tools.recording import Column, Recording

RATE, PIECE = 1_000_000, 50_000
RUNS = 3


def sample_pin(recorder, edges):
    """An instrument that saw the pin's edges (ns) at its input 0."""
    channel = recorder.samples("meter", [Column("VDD", "amperes", 1e-9),
                                         Column("inputs", "digital")], RATE)
    times = np.arange(edges[0] - 1_000_000, edges[-1] + 1_000_000, 10 ** 9 // RATE)
    for at in range(0, len(times), PIECE):
        piece = times[at:at + PIECE]
        level = np.searchsorted(edges, piece, side="right") & 1
        channel.append([np.full(len(piece), 1e-3), level], int(piece[0]), int(piece[-1]))


def test_stages_are_aligned_by_the_pins_edges(sim, tmp_path):
    built = build(random_network(5), Target(), cut="ops")
    pin = tmp_path / "pin"
    with sim("--pin", pin) as device, RunRecorder(tmp_path / "r", {}) as recorder:
        device.put("n", built.package)
        stream = device.outline("n").stream(random_inputs(built.graph, 5))
        recorder.watch(device)
        for _ in range(RUNS):
            device.run("n", stream)
        device.watch(None)
        edges = np.fromfile(pin, "<u8").astype(np.int64) - recorder.recorder.origin
        sample_pin(recorder.recorder, edges)
    stages = len(built.plan.stages)
    assert len(edges) == RUNS * (stages + 1)
    assert (np.diff(edges) > 0).all()
    with Recording(tmp_path / "r") as recording:
        found = align(recording, recording.samples["meter"])
        runs = list(read_runs(recording.events["device"]))
    assert found.alignment.method == "markers"
    assert len(found.start) == RUNS * stages
    ends = np.delete(edges.reshape(RUNS, -1), 0, axis=1).ravel() / 1e9
    np.testing.assert_allclose(found.stop, ends, atol=2 / RATE)
    for run, own in zip(runs, edges.reshape(RUNS, -1) / 1e9, strict=True):
        assert (np.array(run.arrived) >= own).all()  # a device marks, then says so
