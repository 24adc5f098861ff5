# SPDX-License-Identifier: Apache-2.0
"""Lossy maps: bits per value or bytes, and what the decision loses, on photos that nothing was
fitted on.

Each row is one `compile --kl-budget` on imagenet_sample, measured on imagenet_val. Bits per value
count codes, raw rows and 2 bytes per row, each map as often as it crosses the port; tables stand
beside. Maps that count are computed, have more than one pixel and are not outputs: the picture (and
its copy in int8), vectors and scores do not. Compiled packages are kept in build/benchmarks.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from _common import (
    CACHE,
    MOBILENET_V2,
    ROOT,
    SQUEEZENET,
    Network,
    bottleneck_names,
    data_folder,
    labels_of,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm.codecs import coded_bytes
from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.load import Model, load_model
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.evaluate.validate.views import views
from edgefm.files.write import make_folder, write_file
from edgefm.network.graph import Array
from edgefm.network.program import OpKind
from edgefm.rate_distortion import TRANSFORMS
from edgefm.rate_distortion.divergence import divergences, package_of, scores
from edgefm.runtime import Runtime
from edgefm.runtime.coder import code_map


@dataclass(frozen=True)
class Goal:
    """One row: what is stored, the most KL on photos and the most bits per value (or bytes) wanted;
    the budget on calibration files is `spend` times that KL."""

    network: str
    maps: str
    nats: float
    most: float
    fast: int | None = None
    objective: str = "cost"
    spend: float = 1.0


GOALS = (Goal(MOBILENET_V2, "blocks", 0.014, 3.8), Goal(MOBILENET_V2, "ops", 0.014, 2.9),
         Goal(SQUEEZENET, "squeeze", 0.010, 3.2), Goal(SQUEEZENET, "ops", 0.010, 2.6),
         Goal(MOBILENET_V2, "auto", 0.014, 300_000, 64 << 10, "maps"),
         Goal(SQUEEZENET, "auto", 0.010, 80_000, 64 << 10, "maps"))


def main() -> None:
    """Print one row per goal and transform."""
    arguments = parser(__doc__)
    arguments.add_argument("--images", type=int, default=150, metavar="N",
                           help="validation photos for KL and top-1 (default 150)")
    arguments.add_argument("--views", type=int, default=1, metavar="N",
                           help="of each photo, mirrored and moved by 1 to 3 pixels (default 1)")
    arguments.add_argument("--coded", type=int, default=24, metavar="N",
                           help="of them, photos whose maps are coded (default 24)")
    arguments.add_argument("--only", nargs="+", default=[""], metavar="PART",
                           help="rows whose network and maps (as in mobilenet:ops) hold a part")
    arguments.add_argument("--transforms", nargs="+", choices=TRANSFORMS, default=["channels"])
    arguments.add_argument("--rules", nargs="+", choices=("slope", "deviation"), default=["slope"])
    arguments.add_argument("--codecs", nargs="+", default=["mix"], metavar="NAME",
                           help="that maps are stored with (default mix)")
    arguments.add_argument("--spend", type=float, default=1.0, metavar="FACTOR",
                           help="budgets on calibration files, times each goal's KL: another point "
                                "of the curve (default 1)")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    print_table(("network", "stored", "codec", "transform", "values moved", "KL budget",
                 "KL on calibration", "photos", "views", "KL", "top-1 points", "changed %",
                 "bits/value", "map bytes", "tables, % of weights", "target", "reached"),
                _rows(options, data))


def _rows(options: argparse.Namespace, data: Path) -> Iterator[tuple[object, ...]]:
    for goal in (replace(goal, spend=options.spend) for goal in GOALS):
        if not any(part in f"{goal.network}:{goal.maps}" for part in options.only):
            continue
        network, = networks(data, [goal.network])
        for codec, *how in product(options.codecs, options.transforms, options.rules):
            compiled = _compiled(goal, network, data, codec, *how)
            photos = calibration_inputs(compiled.uncompressed, compiled.preprocess,
                                        data / "images" / "imagenet_val", options.images)
            stored, *row = _row(goal, compiled, photos, options, data)
            yield network.name, stored, codec, *row


def _row(goal: Goal, compiled: Compiled, photos: Sequence[Array], options: argparse.Namespace,
         data: Path) -> tuple[object, ...]:
    kls, gained, turned = _lost(compiled, photos, options.views, data)
    moved, coded = _counting(compiled), options.coded
    some = photos[::max(1, len(photos) // coded)][:coded]
    bits, crossed = _bits(compiled, moved, some), _crossed(compiled, some)
    tables = sum(len(one.tables) for one in compiled.coded.values())
    weights = sum(len(op.weights) for op in compiled.program.ops)
    met = crossed if goal.maps == "auto" else bits
    kl, rate = float(kls.mean()), compiled.rate
    assert rate is not None
    return (goal.maps, f"{rate.transform}, {rate.rule}", sum(moved.values()),
            f"{goal.nats * goal.spend:.4g}", f"{rate.kl:.4f} ± {rate.kl_error:.4f}", len(photos),
            options.views, f"{kl:.4f} ± {_error(kls):.4f}",
            f"{100 * gained.mean():+.2f} ± {100 * _error(gained):.2f}",
            f"{100 * turned.mean():.1f}", f"{bits:.2f}", round(crossed),
            f"{100 * tables / weights:.2f}", f"{goal.most:,}",
            "yes" if met <= goal.most and kl <= goal.nats else "NO")


def _lost(compiled: Compiled, photos: Sequence[Array], count: int, data: Path
          ) -> tuple[Array, Array, Array]:
    """Per photo the means over its views: KL, right decisions gained, decisions that turned."""
    seen = [view.of(photo) for photo in photos for view in views(count)]
    reference, changed = (scores(graph, seen) for graph in (compiled.uncompressed, compiled.graph))
    labels = np.repeat(labels_of(data, len(photos), reference[0].scores.shape[1]), count)
    before, after = (np.array([a.scores.argmax() for a in found]) for found in (reference, changed))
    gained = (after == labels).astype(float) - (before == labels)
    kls, gained, turned = (np.asarray(values).reshape(-1, count).mean(1)
                           for values in (divergences(reference, changed), gained, before != after))
    return kls, gained, turned


def _error(values: Array) -> float:
    return float(values.std(ddof=1) / len(values) ** 0.5)


def _compiled(goal: Goal, network: Network, data: Path, codec: str, transform: str, rule: str
              ) -> Compiled:
    """The package of a goal, from build/benchmarks if nothing it is made from changed."""
    path = _cached("package", network, repr((goal, codec, transform, rule)))
    if not path.is_file():
        say(f"compiling {goal.network} {goal.maps} {codec} {transform} {rule}")
        model = _model(network, data)
        cut = ",".join(bottleneck_names(model.graph)) if goal.maps == "squeeze" else goal.maps
        wanted = options_for(network, data, cut=cut, fast=goal.fast, objective=goal.objective,
                             kl_budget=goal.nats * goal.spend, transform=transform, rate_rule=rule,
                             codec=codec)
        write_file(path, pickle.dumps(compile_loaded(model, wanted)))
    found = pickle.loads(path.read_bytes())  # written by the line above
    assert isinstance(found, Compiled)
    return found


def _model(network: Network, data: Path) -> Model:
    """The quantized network, from build/benchmarks if nothing it is made from changed."""
    path = _cached("model", network, repr(network.name))
    if not path.is_file():
        say(f"loading {network.name}")
        write_file(path, pickle.dumps(load_model(network.file, options_for(network, data))))
    found = pickle.loads(path.read_bytes())  # written by the line above
    assert isinstance(found, Model)
    return found


def _cached(kind: str, network: Network, what: str) -> Path:
    """Where something is kept that is made from a network by this code."""
    key = hashlib.sha256(what.encode() + network.file.read_bytes())
    for file in sorted((ROOT / "edgefm").rglob("*.py")):
        key.update(file.read_bytes())
    make_folder(CACHE)
    return CACHE / f"rates_{kind}_{key.hexdigest()[:16]}.pickle"


def _counting(compiled: Compiled) -> dict[int, int]:
    """Values that cross the port per inference, by index of the plan's map, of maps that count."""
    graph, program, plan = compiled.graph, compiled.program, compiled.plan
    outside = {*graph.inputs, *graph.outputs}
    outside.update(t for n in graph.nodes if n.op == "quantize" and n.inputs[0] in graph.inputs
                   for t in n.outputs)
    found = {}
    for i, stored in enumerate(plan.maps):
        stream = program.streams[stored.stream]
        if stream.tensor not in outside and stream.height * stream.width > 1:
            times = sum(op.map == i and op.kind in (OpKind.LOAD, OpKind.STORE) for op in plan.ops)
            found[i] = times * stream.height * stream.width * stream.channels
    return found


def _bits(compiled: Compiled, moved: Mapping[int, int], photos: Sequence[Array]) -> float:
    """Mean bits per value that crosses the port."""
    if not moved:
        return 0.0
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(_coded, compiled, moved, photos[i::2]) for i in range(2)]
        total = sum(job.result() for job in halves)
    return 8 * total / (len(photos) * sum(moved.values()))


def _coded(compiled: Compiled, moved: Mapping[int, int], photos: Sequence[Array]) -> float:
    """Bytes of all photos' maps, each as often as it crosses the port."""
    total = 0.0
    with Runtime(package_of(compiled.graph)) as runtime:
        for photo in photos:
            taps = runtime.run([photo], taps=True).taps
            for i, values in moved.items():
                stream = compiled.program.streams[compiled.plan.maps[i].stream]
                rows = taps[stream.name].reshape(stream.height, stream.width, stream.channels)
                rows = (rows ^ 0x80 if rows.dtype == np.uint8 else rows).view(np.int8)
                one = compiled.coded.get(i)
                size = rows.size if one is None else coded_bytes(
                    code_map(one.codec, one.tables, stream.zero_point, rows).rows)
                total += size * values / rows.size
    return total


def _crossed(compiled: Compiled, photos: Sequence[Array]) -> float:
    """Bytes that the runtime counts at the external port, all stored maps, both ways."""
    with Runtime(compiled.package) as runtime:
        counters = [runtime.run([photo]).counters for photo in photos]
    return float(np.mean([c.external_read_bytes + c.external_write_bytes for c in counters]))


if __name__ == "__main__":
    main()
