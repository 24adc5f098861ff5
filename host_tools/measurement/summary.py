# SPDX-License-Identifier: Apache-2.0
"""What a recording comes to: time, bytes and energy per stage and in all, with their errors.

Bytes are means over the runs that were recorded whole: `coded` is what crossed the port, `raw`
what the plan says would have crossed it uncoded. Energy is measured where there is a meter,
otherwise modeled from bytes and operations, and always says which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from edgefm.console.names import stage_labels
from edgefm.errors import BadInput
from edgefm.files.read import read_json
from edgefm.package.counters import MapCounters
from edgefm.package.traffic import MapInfo, MapTraffic, total, traffic
from host_tools.link.events import Counted
from host_tools.measurement.about import (
    listing,
    mapping,
    plan_of,
    recorded_maps,
    stage_names,
    whole_number,
    why_no_maps,
)
from host_tools.measurement.align import align
from host_tools.measurement.costs import Costs, load_costs, modeled
from host_tools.measurement.energy import EnergyTable, energy_by_stage
from host_tools.measurement.runs import RecordedRun, read_runs
from host_tools.recording.channels import EventChannel
from host_tools.recording.reader import Recording

MEASURED, MODELED = "measured", "modeled"
PLANNED = ("external_read_bytes", "external_write_bytes")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its uncertainty; `error` is None where it is unknown, 0 where it is exact."""

    value: float
    error: float | None = 0.0


@dataclass(frozen=True, slots=True)
class Energy:
    """Of one rail (or all memories and operations, where it is modeled); J, or C without volts."""

    rail: str
    unit: str
    amount: Estimate


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage, or the whole run (number -1): means over the runs.

    `seconds` is None where ticks do not measure time; `raw_read`, `raw_write` None without a plan.
    """

    number: int
    name: str
    ticks: Estimate
    seconds: float | None
    moved: Mapping[str, float]
    raw_read: float | None
    raw_write: float | None
    fast_bytes: int | None
    energy: tuple[Energy, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """One recording; `stages` are empty where no run was recorded whole.

    `maps` are means over the runs that counted map by map; `no_maps` says why none did.
    """

    name: str
    meta: Mapping[str, Any]
    unit: str
    runs: int
    failed: int
    missed: int
    stages: tuple[StageSummary, ...]
    total: StageSummary | None
    high_water: int | None
    energy_kind: str
    energy_source: str
    alignment: str
    outputs: tuple[str, ...]
    problems: tuple[str, ...]
    validation: Mapping[str, Any] | None
    maps: tuple[MapTraffic, ...]
    no_maps: str

    @property
    def plan(self) -> Mapping[str, Any]:
        """The package's plan, empty when it is not known."""
        return plan_of(self.meta)

    @property
    def bits_per_value(self) -> float | None:
        """Of the values of coded maps, in external memory and, where maps are counted one by one,
        in the page pool; None when there were none."""
        coded = [one for one in self.maps if one.codec != "raw"]
        values = sum(one.values for one in coded)
        if values:
            return 8 * sum(one.write_bytes + one.read_bytes for one in coded) / values
        return bits(self.total.moved) if self.total else None


def bits(moved: Mapping[str, float]) -> float | None:
    """Bits per value of what was moved coded."""
    return 8 * moved["coded_bytes"] / moved["coded_values"] if moved["coded_values"] else None


def summarize(recording: Recording, costs: Costs | None = None, meter: str | None = None,
              validation: Mapping[str, Any] | None = None) -> Summary:
    """Sum a recording up. Raises BadInput for a meter that is not there."""
    if meter is not None and meter not in recording.samples:
        raise BadInput(f"{recording.path}: no meter {meter!r}; it has "
                       f"{', '.join(recording.samples) or 'none'}")
    device = recording.events.get("device")
    runs, maps = _take_runs(device, recorded_maps(recording.meta)) if device else ([], ())
    whole = [run for run in runs if run.is_whole]
    table = energy_by_stage(recording, meter)
    costs = costs or load_costs()
    stages = _stages(recording, whole, table, costs)
    ends = [run.end for run in whole if run.end]
    return Summary(
        recording.path.name or str(recording.path), recording.meta, _unit(recording), len(whole),
        sum(1 for run in runs if run.end and run.end.status != 0),
        sum(run.missed for run in runs), tuple(stages[:-1]), stages[-1] if stages else None,
        max((end.fast_high_water for end in ends), default=None),
        MEASURED if table else MODELED, table.meter if table else costs.name,
        _alignment(recording, table), tuple(dict.fromkeys(e.outputs_sha256.hex() for e in ends)),
        tuple(recording.problems), validation, maps, "" if maps else why_no_maps(recording.meta))


def read_validation(path: Path) -> Mapping[str, Any]:
    """What `edgefm validate --json` printed. Raises BadInput for anything else."""
    found = read_json(path)
    if not isinstance(found, dict) or "n" not in found or "model_sha256" not in found:
        raise BadInput(f"{path}: expected what `edgefm validate --json` prints")
    return found


def validation_for(recording: Recording, given: Sequence[Mapping[str, Any]]
                   ) -> Mapping[str, Any] | None:
    """The validation of the same plan, else of the same network; None when none is of it."""
    model = mapping(recording.meta.get("model"))
    for key in ("plan_sha256", "model_sha256"):
        for one in given:
            if model.get(key) and one.get(key) == model[key]:
                return one
    return None


def _take_runs(device: EventChannel, maps: Sequence[MapInfo]
               ) -> tuple[list[RecordedRun], tuple[MapTraffic, ...]]:
    """All runs without their maps, which are summed at once: a long recording has many."""
    runs, summed, count = [], tuple[MapCounters, ...](), 0
    for run in read_runs(device):
        if run.is_whole and run.maps and len(run.maps) == len(maps):
            summed = total([summed, run.maps]) if count else run.maps
            count += 1
        runs.append(replace(run, maps=None))
    return runs, traffic(maps, [summed] if count else [], count)


def _unit(recording: Recording) -> str:
    unit = mapping(recording.meta.get("device")).get("unit")
    return unit if unit in ("instructions", "cycles", "us") else "ticks"


def _alignment(recording: Recording, table: EnergyTable | None) -> str:
    found = table.alignment if table else align(recording).alignment
    if found.method == "none":
        return found.why
    return f"by {found.method}, off by at most {1e3 * found.error:.3g} ms: {found.why}"


def _stages(recording: Recording, runs: Sequence[RecordedRun], table: EnergyTable | None,
            costs: Costs) -> list[StageSummary]:
    """Every stage, then the whole run; runs of another package than the last are left out."""
    if not runs:
        return []
    count = len(runs[-1].stages)
    runs = [run for run in runs if len(run.stages) == count]
    names, plan = stage_labels(stage_names(recording.meta)), plan_of(recording.meta)
    planned = listing(plan.get("stages"))
    per_second = whole_number(mapping(recording.meta.get("device")).get("ticks_per_second")) or 0
    found = []
    for i in range(count - 1):
        ticks = [float(run.stages[i + 1].ticks - run.stages[i].ticks) for run in runs]
        moved = [run.stages[i + 1].counted.since(run.stages[i].counted) for run in runs]
        own = mapping(planned[i]) if i < len(planned) else {}
        name = names[i] if i < len(names) else f"stage {i}"
        found.append(_summary(i, name, ticks, moved, own, per_second,
                              _energy(i, table, costs, moved, 0)))
    ends = [run.end for run in runs if run.end]
    ticks, moved = [float(end.ticks) for end in ends], [end.counted for end in ends]
    macs = whole_number(plan.get("macs")) or 0
    found.append(_summary(-1, "whole run", ticks, moved, plan, per_second,
                          _energy(-1, table, costs, moved, macs)))
    return found


def _summary(number: int, name: str, ticks: Sequence[float], moved: Sequence[Counted],
             planned: Mapping[str, Any], per_second: int, energy: tuple[Energy, ...]
             ) -> StageSummary:
    mean = fmean(ticks)
    spread = stdev(ticks) / len(ticks) ** 0.5 if len(ticks) > 1 else None
    raw = [whole_number(planned.get(key)) for key in PLANNED]
    return StageSummary(
        number, name, Estimate(mean, spread), mean / per_second if per_second else None,
        {f.name: fmean(getattr(one, f.name) for one in moved) for f in fields(Counted)},
        raw[0], raw[1], whole_number(planned.get("fast_bytes")), energy)


def _energy(stage: int, table: EnergyTable | None, costs: Costs, moved: Sequence[Counted],
            macs: int) -> tuple[Energy, ...]:
    if table:
        return tuple(Energy(row.rail, row.unit, Estimate(row.value, row.error))
                     for row in table.rows if row.stage == stage)
    each = [modeled(costs, one, macs) for one in moved]
    return (Energy("memories and operations" if macs else "memories", "J",
                   Estimate(fmean(e.value for e in each), fmean(e.error for e in each))),)
