# SPDX-License-Identifier: Apache-2.0
"""Budgets in bytes: what they promise, what pictures take, and what is lost.

Every row is one `edgefm compile MODEL --calib DIR --fast 64K --objective maps` with `--byte-budget`
(for any picture) or `--mean-byte-budget`, run on validation photos that nothing was fitted on. KL
is the mean of KL(uncompressed || coded) in nats. A photo is capped when one of its stored rows had
to be made coarser than the map's step. The last columns are noise and extremes instead of photos.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from _common import (
    MOBILENET_V2,
    adversaries,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm.compiler.load import load_model
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.images.labels import read_labels, spread
from edgefm.images.preprocess import InputInfo, load_image
from edgefm.network.graph import Array
from edgefm.rate_distortion.divergence import divergences, scores
from edgefm.runtime import Counters, Runtime


def main() -> None:
    """Print one row per budget."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", default=MOBILENET_V2, metavar="NAME")
    arguments.add_argument("--most", nargs="*", type=int, default=[200, 150, 120], metavar="KIB",
                           help="budgets for any picture")
    arguments.add_argument("--mean", nargs="*", type=int, default=[120], metavar="KIB",
                           help="budgets on average")
    arguments.add_argument("--limit", type=int, default=150, metavar="N", help="photos")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    print_table(("budget", "promised, bytes", "steps times", "photos", "KL, nats", "mean bytes",
                 "largest", "photos capped", "capped rows per photo", "noise and extremes",
                 "shift there"), _rows(options, data))


def _rows(options: argparse.Namespace, data: Path) -> Iterator[tuple[object, ...]]:
    network = networks(data, [options.model])[0]
    plain = replace(options_for(network, data, fast=64 << 10), objective="maps")
    model = load_model(network.file, plain)
    folder = data / "images" / "imagenet_val"
    info = model.graph.tensors[model.graph.inputs[0]]
    form = InputInfo(info.shape, info.dtype, info.scale, info.zero_point)
    photos = [load_image(f.path, model.preprocess, form)
              for f in spread(read_labels(folder / "labels.csv", folder), options.limit)]
    for word, field, sizes in (("at most", "byte_budget", options.most),
                               ("on average", "mean_byte_budget", options.mean)):
        for size in sizes:
            say(f"{size} KiB {word}")
            wanted = replace(plain, **{field: size << 10})
            compiled = compile_loaded(model, wanted)
            yield (f"{size} KiB {word}", *_row(compiled, photos))


def _row(compiled: Compiled, photos: list[Array]) -> tuple[object, ...]:
    kls = divergences(scores(compiled.uncompressed, photos),
                      scores(compiled.graph, photos, compiled.package))
    info = compiled.uncompressed.tensors[compiled.uncompressed.inputs[0]]
    with Runtime(compiled.package) as runtime:
        counters = [runtime.run([photo]).counters for photo in photos]
        worst = [runtime.run([p]).counters for p in adversaries(info.shape, info.dtype)]
    assert compiled.rate is not None
    return (compiled.plan.most_map_bytes,
            ", ".join(f"{step.factor:.2f}" for step in compiled.rate.steps), len(photos),
            f"{kls.mean():.4f} ± {kls.std(ddof=1) / len(kls) ** 0.5:.4f}",
            round(float(np.mean([_crossed(c) for c in counters]))), max(map(_crossed, counters)),
            f"{100 * np.mean([c.capped_rows > 0 for c in counters]):.0f} %",
            f"{np.mean([c.capped_rows for c in counters]):.1f}", max(map(_crossed, worst)),
            max(c.largest_shift for c in worst))


def _crossed(counters: Counters) -> int:
    return counters.external_read_bytes + counters.external_write_bytes


if __name__ == "__main__":
    main()
