# SPDX-License-Identifier: Apache-2.0
"""What coded weights cost and save on an emulated Cortex-M4.

Each network is compiled for the board three times: with weights as its kernels like them best, in
plain rows, and coded (`--weight-codec auto`). A run's outputs are compared with this machine's, its
counters with the plan. With --kl weights are first made coarser within that budget, which takes
minutes, and the same coarse network is compiled all three times.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from _common import (
    MOBILENET_V2,
    Network,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)
from device import TARGET, Running, run_on, started

from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.load import Model, load_model
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.planner.weight_tiles import shape_of
from edgefm.rate_distortion import IMAGES, Budget, How, coarsen
from edgefm.rate_distortion.divergence import package_of
from edgefm.rate_distortion.weights.signed import signed

BOARD, KIB = "qemu-an386", 1024
WAYS: Mapping[str, Mapping[str, str]] = {
    "raw, halves": {"packing": "halves"}, "raw, rows": {"packing": "rows"},
    "coded": {"weight_codec": "auto"}}


def main() -> None:
    """Print one row per network, memory and way."""
    arguments = parser(__doc__)
    arguments.add_argument("--models", nargs="+", default=[MOBILENET_V2], metavar="NAME",
                           help="parts of names (default: MobileNetV2)")
    arguments.add_argument("--fast", type=int, nargs="+", default=[96, 160], metavar="KIB",
                           help="fast memory (default 96 160)")
    arguments.add_argument("--kl", type=float, metavar="NATS", help="a budget (default: lossless)")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    with started([BOARD], {}) as boards:
        print_table(("network", "KiB", "weights", "package", "weights read", "maps moved",
                     "instructions", "weights decoded", "same outputs"),
                    _rows(options, data, boards[BOARD]))


def _rows(options: argparse.Namespace, data: Path, board: Running) -> Iterator[tuple[object, ...]]:
    for network in networks(data, options.models):
        model = _model(network, data, options.kl)
        for fast in options.fast:
            for way, more in WAYS.items():
                say(f"{network.name}, {fast} KiB, {way}")
                told = options_for(network, data, fast=fast * KIB, target=TARGET, **more)
                compiled = compile_loaded(model, told)
                plan, outcome = compiled.plan, run_on(board, compiled)
                yield (network.name, fast, way, len(compiled.package), plan.weight_read_bytes,
                       plan.external_read_bytes + plan.external_write_bytes, outcome.end.ticks,
                       _decoded(compiled), "yes" if outcome.same_bytes else "no")


def _model(network: Network, data: Path, nats: float | None) -> Model:
    model = load_model(network.file, options_for(network, data))
    if nats is None:
        return model
    samples = calibration_inputs(model.graph, model.preprocess,
                                 data / "images" / "imagenet_sample", IMAGES)
    coarse, rate = coarsen(signed(model.graph), {}, samples, Budget(kl=nats),
                           How(coarsened="weights"), package_of)
    say(f"{network.name}: held-out KL {rate.kl:.4f}, {rate.weight_bits:.3f} bits per weight")
    return replace(model, graph=coarse)


def _decoded(compiled: Compiled) -> int:
    """Weights that a run decodes."""
    total, fired = 0, set[int]()
    for index, _ in compiled.plan.firings:
        placed = compiled.plan.ops[index]
        if placed.tiles and not (placed.kept and index in fired):
            shape = shape_of(compiled.program, compiled.program.ops[placed.op])
            total += shape.channels * shape.each
        fired.add(index)
    return total


if __name__ == "__main__":
    main()
