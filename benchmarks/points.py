# SPDX-License-Identifier: Apache-2.0
"""How many points of top-1 a nat of KL costs: the table behind `--accuracy-budget`.

Every operator's output gets coarser steps, chosen for a KL that is predicted on imagenet_sample; KL
and points are then measured on imagenet_val against the network without them, each photo in several
views. Nothing is coded, which does not change a bit. `points per nat` is points over KL with the
error of the points; the last rows pool all: least squares through zero, weighted by the inverse
variance of the points (the rows of one network share their photos, so the error is optimistic).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import (
    MOBILENET_V2,
    SQUEEZENET,
    Network,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.load import Model, load_model
from edgefm.console.pool import completed, process_pool
from edgefm.evaluate.validate.statistics import mean_and_error
from edgefm.evaluate.validate.views import views
from edgefm.images.labels import LabeledFile, read_labels, spread
from edgefm.images.preprocess import Preprocess, load_image
from edgefm.network.graph import Graph
from edgefm.rate_distortion.allocate import ladder
from edgefm.rate_distortion.channel_transform import in_good_coordinates
from edgefm.rate_distortion.divergence import (
    Decision,
    DecisionScores,
    decision_of,
    divergence,
    package_of,
)
from edgefm.rate_distortion.requantize import groups, requantize
from edgefm.rate_distortion.sensitivity import measure
from edgefm.runtime import Runtime

_UNIT = 26    # photos
_FITTED = 12  # calibration photos


@dataclass(frozen=True, slots=True)
class Looked:
    """Photos that several packages of one network look at, the reference first."""

    files: tuple[LabeledFile, ...]
    packages: tuple[bytes, ...]
    decisions: tuple[Decision, ...]
    preprocess: Preprocess | None
    views: int


def main() -> None:
    """Print one row per network and budget, then the pooled ones."""
    arguments = parser(__doc__)
    arguments.add_argument("--models", nargs="+", default=[MOBILENET_V2, SQUEEZENET],
                           metavar="NAME", help="parts of names")
    arguments.add_argument("--budgets", type=float, nargs="+", default=[0.005, 0.014, 0.03, 0.08],
                           metavar="NATS", help="predicted KL")
    arguments.add_argument("--limit", type=int, metavar="N", help="photos (default: all)")
    arguments.add_argument("--views", type=int, default=4, metavar="N", help="default 4")
    arguments.add_argument("--workers", type=int, metavar="N")
    options = arguments.parse_args()
    data = data_folder(options.data)
    folder = data / "images" / "imagenet_val"
    files = spread(read_labels(folder / "labels.csv", folder), options.limit)
    print_command()
    lost: list[tuple[float, float, float]] = []
    print_table(("network", "predicted, nats", "photos", "views", "KL, nats", "points lost",
                 "changed %", "points per nat"),
                _rows(options.models, data, files, options.budgets, options.views,
                      options.workers, lost))


def _rows(models: Sequence[str], data: Path, files: tuple[LabeledFile, ...],
          budgets: Sequence[float], seen: int, workers: int | None,
          lost: list[tuple[float, float, float]]) -> Iterator[tuple[object, ...]]:
    for network in networks(data, models):
        model = load_model(network.file, options_for(network, data))
        graphs = [model.graph, *_coarser(model, network, data, budgets)]
        own: list[tuple[float, float, float]] = []
        for budget, (kl, points, changed) in zip(
                budgets, _measured(model, graphs, files, seen, workers), strict=True):
            nats, nats_error = mean_and_error(kl)
            mean, error = mean_and_error(points)
            own.append((nats, mean, error or 0))
            yield (network.name, f"{budget:g}", len(files), seen, f"{nats:.4f} ± {nats_error:.4f}",
                   f"{mean:+.2f} ± {error:.2f}", 100 * float(np.mean(changed)),
                   f"{mean / nats:.0f} ± {(error or 0) / nats:.0f}")
        lost += own
        yield _pooled(f"{network.name}, pooled", own, len(files), seen)
    yield _pooled("all, pooled", lost, len(files), seen)


def _pooled(name: str, lost: Sequence[tuple[float, float, float]], files: int, seen: int
            ) -> tuple[object, ...]:
    kl, points, error = (np.array(column) for column in zip(*lost, strict=True))
    weight = 1 / np.maximum(error, 1e-3) ** 2
    information = float((weight * kl ** 2).sum())
    slope = float((weight * kl * points).sum()) / information
    return (name, "", files, seen, "", "", "",
            f"{slope:.0f} ± {information ** -0.5:.0f}")


def _coarser(model: Model, network: Network, data: Path, wanted: Sequence[float]) -> list[Graph]:
    say(network.name)
    graph = model.graph
    sizes = {g: sum(int(np.prod(graph.tensors[t].shape)) for t in g) for g in groups(graph)}
    samples = calibration_inputs(graph, model.preprocess, data / "images" / "imagenet_sample",
                                 _FITTED)
    costs = in_good_coordinates(graph, {}, samples, "none").costs
    found = measure(graph, sizes, samples, costs)
    family = ladder(found, "slope")
    made = []
    for nats in wanted:
        factors = family.factors(family.start(nats))
        made.append(requantize(graph, {s.group[0]: factor
                                       for s, factor in zip(found, factors, strict=True)}))
    return made


Measured = tuple[list[float], list[float], list[float]]  # per photo: KL, points lost, changed


def _measured(model: Model, graphs: Sequence[Graph], files: tuple[LabeledFile, ...], seen: int,
              workers: int | None) -> list[Measured]:
    """KL, points and changed decisions of all but the first graph, photo by photo."""
    packages = tuple(package_of(graph) for graph in graphs)
    decisions = tuple(decision_of(graph) for graph in graphs)
    units = [Looked(files[i:i + _UNIT], packages, decisions, model.preprocess, seen)
             for i in range(0, len(files), _UNIT)]
    found: list[Measured] = [([], [], []) for _ in graphs[1:]]
    with process_pool(workers) as pool:
        for _, rows in completed(pool, look, units, ahead=4):
            for row in rows:
                for total, one in zip(found, row, strict=True):
                    for column, value in zip(total, one, strict=True):
                        column.append(value)
    return found


def look(unit: Looked) -> list[list[tuple[float, float, float]]]:
    """Per photo and package the means over views."""
    runtimes = [Runtime(package) for package in unit.packages]
    result = []
    for file in unit.files:
        data = load_image(file.path, unit.preprocess, runtimes[0].inputs[0])
        answers = [[d.read(r.run([view.of(data)], taps=True).taps) for view in views(unit.views)]
                   for r, d in zip(runtimes, unit.decisions, strict=True)]
        result.append([_one(answers[0], other, file.label) for other in answers[1:]])
    return result


def _one(judge: Sequence[DecisionScores], ours: Sequence[DecisionScores], label: int
         ) -> tuple[float, float, float]:
    named = [[_named(answer) for answer in one] for one in (judge, ours)]
    right = [np.mean([name == label for name in names]) for names in named]
    return (float(np.mean([divergence(a, b) for a, b in zip(judge, ours, strict=True)])),
            100 * float(right[0] - right[1]),
            float(np.mean([a != b for a, b in zip(*named, strict=True)])))


def _named(answer: DecisionScores) -> int:
    """The class that a network of 1,000 classes, or of 1,001 with background, names."""
    scores = answer.scores[0]
    return int(scores[len(scores) - 1000:].argmax())


if __name__ == "__main__":
    main()
