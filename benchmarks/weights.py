# SPDX-License-Identifier: Apache-2.0
"""Bits per weight: coded as they are, and coarser within a budget of loss.

The first table codes the weights of every network without loss, tables counted, beside the ideal
code of each layer (order-0). The second makes weights coarser (`--coarsen weights`): the budget is
held on a third of imagenet_sample, and KL, agreement and top-1 are measured on imagenet_val, which
nothing has seen, against the network as it was. Nothing of the maps changes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _common import (
    MOBILENET_V2,
    SQUEEZENET,
    Network,
    data_folder,
    labels_of,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.load import Model, load_model
from edgefm.evaluate.validate.statistics import mean_and_error
from edgefm.network.graph import Graph
from edgefm.rate_distortion import IMAGES, Budget, How, coarsen
from edgefm.rate_distortion.divergence import divergences, package_of, scores
from edgefm.rate_distortion.weights.bits import TILE, coded_size, order_0, tiles_of
from edgefm.rate_distortion.weights.signed import signed

LEGACY = "mobilenet_v2_1.0_224_quant"


def main() -> None:
    """Print both tables; ends with status 2 where there are no models."""
    arguments = parser(__doc__)
    arguments.add_argument("--models", nargs="+", default=[MOBILENET_V2, LEGACY, SQUEEZENET],
                           metavar="NAME", help="parts of names, for the second table")
    arguments.add_argument("--budgets", type=float, nargs="*", default=[0.03], metavar="NATS",
                           help="KL; none: only the first table (default 0.03)")
    arguments.add_argument("--photos", type=int, default=650, metavar="N",
                           help="of imagenet_val (default 650)")
    arguments.add_argument("--tile", type=int, default=TILE, metavar="N",
                           help=f"bytes (default {TILE})")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    print_table(("network", "weights", "order-0", "coded", "over order-0, %", "tables, bytes"),
                _lossless(data, options.tile))
    if options.budgets:
        print()
        print_table(("network", "budget, nats", "held-out KL", "bits/weight", "order-0",
                     "weights, bytes", "photos", "KL, nats", "agree %", "top-1 lost, points"),
                    _coarser(options, data))


def _lossless(data: Path, tile: int) -> Iterator[tuple[object, ...]]:
    for network in networks(data, ["quant", "ptq", "vww", "kws", "ad01", "person_detect.",
                                   "resnet", "Resnet"]):
        graph = load_model(network.file, options_for(network, data)).graph
        size, ideal = coded_size(tiles_of(graph, tile)), order_0(graph)
        yield (network.name, size.weights, f"{ideal:.3f}", f"{size.bits:.3f}",
               f"{100 * (size.bits / ideal - 1):+.1f}", size.tables)


def _coarser(options: argparse.Namespace, data: Path) -> Iterator[tuple[object, ...]]:
    for network in networks(data, options.models):
        model = load_model(network.file, options_for(network, data))
        samples = calibration_inputs(model.graph, model.preprocess,
                                     data / "images" / "imagenet_sample", IMAGES)
        for nats in options.budgets:
            say(f"{network.name}, {nats:g}")
            coarse, rate = coarsen(signed(model.graph), {}, samples, Budget(kl=nats),
                                   How(coarsened="weights"), package_of)
            size = coded_size(tiles_of(coarse, options.tile))
            yield (network.name, f"{nats:g}", f"{rate.kl:.4f} ± {rate.kl_error:.4f}",
                   f"{size.bits:.3f}", f"{order_0(coarse):.3f}", size.tiles + size.tables,
                   *_judged(network, model, coarse, data, options.photos))


def _judged(network: Network, model: Model, coarse: Graph, data: Path, photos: int
            ) -> tuple[object, ...]:
    """What photos say that nothing has seen, against the network as it was."""
    inputs = calibration_inputs(model.graph, model.preprocess, data / "images" / "imagenet_val",
                                photos)
    before, after = scores(model.graph, inputs), scores(coarse, inputs)
    labels = labels_of(data, photos, before[0].scores.shape[1])
    was, now = (np.array([one.scores[0].argmax() for one in each]) for each in (before, after))
    kl, error = mean_and_error(list(divergences(before, after)))
    lost, spread = mean_and_error(list(100.0 * ((was == labels) * 1.0 - (now == labels))))
    return (len(inputs), f"{kl:.4f} ± {error:.4f}", f"{100 * (was == now).mean():.1f}",
            f"{lost:+.2f} ± {spread:.2f}")


if __name__ == "__main__":
    main()
