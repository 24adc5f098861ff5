# SPDX-License-Identifier: Apache-2.0
"""No external memory: a network whose large maps are coded and capped in a page pool.

One package per fast memory, compiled by the same function as `edgefm compile MODEL --calib DIR
--external 0 --fast SIZE --kl-budget NATS`, and run on validation photos that nothing was fitted on.
KL is the mean of KL(uncompressed || pooled) in nats, read from the class scores; decisions are
paired, photo by photo, with the uncompressed network's. A photo is capped when one of its rows had
to be made coarser than the map's step. The last row is noise and extremes instead of photos, where
nothing may overflow either: how much of the pool it takes, and how coarse rows get.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _common import (
    MOBILENET_V2,
    Network,
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
from edgefm.images.labels import LabeledFile, read_labels, spread
from edgefm.images.preprocess import InputInfo, load_image
from edgefm.rate_distortion.divergence import divergences, scores
from edgefm.runtime import Counters, Runtime

CHUNK = 25  # photos in memory at a time


@dataclass(slots=True)
class Found:
    """Per photo: KL, whether either network is right, whether they agree, and what was counted."""

    kl: list[float]
    right: list[bool]
    right_before: list[bool]
    same: list[bool]
    counters: list[Counters]


def main() -> None:
    """Print one row per fast memory."""
    arguments = parser(__doc__)
    arguments.add_argument("--models", nargs="+", default=[MOBILENET_V2], metavar="NAME")
    arguments.add_argument("--fast", nargs="+", type=int, default=[104, 96], metavar="KIB")
    arguments.add_argument("--kl-budget", type=float, default=0.03, metavar="NATS")
    arguments.add_argument("--limit", type=int, default=650, metavar="N", help="photos")
    options = arguments.parse_args()
    data = data_folder(options.data)
    folder = data / "images" / "imagenet_val"
    files = spread(read_labels(folder / "labels.csv", folder), options.limit)
    print_command()
    print_table(("network", "budget", "fast used", "pool", "maps in it", "photos", "KL, nats",
                 "top-1 difference, points", "same decision", "bits/value", "photos capped",
                 "capped rows, most", "largest shift", "noise and extremes"),
                _rows(options, data, files))


def _rows(options: argparse.Namespace, data: Path,
          files: Sequence[LabeledFile]) -> Iterator[tuple[object, ...]]:
    for network in networks(data, options.models):
        for fast in options.fast:
            yield _row(network, fast, options.kl_budget, data, files)


def _row(network: Network, fast: int, budget: float, data: Path,
         files: Sequence[LabeledFile]) -> tuple[object, ...]:
    say(f"{network.name} in {fast} KiB")
    wanted = replace(options_for(network, data, fast=fast << 10), external=0, kl_budget=budget)
    compiled = compile_loaded(load_model(network.file, wanted), wanted)
    found = _measure(compiled, files)
    plan, kl = compiled.plan, np.array(found.kl)
    change = np.array(found.right, float) - np.array(found.right_before, float)
    moved = [c.pool_bytes for c in found.counters], [c.pool_values for c in found.counters]
    return (network.name, f"{fast} KiB, {budget} nats", plan.fast_bytes,
            f"{plan.pool_pages} x {plan.page_bytes}",
            ", ".join(f"{m.rows} x {m.row_bytes} in {m.most_bytes}" for m in plan.maps),
            len(kl), f"{kl.mean():.5f} ± {kl.std(ddof=1) / len(kl) ** 0.5:.5f}",
            f"{100 * change.mean():+.2f} ± {100 * change.std(ddof=1) / len(kl) ** 0.5:.2f}",
            f"{100 * np.mean(found.same):.1f} %",
            f"{8 * sum(moved[0]) / max(sum(moved[1]), 1):.2f}",
            f"{100 * np.mean([c.capped_rows > 0 for c in found.counters]):.1f} %",
            max(c.capped_rows for c in found.counters),
            max(c.largest_shift for c in found.counters), _adversaries(compiled))


def _measure(compiled: Compiled, files: Sequence[LabeledFile]) -> Found:
    before = compiled.uncompressed
    info = before.tensors[before.inputs[0]]
    target = InputInfo(info.shape, info.dtype, info.scale, info.zero_point)
    found = Found([], [], [], [], [])
    for start in range(0, len(files), CHUNK):
        part = files[start:start + CHUNK]
        photos = [load_image(f.path, compiled.preprocess, target) for f in part]
        reference = scores(before, photos)
        ours = scores(compiled.graph, photos, compiled.package)
        found.kl += divergences(reference, ours).tolist()
        background = ours[0].scores.shape[-1] == 1001
        for file, a, b in zip(part, reference, ours, strict=True):
            first, now = (int(x.scores[0][background:].argmax()) for x in (a, b))
            found.same.append(first == now)
            found.right_before.append(first == file.label)
            found.right.append(now == file.label)
        with Runtime(compiled.package) as runtime:
            found.counters += [runtime.run([photo]).counters for photo in photos]
    return found


def _adversaries(compiled: Compiled) -> str:
    """Pages used and largest shift where pictures are as bad as can be; ends if a run fails."""
    info = compiled.uncompressed.tensors[compiled.uncompressed.inputs[0]]
    with Runtime(compiled.package) as runtime:
        counters = [runtime.run([picture]).counters
                    for picture in adversaries(info.shape, info.dtype)]
    return (f"{max(c.pool_pages for c in counters)} of {compiled.plan.pool_pages} pages, shift "
            f"{max(c.largest_shift for c in counters)}")


if __name__ == "__main__":
    main()
