# SPDX-License-Identifier: Apache-2.0
"""Rate-accuracy curve: a network compiled for several KL budgets, each measured on labeled files.

The work is divided into units: one compilation per budget, then one measurement per budget and 16
files. A unit is a pure function of its description, and the output folder keeps its result under
its key. So an interrupted sweep continues where it stopped, a worker that dies loses only its unit,
and the curve, which is merged by key, stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgefm import importers
from edgefm.compiler.load import load_model
from edgefm.compiler.options import CompileOptions
from edgefm.console.pool import completed
from edgefm.errors import BadInput
from edgefm.evaluate.sweep.units import (
    CompiledPoint,
    JudgeUnit,
    ResultStore,
    compile_point,
    compile_unit,
    digest,
    judge_unit,
)
from edgefm.evaluate.validate import (
    FIGURES,
    Labeled,
    Outcome,
    Validation,
    make_units,
    run_unit,
    summarize,
)
from edgefm.exporters.tflite import export_tflite
from edgefm.files.read import read_bytes

BUDGETS = (0.003, 0.006, 0.012, 0.025, 0.05, 0.1)  # nats

Tick = Callable[[str, int], None]
"""Told what a finished unit was for, and how many files it judged."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point: uncompressed ("raw"), coded without loss, or within a budget in nats."""

    name: str
    kl_budget: float | None = None


@dataclass(frozen=True, slots=True)
class MeasuredPoint:
    """A measured point: `bytes` cross the external port per inference, both ways."""

    point: Point
    bytes: int
    package_bytes: int
    rate: Mapping[str, Any] | None
    result: Validation

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data; the machine's speed and single maps are left out."""
        result = self.result.to_json()
        result.pop("images_per_second")
        result.pop("maps")
        return {"name": self.point.name, "kl_budget": self.point.kl_budget, "bytes": self.bytes,
                "package_bytes": self.package_bytes, **result, "rate": self.rate}


@dataclass(frozen=True, slots=True)
class Curve:
    """All points in the order of their loss; `figure` names the accuracy among their fields."""

    network: str
    model_sha256: str
    figure: str
    points: tuple[MeasuredPoint, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        return {"network": self.network, "model_sha256": self.model_sha256, "figure": self.figure,
                "points": [point.to_json() for point in self.points]}


@dataclass(frozen=True, slots=True)
class Request:
    """A sweep to run: a model, how to compile it, and the files to measure it on."""

    model: Path
    options: CompileOptions
    files: tuple[Labeled, ...]
    task: str
    views: int = 1
    budgets: Sequence[float] = BUDGETS


def sweep(request: Request, folder: Path, pool: Executor,
          tick: Tick = lambda what, files: None) -> Curve:
    """Compile for every budget and measure; results of units are kept in `folder`/units.

    Raises BadInput when the options hold a budget of their own or ask for raw maps, and what
    compiling and validating raise.
    """
    if request.options.budget or request.options.codec == "raw":
        raise BadInput("sweep: it sets the budgets itself, for coded maps; expected no budget and "
                       "no --codec raw")
    store = ResultStore(folder / "units")
    points = [Point("raw"), Point("lossless"),
              *(Point(f"{b:g} nats", b) for b in sorted(set(request.budgets)))]
    model = _integer_model(request, store, tick)
    compiled = _compiled(model, request.options, points, store, pool, tick)
    outcomes = _judged(request, compiled, store, pool, tick)
    measured = tuple(_measured(point, compiled[point.name], outcomes[point.name], request.task)
                     for point in points)
    return Curve(request.model.stem, digest(read_bytes(request.model)), FIGURES[request.task],
                 measured)


def _integer_model(request: Request, store: ResultStore, tick: Tick) -> Path:
    """The model's file, or for a float one that of its quantized network, made once."""
    if not importers.load(request.model, request.options.input_shape).is_float():
        return request.model
    key = compile_unit(request.model, replace(request.options, fast=None)).key
    path = store.path(f"{key}.tflite")
    if not path.is_file():
        tick("quantize", 0)
        store.put(path.name, export_tflite(load_model(request.model, request.options).graph))
    return path


def _compiled(model: Path, options: CompileOptions, points: Sequence[Point], store: ResultStore,
              pool: Executor, tick: Tick) -> dict[str, CompiledPoint]:
    """Every point compiled, by name; only what the store does not have."""
    coded = options.codec or "context"
    units = {point.name: compile_unit(model, replace(
        options, codec="raw" if point.name == "raw" else coded, kl_budget=point.kl_budget))
        for point in points}
    names = {unit.key: name for name, unit in units.items()}
    found = {name: store.get_compiled(unit.key) for name, unit in units.items()}
    missing = [unit for name, unit in units.items() if found[name] is None]
    for unit, made in completed(pool, compile_point, missing):
        store.put_compiled(unit.key, made)
        found[names[unit.key]] = made
        tick(f"compiled {names[unit.key]}", 0)
    return {name: made for name, made in found.items() if made is not None}


def _judged(request: Request, compiled: Mapping[str, CompiledPoint], store: ResultStore,
            pool: Executor, tick: Tick) -> dict[str, list[Outcome]]:
    """Every point's outcomes in the order of the files."""
    merged: dict[str, dict[int, Outcome]] = {name: {} for name in compiled}

    def add(unit: JudgeUnit, outcomes: Sequence[Outcome]) -> None:
        merged[unit.point].update((outcome.number, outcome) for outcome in outcomes)
        tick(f"judged {unit.point}", len(outcomes))

    def missing() -> Iterator[JudgeUnit]:
        for unit in _judge_units(request, compiled):
            kept = store.get_outcomes(unit.key)
            if kept is None:
                yield unit
            else:
                add(unit, kept)

    for unit, outcomes in completed(pool, run_judge_unit, missing()):
        store.put_outcomes(unit.key, outcomes)
        add(unit, outcomes)
    return {name: [found[number] for number in sorted(found)] for name, found in merged.items()}


def _judge_units(request: Request, compiled: Mapping[str, CompiledPoint]) -> Iterator[JudgeUnit]:
    for name, made in compiled.items():
        for unit in make_units(request.files, made.package, made.reference, None, request.task,
                               request.views, made.decisions):
            yield judge_unit(name, unit)


def run_judge_unit(unit: JudgeUnit) -> tuple[Outcome, ...]:
    """Judge the files of one unit."""
    return run_unit(unit.unit)


def _measured(point: Point, compiled: CompiledPoint, outcomes: Sequence[Outcome], task: str
              ) -> MeasuredPoint:
    result = summarize(outcomes, task)
    return MeasuredPoint(point, result.external_read_bytes + result.external_write_bytes,
                    len(compiled.package), compiled.rate, result)
