# SPDX-License-Identifier: Apache-2.0
"""Figures of a summary as a person reads them."""

from __future__ import annotations

from math import sqrt
from types import MappingProxyType

from edgefm.html.markup import number, size
from host_tools.measurement.summary import MEASURED, MODELED, Estimate, StageSummary, Summary


def amount(value: float, unit: str) -> str:
    """A small amount: 12.3 µJ."""
    scale, prefix = next(((s, p) for s, p in ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
                          if abs(value) >= s), (1e-12, "p"))
    return f"{value / scale:.4g} {prefix}{unit}" if value else f"0 {unit}"


def with_error(estimate: Estimate, unit: str) -> str:
    """An amount and its uncertainty."""
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


FIGURES = MappingProxyType({"classify": ("top-1", "top1"), "detect": ("mAP at 0.5", "map50"),
                            "segment": ("mIoU", "miou")})
NORMAL = 1.96  # standard errors to either side of a 95 % interval


def figure_of(summary: Summary) -> tuple[str, str]:
    """The name of the validation's accuracy, and its field."""
    task = (summary.validation or {}).get("task")
    return FIGURES.get(task if isinstance(task, str) else "classify", FIGURES["classify"])


def standard_error(summary: Summary, field: str) -> float | None:
    """Of an accuracy: by picture as the validation has it, else that of a share of n pictures."""
    share, count, own = (points(summary, name) for name in (field, "n", f"{field}_error"))
    if own is not None or share is None or not count or not field.endswith("top1"):
        return own
    return sqrt(share * (100 - share) / count)


def accuracy(summary: Summary, prefix: str = "") -> str:
    """An accuracy with its 95 % confidence interval; `prefix` names whose."""
    name, field = figure_of(summary)
    share = points(summary, prefix + field)
    if share is None:
        return "–"
    found = _interval(summary, prefix + field, share)
    return f"{name} {share:.2f} %" + (f" ({found[0]:.2f} to {found[1]:.2f})" if found else "")


def _interval(summary: Summary, field: str, share: float) -> tuple[float, float] | None:
    """Wilson's for a share of pictures that were judged once; else from the standard error."""
    count, error = points(summary, "n"), standard_error(summary, field)
    if field.endswith("top1") and count and (points(summary, "views") or 1) == 1:
        square = NORMAL ** 2 / count
        middle = (share / 100 + square / 2) / (1 + square)
        p = share / 100
        half = sqrt(p * (1 - p) * square + square ** 2 / 4) / (1 + square)
        return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)
    if error is None:
        return None
    return max(0.0, share - NORMAL * error), min(100.0, share + NORMAL * error)


def difference(summary: Summary) -> str:
    """How much better than the reference, picture by picture, with its 95 % interval."""
    value, error = points(summary, "difference"), points(summary, "difference_error")
    if value is None:
        return "–"
    shown = f"{value:+.2f} points"
    return shown if error is None else (
        f"{shown} ({value - NORMAL * error:+.2f} to {value + NORMAL * error:+.2f})")


def images(summary: Summary) -> str:
    """How many pictures were judged, and whether by this package."""
    own = summary.meta.get("model")
    plan = own.get("plan_sha256") if isinstance(own, dict) else None
    other = summary.validation and summary.validation.get("plan_sha256") != plan
    return number(points(summary, "n")) + (", by another plan of this network" if other else "")


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
        kind = "measured" if summary.energy_kind == MEASURED else f"{MODELED}, not measured"
        shown = "; ".join(f"{one.rail} {with_error(one.amount, one.unit)}" for one in total.energy)
        words.append(f" Energy, {kind}: {shown}.")
    return "".join(words)
