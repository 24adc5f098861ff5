# SPDX-License-Identifier: Apache-2.0
"""Compile a model for the board that is there, and copy it there; a package is copied as it is."""

from __future__ import annotations

import argparse
from pathlib import Path

from host_tools.cli.arguments import add_compile_options, is_package, load_package
from host_tools.cli.board import device_name, device_of
from host_tools.cli.cp import upload


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `deploy`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=".tflite, .onnx, .npz or .efm")
    parser.add_argument("name", nargs="?", metavar=":NAME",
                        help="on the device (default: the model's, with .efm)")
    parser.add_argument("--replace", action="store_true", help="as in `cp`")
    parser.add_argument("-f", "--force", action="store_true", help="as in `cp`")
    add_compile_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Without --fast and --external the plan may use what the board has."""
    info = device_of(arguments).info
    if not is_package(arguments.model):
        if arguments.fast is None:
            arguments.fast = info.fast_bytes
        if arguments.external is None and arguments.target is None:
            arguments.external = info.external_bytes
    data = load_package(arguments, arguments.model).data
    name = device_name(arguments.name or arguments.model.with_suffix(".efm").name)
    upload(arguments, str(arguments.model), data, name)
