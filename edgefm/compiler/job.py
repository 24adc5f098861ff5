# SPDX-License-Identifier: Apache-2.0
"""What a strategy has to do: a network, memories, and what the options say about both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgefm.codecs.tables_file import MapTables, read_tables, step_factors
from edgefm.compiler.calibration import calibration_inputs, warn_of_few
from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.planner import Target, load_target
from edgefm.rate_distortion import Budget
from edgefm.rate_distortion.quality_maps import SAMPLES, Chooser, chooser_for
from edgefm.rate_distortion.requantize import requantize

LEAST_FACTOR = 0.05  # of a map's step, where its tables are for a finer one


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """`graph` is the model's with the steps that `tables`, by name of map, are for."""

    model: Model
    graph: Graph
    options: CompileOptions
    budget: Budget | None
    target: Target
    tables: Mapping[str, MapTables]
    tick: Callable[[], None] = lambda: None

    @property
    def on_chip(self) -> bool:
        """True where coded maps have to stay in fast memory, for want of another."""
        return self.target.external_bytes == 0 and self.options.map_codec != "raw"

    def inputs(self, most: int, few: int = 0, consequence: str = "") -> list[Array]:
        """At most `most` calibration inputs; says the consequence where there are less than `few`.

        Raises BadInput without calibration files, or for one that is no input.
        """
        found = calibration_inputs(self.model.graph, self.model.preprocess, self.options.calib,
                                   most)
        warn_of_few(self.options.calib, len(found), few, consequence)
        return found

    def chooser(self, samples: Sequence[Array]) -> Chooser | None:
        """What chooses quality maps, on these files or, without any, on others of its own."""
        if self.options.quality != "even" and not samples:
            samples = self.inputs(SAMPLES)
        return chooser_for(self.graph, samples, self.options.quality, self.options.tile, self.tick)


def job_for(model: Model, options: CompileOptions, tick: Callable[[], None]) -> Job:
    """What the options ask for. Raises BadInput where they contradict each other or the target."""
    budget = options.budget
    target = load_target(options.target).with_budget(options.fast, options.external)
    tables = read_tables(options.tables) if options.tables else {}
    graph = requantize(model.graph, step_factors(tables, model.graph), LEAST_FACTOR)
    _check(graph.name, options, target)
    return Job(model, graph, options, budget, target, tables, tick)


def _check(name: str, options: CompileOptions, target: Target) -> None:
    """Refuse what the codec or the memories cannot do."""
    temporal = options.map_codec == "temporal"
    if not temporal and (options.tolerance or options.refresh):
        raise BadInput(f"{name}: a tolerance and a refresh are for the codec temporal, "
                       f"got {options.map_codec}")
    if target.external_bytes == 0 and temporal:
        raise BadInput(f"{name}: temporal codes maps in external memory, and there is none")
    if target.external_bytes == 0 and options.tables:
        raise BadInput(f"{options.tables}: tables are for maps in external memory, and there is "
                       "none")
