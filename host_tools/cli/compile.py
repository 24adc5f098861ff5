# SPDX-License-Identifier: Apache-2.0
"""Compile a model file into one package (.efm) for the runtime."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgefm.compiler.load import load_model
from edgefm.console.notation import size_text
from edgefm.console.terminal import say
from edgefm.errors import BadInput
from edgefm.evaluate.budget_check import Check, Judged, compile_checked
from edgefm.evaluate.executors import executor
from edgefm.evaluate.validate import task_of
from edgefm.evaluate.validate.files import labeled_files
from edgefm.files.write import write_file
from edgefm.images.answers import expect_names
from edgefm.package.read import read_info
from host_tools.cli.arguments import add_json, add_output, count
from host_tools.cli.compilation import (
    Package,
    add_compile_options,
    compile_options,
    load_package,
)
from host_tools.cli.inspect import print_summary
from host_tools.cli.output import print_json, print_table
from host_tools.cli.plan_page import write_page
from host_tools.cli.progress import progress_bar

EXAMPLE = "edgefm compile net.tflite -o net.efm --fast 96K --calib photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `compile`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=".tflite, .onnx or .npz")
    add_output(parser, "-o", "--output", required=True, metavar="net.efm",
               help="the package to write")
    add_output(parser, "--report", metavar="FILE.html",
               help="write a page with pictures of the plan (default: none)")
    add_json(parser)
    add_compile_options(parser, "--images")
    group = parser.add_argument_group("check a budget")
    group.add_argument("--check", type=Path, metavar="DIR",
                       help="measure the package on this folder of labeled files, and tighten the "
                            "budget until the files keep it (default: not checked)")
    group.add_argument("--labels", type=Path, metavar="CSV|DIR",
                       help="labels of the files of --check, as for validate (default: none)")
    group.add_argument("--views", type=count, default=1, metavar="N",
                       help="run every file N times, mirrored and shifted (default: 1)")
    group.add_argument("--workers", type=count, metavar="N",
                       help="processes that run files (default: one per core)")


def run(arguments: argparse.Namespace) -> None:
    """Compile and write; the file appears complete or not at all."""
    if (arguments.check is None) != (arguments.labels is None):
        raise BadInput("compile: --check and --labels belong together; expected both or neither")
    made, check = _checked(arguments) if arguments.check else (
        load_package(arguments, arguments.model), None)
    package = made.data
    info = read_info(package)
    expect_names(info.labels, [tensor.shape for tensor in info.outputs])
    write_file(arguments.output, package)
    if arguments.report:
        write_page(arguments.report, made, arguments.model,
                   compile_options(arguments, arguments.model))
    if arguments.json:
        print_json({"model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256,
                    "output": str(arguments.output), "bytes": len(package),
                    **({"rate": info.rate} if info.rate else {}),
                    **({"check": check.to_json()} if check else {})})
    else:
        say(f"{arguments.output}: {size_text(len(package))}")
        print_summary(info)
        if arguments.report:
            say(f"pictures: {arguments.report}")
        if check:
            _print_check(check)


def _checked(arguments: argparse.Namespace) -> tuple[Package, Check]:
    options = compile_options(arguments, arguments.model)
    with progress_bar(f"compile {arguments.model.name}") as bar, \
            executor(None, arguments.workers) as pool:
        model = load_model(arguments.model, options, lambda: bar.update())
        graph = model.graph
        task = task_of([graph.tensors[t].shape for t in graph.outputs],
                       graph.tensors[graph.inputs[0]].shape)
        files = labeled_files(arguments.labels, arguments.check, task, options.labels)
        judged = Judged(files, task, arguments.views)
        compiled, check = compile_checked(model, options, judged, pool, lambda: bar.update())
    return Package(compiled.package, compiled), check


def _print_check(check: Check) -> None:
    """Print every round; the last one is the package that was written."""
    say()
    say(f"Checked on {check.files} labeled files, {check.views} view(s) of each; points of "
        f"{check.figure}")
    words = {True: "kept", False: "exceeded", None: "not judged: a budget in bytes"}
    print_table(("KL budget", "KL, nats", "points lost", "changed %", "map bytes", "budget"),
                [("-" if one.kl_budget is None else f"{one.kl_budget:.5f}", f"{one.kl:.5f}",
                  f"{one.points:+.2f} ± {one.points_error or 0:.2f}", one.changed, one.map_bytes,
                  words[one.met]) for one in check.rounds])
    if check.rounds[-1].kl_budget == 0:
        say("No coarser steps kept the budget: maps are coded without loss.")
