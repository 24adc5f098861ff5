# SPDX-License-Identifier: Apache-2.0
"""Run a device verb; record the device's events and a power meter's samples."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO

from edgefm.console.names import stage_labels
from edgefm.console.terminal import complain, say
from edgefm.errors import BadInput
from host_tools.cli.arguments import add_output, check_outputs
from host_tools.cli.board import on_device
from host_tools.cli.device import device_of
from host_tools.cli.output import print_table
from host_tools.cli.parsing import parse
from host_tools.measurement.about import stage_names
from host_tools.measurement.costs import load_costs, modeled
from host_tools.measurement.energy import EnergyTable, energy_by_stage
from host_tools.measurement.record import RunRecorder, check_target
from host_tools.measurement.runs import RecordedRun, read_runs
from host_tools.outputs.report.words import amount
from host_tools.power.meters import open_meter
from host_tools.recording import Recording

RECORDED = ("run", "profile")

EXAMPLE = "edgefm record -o run1/ -- run :net.efm cat.jpg --repeat 20"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `record`."""
    add_output(parser, "-o", "--output", check=check_recording, required=True, metavar="RUN",
               help="the recording to write: a new folder, or a new .zip")
    parser.add_argument("--meter", default="auto", metavar="KIND[:WHERE][,key=value…]",
                        help="power meter: auto (default: the connected one), none, or a kind of "
                             "docs/POWER.md")
    parser.add_argument("--costs", type=Path, metavar="FILE",
                        help="joules per byte and operation (TOML), used without a meter "
                             "(default: published costs)")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- run :net.efm INPUT …",
                        help="the device verb, with its own options")


def run(arguments: argparse.Namespace) -> None:
    """Record while the verb runs, then print a summary and the energy of each stage."""
    inner, name, words = inner_verb(arguments, "record")
    device = device_of(arguments.board)
    outline = device.outline(name)
    meter = open_meter(arguments.meter)
    meta = {"run": {"command": shlex.join(words)}}
    with RunRecorder(arguments.output, meta, meter, complain) as recorder:
        recorder.describe_model(outline.info, device.sha256(name))
        recorder.watch(device)
        try:
            inner.run(inner)
        finally:
            device.watch(None)
        recorder.measure_link(device)
    _summary(arguments, recorder, sys.stderr if getattr(inner, "json", False) else sys.stdout)


def check_recording(path: Path, inputs: Sequence[Path]) -> None:
    """Check the place of a new recording. Raises BadInput."""
    check_target(path, inputs)


def inner_verb(arguments: argparse.Namespace, outer: str
               ) -> tuple[argparse.Namespace, str, list[str]]:
    """The verb that `outer` runs on the device, its package there, and its words."""
    words = [word for at, word in enumerate(arguments.command) if at or word != "--"]
    if not words or words[0] not in RECORDED:
        raise BadInput(f"{outer}: expected -- {' or '.join(RECORDED)} :net.efm …, got "
                       f"{shlex.join(words) or 'nothing'}")
    inner = parse(words)
    check_outputs(inner)
    inner.board = arguments.board
    name = on_device(inner.net)
    if not name:
        raise BadInput(f"{outer}: {inner.net} is on this machine, expected a package on a device: "
                       f"write :{Path(inner.net).name}")
    return inner, name, words


def _summary(arguments: argparse.Namespace, recorder: RunRecorder, out: TextIO) -> None:
    with Recording(arguments.output) as recording:
        runs = list(read_runs(recording.events["device"]))
        lost = sum(run.missed for run in runs)
        say(f"{arguments.output}: {len(runs)} runs, {recording.events['device'].count} events "
            f"({lost} lost on the line)", to=out)
        for channel in recording.samples.values():
            say(f"  {channel.name}: {channel.count:,} samples, {channel.lost:,} lost"
                + (f"; ended: {channel.ended}" if channel.ended else ""), to=out)
        table, names = energy_by_stage(recording), stage_labels(stage_names(recording.meta))
        rows = _measured(table, names) if table else _modeled(arguments, recording, runs, names)
    if rows:
        _print_to(out, rows)
    if table:
        say(f"aligned by {table.alignment.method}, off by at most "
            f"{1e3 * table.alignment.error:.3g} ms: {table.alignment.why}", to=out)
    elif rows:
        say("modeled: bytes and operations times published costs (docs/POWER.md); nothing was "
            "measured", to=out)


def _name(stage: int, names: list[str]) -> str:
    if stage < 0:
        return "whole run"
    return names[stage] if stage < len(names) else f"stage {stage}"


def _measured(table: EnergyTable, names: list[str]) -> list[tuple[str, str, str, str]]:
    return [(_name(row.stage, names), row.rail, amount(row.value, row.unit),
             f"± {amount(row.error, row.unit)} (alignment {amount(row.alignment_error, row.unit)})")
            for row in table.rows]


def _modeled(arguments: argparse.Namespace, recording: Recording, runs: list[RecordedRun],
              names: list[str]) -> list[tuple[str, str, str, str]]:
    """The energy of the last whole run, from the table of costs."""
    costs = load_costs(arguments.costs)
    whole = [(run, run.end) for run in runs if run.stages and run.end]
    if not whole:
        return []
    last, end = whole[-1]
    macs = recording.meta.get("model", {}).get("plan", {}).get("macs", 0)
    found = [(_name(i, names), modeled(costs, b.counted.since(a.counted)))
             for i, (a, b) in enumerate(zip(last.stages, last.stages[1:], strict=False))]
    found.append(("whole run, with operations", modeled(costs, end.counted, macs)))
    return [(name, one.label, amount(one.value, "J"),
             f"± {amount(one.error, 'J')} (range of costs)") for name, one in found]


def _print_to(out: TextIO, rows: list[tuple[str, str, str, str]]) -> None:
    with redirect_stdout(out):
        print_table(("stage", "rail", "energy", "error"), rows)
