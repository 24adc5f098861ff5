# SPDX-License-Identifier: Apache-2.0
"""A bound for the size of the package: weights coded, then coarser, no more than it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgefm.compiler.coded_weights import AUTO, RAW
from edgefm.compiler.options import CompileOptions


def attempts(options: CompileOptions) -> Iterator[CompileOptions]:
    """Ways to compile, each of which makes a smaller package for more of a loss: weights coded as
    they are, then weights with steps as coarse as the budget for loss allows, if there is one."""
    coded = replace(options, package=None, weight_codec=AUTO if options.weight_codec == RAW
                    else options.weight_codec)
    budget = options.budget
    if budget is None or not budget.of_loss:
        yield coded
        return
    weights = "weights" if options.coarsen == "maps" else options.coarsen
    yield (replace(coded, coarsen="maps") if weights == "both" else
           replace(coded, kl_budget=None, accuracy_budget=None, coarsen="maps"))
    yield replace(coded, coarsen=weights)


def why_not(options: CompileOptions, reached: int) -> str:
    """The line for a package that remains larger than was asked for."""
    budget = options.budget
    remedy = "a larger budget for loss" if budget is not None and budget.of_loss else (
        "--kl-budget or --accuracy-budget as well, for coarser weights")
    return (f"got a package of {reached} bytes at the least; expected --package {options.package} "
            f"at most, or {remedy}")
