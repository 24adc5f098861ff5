# SPDX-License-Identifier: Apache-2.0
"""Every network against TFLite's reference kernels, tensor by tensor, at every budget and codec.

First the unlimited raw plan: every tensor, reassembled from row taps, against the oracle on random
inputs (and photos where the network takes color pictures). Then the smallest feasible budget, one
byte more, 64K, 96K, 160K and unlimited, raw and with every lossless codec: outputs and every tapped
tensor must be those bits again, counters those of the plan. Asking for no memory at all must name
the smallest budget that then really works; lower ones of the list are counted as infeasible.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _common import (
    Network,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm.codecs import LOSSLESS_CODECS
from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.load import Model, load_model
from edgefm.compiler.map_storage import LOSSLESS
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.errors import BadInput, Infeasible
from edgefm.evaluate.diff import diff_compiled, random_inputs
from edgefm.litert.reference import Reference
from edgefm.network.graph import Array
from edgefm.runtime import RunResult, Runtime

BUDGETS = (64 << 10, 96 << 10, 160 << 10, None)
Inputs = Sequence[Sequence[Array]]


@dataclass(slots=True)
class Tally:
    """What all plans of one network came to."""

    plans: int = 0
    infeasible: int = 0
    external: int = 0
    wrong: int = 0
    smallest: int = 0


def main() -> None:
    """Print one row per network."""
    arguments = parser(__doc__)
    arguments.add_argument("--models", nargs="+", default=[], metavar="NAME",
                           help="parts of names (default: all)")
    arguments.add_argument("--codecs", nargs="+", metavar="CODEC",
                           default=[*LOSSLESS_CODECS, LOSSLESS])
    arguments.add_argument("--inputs", type=int, default=2, metavar="N",
                           help="random inputs per network, and photos (default 2)")
    arguments.add_argument("--objective", choices=("cost", "maps"), default="cost")
    options = arguments.parse_args()
    data = data_folder(options.data)
    print_command()
    print_table(("network", "judge", "inputs", "tensors", "folded", "largest difference",
                 "smallest budget", "plans", "with external maps", "infeasible",
                 "not the same bits"), _rows(options, data))


def _rows(options: argparse.Namespace, data: Path) -> Iterator[tuple[object, ...]]:
    for network in networks(data, options.models):
        say(network.name)
        with tempfile.TemporaryDirectory() as folder:
            base = replace(options_for(network, data), objective=options.objective)
            model = load_model(network.file, base)
            if base.calib is None:
                base = replace(base, calib=_random_files(model, Path(folder)))
            yield _row(network, model, base, options.codecs, options.inputs, data)


def _row(network: Network, model: Model, base: CompileOptions, codecs: Sequence[str], count: int,
         data: Path) -> tuple[object, ...]:
    inputs = [random_inputs(model.graph, seed) for seed in range(count)]
    if network.photos:
        inputs += [[x] for x in calibration_inputs(
            model.graph, model.preprocess, data / "images" / "imagenet_val", count)]
    compiled = compile_loaded(model, base)
    original = network.file.read_bytes()
    try:
        Reference(original)
    except BadInput as error:
        say(f"  {error}; our export judges")
        original = b""
    result = diff_compiled(compiled, inputs, original or None)
    with Runtime(compiled.package) as runtime:
        expected = [runtime.run(values, taps=True) for values in inputs]
    tally = Tally()
    for codec in codecs:
        _sweep(model, replace(base, codec=codec), inputs, expected, tally)
    judge = result.witness if original else f"{result.witness}, our export"
    return (network.name, judge, len(inputs), result.tensors, len(result.folded),
            f"{result.max_abs_diff:g}", tally.smallest, tally.plans, tally.external,
            tally.infeasible, tally.wrong)


def _sweep(model: Model, options: CompileOptions, inputs: Inputs, expected: Sequence[RunResult],
           tally: Tally) -> None:
    """All budgets of one codec."""
    try:
        compile_loaded(model, replace(options, fast=0))
        raise AssertionError("a plan for no memory at all")
    except Infeasible as error:
        smallest = error.smallest
    if options.codec == "raw":
        tally.smallest = smallest
    for budget in (smallest, smallest + 1, *BUDGETS):
        if budget is not None and budget < smallest:
            tally.infeasible += 1
            continue
        say(f"  {options.codec} {budget}")
        compiled = compile_loaded(model, replace(options, fast=budget))
        tally.plans += 1
        tally.external += bool(compiled.plan.maps)
        tally.wrong += not _same(compiled, inputs, expected, budget)


def _same(compiled: Compiled, inputs: Inputs, expected: Sequence[RunResult],
          budget: int | None) -> bool:
    plan = compiled.plan
    if budget is not None and plan.fast_bytes > budget:
        return False
    with Runtime(compiled.package) as runtime:
        for values, known in zip(inputs, expected, strict=True):
            met = runtime.run(values, taps=True)
            if not all(map(_equal, met.outputs, known.outputs)):
                return False
            if not all(_equal(met.taps[name], tap) for name, tap in known.taps.items()
                       if name in met.taps) or met.taps.keys() != known.taps.keys():
                return False
            if met.counters.weight_read_bytes != plan.weight_read_bytes:
                return False
            if met.counters.coded_values == 0 and (
                    met.counters.external_read_bytes != plan.external_read_bytes
                    or met.counters.external_write_bytes != plan.external_write_bytes):
                return False
    return True


def _equal(a: Array, b: Array) -> bool:
    return a.tobytes() == b.tobytes()


def _random_files(model: Model, folder: Path) -> Path:
    """Random inputs as files, for networks that take no pictures: codec tables are learned."""
    for seed in range(100, 108):
        np.save(folder / f"{seed}.npy", random_inputs(model.graph, seed)[0])
    return folder


if __name__ == "__main__":
    main()
