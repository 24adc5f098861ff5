# SPDX-License-Identifier: Apache-2.0
"""The trace is what Chrome's format asks for, all of it is drawn, and it says what was recorded."""

import io
import json
import random
from itertools import pairwise

import numpy as np
import pytest
from perfetto import dropped
from recorded import CROSSED, STORED, TICKS, UNKNOWN_EVENT, device_events, record_run

from host_tools.measurement.align import ROUND_TRIP, align
from host_tools.measurement.energy import energy_by_stage
from host_tools.outputs.timeline import NAME_MOST
from host_tools.outputs.trace import write_trace
from host_tools.recording import Column, Recorder, Recording

NUMBER = (int, float)
ARGS = {"args": dict}
SCHEMA = {  # what ui.perfetto.dev needs of each phase; nothing else may be there
    "X": {"name": str, "ts": int, "dur": int, "pid": int, "tid": int, **ARGS},
    "C": {"name": str, "ts": int, "pid": int, **ARGS},
    "M": {"name": str, "pid": int, "tid": int, **ARGS},
    "i": {"name": str, "ts": int, "pid": int, "tid": int, "s": str, **ARGS},
}
RUNS, STAGES = 1, 2


def trace_of(folder, **options):
    with Recording(folder) as recording:
        file = io.StringIO()
        count = write_trace(recording, file, **options)
    trace = json.loads(file.getvalue(), parse_constant=lambda name: pytest.fail(name))
    assert len(trace["traceEvents"]) == count
    return trace


def check(trace):
    """Against the schema; no slice is dropped, names are short lines, counters are numbers."""
    assert set(trace) == {"displayTimeUnit", "otherData", "traceEvents"}
    events = trace["traceEvents"]
    for event in events:
        fields = SCHEMA[event["ph"]]
        assert set(event) == {"ph", *fields}
        assert all(isinstance(event[key], kind) for key, kind in fields.items())
        assert len(event["name"]) <= NAME_MOST + 8 and event["name"].isprintable()
        assert event.get("dur", 0) >= 0 and 0 <= event.get("ts", 0) < 1 << 53
        if event["ph"] == "C":
            assert event["args"] and all(isinstance(v, NUMBER) for v in event["args"].values())
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name") and event["args"]["name"]
    assert dropped(events) == []
    for track in (RUNS, STAGES):
        mine = slices(trace, track)
        for before, behind in pairwise(mine):
            assert before["ts"] + before["dur"] <= behind["ts"]


def slices(trace, track):
    return [e for e in trace["traceEvents"] if e["ph"] == "X" and e["tid"] == track]


def device(**changed):
    """A description of the device in which something is other than usual."""
    return {"device": {"board": "sim", "unit": "us", "ticks_per_second": TICKS, **changed}}


def test_the_rule_drops_what_overlaps_and_nothing_else():
    def x(ts, dur):
        return {"ph": "X", "name": "x", "ts": ts, "dur": dur, "pid": 1, "tid": 1}

    assert dropped([x(0, 10), x(2, 3), x(5, 5), x(10, 0), x(10, 4)]) == []
    assert dropped([x(0, 10), x(9, 2)]) == [x(9, 2)]
    assert dropped([x(0.1, 0.2), x(0.3, 1)]) == []
    assert dropped([{**x(0, 1), "ph": "B"}, x(5, 5), {**x(10, 0), "ph": "E"}]) == []
    assert dropped([{**x(10, 0), "ph": "E"}]) == [{**x(10, 0), "ph": "E"}]


def test_stages_are_slices_and_power_and_bytes_are_counters(tmp_path):
    edges, _ = record_run(tmp_path / "r", extra=[(0.05, b'\x04a "quoted" </script>\n')])
    trace = trace_of(tmp_path / "r", points=500)
    check(trace)
    events, stages = trace["traceEvents"], slices(trace, STAGES)
    assert [e["name"] for e in stages] == ["0 conv <1>", "1 dw & 2", "2 head"] * 3
    assert stages[4]["ts"] == pytest.approx(edges[1, 1] * 1e6, abs=60)
    assert stages[4]["dur"] == pytest.approx(0.05e6, abs=120)
    assert stages[4]["args"]["weight_read_bytes"] == 4000
    assert stages[4]["args"]["alignment_error_s"] > 0
    assert len(slices(trace, RUNS)) == 3
    power = [e for e in events if e["ph"] == "C" and e["name"] == "VDD (W)"]
    assert 300 < len(power) <= 500
    assert max(e["args"]["high"] for e in power) == pytest.approx(0.03 * 3.3, rel=1e-3)
    moved = [e["args"]["external_read"] for e in events if e["name"] == "bytes per second"]
    assert moved[0] == pytest.approx(1000 / 0.02, rel=0.01) and moved[3] == 0
    said, = [e for e in events if e["ph"] == "i"]
    assert said["name"] == 'a "quoted" </script>'
    assert said["args"]["text"] == 'a "quoted" </script>\n'


@pytest.mark.parametrize("options", [
    {"markers": False}, {"lost": 0.3}, {"round_trip": None},
    {"markers": False, "jitter": 0.08, "runs": 9}, {"idle": 0.0, "runs": 5},
    {"markers": False, "idle": 0.0, "runs": 9, "jitter": 0.003, "seconds": (1e-4, 3e-7, 2e-3)},
    {"markers": False, "idle": 0.0, "runs": 5, "meta": device(ticks_per_second=0.8 * TICKS)},
    {"markers": False, "idle": 0.0, "runs": 5, "meta": device(ticks_per_second=1.3 * TICKS)},
    {"meta": device(ticks_per_second=0.8 * TICKS)}, {"meta": device(ticks_per_second=1e-300)},
    {"markers": False, "meta": device(ticks_per_second=1e-11)},
    {"markers": False, "meta": device(bytes_per_second=1e-11)},
    {"markers": False, "meta": device(ticks_per_second=0)},
    {"markers": False, "round_trip": 0.5}], ids=str)
def test_every_slice_of_every_kind_of_recording_is_drawn(tmp_path, options):
    record_run(tmp_path / "r", **options)
    trace = trace_of(tmp_path / "r")
    check(trace)
    assert len(slices(trace, STAGES)) == 3 * options.get("runs", 3)


def record_events(folder, events, meta=None, trip=0.002):
    with Recorder(folder, meta or device()) as recorder:
        channel = recorder.events("device")
        for at, payload in events:
            channel.append(round(at * 1e9), payload)
        recorder.events("clock").append(0, ROUND_TRIP.pack(0, -1, round(trip * 1e9)))


@pytest.mark.parametrize("seed", range(12))
def test_runs_of_which_events_are_missing_are_drawn_beside_whole_ones(tmp_path, seed):
    chance = random.Random(seed)
    events, _ = device_events(20, (0.002, 0.0005, 0.003), chance.choice([0.0, 0.004]),
                              lambda i: chance.choice([0.0, 0.0, 0.02 * chance.random()]))
    kept = [event for event in events if chance.random() > 0.04 * (seed % 4)]
    for _ in range(seed % 3):  # nothing of a run but its begin or its end
        at, number = chance.uniform(0.05, 0.25), chance.choice([b"\x01", b"\x03"])
        kept.append((at, number + bytes(22) if number == b"\x01" else
                     b"\x03" + bytes(len(events[-1][1]) - 1)))
    record_events(tmp_path / "r", sorted(kept, key=lambda event: event[0]),
                  device(ticks_per_second=TICKS * chance.uniform(0.7, 1.4)))
    trace = trace_of(tmp_path / "r")
    check(trace)
    runs = slices(trace, RUNS)
    for stage in slices(trace, STAGES):
        assert any(run["ts"] <= stage["ts"] and stage["ts"] + stage["dur"] <= run["ts"] + run["dur"]
                   for run in runs if run["name"] == f"run {stage['args']['run']}")


def test_a_late_event_moves_its_stage_back_and_leaves_its_duration(tmp_path):
    events, edges = device_events(1, (0.02, 0.05, 0.01), 0.0)
    late = [(at + (0.03 if i == 2 else 0.0), payload) for i, (at, payload) in enumerate(events)]
    record_events(tmp_path / "r", late, trip=0.0)
    with Recording(tmp_path / "r") as recording:
        assert align(recording).stop[1] > align(recording).start[2] + 0.02  # as the events say
    assert [(e["ts"], e["dur"]) for e in slices(trace_of(tmp_path / "r"), STAGES)] == [
        (round(edges[0, i] * 1e6), round(1e6 * s)) for i, s in enumerate((0.02, 0.05, 0.01))]


def test_names_are_short_and_no_two_alike(tmp_path):
    long = "model/block/" * 90
    names = [f"{long}a", f"{long}b", f"{long}a;x", "\x1b[2J\n\u202e", "", "same", "same"]
    record_run(tmp_path / "r", runs=2, seconds=(0.01,) * 7, amperes=(0.01,) * 7, maps=CROSSED,
               meta={"model": {"plan": {"stages": [{"name": name} for name in names]},
                               "maps": [{**one, "name": names[0]} for one in STORED]}},
               rails=("r" * 2000,))
    trace = trace_of(tmp_path / "r")
    check(trace)
    stages = slices(trace, STAGES)
    assert len({e["name"] for e in stages}) == 7
    assert [e["args"]["name"] for e in stages] == names * 2
    assert stages[7]["name"] == "0 …" + names[0][-35:]
    assert len(slices(trace, RUNS)[0]["args"]["bits_per_value"]) == len(STORED)


def test_each_slice_has_the_energy_that_was_measured(tmp_path):
    record_run(tmp_path / "r", rails=("VDD", "kind"))
    trace = trace_of(tmp_path / "r")
    with Recording(tmp_path / "r") as recording:
        rows = {(row.rail, row.stage): row for row in energy_by_stage(recording).rows}
    for track, count in ((STAGES, 3), (RUNS, 1)):
        for number in range(count):
            for rail in ("VDD", "kind"):
                found = [one["args"]["energy"] for one in slices(trace, track)[number::count]]
                assert {(one["kind"], one["by"]) for one in found} == {("measured", "ppk2")}
                row = rows[rail, number if track == STAGES else -1]
                joules = [one["rails"][rail]["J"] for one in found]
                assert np.mean(joules) == pytest.approx(row.value) and row.unit == "J"
                assert 0 < found[0]["rails"][rail]["error"] < 0.1 * row.value


def test_what_no_meter_measured_is_called_modeled(tmp_path):
    record_events(tmp_path / "r", device_events(2, (0.02, 0.05, 0.01), 0.01)[0])
    trace = trace_of(tmp_path / "r")
    for one in (*slices(trace, STAGES), *slices(trace, RUNS)):
        energy = one["args"]["energy"]
        assert (energy["kind"], energy["by"]) == ("modeled", "costs.toml")
        amount, = energy["rails"].values()
        assert amount["J"] > amount["error"] > 0


def test_a_stage_without_a_sample_has_no_energy(tmp_path):
    with Recorder(tmp_path / "r", device()) as recorder:
        meter = recorder.samples("m", [Column("VDD", "amperes", 1e-6)], 1000)
        meter.append([np.full(10, 0.01)], 0, 9_000_000, [])
        channel = recorder.events("device")
        for at, payload in device_events(1, (0.02, 0.05, 0.01), 0.0)[0]:
            channel.append(round(at * 1e9), payload)
    for one in slices(trace_of(tmp_path / "r"), STAGES):
        assert one["args"]["energy"] == {"kind": "measured", "by": "m", "rails": {"VDD": None}}


def test_a_recording_of_next_to_nothing_gives_a_sound_trace(tmp_path):
    with Recorder(tmp_path / "a", {"device": "hostile", "model": [1]}) as recorder:
        recorder.events("device").append(0, UNKNOWN_EVENT)
    check(trace_of(tmp_path / "a"))
    with Recorder(tmp_path / "b"):
        pass
    check(trace_of(tmp_path / "b"))


def test_a_run_without_all_its_events_has_a_slice_and_no_stages(tmp_path):
    record_run(tmp_path / "r", extra=[(0.0, b"\x01" + bytes(22))])
    trace = trace_of(tmp_path / "r")
    check(trace)
    runs = slices(trace, RUNS)
    assert len(runs) == 4 and runs[0]["args"]["status"] == "no end was recorded"
