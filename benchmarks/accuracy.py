# SPDX-License-Identifier: Apache-2.0
"""Top-1 of our int8 networks against their float sources, on the validation photos.

Differences are paired: per photo +1 where only the int8 network is right, -1 where only the float
one is; the standard error is that of their mean. Float SqueezeNet is run by edgefm.ops in NumPy,
float MobileNetV1 and the published MobileNetV2 by TFLite's reference kernels. KL is the mean of
KL(judge || ours) in nats. Calibration sees imagenet_sample only.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _common import (
    MOBILENET_V2,
    PREPROCESS,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm.compiler import compile_model
from edgefm.labels import LabelledFile, read_labels, spread
from edgefm.validate import Outcome, make_units, process_pool, run_unit, summarise


def main() -> None:
    """Print one row per network."""
    arguments = parser(__doc__)
    arguments.add_argument("--models", nargs="+", default=[MOBILENET_V2, *PREPROCESS],
                           metavar="NAME", help="parts of names")
    arguments.add_argument("--limit", type=int, metavar="N", help="photos (default: all)")
    arguments.add_argument("--fast", type=int, default=96, metavar="KIB",
                           help="fast memory of the plan (default 96)")
    options = arguments.parse_args()
    data = data_folder(options.data)
    folder = data / "images" / "imagenet_val"
    files = spread(read_labels(folder / "labels.csv", folder), options.limit)
    print_command()
    print_table(("network", "photos", "top-1 %", "top-5 %", "oracle top-1 %", "float top-1 %",
                 "int8 - float, points", "same top-1 %", "KL, nats", "judge"),
                _rows(options, data, files))


def _rows(options: argparse.Namespace, data: Path,
          files: tuple[LabelledFile, ...]) -> Iterator[tuple[object, ...]]:
    for network in networks(data, options.models):
        say(network.name)
        compiled = compile_model(network.file, options_for(network, data, fast=options.fast << 10))
        units = list(make_units(files, compiled.package, network.file.read_bytes(),
                                network.source))
        with process_pool() as pool:
            outcomes = [o for unit in pool.map(run_unit, units) for o in unit]
        yield network.name, *_figures(outcomes), _judge(network.source)


def _figures(outcomes: list[Outcome]) -> tuple[object, ...]:
    result = summarise(outcomes)
    difference = "-"
    if result.float_top1 is not None:
        pairs = np.array([(o.ours[0] == o.label) - int(bool(o.source) and o.source[0] == o.label)
                          for o in outcomes if o.source])
        error = pairs.std(ddof=1) / len(pairs) ** 0.5
        difference = f"{100 * pairs.mean():+.2f} ± {100 * error:.2f}"
    return (result.n, result.top1, result.top5, f"{result.reference_top1:.2f}",
            "-" if result.float_top1 is None else f"{result.float_top1:.2f}", difference,
            f"{result.top1_agreement:.2f}", f"{result.kl:.5f}")


def _judge(source: Path | None) -> str:
    if source is None:
        return "oracle, same network"
    return "float by TFLite" if source.suffix == ".tflite" else "float by NumPy"


if __name__ == "__main__":
    main()
