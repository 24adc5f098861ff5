# SPDX-License-Identifier: Apache-2.0
"""The input of a strategy: a network, memories, and the options for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from edgefm.codecs.tables_file import MapTables, read_tables, step_factors
from edgefm.compiler.calibration import (
    CODEC_IMAGES,
    FEW_FOR_BUDGET,
    FEW_FOR_TABLES,
    POOL_IMAGES,
    POOL_PARTS,
    calibration_inputs,
    warn_of_few,
)
from edgefm.compiler.coded_weights import (
    RAW,
    WEIGHT_CODECS,
    WEIGHT_MEMORIES,
    with_coding,
    with_port,
)
from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.errors import BadInput
from edgefm.kernels.sets import KERNEL_SETS, ROWS_NAME, suited
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph
from edgefm.planner import Target, load_target
from edgefm.planner.layout import Layout, analyze
from edgefm.rate_distortion import IMAGES, Budget, split
from edgefm.rate_distortion.quality_maps import SAMPLES, Chooser, chooser_for
from edgefm.rate_distortion.requantize import requantize
from edgefm.rate_distortion.weights.signed import signed

Inputs = Callable[[int], Sequence[Array]]  # at most this many calibration inputs

MOST_TIMES = 16      # the multiply-adds of a network, for any plan
LEAST_FACTOR = 0.05  # of a map's step, where its tables are for a finer one


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """`graph` is the model's with the steps that `tables`, by name of map, are for.

    `samples` are the calibration inputs that a budget or a page pool takes, `chooser` chooses
    quality maps, `table_inputs` gives what codec tables are learned from, read when asked for.
    """

    model: Model
    graph: Graph
    options: CompileOptions
    target: Target
    tables: Mapping[str, MapTables]
    samples: Sequence[Array] = ()
    chooser: Chooser | None = None
    table_inputs: Callable[[], Sequence[Array]] = tuple
    tick: Callable[[], None] = lambda: None

    @property
    def budget(self) -> Budget | None:
        """What may be lost, or how many bytes may move."""
        return self.options.budget

    def layout(self, graph: Graph) -> Layout:
        """The graph as a program for the target's kernels, ready to be planned."""
        program, codec = lower(graph), self.options.weight_codec
        packed = suited(program, self.target.kernels, self.options.packing)
        rows = suited(program, self.target.kernels, ROWS_NAME)
        made = packed if codec == RAW else with_coding(rows, packed, codec)
        port = self.target.weight_port
        return analyze(made if port is None else with_port(made, rows, port))

    @property
    def on_chip(self) -> bool:
        """True when coded maps must stay in fast memory because there is no other."""
        return _on_chip(self.options, self.target)


def job_for(model: Model, options: CompileOptions, tick: Callable[[], None]) -> Job:
    """The job that the options describe, with its calibration inputs.

    Raises BadInput when options contradict each other or the target, without calibration files, or
    for a file that is not an input.
    """
    target = _target(options)
    tables = read_tables(options.tables) if options.tables else {}
    graph = requantize(model.graph, step_factors(tables, model.graph), LEAST_FACTOR)
    _check(graph.name, options, target)
    if options.how.weights:
        graph = signed(graph)
    inputs = partial(calibration_inputs, model.graph, model.preprocess, options.calib)
    samples, first = _samples(options, target, inputs)
    if options.quality != "even" and not first:
        first = inputs(SAMPLES)
    return Job(model, graph, options, target, tables, samples,
               chooser_for(graph, first, options.quality, options.tile, tick),
               cache(partial(_table_inputs, options, inputs)), tick)


def _target(options: CompileOptions) -> Target:
    target = load_target(options.target).with_budget(options.fast, options.external)
    return target if options.weights is None else replace(target, weights=options.weights)


def _samples(options: CompileOptions, target: Target, inputs: Inputs
             ) -> tuple[Sequence[Array], Sequence[Array]]:
    """Calibration inputs for a page pool or a budget, and those of them that fit the model."""
    if _on_chip(options, target):
        samples = inputs(IMAGES if options.how.weights else POOL_IMAGES)
        return samples, samples[::POOL_PARTS]
    if not options.budget:
        return [], []
    samples = inputs(IMAGES)
    warn_of_few(options.calib, len(samples), FEW_FOR_BUDGET, "the budget is measured on four in "
                "five of them, and other files may lose several times as much")
    return samples, split(samples, options.how.weights)[0]


def _table_inputs(options: CompileOptions, inputs: Inputs) -> Sequence[Array]:
    found = inputs(CODEC_IMAGES)
    warn_of_few(options.calib, len(found), FEW_FOR_TABLES, "codec tables are learned from them, "
                "and maps of other files take more bytes")
    return found


def _on_chip(options: CompileOptions, target: Target) -> bool:
    return target.external_bytes == 0 and options.map_codec != "raw"


def _check(name: str, options: CompileOptions, target: Target) -> None:
    """Refuse options that the codec, the kernels or the memories do not allow."""
    packings = KERNEL_SETS[target.kernels].suits
    if options.packing is not None and options.packing not in packings:
        raise BadInput(f"{name}: --packing {options.packing!r}; the {target.kernels} kernels of "
                       f"target {target.name} read {', '.join(packings)}")
    if options.weight_codec not in WEIGHT_CODECS:
        raise BadInput(f"{name}: --weight-codec {options.weight_codec!r:.60}; expected one of "
                       f"{', '.join(WEIGHT_CODECS)}")
    if options.weights not in (None, *WEIGHT_MEMORIES):
        raise BadInput(f"{name}: --weights {options.weights!r:.60}; expected one of "
                       f"{', '.join(WEIGHT_MEMORIES)}")
    if options.recompute is not None and not 1 <= options.recompute <= MOST_TIMES:
        raise BadInput(f"{name}: --recompute {options.recompute:g}; expected 1 to {MOST_TIMES} "
                       "times the multiply-adds")
    if options.recompute is not None and (options.cut != "auto" or _on_chip(options, target)):
        raise BadInput(f"{name}: got --recompute with --cut or a page pool; expected stages that "
                       "the planner chooses, and maps that stay as they are")
    temporal = options.map_codec == "temporal"
    if options.how.weights and not (options.budget and options.budget.of_loss):
        raise BadInput(f"{name}: got --coarsen {options.coarsen} without a budget for loss; "
                       "expected --kl-budget or --accuracy-budget as well")
    if not temporal and (options.tolerance or options.refresh):
        raise BadInput(f"{name}: a tolerance or a refresh needs the codec temporal, "
                       f"got {options.map_codec}")
    if target.external_bytes == 0 and temporal:
        raise BadInput(f"{name}: temporal codes maps in external memory, and there is none")
    if target.external_bytes == 0 and options.tables:
        raise BadInput(f"{options.tables}: tables are for maps in external memory, and there is "
                       "none")
    if _on_chip(options, target) and options.budget and not options.budget.of_loss:
        raise BadInput(f"{name}: a budget in bytes needs external memory; without it, expected a "
                       "budget for loss, and --fast for the bytes")
