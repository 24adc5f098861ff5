# SPDX-License-Identifier: Apache-2.0
"""Compile a model file into one package (.efm) for the runtime."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from edgefm import answers
from edgefm.cli.arguments import add_compile_options, add_json, load_package
from edgefm.cli.inspect import print_summary
from edgefm.cli.output import print_json, size_text
from edgefm.container import read_info
from edgefm.labels import names_for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `compile`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=".tflite, .onnx or .npz")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="net.efm")
    add_json(parser)
    add_compile_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Compile and write; the file appears whole or not at all."""
    package = load_package(arguments, arguments.model).data
    info = read_info(package)
    if info.labels and answers.kind([tensor.shape for tensor in info.outputs]) == "scores":
        names_for(info.labels, max(info.outputs[0].shape))  # refuses another number of names
    part = arguments.output.with_name(arguments.output.name + ".part")
    part.write_bytes(package)
    os.replace(part, arguments.output)
    if arguments.json:
        print_json({"model_sha256": info.model_sha256, "plan_sha256": info.plan_sha256,
                    "output": str(arguments.output), "bytes": len(package),
                    **({"rate": info.rate} if info.rate else {})})
    else:
        print(f"{arguments.output}: {size_text(len(package))}")
        print_summary(info)
