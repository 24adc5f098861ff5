# SPDX-License-Identifier: Apache-2.0
"""Accuracy, distance from the source network, traffic and speed on labeled files.

The files are divided into units. Any `concurrent.futures.Executor` may run them, in any order and
more than once, because a unit is a pure function of its description. Results are merged by file
number.

Definitions. All figures are means over files and their views; percentages and points (of them) for
accuracies. Equal scores rank by class index; a network with 1,001 outputs drops its background
class. The *judge* is the float network where the source is float, else the run of the quantized
network before any map got coarser steps. `difference` is ours minus the judge's, picture by
picture; its standard error (like every other, `…_error`) takes the picture as the unit, views of
one are not independent. `changed` is the percentage of decisions that are not the judge's: classes,
the judge's sure boxes, pixels. `kl` is the mean of KL(judge || ours) in nats: on the decision
itself where the caller knows the graph (`rate_distortion.divergence`), else on outputs, where
scores that are not probabilities pass a softmax and each probability is at least 1e-5. Bytes are
means per inference. `images_per_second` is what one worker does: read, preprocess and run, the
judges' time not counted. `maps` says what crossed for each stored map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edgefm.console.pool import completed, process_pool
from edgefm.errors import BadInput
from edgefm.evaluate.executors import Division, division
from edgefm.evaluate.validate import classify, detect, segment
from edgefm.evaluate.validate.statistics import mean_and_error
from edgefm.evaluate.validate.unit import TASKS, Labeled, Outcome, Unit, run_unit, task_of
from edgefm.package.counters import MapCounters
from edgefm.package.traffic import MapInfo, MapTraffic, traffic
from edgefm.rate_distortion.divergence import Decision

__all__ = ["FIGURES", "TASKS", "Labeled", "Outcome", "Unit", "Validation", "divided", "make_units",
           "process_pool", "run_unit", "summarize", "task_of", "validate"]

_UNIT = 16  # files: long enough to pay for opening the network, short enough to balance
FIGURES = MappingProxyType({"classify": "top1", "detect": "map50", "segment": "miou"})
_OF_TASK: Mapping[str, Callable[[Sequence[Any]], dict[str, float | None]]] = MappingProxyType({
    "classify": classify.figures, "detect": detect.figures, "segment": segment.figures})


@dataclass(frozen=True, slots=True)
class Validation:
    """The result over all files, as the module's docstring defines it; `figures` are the task's
    own: see `classify`, `detect` and `segment`."""

    task: str
    n: int
    views: int
    figures: Mapping[str, float | None]
    kl: float | None
    kl_error: float | None
    bits_per_value: float | None
    external_read_bytes: int
    external_write_bytes: int
    capped_rows: float
    images_per_second: float
    maps: tuple[MapTraffic, ...] = ()

    @property
    def figure(self) -> str:
        """The name of the task's accuracy among the figures."""
        return FIGURES[self.task]

    def __getitem__(self, name: str) -> float | None:
        """One of the task's figures."""
        return self.figures[name]

    def to_json(self) -> dict[str, Any]:
        """All figures by name, side by side."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name != "figures"}
        fields["maps"] = [one.to_json() for one in self.maps]
        return {"task": fields.pop("task"), "n": fields.pop("n"), "views": fields.pop("views"),
                **self.figures, **fields}


def make_units(files: tuple[Labeled, ...], package: bytes, oracle: bytes | None = None,
               source: Path | None = None, task: str = "classify", views: int = 1,
               decisions: tuple[Decision, Decision] | None = None,
               threads: int = 1) -> Iterator[Unit]:
    """Cut a validation into units that can run anywhere that sees the files."""
    for first in range(0, len(files), _UNIT):
        yield Unit(first, files[first:first + _UNIT], package, oracle, source, task, views,
                   decisions, threads)


def divided(files: int, workers: int | None = None, threads: int | None = None) -> Division:
    """Processes for many files, threads for few, unless it is said."""
    return division(-(-files // _UNIT), workers, threads)


def validate(units: Iterable[Unit], executor: Executor,
             progress: Callable[[int], None] | None = None,
             maps: Sequence[MapInfo] = ()) -> Validation:
    """Run the units and merge them by file number; `progress` gets the files of each finished unit,
    `maps` are those that the package stores.

    Raises BadInput for files that cannot be read or labels the network does not have.
    """
    merged: dict[int, Outcome] = {}
    task = "classify"
    for unit, outcomes in completed(executor, run_unit, units):
        task = unit.task
        merged.update((outcome.number, outcome) for outcome in outcomes)
        if progress:
            progress(len(outcomes))
    return summarize([merged[number] for number in sorted(merged)], task, maps)


def summarize(outcomes: Sequence[Outcome], task: str = "classify",
              maps: Sequence[MapInfo] = ()) -> Validation:
    """Means over files; BadInput when there are none."""
    if not outcomes:
        raise BadInput("validate: no files to judge")
    runs = sum(o.runs for o in outcomes)
    total = {name: sum(o.counters[name] for o in outcomes) for name in outcomes[0].counters}
    values = total["coded_values"]
    kls = [o.kl for o in outcomes if o.kl is not None]
    kl, kl_error = mean_and_error(kls) if kls else (None, None)
    return Validation(
        task, len(outcomes), outcomes[0].runs, _OF_TASK[task]([o.evidence for o in outcomes]),
        kl, kl_error, 8 * total["coded_bytes"] / values if values else None,
        round(total["external_read_bytes"] / runs), round(total["external_write_bytes"] / runs),
        total["capped_rows"] / runs, runs / max(sum(o.seconds for o in outcomes), 1e-9),
        traffic(maps, [[MapCounters(*one) for one in o.maps] for o in outcomes], outcomes[0].runs))
