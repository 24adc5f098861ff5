# SPDX-License-Identifier: Apache-2.0
"""Figures of a summary as a person reads them."""

from __future__ import annotations

from edgefm.report.markup import number, size
from host_tools.summary import MEASURED, MODELLED, Estimate, StageSummary, Summary


def amount(value: float, unit: str) -> str:
    """A small amount: 12.3 µJ."""
    scale, prefix = next(((s, p) for s, p in ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
                          if abs(value) >= s), (1e-12, "p"))
    return f"{value / scale:.4g} {prefix}{unit}" if value else f"0 {unit}"


def with_error(estimate: Estimate, unit: str) -> str:
    """An amount and what it may be off by."""
    if estimate.error is None:
        return amount(estimate.value, unit)
    return f"{amount(estimate.value, unit)} ± {amount(estimate.error, unit)}"


def ticks(summary: Summary, stage: StageSummary | None) -> str:
    """The time of a stage in the board's unit; seconds where ticks are time."""
    if stage is None:
        return "–"
    if stage.seconds is not None:
        return amount(stage.seconds, "s")
    return f"{stage.ticks.value:,.0f} {summary.unit}"


def points(summary: Summary, field: str) -> float | None:
    """A number of the validation, None when there is none."""
    value = (summary.validation or {}).get(field)
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if good and value is not None else None


def lead(summary: Summary) -> str:
    """What the recording showed, in a sentence or two."""
    total = summary.total
    if total is None:
        return "no run was recorded whole."
    moved = total.moved["external_read_bytes"] + total.moved["external_write_bytes"]
    words = [f"an inference takes {ticks(summary, total)} (mean of {number(summary.runs)} runs)"]
    if summary.high_water is not None:
        words.append(f", {size(summary.high_water)} of fast memory")
    raw = None if total.raw_read is None or total.raw_write is None else \
        total.raw_read + total.raw_write
    if not moved:
        words.append(" and no byte of external memory")
    elif raw and raw > moved:
        words.append(f" and moves {size(moved)} of feature maps through external memory instead of "
                     f"{size(raw)}: coding saves {100 * (1 - moved / raw):.0f} %")
    else:
        words.append(f" and moves {size(moved)} of feature maps through external memory")
    words.append(".")
    if total.energy:
        kind = "measured" if summary.energy_kind == MEASURED else f"{MODELLED}, not measured"
        shown = "; ".join(f"{one.rail} {with_error(one.amount, one.unit)}" for one in total.energy)
        words.append(f" Energy, {kind}: {shown}.")
    return "".join(words)
