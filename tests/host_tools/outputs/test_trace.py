# SPDX-License-Identifier: Apache-2.0
"""The trace is what Chrome's format asks for, and says what was recorded."""

import io
import json

import pytest
from recorded import UNKNOWN_EVENT, record_run

from host_tools.outputs.trace import write_trace
from host_tools.recording import Recorder, Recording

NUMBER = (int, float)
ARGS = {"args": dict}
SCHEMA = {  # what ui.perfetto.dev needs of each phase; nothing else may be there
    "X": {"name": str, "ts": NUMBER, "dur": NUMBER, "pid": int, "tid": int, **ARGS},
    "C": {"name": str, "ts": NUMBER, "pid": int, **ARGS},
    "M": {"name": str, "pid": int, "tid": int, **ARGS},
    "i": {"name": str, "ts": NUMBER, "pid": int, "tid": int, "s": str},
}


def trace_of(folder, **options):
    with Recording(folder) as recording:
        file = io.StringIO()
        count = write_trace(recording, file, **options)
    trace = json.loads(file.getvalue(), parse_constant=lambda name: pytest.fail(name))
    assert len(trace["traceEvents"]) == count
    return trace


def check(trace):
    """Against the schema; slices of a thread do not overlap, counters are numbers."""
    assert set(trace) == {"displayTimeUnit", "otherData", "traceEvents"}
    ends = {}
    for event in trace["traceEvents"]:
        fields = SCHEMA[event["ph"]]
        assert set(event) == {"ph", *fields}
        assert all(isinstance(event[key], kind) for key, kind in fields.items())
        if event["ph"] == "X":
            thread = event["pid"], event["tid"]
            assert event["dur"] >= 0 and event["ts"] >= ends.get(thread, -1e18) - 1e-3
            ends[thread] = event["ts"] + event["dur"]
        if event["ph"] == "C":
            assert event["args"] and all(isinstance(v, NUMBER) for v in event["args"].values())
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name") and event["args"]["name"]


def test_stages_are_slices_and_power_and_bytes_are_counters(tmp_path):
    edges, _ = record_run(tmp_path / "r", extra=[(0.05, b'\x04a "quoted" </script>\n')])
    trace = trace_of(tmp_path / "r", points=500)
    check(trace)
    events = trace["traceEvents"]
    stages = [e for e in events if e["ph"] == "X" and e["tid"] == 2]
    assert [e["name"] for e in stages] == ["conv <1>", "dw & 2", "head"] * 3
    assert stages[4]["ts"] == pytest.approx(edges[1, 1] * 1e6, abs=60)
    assert stages[4]["dur"] == pytest.approx(0.05e6, abs=120)
    assert stages[4]["args"]["weight_read_bytes"] == 4000
    assert stages[4]["args"]["alignment_error_s"] > 0
    assert len([e for e in events if e["ph"] == "X" and e["tid"] == 1]) == 3
    power = [e for e in events if e["ph"] == "C" and e["name"] == "VDD (W)"]
    assert 300 < len(power) <= 500
    assert max(e["args"]["high"] for e in power) == pytest.approx(0.03 * 3.3, rel=1e-3)
    moved = [e["args"]["external_read"] for e in events if e["name"] == "bytes per second"]
    assert moved[0] == pytest.approx(1000 / 0.02, rel=0.01) and moved[3] == 0
    assert [e["name"] for e in events if e["ph"] == "i"] == ['a "quoted" </script>\n']


@pytest.mark.parametrize("options", [{"markers": False}, {"lost": 0.3}, {"round_trip": None}],
                         ids=str)
def test_every_kind_of_recording_gives_a_sound_trace(tmp_path, options):
    record_run(tmp_path / "r", **options)
    check(trace_of(tmp_path / "r"))


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
    runs = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["tid"] == 1]
    assert len(runs) == 4
