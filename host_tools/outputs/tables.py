# SPDX-License-Identifier: Apache-2.0
"""A recording as CSV files: samples of each meter, events, stages with bytes and energy."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, fields
from pathlib import Path

import numpy as np

from edgefm.files.write import make_folder, writing_text
from edgefm.package.traffic import MapTraffic, traffic
from host_tools.link.events import Counted
from host_tools.measurement.about import recorded_maps, stage_names
from host_tools.measurement.align import align
from host_tools.measurement.energy import energy_by_stage
from host_tools.measurement.runs import read_runs
from host_tools.recording.channels import SampleChannel
from host_tools.recording.reader import Recording

UNITS = {"volts": "V", "amperes": "A", "watts": "W", "digital": "bits"}
FOREVER = float("inf")
FORMULA = tuple("=+-@\t\r\n")  # what a cell begins with that spreadsheets calculate


def write_tables(recording: Recording, folder: Path, start: float = -FOREVER,
                 stop: float = FOREVER) -> list[Path]:
    """Write CSV files into a folder, samples from `start` to `stop` (s); gives what was written.

    `samples-N.csv` for the Nth meter: a row per sample that is there, none for one that is not.
    """
    make_folder(folder)
    written = []
    for number, channel in enumerate(recording.samples.values()):
        path = folder / f"samples-{number}-{_plain(channel.name)}.csv"
        _write_samples(channel, path, start, stop)
        written.append(path)
    tables = {"events.csv": (("time_s", "channel", "missed_before", "payload_hex"),
                             _events(recording, start, stop)),
              "stages.csv": (STAGE_HEAD, _stages(recording)),
              "maps.csv": (MAP_HEAD, _maps(recording)),
              "energy.csv": (ENERGY_HEAD, _energy(recording))}
    for name, (head, rows) in tables.items():
        path = folder / name
        with writing_text(path, newline="") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            writer.writerows(rows)
        written.append(path)
    return written


def _write_samples(channel: SampleChannel, path: Path, start: float, stop: float) -> None:
    names = [_cell(f"{c.rail} {UNITS[c.quantity]}") for c in channel.columns]
    shapes = ["%d" if c.quantity == "digital" else "%.9g" for c in channel.columns]
    with writing_text(path, newline="") as file:
        csv.writer(file).writerow(["time_s", "sample", *names])
        for piece in channel.chunks(start, stop):
            table = np.column_stack([piece.times, piece.index, *piece.values])
            np.savetxt(file, table, fmt=["%.9f", "%d", *shapes], delimiter=",", newline="\r\n")


def _events(recording: Recording, start: float, stop: float) -> Iterator[Sequence[object]]:
    for name, channel in recording.events.items():
        for event in channel.read(start, stop):
            yield f"{event.time:.9f}", _cell(name), event.missed, event.payload.hex()


STAGE_HEAD = ("run", "stage", "name", "start_s", "stop_s", "alignment", "alignment_error_s",
              "ticks", *(field.name for field in fields(Counted)))


def _stages(recording: Recording) -> Iterator[Sequence[object]]:
    """Every stage of every whole run: when, and what it moved."""
    device = recording.events.get("device")
    if device is None:
        return
    stages = align(recording, next(iter(recording.samples.values()), None))
    names, at = stage_names(recording.meta), 0
    for run in read_runs(device):
        for i in range(len(run.stages) - 1):
            moved = run.stages[i + 1].counted.since(run.stages[i].counted)
            yield (run.number, i, _cell(names[i]) if i < len(names) else "",
                   f"{stages.start[at]:.9f}", f"{stages.stop[at]:.9f}", stages.alignment.method,
                   stages.alignment.error, run.stages[i + 1].ticks - run.stages[i].ticks,
                   *asdict(moved).values())
            at += 1


MAP_HEAD = ("run", "map", *(field.name for field in fields(MapTraffic)))


def _maps(recording: Recording) -> Iterator[Sequence[object]]:
    """What crossed for each stored map in every run that counted map by map."""
    device, maps = recording.events.get("device"), recorded_maps(recording.meta)
    for run in read_runs(device) if device else ():
        for number, one in enumerate(traffic(maps, [run.maps] if run.maps is not None else [])):
            yield run.number, number, *map(_cell, astuple(one))


ENERGY_HEAD = ("meter", "rail", "stage", "name", "unit", "value", "error", "alignment_error",
               "noise_error", "gap_error", "seconds", "missing_seconds", "runs", "alignment",
               "alignment_error_s")


def _energy(recording: Recording) -> Iterator[Sequence[object]]:
    """Measured energy per stage; stage -1 is the whole run."""
    names = stage_names(recording.meta)
    for meter in recording.samples:
        table = energy_by_stage(recording, meter)
        for row in table.rows if table else ():
            name = names[row.stage] if 0 <= row.stage < len(names) else ""
            yield (_cell(meter), _cell(row.rail), row.stage,
                   _cell(name) or ("whole run" if row.stage < 0 else ""), row.unit, row.value,
                   row.error, row.alignment_error, row.noise_error, row.gap_error, row.seconds,
                   row.missing_seconds, row.runs,
                   table.alignment.method if table else "", table.alignment.error if table else 0)


def _cell(value: object) -> object:
    """A name as a cell that a spreadsheet takes for text; with `=`, say, it would calculate it."""
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA else value


def _plain(name: str) -> str:
    """A name that is safe in a file's name."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:40] or "meter"
