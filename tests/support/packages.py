# SPDX-License-Identifier: Apache-2.0
"""From a graph to a package in one call, and what a run of it must give."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.codecs.shift import Cap
from edgefm.compiler.choose_codec import code_maps
from edgefm.compiler.map_storage import needs_calibration, storage_for
from edgefm.evaluate.diff import random_inputs
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph
from edgefm.network.program import Stream
from edgefm.ops import run_graph
from edgefm.package.write import Description, write_package
from edgefm.planner import Layout, Plan, Target, analyze, make_plan
from edgefm.runtime import Runtime

DESCRIPTION = Description("0" * 64)
COUNTED = ("external_read_bytes", "external_write_bytes", "weight_read_bytes", "input_read_bytes",
           "output_write_bytes")


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """A package and what it was made from."""

    package: bytes
    graph: Graph
    layout: Layout
    plan: Plan


def build(graph: Graph, target: Target | None = None, objective: str = "cost", cut: str = "auto",
          codec: str = "raw", refresh: int = 0, paired: bool = False) -> Built:
    """Lower, plan, code and write a quantized graph; `paired`: codes are for two rows."""
    layout = analyze(lower(graph))
    storage = storage_for(layout.program, codec, refresh=refresh, paired=paired)
    plan = make_plan(layout, target or Target(), objective, cut, storage)
    samples = [random_inputs(graph, seed) for seed in range(2 * needs_calibration(codec))]
    coded = code_maps(layout.program, plan, codec, plain_package(graph, layout), samples)
    package = write_package(graph, layout.program, plan, coded, DESCRIPTION)
    return Built(package, graph, layout, plan)


def capped(graph: Graph, target: Target, cap_for: Callable[[Stream], Cap | None], codec: str,
           cut: str = "ops") -> Built:
    """As `build`, with a cap for each stored map that `cap_for` gives one."""
    layout = analyze(lower(graph))
    storage = storage_for(layout.program, codec, cap_for, pooled=target.external_bytes == 0)
    plan = make_plan(layout, target, "cost", cut, storage)
    samples = [random_inputs(graph, seed) for seed in range(2)]
    coded = code_maps(layout.program, plan, codec, plain_package(graph, layout), samples)
    package = write_package(graph, layout.program, plan, coded, DESCRIPTION)
    return Built(package, graph, layout, plan)


def plain_package(graph: Graph, layout: Layout) -> bytes:
    """A package without any limit on memory."""
    return write_package(graph, layout.program, make_plan(layout, Target()), {}, DESCRIPTION)




def differing(built: Built, inputs: Sequence[Array]) -> list[str]:
    """What a run does not do as it should: tensors with other bits, counters with other bytes."""
    expected = {built.graph.tensors[t].name: value
                for t, value in run_graph(built.graph, inputs).items()}
    with Runtime(built.package) as runtime:
        result = runtime.run(inputs, taps=True)
    got: Mapping[str, Array] = {**result.taps, **{
        built.graph.tensors[t].name: value
        for t, value in zip(built.graph.outputs, result.outputs, strict=True)}}
    wrong = [name for name, value in got.items()
             if not np.array_equal(value.ravel(), expected[name].ravel())]
    coded = any(m.codec != "raw" for m in built.plan.maps)
    return wrong + [name for name in COUNTED
                    if not (coded and name.startswith("external"))
                    and getattr(result.counters, name) != getattr(built.plan, name)]
