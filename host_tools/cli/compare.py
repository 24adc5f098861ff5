# SPDX-License-Identifier: Apache-2.0
"""Compare two recordings: time, bytes, memory, energy, accuracy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgefm.console.names import distinct
from edgefm.console.terminal import say
from host_tools.cli.output import print_json, print_table
from host_tools.measurement.about import recorded_maps
from host_tools.measurement.costs import load_costs
from host_tools.measurement.summary import Estimate, read_validation, summarize, validation_for
from host_tools.outputs.compare import Comparison, compare, compare_maps
from host_tools.outputs.report.words import amount
from host_tools.recording import Recording

EXAMPLE = "edgefm compare run1/ run2/"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `compare`."""
    parser.add_argument("first", type=Path, metavar="RUN", help="folder or zip of a recording")
    parser.add_argument("second", type=Path, metavar="RUN", help="folder or zip of the other")
    parser.add_argument("--validation", type=Path, action="append", default=[], metavar="FILE",
                        help="a saved output of `edgefm validate --json`; may be given several "
                             "times (default: none)")
    parser.add_argument("--costs", type=Path, metavar="FILE",
                        help="joules per byte and operation (TOML), used without a meter "
                             "(default: published costs)")
    parser.add_argument("--json", action="store_true",
                        help="print one JSON object and nothing else (default: text)")


def run(arguments: argparse.Namespace) -> None:
    """Summarize both and print the table."""
    costs, judged = load_costs(arguments.costs), [read_validation(p) for p in arguments.validation]
    found = []
    for path in (arguments.first, arguments.second):
        with Recording(path) as recording:
            found.append(summarize(recording, costs,
                                   validation=validation_for(recording, judged)))
    lines, maps = compare(*found), compare_maps(*found)
    if arguments.json:
        print_json({"schema": 1, "first": found[0].name, "second": found[1].name,
                    "lines": [_plain(line) for line in lines],
                    "maps": [_plain(line) for line in maps]})
        return
    print_table(("", found[0].name, found[1].name, "difference", ""), _rows(lines))
    if maps:
        say()
        print_table(("bits per value of stored map", found[0].name, found[1].name, "difference",
                     ""), _rows(maps))
    for side in found:
        if side.no_maps and recorded_maps(side.meta):
            say(f"{side.name}: {side.no_maps}")
    say("± is the uncertainty of a figure; a difference marked = is not larger than it")


def _rows(lines: Sequence[Comparison]) -> list[tuple[str, ...]]:
    told = distinct(line.name for line in lines)
    return [(told[line.name], _shown(line.first, line.unit), _shown(line.second, line.unit),
             _shown(line.difference, line.unit, "+"), _percent(line)) for line in lines]


def _plain(line: Comparison) -> dict[str, Any]:
    return {**asdict(line), "difference": asdict(line.difference) if line.difference else None,
            "percent": line.percent, "clear": line.is_clear}


def _shown(estimate: Estimate | None, unit: str, sign: str = "") -> str:
    if estimate is None:
        return "–"
    def one(value: float, sign: str = "") -> str:
        if unit in ("s", "J", "C"):
            return f"{'+' if sign and value > 0 else ''}{amount(value, unit)}"
        digits = {"bytes": 0, "%": 2, "bits": 2, "nats": 4}.get(unit, 0)
        return f"{value:{sign},.{digits}f} {unit}"

    return one(estimate.value, sign) + (f" ± {one(estimate.error)}" if estimate.error else "")


def _percent(line: Comparison) -> str:
    if line.percent is None:
        return ""
    return f"{line.percent:+.1f} %" + ("" if line.is_clear else " =")
