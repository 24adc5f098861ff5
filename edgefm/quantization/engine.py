# SPDX-License-Identifier: Apache-2.0
"""What runs networks while one is quantized: NumPy one after the other, or something faster.

Quantization asks for pieces of work (`Work`) whose results do not depend on who does them, or when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph

Result = TypeVar("Result", covariant=True)
FloatRun = Callable[[Array], Mapping[int, Array]]
IntegerRun = Callable[[Array], Sequence[Array]]


class Work(Protocol[Result]):
    """One piece of work, which can travel to another process. `runs`: of one sample."""

    @property
    def runs(self) -> int: ...

    def do(self, engine: Engine) -> Result: ...


class Engine:
    """NumPy, in this process; a subclass overrides what it does faster, to the same results: of
    integer networks to the bit, of float ones up to rounding."""

    def float_run(self, graph: Graph) -> FloatRun:
        """A function from the float graph's one input to every computed tensor, by index."""
        return lambda sample: run_graph(graph, [sample])

    def integer_run(self, graph: Graph, tensors: Sequence[int]) -> IntegerRun:
        """A function from the 8-bit graph's one input to the values of `tensors`."""
        def run(sample: Array) -> list[Array]:
            values = run_graph(graph, [sample])
            return [values[t] for t in tensors]
        return run

    def each(self, works: Iterable[Work[Result]], done: Callable[[int], None]
             ) -> Iterator[Result]:
        """The results in the order of the works; `done` hears of every work's runs."""
        for work in works:
            result = work.do(self)
            done(work.runs)
            yield result
