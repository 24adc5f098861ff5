# SPDX-License-Identifier: Apache-2.0
"""Turn a recording into tables or a trace for ui.perfetto.dev, a package into C."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edgefm.console.terminal import say, say_path
from edgefm.errors import BadInput
from edgefm.files.read import read_bytes
from edgefm.files.write import check_file, check_folder, writing_text
from host_tools.cli.arguments import add_output, count
from host_tools.outputs.c_project import (
    Net,
    build_command,
    c_name,
    c_project,
    write_c_project,
)
from host_tools.outputs.tables import write_tables
from host_tools.outputs.trace import write_trace
from host_tools.recording import Recording

EXAMPLE = "edgefm export run1/ --chrome-trace"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `export`."""
    parser.add_argument("sources", type=Path, nargs="+", metavar="RUN|net.efm",
                        help="folder or zip of a recording; for --c packages, which share a "
                        "runtime")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--csv", action="store_true",
                      help="a folder of tables: samples, events, stages, energy")
    kind.add_argument("--chrome-trace", action="store_true",
                      help="one JSON file: stages are slices with their energy, power and bytes "
                      "are counters")
    add_output(parser, "--c", group=kind, metavar="DIR", check=check_folder,
               help="a folder with the package and the runtime it needs as C, and a program")
    parser.add_argument("--amalgamated", action="store_true",
                        help="with --c: the runtime is one file, edgefm.c, beside edgefm.h "
                        "(default: a folder of files)")
    parser.add_argument("-o", "--output", type=Path, metavar="PATH",
                        help="what to write (default: the recording's name with -csv or "
                             ".trace.json)")
    parser.add_argument("--from", dest="start", type=float, default=float("-inf"), metavar="S",
                        help="begin of the tables, in seconds of the recording (default: its "
                             "start)")
    parser.add_argument("--to", dest="stop", type=float, default=float("inf"), metavar="S",
                        help="end of the tables, in seconds (default: its end)")
    parser.add_argument("--points", type=count, default=20_000, metavar="N",
                        help="points of each power counter of the trace (default: 20000)")


def run(arguments: argparse.Namespace) -> None:
    """Read, write, say what was written and what is missing."""
    if arguments.c is not None:
        _export_c(arguments.sources, arguments.c, arguments.amalgamated)
        return
    path = _only_recording(arguments)
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


def _only_recording(arguments: argparse.Namespace) -> Path:
    """The one recording. Raises BadInput for several, and for what belongs to --c."""
    if arguments.amalgamated:
        raise BadInput("--amalgamated is for --c, which was not given")
    if len(arguments.sources) > 1:
        raise BadInput(f"got {len(arguments.sources)} recordings, expected one")
    source: Path = arguments.sources[0]
    return source


def _export_c(paths: Sequence[Path], folder: Path, amalgamated: bool) -> None:
    """Write packages as C; say how to compile them."""
    nets = [Net(read_bytes(path), str(path), c_name(path.stem)) for path in paths]
    files = c_project(nets, amalgamated)
    write_c_project(files, folder)
    say_path(folder)
    say(f"{len(files)} files; cd there and type: {build_command(nets, amalgamated)}")
