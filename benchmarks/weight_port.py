# SPDX-License-Identifier: Apache-2.0
"""Weights behind a port on an emulated Cortex-M4, whose runtime gets to see none of them.

Each network is compiled for the board with mapped weights, as its kernels like them best, and for
the weight port, raw and coded (`--weights port`, `--weight-codec auto`). A run's outputs and its
counters are compared with this machine's and with the plan.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

from _common import (
    MOBILENET_V2,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)
from device import TARGET, Running, run_on, started

from edgefm.compiler.load import load_model
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.package.container import read_header, read_sections, read_tiles
from edgefm.package.records import MAPPED

BOARD, KIB = "qemu-an386", 1024
WAYS: Mapping[str, Mapping[str, str]] = {
    "mapped": {}, "port": {"weights": "port"},
    "port, coded": {"weights": "port", "weight_codec": "auto"}}


def main() -> None:
    """Print one row per network, memory and way."""
    arguments = parser(__doc__)
    arguments.add_argument("--models", nargs="+", default=[MOBILENET_V2], metavar="NAME",
                           help="parts of names (default: MobileNetV2)")
    arguments.add_argument("--fast", type=int, nargs="+", default=[64, 96, 160], metavar="KIB",
                           help="fast memory (default 64 96 160)")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    with started([BOARD], {}) as boards:
        print_table(("network", "KiB", "weights", "addressable", "of them weights", "weights read",
                     "of mapped", "maps moved", "instructions", "same outputs", "plan = count"),
                    _rows(options, data, boards[BOARD]))


def _rows(options: argparse.Namespace, data: Path, board: Running) -> Iterator[tuple[object, ...]]:
    for network in networks(data, options.models):
        model = load_model(network.file, options_for(network, data))
        for fast in options.fast:
            mapped = 0
            for way, more in WAYS.items():
                say(f"{network.name}, {fast} KiB, {way}")
                told = options_for(network, data, fast=fast * KIB, target=TARGET, **more)
                compiled = compile_loaded(model, told)
                plan, outcome = compiled.plan, run_on(board, compiled)
                mapped = mapped or plan.weight_read_bytes
                yield (network.name, fast, way, *_addressable(compiled), plan.weight_read_bytes,
                       f"{plan.weight_read_bytes / mapped:.2f}",
                       plan.external_read_bytes + plan.external_write_bytes, outcome.end.ticks,
                       "yes" if outcome.same_bytes else "no",
                       "yes" if outcome.same_counts else "no")


def _addressable(compiled: Compiled) -> tuple[int, int]:
    """Bytes of the package that a device must be able to address, and those of weights in them."""
    package = compiled.package
    tiles = read_tiles(read_sections(package, compiled.graph.name))
    return (read_header(package, compiled.graph.name).front_bytes or len(package),
            sum(tile.bytes for tile in tiles if tile.memory == MAPPED))


if __name__ == "__main__":
    main()
