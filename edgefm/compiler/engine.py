# SPDX-License-Identifier: Apache-2.0
"""Runs networks during quantization: float ones in LiteRT, integer ones in the C runtime.

Both are a hundred times faster than NumPy. NumPy stays the reference, and it is used when LiteRT is
not installed or an operator has no TFLite form. Large networks are distributed over all cores; the
result does not depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from edgefm.console.pool import process_pool
from edgefm.errors import EdgefmError, MissingTool, UnsupportedModel
from edgefm.exporters.tflite import export_tflite
from edgefm.litert.reference import FastFloat
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph
from edgefm.network.program import Program
from edgefm.network.rewrite import prune
from edgefm.package.write import Description, write_package
from edgefm.planner import analyze, load_target, plan_storing
from edgefm.planner.storage import Storage
from edgefm.quantization.engine import Engine, FloatRun, IntegerRun, Result, Work
from edgefm.runtime import Runtime

_WORTH_PROCESSES: Final = 2e10  # multiply-adds in total above which starting them pays
_AHEAD: Final = 8               # works that wait for a free process


class FastEngine(Engine):
    """LiteRT and the C runtime, in this process."""

    def float_run(self, graph: Graph) -> FloatRun:
        """As `Engine.float_run`."""
        try:
            interpreter = FastFloat(export_tflite(graph))
        except (MissingTool, UnsupportedModel):
            return super().float_run(graph)

        def run(sample: Array) -> dict[int, Array]:
            return {graph.inputs[0]: sample, **interpreter.tensors([sample])}

        return run if interpreter.exact else super().float_run(graph)

    def integer_run(self, graph: Graph, tensors: Sequence[int]) -> IntegerRun:
        """As `Engine.integer_run`."""
        try:
            shown = tuple(dict.fromkeys(tensors))
            runtime = Runtime(_package(prune(replace(graph, outputs=shown))))
        except EdgefmError:  # no operator of the runtime: the compilation will say so
            return super().integer_run(graph, tensors)
        places = [shown.index(t) for t in tensors]

        def run(sample: Array) -> list[Array]:
            outputs = runtime.run([sample]).outputs
            return [outputs[place] for place in places]

        return run


class _Pooled(FastEngine):
    """The same in several processes."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool

    def each(self, works: Iterable[Work[Result]], done: Callable[[int], None]
             ) -> Iterator[Result]:
        """As `Engine.each`; results wait for those before them."""
        waiting: list[tuple[Work[Result], Future[Result]]] = []
        for work in works:
            waiting.append((work, self._pool.submit(partial(_do, work))))
            if len(waiting) > _AHEAD:
                yield _taken(*waiting.pop(0), done)
        for work, future in waiting:
            yield _taken(work, future, done)


def _taken(work: Work[Result], future: Future[Result], done: Callable[[int], None]) -> Result:
    result = future.result()
    done(work.runs)
    return result


def _do(work: Work[Result]) -> Result:
    """In a worker."""
    return work.do(FastEngine())


@contextmanager
def engine_for(graph: Graph, runs: int) -> Iterator[Engine]:
    """The engine for `runs` runs of a network: in worker processes where that is faster."""
    if _macs(graph) * runs < _WORTH_PROCESSES:
        yield FastEngine()
        return
    with process_pool(alone=True) as pool:
        yield _Pooled(pool)


def _macs(graph: Graph) -> int:
    """Multiply-adds of a run, roughly: of the linear operators."""
    total = 0
    for node in graph.nodes:
        weights = graph.tensors[node.inputs[1]] if len(node.inputs) > 1 else None
        if weights is not None and weights.data is not None:
            shape = graph.tensors[node.outputs[0]].shape
            positions = shape[1] * shape[2] if len(shape) == 4 else 1
            total += weights.data.size * positions
    return total


def _package(graph: Graph) -> bytes:
    """A package without limits on memory, planned in no time."""
    layout = analyze(lower(graph))
    program: Program = layout.program
    plan = plan_storing(layout, load_target(None), Storage(), ())
    return write_package(graph, program, plan, {}, Description(""))
