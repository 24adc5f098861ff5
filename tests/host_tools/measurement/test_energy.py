# SPDX-License-Identifier: Apache-2.0
"""Known charge per stage comes back as energy, with an error that holds, by markers and by link."""

import numpy as np
import pytest
from recorded import UNKNOWN_EVENT, device_events, record_run

from host_tools.measurement.align import align, find_edges, round_trip
from host_tools.measurement.energy import energy_by_stage, integrate
from host_tools.measurement.runs import count_unknown, read_logs, read_runs
from host_tools.recording import Column, Recorder, Recording


def test_runs_are_put_together_from_events(tmp_path):
    record_run(tmp_path / "r", extra=[(0.0, UNKNOWN_EVENT), (0.05, b"\x04boot <ok>")])
    with Recording(tmp_path / "r") as recording:
        device = recording.events["device"]
        runs = list(read_runs(device))
        assert [run.number for run in runs] == [1, 2, 3]
        assert [len(run.stages) for run in runs] == [4, 4, 4]
        assert runs[0].end.fast_high_water == 60_000 and runs[0].end.coded_rows == 12
        assert runs[0].stages[2].counted.since(runs[0].stages[1].counted).weight_read_bytes == 4000
        assert count_unknown(device) == 1
        assert list(read_logs(device)) == [(0.05, "boot <ok>")]


@pytest.mark.parametrize("missing", range(6))
def test_a_run_with_a_missing_event_has_no_stages(tmp_path, missing):
    events, _ = device_events(2, [0.01, 0.02, 0.03], 0.01)
    del events[missing]
    with Recorder(tmp_path) as recorder:
        device = recorder.events("device")
        for at, payload in events:
            device.append(round(at * 1e9), payload)
    with Recording(tmp_path) as recording:
        runs = list(read_runs(recording.events["device"]))
        whole = [run for run in runs if run.stages]
        assert [run.number for run in whole] in ([2], [1, 2] if missing == 5 else [2])


def test_markers_align_to_half_a_sample(tmp_path):
    edges, _ = record_run(tmp_path / "r", latency=0.004, round_trip=0.01)
    with Recording(tmp_path / "r") as recording:
        meter = recording.samples["ppk2"]
        stages = align(recording, meter)
        assert stages.alignment.method == "markers"
        assert stages.alignment.error == pytest.approx(0.5e-4)
        error = np.abs(stages.start - edges[:, :-1].ravel()).max()
        assert error <= stages.alignment.error + 1e-9
        assert len(find_edges(meter, 3, 0)) == edges.size


def test_the_link_aligns_within_its_error(tmp_path):
    edges, _ = record_run(tmp_path / "r", markers=False, latency=0.003, round_trip=0.004,
                          jitter=0.0005)
    with Recording(tmp_path / "r") as recording:
        stages = align(recording, recording.samples["ppk2"])
        assert round_trip(recording) == pytest.approx(0.004)
        assert stages.alignment.method == "link"
        assert "round trip 4 ms" in stages.alignment.why
        assert 0.002 <= stages.alignment.error < 0.003
        assert np.abs(stages.start - edges[:, :-1].ravel()).max() <= stages.alignment.error
        np.testing.assert_allclose(stages.stop - stages.start,
                                   np.diff(edges, axis=1).ravel(), atol=2e-6)


def test_without_a_measured_round_trip_the_error_says_so(tmp_path):
    record_run(tmp_path / "r", markers=False, round_trip=None)
    with Recording(tmp_path / "r") as recording:
        alignment = align(recording).alignment
        assert alignment.error >= 0.01 and "no round trip was measured" in alignment.why


def test_a_missing_edge_falls_back_to_the_link(tmp_path):
    record_run(tmp_path / "r", lost=0.4)
    with Recording(tmp_path / "r") as recording:
        meter = recording.samples["ppk2"]
        assert align(recording, meter, bit=5).alignment.method == "link"


def test_ticks_that_are_no_time_take_the_arrivals(tmp_path):
    edges, _ = record_run(tmp_path / "r", markers=False, meta={"device": {"ticks_per_second": 0}})
    with Recording(tmp_path / "r") as recording:
        stages = align(recording)
        np.testing.assert_allclose(stages.stop - stages.start, np.diff(edges, axis=1).ravel(),
                                   atol=1e-9)


@pytest.mark.parametrize("options", [
    {}, {"noise": 2e-4}, {"lost": 0.001}, {"lost": 0.05}, {"rate": 100_000, "noise": 1e-3},
    {"rails": ("VDD", "DDR")}], ids=str)
def test_known_energy_is_measured_within_a_percent_by_markers(tmp_path, options):
    _, charge = record_run(tmp_path / "r", **options)
    with Recording(tmp_path / "r") as recording:
        table = energy_by_stage(recording)
    assert table.alignment.method == "markers" or options.get("lost") == 0.05
    for row in table.rows:
        if row.stage >= 0:
            true = charge[row.stage] * 3.3
            assert row.value + row.gap_error == pytest.approx(true, rel=0.012)
            assert abs(row.value - true) <= 3 * row.error
            assert row.unit == "J" and row.runs == 3
    total = next(row for row in table.rows if row.stage == -1)
    assert total.value + total.gap_error == pytest.approx(sum(charge) * 3.3, rel=0.01)
    assert {row.rail for row in table.rows} == set(options.get("rails", ("VDD",)))


@pytest.mark.parametrize("markers", [True, False])
def test_what_the_device_spends_on_saying_so_belongs_to_no_stage(tmp_path, markers):
    edges, charge = record_run(tmp_path / "r", saying=0.007, markers=markers, latency=0.0005,
                               round_trip=0.001)
    with Recording(tmp_path / "r") as recording:
        stages = align(recording, recording.samples["ppk2"])
        np.testing.assert_allclose(stages.start, edges[:, :-1].ravel() + 0.007,
                                   atol=stages.alignment.error + 2e-6)
        for row in energy_by_stage(recording).rows:
            if row.stage >= 0:
                assert abs(row.value - charge[row.stage] * 3.3) <= row.error
                assert row.error < 0.1 * row.value


def test_known_energy_is_within_its_error_by_link(tmp_path):
    _, charge = record_run(tmp_path / "r", markers=False, latency=0.003, round_trip=0.004)
    with Recording(tmp_path / "r") as recording:
        for row in energy_by_stage(recording).rows:
            if row.stage >= 0:
                assert abs(row.value - charge[row.stage] * 3.3) <= row.error
                assert row.alignment_error > 0


def test_gaps_are_not_filled_but_in_the_error(tmp_path):
    _, charge = record_run(tmp_path / "r", lost=0.2)
    with Recording(tmp_path / "r") as recording:
        row = energy_by_stage(recording).rows[1]
        assert row.value < 0.9 * charge[0] * 3.3
        assert row.gap_error > 0.1 * charge[0] * 3.3 and row.missing_seconds > 0.001


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_samples_beside_a_gap_stand_for_half_a_distance_only(tmp_path, size):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("m", [Column("VDD", "watts", 1e-9)], 1000)
        for first, watts in ((0, 1.0), (150, 3.0)):
            for at in range(first, first + 100, size):
                part = np.full(min(size, first + 100 - at), watts)
                meter.append([part], at * 10**6, (at + len(part) - 1) * 10**6)
                meter.flush()
            meter.lose(50)
    with Recording(tmp_path) as recording:
        found = integrate(recording.samples["m"], 0, np.array([-1.0, 0.0, 0.12]),
                          np.array([1.0, 0.12, 0.16]))
    np.testing.assert_allclose(found.value, [0.4, 0.0995, 0.0315], atol=1e-9)
    np.testing.assert_allclose(found.covered, [0.2, 0.0995, 0.0105], atol=1e-9)


def test_a_meter_without_volts_gives_charge(tmp_path):
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("m", [Column("VDD", "amperes", 1e-9)], 1000)
        meter.append([np.full(1000, 0.01)], 0, 999_000_000)
        events, _ = device_events(1, [0.2, 0.3], 0.1)
        device = recorder.events("device")
        for at, payload in events:
            device.append(round(at * 1e9), payload)
    with Recording(tmp_path) as recording:
        rows = energy_by_stage(recording).rows
        assert [(row.stage, row.unit) for row in rows] == [(-1, "C"), (0, "C"), (1, "C")]
        assert rows[0].value == pytest.approx(0.005, rel=0.01)


def test_nothing_to_measure_is_no_table(tmp_path):
    with Recorder(tmp_path / "a") as recorder:
        recorder.events("device").append(0, b"\x04hello")
    with Recording(tmp_path / "a") as recording:
        assert energy_by_stage(recording) is None
        assert align(recording).alignment.method == "none"


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_integrals_do_not_depend_on_chunks(tmp_path, size):
    values = np.random.default_rng(0).random(1000)
    with Recorder(tmp_path) as recorder:
        meter = recorder.samples("m", [Column("VDD", "watts", 1e-9)], 1000)
        for at in range(0, 1000, size):
            part = values[at:at + size]
            meter.append([part], at * 10**6, (at + len(part) - 1) * 10**6)
            meter.flush()
    with Recording(tmp_path) as recording:
        channel = recording.samples["m"]
        starts, stops = np.array([-1.0, 0.1, 0.2005, 0.3]), np.array([9.0, 0.2, 0.2015, 0.3])
        found = integrate(channel, 0, starts, stops)
    assert found.value[0] == pytest.approx(values.sum() / 1000)
    assert found.covered[0] == pytest.approx(1.0)
    assert found.value[1] == pytest.approx(
        (values[100] / 2 + values[101:200].sum() + values[200] / 2) / 1000)
    assert found.value[2] == pytest.approx(values[201] / 1000)
    assert found.value[3] == 0
    assert found.noise[0] == pytest.approx(1 / 12, rel=0.2)
