# SPDX-License-Identifier: Apache-2.0
"""Compile a model for the connected board, and copy it there."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgefm.planner import is_built_in
from host_tools.cli.compilation import add_compile_options, is_package, load_package
from host_tools.cli.cp import upload
from host_tools.cli.store import device_name, store_of
from host_tools.link.capability import Info

EXAMPLE = "edgefm deploy net.tflite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `deploy`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=".tflite, .onnx, .npz or .efm")
    parser.add_argument("name", nargs="?", metavar=":NAME",
                        help="name on the device (default: the model's, with .efm)")
    parser.add_argument("--replace", action="store_true", help="as in `cp` (default: refuse)")
    parser.add_argument("-f", "--force", action="store_true",
                        help="as in `cp` (default: skip files that are there already)")
    add_compile_options(parser, "--images")


def run(arguments: argparse.Namespace) -> None:
    """Compile and copy."""
    info = store_of(arguments.board).info
    if not is_package(arguments.model):
        suit(arguments, info)
    data = load_package(arguments, arguments.model).data
    name = device_name(arguments.name or arguments.model.with_suffix(".efm").name)
    upload(arguments, str(arguments.model), data, name)


def suit(arguments: argparse.Namespace, info: Info) -> None:
    """Fill in what the command line leaves open: all memory of the board, and the target that it
    names, for the packings that its kernels read fastest."""
    if arguments.fast is None:
        arguments.fast = info.fast_bytes
    if arguments.target is None:
        if arguments.external is None:
            arguments.external = info.external_bytes
        if is_built_in(info.target):
            arguments.target = info.target
