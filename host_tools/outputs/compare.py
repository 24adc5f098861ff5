# SPDX-License-Identifier: Apache-2.0
"""Two recordings as a table of differences, each with its uncertainty.

Errors of the two sides are taken as independent: their squares add. A difference that is not
larger than its error is called none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from host_tools.measurement.summary import Energy, Estimate, Summary
from host_tools.outputs.report.words import figure_of, points, standard_error


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of both; None where a side does not have it. `unit` as in `amount`, or bytes."""

    name: str
    unit: str
    first: Estimate | None
    second: Estimate | None

    @property
    def difference(self) -> Estimate | None:
        """Second less first; its error is None where one side's is not known."""
        if self.first is None or self.second is None:
            return None
        errors = (self.first.error, self.second.error)
        known = errors[0] is not None and errors[1] is not None
        error = (errors[0] ** 2 + errors[1] ** 2) ** 0.5 if known else None  # type: ignore[operator]
        return Estimate(self.second.value - self.first.value, error)

    @property
    def percent(self) -> float | None:
        """The difference in percent of the first."""
        found = self.difference
        return 100 * found.value / self.first.value if found and self.first and self.first.value \
            else None

    @property
    def is_clear(self) -> bool:
        """True where the difference is larger than its uncertainty."""
        found = self.difference
        return bool(found and found.error is not None and abs(found.value) > found.error)


def compare(first: Summary, second: Summary) -> list[Comparison]:
    """Time, bytes, memory, energy and accuracy of two recordings."""
    lines = [_time(first, second)]
    for name, of in (("feature maps, external", _external), ("feature maps, raw", _raw),
                     ("weights read", _moved("weight_read_bytes")),
                     ("fast memory, high water", _high_water)):
        lines.append(Comparison(name, "bytes", of(first), of(second)))
    lines.append(Comparison("bits per value", "bits", _estimate(first.bits_per_value),
                      _estimate(second.bits_per_value)))
    lines += _energies(first, second)
    lines += _accuracies(first, second)
    return [line for line in lines if line.first or line.second]


def compare_maps(first: Summary, second: Summary) -> list[Comparison]:
    """Bits per value of every stored map that one of the two counted."""
    found = [{one.name: one.bits_per_value for one in side.maps} for side in (first, second)]
    return [Comparison(name, "bits", *(_estimate(maps.get(name)) for maps in found))
            for name in dict.fromkeys([*found[0], *found[1]])]


def _time(first: Summary, second: Summary) -> Comparison:
    """In seconds where both boards' ticks are time, else in their unit if it is the same."""
    if first.total is None or second.total is None:
        return Comparison("time", "s", None, None)
    if first.total.seconds is not None and second.total.seconds is not None:
        return Comparison("time", "s", _seconds(first), _seconds(second))
    same = first.unit == second.unit
    return Comparison("time", first.unit if same else f"{first.unit} against {second.unit}",
                first.total.ticks if same else None, second.total.ticks if same else None)


def _seconds(summary: Summary) -> Estimate | None:
    total = summary.total
    if total is None or total.seconds is None:
        return None
    scale = total.seconds / total.ticks.value if total.ticks.value else 0.0
    return Estimate(total.seconds, None if total.ticks.error is None
                    else total.ticks.error * scale)


def _moved(field: str) -> Callable[[Summary], Estimate | None]:
    return lambda summary: Estimate(summary.total.moved[field]) if summary.total else None


def _external(summary: Summary) -> Estimate | None:
    if summary.total is None:
        return None
    moved = summary.total.moved
    return Estimate(moved["external_read_bytes"] + moved["external_write_bytes"])


def _raw(summary: Summary) -> Estimate | None:
    total = summary.total
    if total is None or total.raw_read is None or total.raw_write is None:
        return None
    return Estimate(float(total.raw_read + total.raw_write))


def _high_water(summary: Summary) -> Estimate | None:
    return _estimate(summary.high_water)


def _estimate(value: float | None) -> Estimate | None:
    return None if value is None else Estimate(float(value))


def _energies(first: Summary, second: Summary) -> list[Comparison]:
    """Rail by rail where both have it, measured against measured only."""
    if first.energy_kind != second.energy_kind:
        return []
    own, other = (_by_rail(one) for one in (first, second))
    return [Comparison(f"energy, {rail} ({first.energy_kind})", one.unit, one.amount,
                       other[rail].amount)
            for rail, one in own.items() if rail in other and other[rail].unit == one.unit]


def _by_rail(summary: Summary) -> dict[str, Energy]:
    return {one.rail: one for one in summary.total.energy} if summary.total else {}


def _accuracies(first: Summary, second: Summary) -> list[Comparison]:
    """Of the same task; each with the standard error that is known of it."""
    lines = []
    if figure_of(first) == figure_of(second):
        name, field = figure_of(first)
        lines.append(Comparison(name, "%", *(_judged(side, field) for side in (first, second))))
    return [*lines, Comparison("KL", "nats", *(_judged(side, "kl") for side in (first, second)))]


def _judged(summary: Summary, field: str) -> Estimate | None:
    value = points(summary, field)
    return None if value is None else Estimate(value, standard_error(summary, field))
