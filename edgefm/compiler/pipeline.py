# SPDX-License-Identifier: Apache-2.0
"""The steps of a compilation: model file -> network -> job -> strategy -> package.

1. `load` imports the model file and quantizes a float network.
2. `job` checks the options against the target: memories, codec tables, steps of the maps.
3. A strategy plans, makes the steps of stored maps coarser within a budget, and learns their codecs
   and caps: `external` for maps that cross a port, `onchip` for maps in a page pool. Both return
   `Deployed`.
4. The package is written, with its description of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgefm.compiler.deployed import Deployed
from edgefm.compiler.external import compile_external
from edgefm.compiler.job import job_for
from edgefm.compiler.load import Model, load_model
from edgefm.compiler.onchip import compile_onchip
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.package_size import attempts, why_not
from edgefm.console.notation import size_text
from edgefm.errors import BadInput, naming
from edgefm.files.write import write_file
from edgefm.html.notebook import fields_table
from edgefm.images.preprocess import Preprocess
from edgefm.network.graph import Graph
from edgefm.network.program import Program
from edgefm.package.weight_tiles import with_tile_bytes
from edgefm.package.write import CodedMap, Description
from edgefm.planner import Layout, Plan
from edgefm.rate_distortion import Rate
from edgefm.shrink.channels import Removed


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Compiled:
    """A package and everything that it was made from.

    `source` is the graph before quantization, `uncompressed` the one before its stored maps got
    coarser steps, `graph` the one in the package. `removed` says which channels of the file's
    tensors both of them lack, `coded` how each of `plan.maps` is coded if it is not raw.
    """

    package: bytes
    source: Graph
    uncompressed: Graph
    graph: Graph
    program: Program
    plan: Plan
    preprocess: Preprocess | None
    coded: Mapping[int, CodedMap]
    rate: Rate | None = None
    layout: Layout | None = None
    removed: Mapping[int, Removed] = field(default_factory=dict)

    def save(self, path: str | Path) -> Path:
        """Write the package; the file appears complete or not at all. Raises BadInput."""
        write_file(Path(path), self.package)
        return Path(path)

    def __repr__(self) -> str:
        return (f"<Compiled {self.graph.name}: {len(self.package):,} bytes, "
                f"{self.plan.totals_text()}>")

    def _repr_html_(self) -> str:
        return fields_table(f"Compiled {self.graph.name}", {
            "package": size_text(len(self.package)), **self.plan.totals()})


def compile_model(path: Path, options: CompileOptions,
                  tick: Callable[[], None] = lambda: None) -> Compiled:
    """Compile a model file to a package."""
    return compile_loaded(load_model(path, options, tick), options, tick)


def compile_loaded(model: Model, options: CompileOptions,
                   tick: Callable[[], None] = lambda: None) -> Compiled:
    """Compile an imported model to a package. Raises Infeasible when no plan fits the memory,
    BadInput for a package that is larger than it may be."""
    with naming(model.path, model.graph.name):
        if options.package is None:
            return _compiled(model, options, tick)
        for attempt in attempts(options):
            compiled = _compiled(model, attempt, tick)
            if len(compiled.package) <= options.package:
                return compiled
        raise BadInput(f"{model.graph.name}: {why_not(options, len(compiled.package))}")


def _compiled(model: Model, options: CompileOptions, tick: Callable[[], None]) -> Compiled:
    job = job_for(model, options, tick)
    made = compile_onchip(job) if job.on_chip else compile_external(job)
    exact = with_tile_bytes(made.layout.program, made.plan)
    return _packed(model, options, replace(made, plan=exact))


def _packed(model: Model, options: CompileOptions, made: Deployed) -> Compiled:
    description = Description(model.sha256, model.preprocess, options.labels or model.labels,
                              made.rate.to_json() if made.rate else None,
                              removed=[{"name": model.graph.tensors[t].name,
                                        "channels": one.gone.size,
                                        "of": one.gone.size + one.kept.size}
                                       for t, one in model.removed.items()])
    return Compiled(made.package(description), model.source, model.graph, made.graph,
                    made.layout.program, made.plan, model.preprocess, made.coded, made.rate,
                    made.layout, model.removed)
