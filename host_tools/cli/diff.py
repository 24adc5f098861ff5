# SPDX-License-Identifier: Apache-2.0
"""Compare every tensor of the deployed plan with the reference, value by value."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.pipeline import Compiled
from edgefm.evaluate.diff import DiffResult, diff_model, random_inputs
from edgefm.network.graph import Array
from host_tools.cli.arguments import add_json, count
from host_tools.cli.compilation import add_compile_options, compile_options
from host_tools.cli.output import print_fields, print_json
from host_tools.cli.progress import progress_bar

EXAMPLE = "edgefm diff net.tflite --fast 96K --random 3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `diff`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=".tflite, .onnx or .npz")
    inputs = parser.add_mutually_exclusive_group()
    inputs.add_argument("--random", type=count, default=1, metavar="N",
                        help="compare on N random inputs (default: 1)")
    inputs.add_argument("--images", type=Path, metavar="DIR",
                        help="compare on the pictures or .npy files of a folder (default: random "
                             "inputs)")
    parser.add_argument("--limit", type=count, default=8, metavar="N",
                        help="at most N files of --images, evenly spread (default: 8)")
    add_json(parser)
    add_compile_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Compare and print; a difference is a finding, not an error."""

    def inputs(compiled: Compiled) -> Sequence[Sequence[Array]]:
        if arguments.images is None:
            return [random_inputs(compiled.graph, seed) for seed in range(arguments.random)]
        files = calibration_inputs(compiled.graph, compiled.preprocess, arguments.images,
                                   arguments.limit)
        return [[file] for file in files]

    with progress_bar(f"diff {arguments.model.name}"):
        options = compile_options(arguments, arguments.model, pictures=False)
        result = diff_model(arguments.model, options, inputs)
    if arguments.json:
        print_json(result.to_json())
    else:
        _print(result)


def _print(result: DiffResult) -> None:
    first = result.first_difference
    fields: dict[str, object] = {
        "compared with": result.witness, "inputs": result.inputs, "tensors": result.tensors,
        "folded away": ", ".join(result.folded) or "none",
        "largest difference": f"{result.max_abs_diff:g}"}
    if first:
        fields["first difference"] = (
            f"tensor {first.tensor} (operator {first.operator}) at {list(first.index)}: "
            f"expected {first.expected:g}, got {first.got:g}; {first.differing} values differ")
    print_fields(fields)
