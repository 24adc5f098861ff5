# SPDX-License-Identifier: Apache-2.0
"""Describe the device: board, build, memories, operators, codecs."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from edgefm.codecs import CODECS
from edgefm.console.notation import size_text
from edgefm.package.records import Packing
from host_tools.cli.arguments import add_json
from host_tools.cli.output import print_fields, print_json
from host_tools.cli.store import store_of

EXAMPLE = "edgefm info"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `info`."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Ask and print."""
    info = store_of(arguments.board).info
    if arguments.json:
        print_json({**asdict(info), "build": info.build.hex()})
        return
    codecs = [codec.name for codec in CODECS.values() if info.decoders >> codec.id & 1]
    timer = f"counts {info.unit}" if info.timer_works else "does not advance: no profiles"
    print_fields({
        "board": info.board, "build": info.build.hex(), "fast memory": size_text(info.fast_bytes),
        "external memory": f"{size_text(info.external_bytes)}, alignment {info.alignment}",
        "store": f"{size_text(info.store_bytes)}, room for {size_text(info.largest_package)}",
        "results": size_text(info.results_bytes), "timer": timer,
        "package format": f"{info.format_major}.{info.format_minor}",
        "packings": ", ".join(p.name.lower() for p in Packing if info.packings >> p & 1),
        "kernels": info.kernels or "not reported", "target": info.target or "none of its own",
        "operators": f"{info.operators.bit_count()} kinds", "codecs": ", ".join(codecs)})
