# SPDX-License-Identifier: Apache-2.0
"""Compile a model for the connected board, and copy it there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgefm.console.notation import size_text
from edgefm.console.terminal import say
from edgefm.errors import BadInput
from edgefm.package.read import read_needs
from edgefm.planner import is_built_in
from host_tools.cli.board import on_device
from host_tools.cli.compilation import add_compile_options, is_package, load_package
from host_tools.cli.cp import upload
from host_tools.cli.store import device_name, store_of
from host_tools.link.capability import Info
from host_tools.micropython.deploy import ROM, about, is_there, put
from host_tools.micropython.mpremote import Mpremote

EXAMPLE = "edgefm deploy net.tflite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `deploy`."""
    parser.add_argument("model", type=Path, metavar="MODEL", help=".tflite, .onnx, .npz or .efm")
    parser.add_argument("name", nargs="?", metavar=":NAME",
                        help="name on the device (default: the model's, with .efm)")
    parser.add_argument("--replace", action="store_true", help="as in `cp` (default: refuse)")
    parser.add_argument("-f", "--force", action="store_true",
                        help="as in `cp` (default: skip files that are there already)")
    parser.add_argument("--micropython", metavar="PORT",
                        help="the device runs MicroPython and is at PORT, e.g. /dev/ttyACM0: copy "
                             "with mpremote, and read the SHA-256 back; :/rom/NAME is its ROMFS "
                             "(default: the device runs edgefm's firmware)")
    add_compile_options(parser, "--images")


def run(arguments: argparse.Namespace) -> None:
    """Compile and copy."""
    if arguments.micropython is not None:
        _to_micropython(arguments)
        return
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


def _to_micropython(arguments: argparse.Namespace) -> None:
    """The same for a device that runs MicroPython: half of its free heap is fast memory."""
    device = Mpremote(arguments.micropython)
    there = about(device)
    path = _path(arguments)
    if not is_package(arguments.model):
        arguments.fast = arguments.fast or there.heap_bytes // 2
        if arguments.target is None:
            arguments.target = there.target
            arguments.external = arguments.external or 0
    data = load_package(arguments, arguments.model).data
    needs = read_needs(data, str(arguments.model))
    loaded = 0 if path.startswith(ROM) else len(data)
    if not arguments.force and is_there(device, data, path):
        say(f":{path} is there already, with the same SHA-256")
    else:
        put(device, data, path, there.rom_bytes, arguments.replace)
        say(f":{path}: {size_text(len(data))}, SHA-256 read back")
    if needs.fast_bytes + loaded > there.heap_bytes:
        say(f"{path} takes {needs.fast_bytes} bytes of fast memory"
            + (f" and {loaded} for the package" if loaded else "")
            + f"; the heap has {there.heap_bytes} free, so lend some with fast=", to=sys.stderr)
    if there.kernels is None:
        say("the device has no module edgefm yet; docs/MICROPYTHON.md says how to install it",
            to=sys.stderr)


def _path(arguments: argparse.Namespace) -> str:
    """The path on the device, of `:NAME` or the model's name. Raises BadInput."""
    named = on_device(arguments.name) if arguments.name else f"{arguments.model.stem}.efm"
    if not named or named.endswith("/") or not named.isprintable():
        raise BadInput(f"deploy: got {arguments.name}, expected :NAME or :/rom/NAME")
    return named
