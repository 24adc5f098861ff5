# SPDX-License-Identifier: Apache-2.0
"""A recording's figures are those that were put into it."""

import json

import pytest
from recorded import BITS, CROSSED, PLAN, STORED, TICKS, UNKNOWN_EVENT, map_events, record_run

from edgefm.errors import BadInput
from host_tools.measurement.summary import read_validation, summarize, validation_for
from host_tools.recording import Recorder, Recording

PLANNED = {**PLAN, "external_read_bytes": 6000, "external_write_bytes": 3000, "stages": [
    {**stage, "external_read_bytes": 2000, "external_write_bytes": 1000, "fast_bytes": 5000 + i}
    for i, stage in enumerate(PLAN["stages"])]}


def summary_of(folder, **options):
    with Recording(folder) as recording:
        return summarize(recording, **options)


def test_time_bytes_and_memory_per_stage_and_in_all(tmp_path):
    record_run(tmp_path / "r", meta={"model": {"name": "net", "plan": PLANNED}})
    found = summary_of(tmp_path / "r")
    assert (found.runs, found.failed, found.missed) == (3, 0, 0)
    assert [stage.name for stage in found.stages] == ["conv <1>", "dw & 2", "head"]
    assert [stage.ticks.value for stage in found.stages] == pytest.approx(
        [0.02 * TICKS, 0.05 * TICKS, 0.01 * TICKS], abs=2)
    assert found.stages[1].seconds == pytest.approx(0.05, abs=2e-6)
    assert found.stages[1].moved["external_read_bytes"] == 1000
    assert (found.stages[1].raw_read, found.stages[1].fast_bytes) == (2000, 5001)
    assert (found.total.raw_read, found.total.moved["external_read_bytes"]) == (6000, 3000)
    assert (found.high_water, found.unit) == (60_000, "us")
    assert found.bits_per_value == 4.0
    assert found.outputs == ("22" * 32,)


WITH_MAPS = {"model": {"name": "net", "plan": {**PLANNED, "maps": STORED}}}


def test_every_stored_map_has_its_figures(tmp_path):
    record_run(tmp_path / "r", meta=WITH_MAPS, maps=CROSSED)
    found = summary_of(tmp_path / "r")
    assert [one.name for one in found.maps] == [one["name"] for one in STORED]
    assert tuple(one.bits_per_value for one in found.maps) == BITS
    assert [one.transfers for one in found.maps] == [3, 2, 2]
    assert [one.pooled for one in found.maps] == [False, False, True]
    assert (found.maps[0].raw_rows, found.maps[2].capped_rows) == (2, 3)
    assert found.maps[2].largest_shift == 2 and found.no_maps == ""
    coded = (1200 + 150, 2400 + 400)
    assert found.bits_per_value == pytest.approx(8 * coded[0] / coded[1])


def test_what_the_host_says_of_maps_goes_before_the_plan(tmp_path):
    """Values of a row: of the plan there are only its bytes."""
    said = [{**one, "values": one["row_bytes"] // 4} for one in STORED]
    meta = {"model": {**WITH_MAPS["model"], "maps": said}}
    record_run(tmp_path / "r", meta=meta, maps=CROSSED)
    assert tuple(one.bits_per_value for one in summary_of(tmp_path / "r").maps) == (16, 32,
                                                                                      pytest.approx(
        8 * 150 / (8 * 12)))


@pytest.mark.parametrize(("counts", "text"), [
    (True, "no room"), (False, "does not count them"), (None, "before they were counted")])
def test_a_recording_without_figures_of_maps_says_why(tmp_path, counts, text):
    said = {} if counts is None else {"counts_maps": counts}
    record_run(tmp_path / "r", meta={**WITH_MAPS, "device": said})
    found = summary_of(tmp_path / "r")
    assert found.maps == () and text in found.no_maps


def test_runs_that_lack_an_event_of_maps_count_for_all_but_maps(tmp_path):
    """Events of the second half of the maps only, of another run, and of too many maps."""
    half, other = map_events(1, CROSSED)[1:], map_events(9, CROSSED)
    for extra, maps in ((half, ()), (other, ()), (map_events(1, CROSSED[:1]), ())):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        record_run(folder, meta=WITH_MAPS, maps=maps, extra=[(0.11, one) for one in extra])
        found = summary_of(folder)
        assert (found.runs, found.maps) == (3, ())


def test_hostile_descriptions_of_maps_are_read_with_care(tmp_path):
    maps = [{"name": 7, "rows": -3, "row_bytes": "x", "values": float("nan")}, "x", None]
    record_run(tmp_path / "r", meta={"model": {"plan": {"maps": maps}}}, maps=CROSSED)
    found = summary_of(tmp_path / "r")
    assert [one.name for one in found.maps] == ["7", "–", "–"]
    assert {one.bits_per_value for one in found.maps} == {None}


def test_measured_energy_is_the_charge_times_the_voltage(tmp_path):
    _, charges = record_run(tmp_path / "r", rate=100_000)
    found = summary_of(tmp_path / "r")
    assert (found.energy_kind, found.energy_source) == ("measured", "ppk2")
    for stage, charge in zip(found.stages, charges, strict=True):
        assert stage.energy[0].amount.value == pytest.approx(3.3 * charge, rel=0.01)
    assert found.total.energy[0].amount.value == pytest.approx(3.3 * sum(charges), rel=0.01)


def test_without_a_meter_energy_is_called_modeled(tmp_path):
    record_run(tmp_path / "r")
    (tmp_path / "r" / "0.samples").unlink()
    found = summary_of(tmp_path / "r")
    assert found.energy_kind == "modeled"
    assert found.total.energy[0].amount.value > found.stages[0].energy[0].amount.value > 0


def test_a_recording_without_a_whole_run_has_no_stages(tmp_path):
    with Recorder(tmp_path / "a", {"device": "hostile", "model": [1]}) as recorder:
        recorder.events("device").append(0, UNKNOWN_EVENT)
    found = summary_of(tmp_path / "a")
    assert (found.runs, found.stages, found.total, found.unit) == (0, (), None, "ticks")


def test_numbers_of_a_hostile_description_are_left_out(tmp_path):
    stages = [{"name": 7, "fast_bytes": "many", "external_read_bytes": float("inf")}, "x"]
    record_run(tmp_path / "r", meta={"model": {"plan": {"macs": -1e300, "stages": stages}},
                                     "device": {"ticks_per_second": "no", "unit": "<b>"}})
    found = summary_of(tmp_path / "r")
    assert found.unit == "ticks"
    assert (found.stages[0].fast_bytes, found.stages[0].raw_read) == (None, None)
    assert (found.stages[0].name, found.stages[2].name) == ("7", "stage 2")


def test_an_unknown_meter_is_named(tmp_path):
    record_run(tmp_path / "r")
    with pytest.raises(BadInput, match="no meter 'x'; it has ppk2"):
        summary_of(tmp_path / "r", meter="x")


def test_the_validation_of_the_same_plan_goes_before_that_of_the_network(tmp_path):
    record_run(tmp_path / "r", meta={"model": {"model_sha256": "m", "plan_sha256": "p"}})
    given = [{"model_sha256": "m", "plan_sha256": "q", "n": 1},
             {"model_sha256": "m", "plan_sha256": "p", "n": 2}, {"model_sha256": "x", "n": 3}]
    with Recording(tmp_path / "r") as recording:
        assert validation_for(recording, given)["n"] == 2
        assert validation_for(recording, given[:1])["n"] == 1
        assert validation_for(recording, given[2:]) is None


@pytest.mark.parametrize("text", ["", "[1]", "{}", json.dumps({"n": 3})])
def test_another_file_is_no_validation(tmp_path, text):
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(BadInput, match=r"v\.json"):
        read_validation(tmp_path / "v.json")
