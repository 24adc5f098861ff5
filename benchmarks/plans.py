# SPDX-License-Identifier: Apache-2.0
"""Bytes per inference of every network under fast-memory budgets, uncompressed, two objectives.

Each plan is also run once: every figure is compared with what the runtime counted, and the runtime
checks its canaries. Where no plan fits, the smallest feasible budget and its operator are printed.
The graph input is not counted.
"""

from __future__ import annotations

from dataclasses import replace

from _common import (
    MOBILENET_V2,
    SQUEEZENET,
    Network,
    data_folder,
    networks,
    options_for,
    parser,
    print_command,
    print_table,
    say,
)

from edgefm.compiler.load import Model, load_model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.console.names import short
from edgefm.errors import Infeasible
from edgefm.evaluate.diff import random_inputs
from edgefm.runtime import Runtime

COUNTED = ("external_read_bytes", "external_write_bytes", "weight_read_bytes", "input_read_bytes",
           "output_write_bytes")
KIB = 1024


def main() -> None:
    """Print the targets, then every network."""
    arguments = parser(__doc__)
    arguments.add_argument("--budgets", type=int, nargs="+", default=[160, 96, 64], metavar="KIB")
    arguments.add_argument("--models", nargs="+", default=[], metavar="NAME",
                           help="parts of names (default: all)")
    arguments.add_argument("--bytes", action="store_true",
                           help="only plans for the fewest bytes, at 160, 128, 96 and 64 KiB")
    options = arguments.parse_args()
    data = data_folder(options.data)
    chosen = networks(data, options.models)
    made = {n.name: load_model(n.file, options_for(n, data)) for n in chosen}
    print_command()
    if options.bytes:
        _print_fewest(made, {n.name: options_for(n, data) for n in chosen})
        return
    table: dict[tuple[str, int, str], Compiled | Infeasible] = {}
    for network in chosen:
        for budget in options.budgets:
            for objective in ("maps", "cost"):
                say(f"{network.name} {budget} KiB {objective}")
                table[network.name, budget, objective] = plan(
                    made[network.name], replace(options_for(network, data), fast=budget * KIB,
                                                objective=objective))
    _print_targets(chosen, table, made)
    _print_all(chosen, options.budgets, table)
    plans = [made for made in table.values() if isinstance(made, Compiled)]
    wrong = sum(not agrees(compiled) for compiled in plans)
    print(f"\nPlan and runtime counters differ in {wrong} of {len(plans)} plans; "
          "no canary was touched.")


def _print_fewest(made: dict[str, Model], options: dict[str, CompileOptions]) -> None:
    rows: list[tuple[object, ...]] = []
    for name, model in made.items():
        for budget in (160, 128, 96, 64):
            say(f"{name} {budget} KiB bytes")
            fewest, cost = (plan(model, replace(options[name], fast=budget * KIB, objective=o))
                            for o in ("bytes", "cost"))
            if isinstance(fewest, Compiled):
                plain = 0 if isinstance(cost, Infeasible) else (
                    moved(cost) + cost.plan.weight_read_bytes)
                weights, macs = fewest.plan.weight_read_bytes, sum(
                    op.macs for op in fewest.program.ops)
                rows.append((name, f"{budget} KiB", fewest.plan.fast_bytes, moved(fewest), weights,
                             moved(fewest) + weights, plain or "-",
                             f"{fewest.plan.macs / macs:.3f}", agrees(fewest)))
    print_table(("network", "budget", "fast used", "maps moved", "weights read", "together",
                 "by cost", "multiply-adds, times", "counted alike"), rows)


def plan(model: Model, options: CompileOptions) -> Compiled | Infeasible:
    """The compiled network, or why there is none."""
    try:
        return compile_loaded(model, options)
    except Infeasible as error:
        return error


def agrees(compiled: Compiled) -> bool:
    """True when one run counts what the plan says, to the byte."""
    with Runtime(compiled.package) as runtime:
        counters = runtime.run(random_inputs(compiled.graph, 0)).counters
    return all(getattr(counters, name) == getattr(compiled.plan, name) for name in COUNTED)


def moved(compiled: Compiled) -> int:
    """External reads and writes of maps, bytes."""
    return compiled.plan.external_read_bytes + compiled.plan.external_write_bytes


def layer_by_layer(model: Model) -> tuple[int, int]:
    """Bytes of maps moved, and of weights, when every operator output is stored whole."""
    compiled = compile_loaded(model, CompileOptions(cut="ops"))
    weights = sum(len(op.weights) for op in compiled.program.ops)
    return moved(compiled), weights


def _print_targets(chosen: list[Network], table: dict[tuple[str, int, str], Compiled | Infeasible],
                   made: dict[str, Model]) -> None:
    limits = {(MOBILENET_V2, 160): 0, (MOBILENET_V2, 96): 320 * KIB, (MOBILENET_V2, 64): 640 * KIB,
              (f"{SQUEEZENET}_int8", 160): 0, (f"{SQUEEZENET}_int8", 96): 64 * KIB,
              (f"{SQUEEZENET}_int8", 64): 192 * KIB}
    rows: list[tuple[object, ...]] = []
    for network in chosen:
        wanted = [(b, limit) for (name, b), limit in limits.items() if name == network.name]
        if not wanted:
            continue
        maps, weights = layer_by_layer(made[network.name])
        for budget, limit in wanted:
            met = table.get((network.name, budget, "maps"))
            if isinstance(met, Compiled):
                rows.append((network.name, f"{budget} KiB", "maps", maps, moved(met), limit,
                             moved(met) <= limit))
        cost = table.get((network.name, 96, "cost"))
        if network.name == MOBILENET_V2 and isinstance(cost, Compiled):
            total = moved(cost) + cost.plan.weight_read_bytes
            rows.append((network.name, "96 KiB", "maps + weights (cost)", maps + weights, total,
                         9_000_000, total <= 9_000_000))
    if rows:
        print_table(("network", "fast memory", "bytes of (objective)", "layer by layer", "planned",
                     "target, at most", "reached"), rows)
        print()


def _print_all(chosen: list[Network], budgets: list[int],
               table: dict[tuple[str, int, str], Compiled | Infeasible]) -> None:
    rows: list[tuple[object, ...]] = []
    for network in chosen:
        for budget in budgets:
            maps, cost = (table[network.name, budget, o] for o in ("maps", "cost"))
            if isinstance(maps, Infeasible) or isinstance(cost, Infeasible):
                error = maps if isinstance(maps, Infeasible) else cost
                assert isinstance(error, Infeasible)
                rows.append((network.name, f"{budget} KiB",
                             f"needs {error.smallest:,}, set by {short(error.operator)}",
                             *[""] * 5))
                continue
            rows.append((network.name, f"{budget} KiB", maps.plan.fast_bytes, moved(maps),
                         maps.plan.weight_read_bytes, cost.plan.fast_bytes, moved(cost),
                         cost.plan.weight_read_bytes))
    print_table(("network", "budget", "fast used (maps)", "maps moved", "weights read",
                 "fast used (cost)", "maps moved", "weights read"), rows)


if __name__ == "__main__":
    main()
