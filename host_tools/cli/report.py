# SPDX-License-Identifier: Apache-2.0
"""Write one HTML page about recordings, side by side."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgefm.console.terminal import say
from host_tools.cli.arguments import add_output
from host_tools.measurement.costs import load_costs
from host_tools.measurement.summary import read_validation, validation_for
from host_tools.outputs.report.page import chapter, write_page
from host_tools.recording import Recording

EXAMPLE = "edgefm report run1/ run2/ -o report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `report`."""
    parser.add_argument("recordings", type=Path, nargs="+", metavar="RUN",
                        help="folders or zips of recordings")
    add_output(parser, "-o", "--output", required=True, metavar="FILE.html", help="page to write")
    parser.add_argument("--validation", type=Path, action="append", default=[], metavar="FILE",
                        help="a saved output of `edgefm validate --json` for the same package or "
                             "network; may be given several times (default: none)")
    parser.add_argument("--meter", metavar="NAME",
                        help="meter whose power the page shows (default: the first one)")
    parser.add_argument("--costs", type=Path, metavar="FILE",
                        help="joules per byte and operation (TOML), used without a meter "
                             "(default: published costs)")
    parser.add_argument("--title", default="edgefm recording",
                        help="title of the page (default: edgefm recording)")


def run(arguments: argparse.Namespace) -> None:
    """Read, write the page, say where it is and what is missing."""
    costs, judged = load_costs(arguments.costs), [read_validation(p) for p in arguments.validation]
    chapters, used = [], []
    for path in arguments.recordings:
        with Recording(path) as recording:
            mine = validation_for(recording, judged)
            used.append(mine)
            chapters.append(chapter(recording, costs, arguments.meter, mine))
            for problem in recording.problems:
                say(f"{path}: {problem}", to=sys.stderr)
    for file, one in zip(arguments.validation, judged, strict=True):
        if not any(one is mine for mine in used):
            say(f"{file}: its network is in none of the recordings; left out", to=sys.stderr)
    write_page(arguments.output, chapters, arguments.title)
    say(f"{arguments.output}: {len(chapters)} recordings" if len(chapters) > 1 else
        str(arguments.output))
