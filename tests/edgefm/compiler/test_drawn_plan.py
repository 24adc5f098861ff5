# SPDX-License-Identifier: Apache-2.0
"""The pictures of a plan show what crosses: measured on calibration files, or as expected."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from networks import small_classifier

from edgefm.compiler.drawn_plan import drawn_plan, measured_maps
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.exporters.tflite import export_tflite

OPTIONS = CompileOptions(pictures=False, cut="ops", codec="rle")


def compiled(folder: Path, options: CompileOptions = OPTIONS):
    graph = small_classifier()
    (folder / "net.tflite").write_bytes(export_tflite(graph))
    shape = graph.tensors[graph.inputs[0]].shape
    (folder / "calib").mkdir()
    for seed in range(3):
        values = np.random.default_rng(seed).integers(-128, 128, shape, np.int8)
        np.save(folder / "calib" / f"{seed}.npy", values)
    return compile_model(folder / "net.tflite", options)


def test_coded_maps_are_measured_where_there_are_files_and_expected_elsewhere(
        tmp_path: Path) -> None:
    made = compiled(tmp_path)
    measured, files = measured_maps(made, tmp_path / "calib")
    assert files == 3 and [one.name for one in measured] == [m.name for m in made.plan.maps]
    drawn = drawn_plan(made.package, made.plan.to_json(), "net", measured, files)
    for crossing, one, stored in zip(drawn.crossings, measured, made.plan.maps, strict=True):
        each = (one.write_bytes + one.read_bytes) / one.transfers
        assert crossing.coded == (each if stored.codec != "raw" else stored.bytes)
    assert drawn.coded_from == "measured on 3 calibration files"
    expected = drawn_plan(made.package, made.plan.to_json(), "net")
    assert "expected, 60 % of raw" in expected.coded_from
    assert {round(c.coded / m.bytes, 6) for c, m in zip(expected.crossings, made.plan.maps,
                                                        strict=True) if m.codec != "raw"} == {0.6}


def test_raw_maps_are_not_measured(tmp_path: Path) -> None:
    made = compiled(tmp_path, replace(OPTIONS, codec=None))
    assert measured_maps(made, tmp_path / "calib") == ((), 0)
    assert all(crossing.coded == stored.bytes for crossing, stored in zip(
        drawn_plan(made.package, made.plan.to_json()).crossings, made.plan.maps, strict=True))
