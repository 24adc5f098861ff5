# SPDX-License-Identifier: Apache-2.0
"""What the page is told about a recording, also while it grows."""

import json

import numpy as np
import pytest
from recorded import TICKS, UNKNOWN_EVENT, device_events, record_run

from host_tools.outputs.monitor.follow import MOST_BUCKETS, Follower
from host_tools.recording import Column, Recorder, Recording


@pytest.fixture
def follower(tmp_path):
    record_run(tmp_path / "r", lost=0.01)
    with Recording(tmp_path / "r") as recording:
        yield Follower(recording)


def test_the_state_has_the_last_runs_figures(follower):
    state = follower.look()
    json.dumps(state, allow_nan=False)
    assert (state["runs"], state["failed"], state["board"]) == (3, 0, "sim <b>")
    assert state["last"]["number"] == 3
    assert [stage["name"] for stage in state["last"]["stages"]] == ["conv <1>", "dw & 2", "head"]
    assert state["last"]["stages"][1]["seconds"] == pytest.approx(0.05, abs=2e-6)
    assert state["last"]["total"]["external_read_bytes"] == 3000
    assert state["meters"][0]["lost"] > 0


def test_power_has_the_stages_and_no_value_where_nothing_was_measured(follower):
    follower.look()
    shown = follower.power(-1.0, 0.4, 700)
    json.dumps(shown, allow_nan=False)
    rail = shown["rails"][0]
    assert rail["mean"][0] is None
    assert max(v for v in rail["high"] if v) == pytest.approx(0.03 * 3.3, rel=1e-3)
    assert len(shown["bands"]) == 9
    assert len(shown["gaps"]) > 5


def test_no_answer_has_more_buckets_than_can_be_drawn(follower):
    assert len(follower.power(0.0, 0.4, 10 ** 9)["rails"][0]["mean"]) <= MOST_BUCKETS


def test_a_growing_recording_is_read_once_and_goes_on_after_a_reset(tmp_path):
    meta = {"device": {"unit": "us", "ticks_per_second": TICKS}}
    with Recorder(tmp_path / "r", meta) as recorder:
        device = recorder.events("device")
        meter = recorder.samples("m", [Column("V", "watts", 1e-3)], 1000)
        with Recording(tmp_path / "r") as recording:
            follower = Follower(recording)
            assert follower.look()["last"] is None
            for begin, first in ((0.1, 1), (1.1, 1)):  # the second time the device restarted
                found, _ = device_events(2, (0.02, 0.01), 0.05, begin=begin, first=first)
                for at, payload in found:
                    device.append(round(at * 1e9), payload)
                meter.append([np.full(100, 5)], round(begin * 1e9), round((begin + 0.099) * 1e9))
                recorder.flush()
                state = follower.look()
                assert state["growing"]
                assert state["runs"] == (2 if begin < 1 else 4)
                assert follower.look()["version"] == state["version"]
            assert state["now"][0]["mean"] == pytest.approx(5)
    assert state["span"][1] > 1.1


def test_a_hostile_recording_is_plain_data_too(tmp_path):
    with Recorder(tmp_path / "a", {"device": "hostile", "model": [1]}) as recorder:
        recorder.events("device").append(0, UNKNOWN_EVENT)
    with Recording(tmp_path / "a") as recording:
        state = Follower(recording).look()
    json.dumps(state, allow_nan=False)
    assert (state["board"], state["unit"], state["last"]) == ("", "ticks", None)
