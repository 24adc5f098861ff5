# SPDX-License-Identifier: Apache-2.0
"""Measure accuracy against the bytes of a network's maps: table, JSON and chart."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from edgefm import importers
from edgefm.console.terminal import say
from edgefm.evaluate.executors import executor
from edgefm.evaluate.sweep import BUDGETS, Request, sweep
from edgefm.evaluate.sweep.curve_page import header, markdown, page, rows, svg
from edgefm.evaluate.validate import task_of
from edgefm.evaluate.validate.files import labeled_files
from edgefm.files.write import check_folder, write_file
from host_tools.cli.arguments import add_json, add_output, positive
from host_tools.cli.compilation import add_compile_options, compile_options
from host_tools.cli.output import SCHEMA, print_json, print_table
from host_tools.cli.progress import progress_bar
from host_tools.cli.validate import add_files

EXAMPLE = "edgefm sweep net.tflite --calib typical --images photos --labels labels.csv -o curve"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `sweep`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=".tflite, .onnx or .npz")
    add_output(parser, "-o", "--output", check=check_folder, required=True, metavar="DIR",
               help="folder for sweep.json, table.md, curve.svg, index.html, and units/ with "
                    "finished results, from which an interrupted sweep continues")
    parser.add_argument("--budgets", type=_budgets, default=BUDGETS, metavar="NATS,…",
                        help=f"KL budgets in nats (default: {','.join(f'{b:g}' for b in BUDGETS)})")
    add_files(parser)
    add_json(parser)
    add_compile_options(parser)


def _budgets(text: str) -> tuple[float, ...]:
    return tuple(positive(part) for part in text.split(","))


def run(arguments: argparse.Namespace) -> None:
    """Sweep, write the curve, print its table."""
    options = compile_options(arguments, arguments.model)
    graph = importers.load(arguments.model)
    task = arguments.task or task_of([graph.tensors[t].shape for t in graph.outputs],
                                     graph.tensors[graph.inputs[0]].shape)
    files = labeled_files(arguments.labels, arguments.images, task, options.labels,
                           arguments.limit)
    request = Request(arguments.model, options, files, task, arguments.views, arguments.budgets)
    total = len(files) * (2 + len(set(arguments.budgets)))
    with executor(arguments.scheduler, arguments.workers) as pool, \
            progress_bar(f"sweep {arguments.model.name}", total, "img") as bar:

        def tick(what: str, judged: int) -> None:
            bar.set_postfix_str(what, refresh=False)
            bar.update(judged)

        curve = sweep(request, arguments.output, pool, tick)
    fields = {"schema": SCHEMA, **curve.to_json()}
    for name, text in (("sweep.json", json.dumps(fields, indent=1) + "\n"),
                       ("table.md", markdown(curve)), ("curve.svg", svg(curve)),
                       ("index.html", page(curve))):
        write_file(arguments.output / name, text)
    if arguments.json:
        print_json(curve.to_json())
    else:
        print_table(header(curve), rows(curve))
        say()
        say(f"picture: {arguments.output / 'index.html'}")
