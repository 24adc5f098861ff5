# SPDX-License-Identifier: Apache-2.0
"""Compile, plan, run and validate real networks; a table and a report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgefm.compiler.load import load_model
from edgefm.compiler.pipeline import compile_loaded
from edgefm.console import command
from edgefm.console.terminal import say
from edgefm.demo.subjects import Subject, subjects
from edgefm.evaluate.validate import make_units, process_pool, validate
from edgefm.exporters.tflite import export_tflite
from edgefm.files.write import check_folder, write_file
from edgefm.html.plan_report import write_plan_report
from edgefm.litert.reference import available

PROGRAM = "edgefm.demo"
COLUMNS = ("network", "fast B", "layer by layer B", "planned B", "coded B", "float %", "int8 %",
           "reference %", "images/s")
MEANING = ("bytes of feature maps through external memory per picture: every map stored, as by",
           "runtimes that work layer by layer; what edgefm's plan stores; the same coded, counted")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when it worked, 2 after one line of error."""
    parser = argparse.ArgumentParser(prog="edgefm.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR",
                        help="where pictures, packages and the report go (default demo-output)")
    folder = parser.parse_args(argv).out
    return command.complete(lambda: _demo(folder), PROGRAM)


def _demo(folder: Path) -> None:
    """Run every subject, write the report, print the table."""
    check_folder(folder)
    runs = [run(subject, folder) for subject in subjects(folder)]
    write_plan_report(folder / "report.html", runs, "edgefm demo")
    print_table(runs)
    if not available():
        say("reference %: not judged, as no TFLite is installed (pip install 'edgefm[tflite]')")
    say()
    say(f"report: {folder / 'report.html'}")


def run(subject: Subject, folder: Path) -> dict[str, Any]:
    """Compile one network, write its package, validate it; the result is a run of the report."""
    say(f"{subject.name}: compile", to=sys.stderr, flush=True)
    model = load_model(subject.model, subject.options)
    compiled = compile_loaded(model, subject.options)
    write_file(folder / f"{subject.model.stem}.efm", compiled.package)
    layers = compile_loaded(model, replace(subject.options, fast=None, cut="ops"))
    say(f"{subject.name}: validate on {len(subject.files)} images", to=sys.stderr, flush=True)
    oracle = export_tflite(model.graph) if available() else None
    source = subject.model if model.source.is_float() else None
    with process_pool() as pool:
        judged = validate(make_units(subject.files, compiled.package, oracle, source), pool)
    return {"name": subject.name, "plan": compiled.plan.to_json(),
            "layer_by_layer": layers.plan.to_json(), "validate": judged.to_json()}


def print_table(runs: Sequence[dict[str, Any]]) -> None:
    """The runs, one line each, and what the columns are."""
    lines = [COLUMNS, *(_line(one) for one in runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        name, *figures = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        say("  ".join((line[0].ljust(len(name)), *figures)))
    for text in MEANING:
        say(text)


def _line(one: dict[str, Any]) -> tuple[str, ...]:
    judged = one["validate"]
    moved = (one["layer_by_layer"], one["plan"], judged)
    outside = [each["external_read_bytes"] + each["external_write_bytes"] for each in moved]
    accuracies = [judged[name] for name in ("float_top1", "top1", "reference_top1")]
    return (one["name"], *(f"{count:,}" for count in (one["plan"]["fast_bytes"], *outside)),
            *("-" if value is None else f"{value:.2f}" for value in accuracies),
            f"{judged['images_per_second']:.1f}")
