# SPDX-License-Identifier: Apache-2.0
"""Turn a recording into CSV files, or into a trace for ui.perfetto.dev."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgefm.console.terminal import say, say_path
from edgefm.files.write import check_file, check_folder, writing_text
from host_tools.cli.arguments import count
from host_tools.outputs.tables import write_tables
from host_tools.outputs.trace import write_trace
from host_tools.recording import Recording

EXAMPLE = "edgefm export run1/ --chrome-trace"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `export`."""
    parser.add_argument("recording", type=Path, metavar="RUN", help="folder or zip of a recording")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--csv", action="store_true",
                      help="a folder of tables: samples, events, stages, energy")
    kind.add_argument("--chrome-trace", action="store_true",
                      help="one JSON file: stages as slices with their energy, power and bytes as "
                      "counters")
    parser.add_argument("-o", "--output", type=Path, metavar="PATH",
                        help="what to write (default: the recording's name with -csv or "
                             ".trace.json)")
    parser.add_argument("--from", dest="start", type=float, default=float("-inf"), metavar="S",
                        help="where the tables begin, in seconds of the recording (default: its "
                             "start)")
    parser.add_argument("--to", dest="stop", type=float, default=float("inf"), metavar="S",
                        help="where they end, in seconds (default: its end)")
    parser.add_argument("--points", type=count, default=20_000, metavar="N",
                        help="points of each power counter of the trace (default: 20000)")


def run(arguments: argparse.Namespace) -> None:
    """Read, write, say what was written and what is missing."""
    path = arguments.recording
    stem = path.with_suffix("") if path.suffix.lower() == ".zip" else path
    target = arguments.output or stem.with_name(
        f"{stem.name}-csv" if arguments.csv else f"{stem.name}.trace.json")
    (check_folder if arguments.csv else check_file)(target, [path])
    with Recording(path) as recording:
        if arguments.csv:
            for written in write_tables(recording, target, arguments.start, arguments.stop):
                say_path(written)
        else:
            with writing_text(target) as file:
                events = write_trace(recording, file, arguments.points)
            say(f"{target}: {events} events; open it in ui.perfetto.dev")
        for problem in recording.problems:
            say(f"{path}: {problem}", to=sys.stderr)
