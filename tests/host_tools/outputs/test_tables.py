# SPDX-License-Identifier: Apache-2.0
"""The CSV files hold what was recorded, and nothing that was not."""

import csv

import pytest
from recorded import BITS, CROSSED, PLAN, STORED, record_run

from host_tools.outputs.tables import write_tables
from host_tools.recording import Recording


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tables_hold_samples_events_stages_and_energy(tmp_path):
    edges, charge = record_run(tmp_path / "r", lost=0.001)
    with Recording(tmp_path / "r") as recording:
        meter = recording.samples["ppk2"]
        written = write_tables(recording, tmp_path / "csv")
        assert [path.name for path in written] == ["samples-0-ppk2.csv", "events.csv",
                                                   "stages.csv", "maps.csv", "energy.csv"]
        samples = rows_of(written[0])
        assert len(samples) == meter.count
        numbers = [int(row["sample"]) for row in samples]
        assert numbers[-1] - numbers[0] + 1 == meter.count + meter.lost
        assert float(samples[-1]["VDD W"]) == pytest.approx(0.001 * 3.3, rel=1e-3)
        assert len(rows_of(written[1])) == 3 * 6 + 3
    stages = rows_of(written[2])
    assert [row["name"] for row in stages] == ["conv <1>", "dw & 2", "head"] * 3
    assert float(stages[3]["start_s"]) == pytest.approx(edges[1, 0], abs=1e-4)
    assert stages[0]["alignment"] == "markers" and float(stages[0]["alignment_error_s"]) > 0
    assert rows_of(written[3]) == []  # an older recording
    energy = rows_of(written[4])
    assert [row["name"] for row in energy] == ["whole run", "conv <1>", "dw & 2", "head"]
    assert float(energy[1]["value"]) == pytest.approx(charge[0] * 3.3, rel=0.02)


def test_what_crossed_for_each_map_is_written_run_by_run(tmp_path):
    record_run(tmp_path / "r", maps=CROSSED,
               meta={"model": {"name": "net", "plan": {**PLAN, "maps": STORED}}})
    with Recording(tmp_path / "r") as recording:
        write_tables(recording, tmp_path / "csv")
    rows = rows_of(tmp_path / "csv" / "maps.csv")
    assert [row["run"] for row in rows] == ["1", "1", "1", "2", "2", "2", "3", "3", "3"]
    assert [row["name"] for row in rows[:3]] == [one["name"] for one in STORED]
    assert tuple(float(row["bits_per_value"]) for row in rows[3:6]) == BITS
    assert rows[2]["capped_rows"] == "3.0" and rows[0]["write_bytes"] == "400.0"


def test_a_part_of_the_samples_is_written(tmp_path):
    record_run(tmp_path / "r")
    with Recording(tmp_path / "r") as recording:
        samples = rows_of(write_tables(recording, tmp_path / "csv", 0.1, 0.15)[0])
    assert len(samples) == 500
    assert all(0.1 <= float(row["time_s"]) < 0.15 for row in samples)


def test_a_meters_name_is_no_path(tmp_path):
    from host_tools.recording import Column, Recorder

    with Recorder(tmp_path / "r") as recorder:
        recorder.samples("../../x", [Column("VDD", "watts")], 10).append([[1.0]], 0, 0)
    with Recording(tmp_path / "r") as recording:
        assert write_tables(recording, tmp_path / "csv")[0].name == "samples-0-_x.csv"
