# SPDX-License-Identifier: Apache-2.0
"""The demo, from a bundled network to the table and the report."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgefm.demo import table as demo
from edgefm.demo.subjects import subjects


@pytest.fixture(autouse=True)
def only_what_is_bundled(need_module: Callable[[str], None],
                         monkeypatch: pytest.MonkeyPatch) -> None:
    """The digits, and no photos of this machine."""
    need_module("sklearn")
    monkeypatch.delenv("EDGEFM_DATA", raising=False)


def test_subjects_are_the_bundled_networks_and_all_held_out_digits(tmp_path: Path) -> None:
    found = subjects(tmp_path)
    assert [one.name for one in found] == ["digits_mobilenet_v2", "digits_squeezenet"]
    assert {len(one.files) for one in found} == {360}


def test_the_first_networks_maps_are_coded(tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    first = subjects(tmp_path)[0]
    run = demo.run(replace(first, files=first.files[:16]), tmp_path)
    assert any(one["codec"] == "context" for one in run["plan"]["maps"])
    assert run["validate"]["external_read_bytes"] < 0.7 * run["plan"]["external_read_bytes"]


def test_photos_join_where_the_folder_is_named(data_dir: Path, tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEFM_DATA", str(data_dir))
    photos = subjects(tmp_path)[2:]
    assert [one.name for one in photos] == ["MobileNetV2 1.0 224", "SqueezeNet 1.1"]
    assert all(one.model.is_file() and len(one.files) == 100 for one in photos)
    assert all(one.options.calib != one.files[0].path.parent for one in photos)


def test_demo_prints_a_table_and_writes_package_and_report(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    small = subjects(tmp_path)[1]
    monkeypatch.setattr(demo, "subjects", lambda folder: (replace(small, files=small.files[:32]),))
    assert demo.main(["--out", str(tmp_path)]) == 0
    header, line, *_ = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "network" and len(header) == len(line)
    name, fast, layers, outside, coded, floating, ours = line.split()[:7]
    assert name == "digits_squeezenet" and int(fast.replace(",", "")) <= small.options.fast
    assert int(coded.replace(",", "")) <= int(outside.replace(",", "")) < int(
        layers.replace(",", ""))
    assert float(floating) > 85 and abs(float(ours) - float(floating)) < 7
    assert (tmp_path / "digits_squeezenet.efm").stat().st_size > 50_000
    page = ElementTree.fromstring((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.findtext("body/h1") == "edgefm demo"


def test_error_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                           capsys: pytest.CaptureFixture[str]) -> None:
    small = subjects(tmp_path)[1]
    starved = replace(small, options=replace(small.options, fast=256))
    monkeypatch.setattr(demo, "subjects", lambda folder: (starved,))
    assert demo.main(["--out", str(tmp_path)]) == 2
    assert "smallest feasible" in capsys.readouterr().err.splitlines()[-1]
