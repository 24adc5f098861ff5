# SPDX-License-Identifier: Apache-2.0
"""Checks a budget for loss on labeled files, and tightens it until the files keep it.

Without a check, points are estimated. The check measures the package itself, with its coded maps,
against the network without coarser maps. If it loses more than allowed, the measurement (points per
nat on these files, or their KL) says how much less KL to allow, and the network is compiled again.
After `ROUNDS` attempts the maps keep their steps, and only lossless coding remains.

The check stops at the first budget that holds, which favors lucky ones a little. So the loss is
within its standard error of the loss on other files, but may be higher.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.errors import BadInput
from edgefm.evaluate.validate import Labeled, Validation, make_units, validate
from edgefm.package.write import with_rate
from edgefm.rate_distortion.divergence import decision_of, package_of

ROUNDS = 4
_MARGIN = 0.9               # of what the measurement says would just do
_STEP = (0.2, 0.8)          # a new budget's share of the last one, least and most


@dataclass(frozen=True, slots=True)
class Round:
    """One compilation and its measurement: `points` are lost (negative: gained), `met` is
    None for a budget in bytes, which says nothing about loss."""

    kl_budget: float | None
    kl: float
    kl_error: float | None
    points: float
    points_error: float | None
    changed: float | None
    map_bytes: int
    met: bool | None


@dataclass(frozen=True, slots=True)
class Check:
    """All rounds, the last one of the package that was kept."""

    figure: str
    files: int
    views: int
    rounds: tuple[Round, ...]

    def to_json(self) -> dict[str, Any]:
        """The fields as plain data."""
        rounds = [{name: getattr(one, name) for name in one.__slots__} for one in self.rounds]
        return {"figure": self.figure, "files": self.files, "views": self.views, "rounds": rounds}


@dataclass(frozen=True, slots=True)
class Judged:
    """The files of a check and how they are measured."""

    files: tuple[Labeled, ...]
    task: str
    views: int = 1


def compile_checked(model: Model, options: CompileOptions, judged: Judged, pool: Executor,
                    tick: Callable[[], None] = lambda: None) -> tuple[Compiled, Check]:
    """Compile within a budget that labeled files keep.

    Raises BadInput when there is no budget to check, and what compiling and validating raise.
    """
    if options.budget is None:
        raise BadInput("--check: there is nothing to check without a budget; expected "
                       "--accuracy-budget, --kl-budget, --byte-budget or "
                       "--mean-byte-budget")
    wanted, rounds = options, []
    compiled = compile_loaded(model, wanted, tick)
    while True:
        result = _judge(compiled, judged, pool)
        rounds.append(_round(compiled, result, options))
        if rounds[-1].met is not False:
            break
        nats = _tighter(rounds[-1], options) if len(rounds) < ROUNDS else None
        wanted = replace(wanted, kl_budget=nats, accuracy_budget=None, codec=options.map_codec)
        compiled = compile_loaded(model, wanted, tick)
    check = Check(result.figure, result.n, result.views, tuple(rounds))
    return _marked(compiled, check), check


def _judge(compiled: Compiled, judged: Judged, pool: Executor) -> Validation:
    decisions = (decision_of(compiled.graph), decision_of(compiled.uncompressed))
    return validate(make_units(judged.files, compiled.package, package_of(compiled.uncompressed),
                               None, judged.task, judged.views, decisions), pool)


def _round(compiled: Compiled, result: Validation, options: CompileOptions) -> Round:
    lost, kl = -float(result["difference"] or 0), float(result.kl or 0)
    if options.byte_budget is not None or options.mean_byte_budget is not None:
        met = None
    elif options.accuracy_budget is not None:
        met = lost <= options.accuracy_budget
    else:
        met = kl <= float(options.kl_budget or 0)
    budget = compiled.rate.kl_budget if compiled.rate else 0.0
    return Round(budget, kl, result.kl_error, lost, result["difference_error"], result["changed"],
                 result.external_read_bytes + result.external_write_bytes, met)


def _tighter(last: Round, options: CompileOptions) -> float:
    """The KL that would just do if loss stayed in proportion to it, less a margin."""
    allowed, got = ((options.accuracy_budget, last.points) if options.accuracy_budget is not None
                    else (options.kl_budget, last.kl))
    least, most = _STEP
    share = _MARGIN * float(allowed or 0) / max(got, 1e-9)
    return float(last.kl_budget or 0) * min(max(share, least), most)


def _marked(compiled: Compiled, check: Check) -> Compiled:
    """The package with the check's result in its description."""
    if compiled.rate is None:
        return compiled
    last = check.rounds[-1]
    rate = {**compiled.rate.to_json(), "check": {
        "figure": check.figure, "files": check.files, "views": check.views, "points": last.points,
        "points_error": last.points_error, "kl": last.kl, "kl_error": last.kl_error}}
    return replace(compiled, package=with_rate(compiled.package, compiled.plan, rate))
