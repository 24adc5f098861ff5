# SPDX-License-Identifier: Apache-2.0
"""Quality maps: what each kind saves on stored maps at equal loss.

The maps that MobileNetV2 stores outside 64 KiB get the steps that `--kl-budget` would give them,
times each of `--factors`; quality maps, chosen on calibration files, make places coarser than that.
Each package is run on validation photos that nothing was fitted on. Bits are real ones, first bytes
of rows and signals included; KL is the mean of KL(uncompressed || coded) in nats. One line through
the points of a kind, bits over log KL, gives its bits at `--kl`, with the standard error of the
line there. A difference is to the even steps' line.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
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

from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.deployed import Deployed
from edgefm.compiler.external import External
from edgefm.compiler.job import Job
from edgefm.compiler.load import Model, load_model
from edgefm.compiler.options import CompileOptions
from edgefm.images.labels import read_labels, spread
from edgefm.images.preprocess import InputInfo, load_image
from edgefm.network.graph import Array, Graph
from edgefm.planner import Target, load_target
from edgefm.rate_distortion.divergence import Scores, divergences, scores
from edgefm.rate_distortion.quality_maps import QUALITIES, Chooser, by_position, chooser_for
from edgefm.rate_distortion.requantize import requantize
from edgefm.runtime import Runtime


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """The network, its files, and the steps that everything is measured around."""

    model: Model
    target: Target
    codec: str
    calibration: Sequence[Array]
    photos: Sequence[Array]
    reference: Scores
    factors: dict[int, float]

    def external(self, graph: Graph, chooser: Chooser | None, kl: float | None = None) -> External:
        """A compilation of a graph for external memory, with quality maps."""
        options = CompileOptions(objective="maps", codec=self.codec, kl_budget=kl,
                                 rate_rule="slope", transform="none")  # one step per map
        return External(Job(self.model, graph, options, self.target, {}, chooser=chooser,
                            table_inputs=lambda: self.calibration[::4]))


def main() -> None:
    """Print one row per kind of quality map and size of tiles."""
    arguments = parser(__doc__)
    arguments.add_argument("--model", default=MOBILENET_V2, metavar="NAME")
    arguments.add_argument("--kl", type=float, default=0.014, metavar="NATS")
    arguments.add_argument("--codec", default="context", metavar="ID")
    arguments.add_argument("--kinds", nargs="+", default=list(QUALITIES), choices=QUALITIES)
    arguments.add_argument("--tiles", nargs="+", type=int, default=[8], metavar="PIXELS")
    arguments.add_argument("--factors", nargs="+", type=float, metavar="F",
                           default=[0.65, 0.8, 1.0, 1.25])
    arguments.add_argument("--calib", type=int, default=64, metavar="N", help="files to choose on")
    arguments.add_argument("--limit", type=int, default=100, metavar="N", help="photos to judge by")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    print_table(("quality", "tile, pixels", "offsets above 0", f"bits/value at {options.kl} nats",
                 "difference", "KL at its points", "bits at its points"), _rows(options, data))


def _rows(options: argparse.Namespace, data: Path) -> Iterator[tuple[object, ...]]:
    bench = _bench(options, data)
    even: float | None = None
    weights: dict[int, list[np.ndarray]] = {}  # derivatives are the same for all kinds
    for kind in options.kinds:
        for tile in options.tiles if kind not in ("even", "rows") else [0]:
            say(f"{kind} {tile}")
            chooser = chooser_for(bench.model.graph, bench.calibration, kind, tile, lambda: None)
            if chooser:
                chooser.weights = weights = weights or by_position(chooser.graph, chooser.samples)
            points = [_point(bench, chooser, factor) for factor in options.factors]
            kls, bits = (np.array(values) for values in list(zip(*points, strict=True))[:2])
            at, error = _on_line(np.log10(kls), bits, float(np.log10(options.kl)))
            even = at if even is None else even
            yield (kind, tile or "row", f"{100 * points[0][2]:.0f} %", f"{at:.3f} ± {error:.3f}",
                   f"{at - even:+.3f}", " ".join(f"{kl:.4f}" for kl in kls),
                   " ".join(f"{b:.2f}" for b in bits))


def _bench(options: argparse.Namespace, data: Path) -> Bench:
    network = networks(data, [options.model])[0]
    wanted = replace(options_for(network, data, fast=64 << 10), objective="maps")
    model = load_model(network.file, wanted)
    calibration = calibration_inputs(model.graph, model.preprocess, wanted.calib, options.calib)
    folder = data / "images" / "imagenet_val"
    info = model.graph.tensors[model.graph.inputs[0]]
    form = InputInfo(info.shape, info.dtype, info.scale, info.zero_point)
    photos = [load_image(f.path, model.preprocess, form)
              for f in spread(read_labels(folder / "labels.csv", folder), options.limit)]
    target = load_target(None).with_budget(64 << 10, None)
    bench = Bench(model, target, options.codec, calibration, photos,
                  scores(model.graph, photos), {})
    decided = bench.external(model.graph, None, options.kl).run(calibration).rate
    assert decided is not None
    names = {tensor.name: t for t, tensor in enumerate(model.graph.tensors)}
    factors = {names[step.name]: step.factor for step in decided.steps}
    say(f"steps times {', '.join(f'{f:.2f}' for f in factors.values())}")
    return replace(bench, factors=factors)


def _point(bench: Bench, chooser: Chooser | None, factor: float) -> tuple[float, float, float]:
    """KL, bits per value, and the share of offsets in the quality maps' tables that are not 0."""
    coarse = {t: max(f * factor, 1.0) for t, f in bench.factors.items()}
    made = bench.external(requantize(bench.model.graph, coarse), chooser).run([])
    package = made.package()
    kl = divergences(bench.reference, scores(made.graph, bench.photos, package)).mean()
    with Runtime(package) as runtime:
        counters = [runtime.run([photo]).counters for photo in bench.photos]
    bits = 8 * sum(c.coded_bytes for c in counters) / sum(c.coded_values for c in counters)
    return float(kl), bits, _share(made)


def _share(made: Deployed) -> float:
    tables = []
    for m in made.plan.maps:
        if m.cap and m.cap.quality:
            head = 2 if m.cap.kind.name == "STATIC" else 6
            tables.append(np.frombuffer(m.cap.quality.table[head:], np.uint8))
    return float(np.mean([(table > 0).mean() for table in tables])) if tables else 0.0


def _on_line(x: np.ndarray, y: np.ndarray, at: float) -> tuple[float, float]:
    """A straight line through points, and its standard error at one place."""
    slope, offset = np.polyfit(x, y, 1)
    left = y - (slope * x + offset)
    share = 1 / len(x) + (at - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    return float(slope * at + offset), float(np.sqrt((left ** 2).sum() / (len(x) - 2) * share))


if __name__ == "__main__":
    main()
