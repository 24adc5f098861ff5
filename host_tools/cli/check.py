# SPDX-License-Identifier: Apache-2.0
"""List every layer of a model that cannot run, with the reason and what to do."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edgefm.compiler.check import Problem, check_model
from edgefm.console.terminal import say
from edgefm.errors import UnsupportedModel
from host_tools.cli.arguments import add_json, shape
from host_tools.cli.output import print_json

EXAMPLE = "edgefm check net.tflite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `check`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=".tflite, .onnx or .npz")
    add_json(parser)
    parser.add_argument("--input-shape", type=shape, metavar="N,C,H,W",
                        help="shape of the input of an .onnx file that leaves sizes open (default: "
                             "the file's)")


def run(arguments: argparse.Namespace) -> None:
    """Check every layer and print; end with an error if some layers cannot run."""
    checked = check_model(arguments.model, arguments.input_shape)
    if arguments.json:
        print_json({"name": checked.name, "layers": checked.layers,
                    "unseen": checked.unseen,
                    "problems": [asdict(problem) for problem in checked.problems]})
    else:
        _print(checked.problems)
    if checked.problems:
        count = len(checked.problems)
        behind = f" ({checked.unseen} more after them were not checked)" * (checked.unseen > 0)
        raise UnsupportedModel(f"{arguments.model}: {count} problem{'s' * (count != 1)} in "
                               f"{checked.layers} layers{behind}, listed above; expected none")
    if not arguments.json:
        say(f"{arguments.model}: all {checked.layers} layers can run")


def _print(problems: Sequence[Problem]) -> None:
    """Print layers with the same reason together."""
    for reason, remedy in dict.fromkeys((one.reason, one.remedy) for one in problems):
        alike = [one.where for one in problems if (one.reason, one.remedy) == (reason, remedy)]
        say(reason)
        say(f"  what to do: {remedy}")
        for where in alike:
            say(f"  {where}")
