# SPDX-License-Identifier: Apache-2.0
"""Accuracy, distance from the source network, traffic and speed on labelled files.

The files are cut into units; any `concurrent.futures.Executor` may run them, in any order and more
than once: a unit is a pure function of its description, and results are merged by file number.

Definitions. Accuracies are percentages; equal scores rank by class index; a network with 1,001
outputs drops its background class. The *judge* is the float network where the source is float,
else the oracle's run of the quantised network before any map got coarser steps. `top1_agreement` is
the percentage of files on which we and the judge name the same class. `kl` is the mean of
KL(judge || ours) in nats, where scores that are no probabilities pass a softmax and each
probability is at least 1e-5. Bytes are means per inference. `images_per_second` is what one worker
does: read, preprocess and run, the judges' time not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from edgefm import importers
from edgefm.binding.runtime import Runtime
from edgefm.container import read_info
from edgefm.errors import BadInput, EdgefmError
from edgefm.graph import Array
from edgefm.labels import LabelledFile
from edgefm.ops import run_graph
from edgefm.preprocess import InputInfo, Preprocess, load_image
from edgefm.reference import Reference, available

TOP = 5
_UNIT = 16  # files: long enough to pay for opening the network, short enough to balance
_FLOOR = 1e-5  # least probability in a KL divergence
_BACKGROUND = 1001


@dataclass(frozen=True, slots=True)
class Unit:
    """Files `first`, `first + 1`, … of a validation and everything needed to judge them.

    `oracle` is the quantised network as .tflite (None: no oracle), `source` the float network's
    file (None where the source is quantised).
    """

    first: int
    files: tuple[LabelledFile, ...]
    package: bytes
    oracle: bytes | None = None
    source: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One file: its label and the best classes, ours first; None where there was no such judge."""

    number: int
    label: int
    ours: tuple[int, ...]
    oracle: tuple[int, ...] | None
    source: tuple[int, ...] | None
    kl: float | None
    counters: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Validation:
    """The result over all files, as the module's docstring defines it."""

    n: int
    top1: float
    top5: float
    reference_top1: float | None
    reference_top5: float | None
    float_top1: float | None
    top1_agreement: float | None
    kl: float | None
    bits_per_value: float | None
    external_read_bytes: int
    external_write_bytes: int
    images_per_second: float

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {name: getattr(self, name) for name in self.__slots__}


def make_units(files: tuple[LabelledFile, ...], package: bytes, oracle: bytes | None = None,
               source: Path | None = None) -> Iterator[Unit]:
    """Cut a validation into units that can run anywhere that sees the files."""
    for first in range(0, len(files), _UNIT):
        yield Unit(first, files[first:first + _UNIT], package, oracle, source)


def process_pool(workers: int | None = None) -> ProcessPoolExecutor:
    """Processes on all cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ProcessPoolExecutor(workers or cores, get_context("spawn"))


def validate(units: Iterable[Unit], executor: Executor,
             progress: Callable[[int], None] | None = None) -> Validation:
    """Run the units and merge them by file number; `progress` gets the files of each finished unit.

    Raises BadInput for files that cannot be read or labels the network does not have.
    """
    merged: dict[int, Outcome] = {}
    pending = [executor.submit(run_unit, unit) for unit in units]
    try:
        for future in as_completed(pending):
            outcomes = future.result()
            merged.update((outcome.number, outcome) for outcome in outcomes)
            if progress:
                progress(len(outcomes))
    except BrokenProcessPool:
        raise EdgefmError("validate: a worker process died (out of memory?); "
                          "try fewer with --workers") from None
    finally:
        for future in pending:
            future.cancel()
    return summarise([merged[number] for number in sorted(merged)])


def run_unit(unit: Unit) -> tuple[Outcome, ...]:
    """Judge the files of one unit."""
    preprocess = read_info(unit.package).preprocess
    with ExitStack() as stack:
        runtime = stack.enter_context(Runtime(unit.package))
        oracle = stack.enter_context(Reference(unit.oracle)) if unit.oracle else None
        source = _FloatNet.load(unit.source) if unit.source else None
        return tuple(_judge(unit.first + index, file, preprocess, runtime, oracle, source)
                     for index, file in enumerate(unit.files))


def _judge(number: int, file: LabelledFile, preprocess: Preprocess | None, runtime: Runtime,
           oracle: Reference | None, source: _FloatNet | None) -> Outcome:
    start = time.perf_counter()
    data = load_image(file.path, preprocess, runtime.inputs[0])
    result = runtime.run([data])
    seconds = time.perf_counter() - start
    info = runtime.outputs[0]
    ours = class_scores(result.outputs[0], info.scale, info.zero_point)
    if file.label >= len(ours):
        raise BadInput(f"{file.path}: label {file.label}, expected less than the network's "
                       f"{len(ours)} classes")
    judged = (class_scores(oracle.outputs([data])[0], info.scale, info.zero_point)
              if oracle else None)
    floated = source.scores(file.path, preprocess) if source else None
    judge = floated if floated is not None else judged
    return Outcome(number, file.label, best(ours), None if judged is None else best(judged),
                   None if floated is None else best(floated),
                   None if judge is None else divergence(judge, ours),
                   _counters(result.counters), seconds)


@dataclass(frozen=True, slots=True, eq=False)
class _FloatNet:
    """The float source network: by the oracle where it reads the file, else by edgefm.ops."""

    graph: Any
    oracle: Reference | None

    @staticmethod
    def load(path: Path) -> _FloatNet:
        judged = path.suffix.lower() == ".tflite" and available()
        return _FloatNet(importers.load(path), Reference(path.read_bytes()) if judged else None)

    def scores(self, path: Path, preprocess: Preprocess | None) -> Array:
        source = self.graph.tensors[self.graph.inputs[0]]
        data = load_image(path, preprocess, InputInfo(source.shape, source.dtype))
        if self.oracle:
            return class_scores(self.oracle.outputs([data])[0], 1.0, 0)
        return class_scores(run_graph(self.graph, [data])[self.graph.outputs[0]], 1.0, 0)


def class_scores(output: Array, scale: float, zero_point: int) -> Array:
    """Real scores [classes], background dropped; BadInput when the output is no class vector."""
    if output.size != max(output.shape, default=0) or output.size < 2:
        raise BadInput(f"validate needs one score per class; the network's first output is "
                       f"{output.dtype} {list(output.shape)}")
    scores: Array = output.astype(np.float64).ravel()
    if output.dtype.kind != "f":
        scores = (scores - zero_point) * (scale or 1.0)
    return scores[1:] if len(scores) == _BACKGROUND else scores


def best(scores: Array) -> tuple[int, ...]:
    """The `TOP` best classes, best first; equal scores in order of their index."""
    return tuple(int(index) for index in np.argsort(-scores, kind="stable")[:TOP])


def divergence(judge: Array, ours: Array) -> float:
    """KL(judge || ours) in nats."""
    p, q = _probabilities(judge), _probabilities(ours)
    return float(np.sum(p * np.log(p / q)))


def _probabilities(scores: Array) -> Array:
    """Scores that are no probabilities yet pass a softmax; none is left below the floor."""
    if scores.min() < 0 or not 0.5 <= scores.sum() <= 1.5:
        scores = np.exp(scores - scores.max())
    floored = np.maximum(scores / scores.sum(), _FLOOR)
    result: Array = floored / floored.sum()
    return result


def _counters(counters: Any) -> dict[str, int]:
    names = ("external_read_bytes", "external_write_bytes", "coded_bytes", "coded_values")
    return {name: int(getattr(counters, name)) for name in names}


def summarise(outcomes: list[Outcome]) -> Validation:
    """Means over files; BadInput when there are none."""
    if not outcomes:
        raise BadInput("validate: no files to judge")
    total = {name: sum(o.counters[name] for o in outcomes) for name in outcomes[0].counters}
    judges = [o.source or o.oracle for o in outcomes]
    values = total["coded_values"]
    return Validation(
        n=len(outcomes),
        top1=_percent(o.ours[0] == o.label for o in outcomes),
        top5=_percent(o.label in o.ours for o in outcomes),
        reference_top1=_share(o.oracle and o.oracle[0] == o.label for o in outcomes),
        reference_top5=_share(o.oracle and o.label in o.oracle for o in outcomes),
        float_top1=_share(o.source and o.source[0] == o.label for o in outcomes),
        top1_agreement=_share(judge and judge[0] == o.ours[0]
                              for judge, o in zip(judges, outcomes, strict=True)),
        kl=_mean(o.kl for o in outcomes),
        bits_per_value=8 * total["coded_bytes"] / values if values else None,
        external_read_bytes=round(total["external_read_bytes"] / len(outcomes)),
        external_write_bytes=round(total["external_write_bytes"] / len(outcomes)),
        images_per_second=len(outcomes) / max(sum(o.seconds for o in outcomes), 1e-9))


def _percent(hits: Iterable[bool]) -> float:
    return 100 * float(np.mean([bool(hit) for hit in hits]))


def _share(hits: Iterable[Any]) -> float | None:
    """Percentage of true; None where a judge was missing."""
    known = list(hits)
    return None if any(hit is None for hit in known) else _percent(known)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
