# SPDX-License-Identifier: Apache-2.0
"""Top-1 of our int8 networks against their float sources, on the validation photos.

Every photo is judged in several views (mirrored, moved by 1 to 3 pixels;
`edgefm.evaluate.validate.views`); a published network, whose judge is the same network in TFLite's
reference kernels, as it is.
Differences are paired, photo by photo and view by view; standard errors take the photo as the unit.
Float SqueezeNet is run by edgefm.ops in NumPy, float MobileNetV1 and the published MobileNetV2 by
TFLite's reference kernels. KL is the mean of KL(judge || ours) in nats. Calibration sees
imagenet_sample only. The second table quantizes each float network again with random parts of the
calibration photos: what the choice of photos alone moves.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from _common import (
    CACHE,
    MOBILENET_V2,
    PREPROCESS,
    Network,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    quantized,
    say,
)

from edgefm.compiler.pipeline import compile_model
from edgefm.console.pool import completed
from edgefm.evaluate.validate import (
    Outcome,
    Validation,
    make_units,
    process_pool,
    run_unit,
    summarize,
)
from edgefm.files.write import make_folder
from edgefm.images.labels import LabeledFile, read_labels, spread

PART = 400  # photos of a random part of the calibration folder


def main() -> None:
    """Print one row per network, then one per part of the calibration photos."""
    arguments = parser(__doc__)
    arguments.add_argument("--models", nargs="+", default=[MOBILENET_V2, *PREPROCESS],
                           metavar="NAME", help="parts of names")
    arguments.add_argument("--limit", type=int, metavar="N", help="photos (default: all)")
    arguments.add_argument("--views", type=int, default=4, metavar="N", help="default 4")
    arguments.add_argument("--parts", type=int, default=5, metavar="N",
                           help=f"random {PART} of the calibration photos (default 5)")
    arguments.add_argument("--workers", type=int, metavar="N")
    arguments.add_argument("--fast", type=int, default=96, metavar="KIB",
                           help="fast memory of the plan (default 96)")
    options = arguments.parse_args()
    data = data_folder(options.data)
    folder = data / "images" / "imagenet_val"
    files = spread(read_labels(folder / "labels.csv", folder), options.limit)
    print_command()
    judged: dict[str, list[Outcome]] = {}
    print_table(("network", "photos", "views", "top-1 %", "top-5 %", "judge's top-1 %",
                 "difference, points", "changed %", "KL, nats", "judge"),
                _rows(options, data, files, judged))
    if judged and options.parts:
        print()
        print_table(("network", "calibrated on", "top-1 %", "int8 - float, points", "changed %"),
                    _parts(options, data, files, judged))


def _rows(options: argparse.Namespace, data: Path, files: tuple[LabeledFile, ...],
          judged: dict[str, list[Outcome]]) -> Iterator[tuple[object, ...]]:
    for network in networks(data, options.models):
        views = options.views if network.source else 1
        oracle = None if network.source else network.file.read_bytes()
        outcomes = _outcomes(network, data, files, options, views, oracle)
        if network.source:
            judged[str(network.source)] = outcomes
        result = summarize(outcomes)
        yield (network.name, result.n, result.views, result["top1"], result["top5"],
               result["float_top1" if network.source else "reference_top1"],
               _difference(result), result["changed"],
               f"{result.kl:.5f} ± {result.kl_error:.5f}", _judge(network.source))


def _parts(options: argparse.Namespace, data: Path, files: tuple[LabeledFile, ...],
           judged: dict[str, list[Outcome]]) -> Iterator[tuple[object, ...]]:
    """Other calibrations of the same sources; the float networks need not run again."""
    for source, first in judged.items():
        name = f"{Path(source).stem}_int8"
        results = [summarize(first)]
        yield name, "all", results[0]["top1"], _difference(results[0]), results[0]["changed"]
        for seed in range(options.parts):
            part = quantized(Path(source), _part(data, seed), f"_part{seed}")
            outcomes = _outcomes(replace(part, source=None), data, files, options,
                                 options.views, None)
            results.append(summarize([
                replace(mine, evidence={**mine.evidence, "source": known.evidence["source"]})
                for mine, known in zip(outcomes, first, strict=True)]))
            yield (name, f"{PART}, seed {seed}", results[-1]["top1"], _difference(results[-1]),
                   results[-1]["changed"])
        differences = [float(result["difference"] or 0) for result in results[1:]]
        if len(differences) > 1:
            yield (name, "mean of the parts", float(np.mean([r["top1"] or 0 for r in results[1:]])),
                   f"{np.mean(differences):+.2f}, spread {np.std(differences, ddof=1):.2f}", "")


def _part(data: Path, seed: int) -> Path:
    """A folder with links to a random part of the calibration photos."""
    photos = sorted((data / "images" / "imagenet_sample").glob("*.jpg"))
    folder = CACHE / f"part{seed}"
    make_folder(folder)
    for photo in random.Random(seed).sample(photos, min(PART, len(photos))):
        if not (folder / photo.name).exists():
            (folder / photo.name).symlink_to(photo)
    return folder


def _outcomes(network: Network, data: Path, files: tuple[LabeledFile, ...],
              options: argparse.Namespace, views: int, oracle: bytes | None) -> list[Outcome]:
    say(network.name)
    compiled = compile_model(network.file, options_for(network, data, fast=options.fast << 10))
    units = make_units(files, compiled.package, oracle, network.source, views=views)
    with process_pool(options.workers) as pool:
        found = [o for _, unit in completed(pool, run_unit, units) for o in unit]
    return sorted(found, key=lambda outcome: outcome.number)


def _difference(result: Validation) -> str:
    return f"{result['difference']:+.2f} ± {result['difference_error']:.2f}"


def _judge(source: Path | None) -> str:
    if source is None:
        return "oracle, same network"
    return "float by TFLite" if source.suffix == ".tflite" else "float by NumPy"


if __name__ == "__main__":
    main()
