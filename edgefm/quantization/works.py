# SPDX-License-Identifier: Apache-2.0
"""The pieces of work of a quantization: run, observe, make a candidate, measure one.

Each is a pure function of its fields, so an engine may do them anywhere; what they give is joined
in a fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgefm.network.graph import Array, Graph
from edgefm.ops.quantize import dequantized, quantized
from edgefm.quantization.calibrate import Statistics, observe
from edgefm.quantization.engine import Engine
from edgefm.quantization.recipe import Recipe, integer_graph
from edgefm.quantization.refine import refined

PART = 16  # samples that one piece of work looks at


def parts(samples: Sequence[Array]) -> list[Sequence[Array]]:
    """The samples, some at a time."""
    return [samples[i:i + PART] for i in range(0, len(samples), PART)]


@dataclass(frozen=True, slots=True, eq=False)
class FloatGraph:
    """A float graph to be quantized, and what its tensors hold."""

    graph: Graph
    seen: Statistics
    equalized: bool


@dataclass(frozen=True, slots=True, eq=False)
class Expect:
    """The values of `tensors` of a float graph on each sample."""

    graph: Graph
    tensors: tuple[int, ...]
    samples: Sequence[Array]
    runs: int = 0  # they are few: no progress is reported

    def do(self, engine: Engine) -> list[list[Array]]:
        """Run."""
        run = engine.float_run(self.graph)
        return [[values[t] for t in self.tensors] for values in map(run, self.samples)]


@dataclass(frozen=True, slots=True, eq=False)
class Observe:
    """What a float graph's tensors hold on some samples."""

    graph: Graph
    samples: Sequence[Array]

    @property
    def runs(self) -> int:
        """One of each sample."""
        return len(self.samples)

    def do(self, engine: Engine) -> Statistics:
        """Run and count."""
        return observe(self.graph, self.samples, engine.float_run(self.graph))


@dataclass(frozen=True, slots=True, eq=False)
class Make:
    """The int8 graph of a recipe; refined with the samples `few`, if there are any."""

    variant: FloatGraph
    recipe: Recipe
    few: Sequence[Array] = ()

    @property
    def runs(self) -> int:
        """Refinement runs each of its samples."""
        return len(self.few)

    def do(self, engine: Engine) -> Graph:
        """Quantize."""
        made = integer_graph(self.variant.graph, self.variant.seen, self.recipe)
        return refined(self.variant.graph, made, self.few) if self.few else made


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """Distances of an int8 graph from the float values that `tensors` have, one per sample."""

    graph: Graph
    tensors: tuple[int, ...]
    samples: Sequence[Array]
    expected: Sequence[Sequence[Array]] = field(repr=False)

    @property
    def runs(self) -> int:
        """One of each sample."""
        return len(self.samples)

    def do(self, engine: Engine) -> list[float]:
        """Run and compare."""
        into, run = self.graph.tensors[self.graph.inputs[0]], engine.integer_run(self.graph,
                                                                                 self.tensors)
        return [sum(divergence(real, dequantized(steps, self.graph.tensors[t]))
                    for t, real, steps in zip(self.tensors, expected,
                                              run(quantized(sample, into)), strict=True))
                for sample, expected in zip(self.samples, self.expected, strict=True)]


def divergence(real: Array, got: Array) -> float:
    """Between vectors, of their softmax: Kullback-Leibler, in nats; between maps: relative square
    error."""
    a, b = real.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    if 1 < max(real.shape, default=0) == a.size:
        log_p, log_q = _log_softmax(a), _log_softmax(b)
        return float((np.exp(log_p) * (log_p - log_q)).sum())
    return float(((a - b) ** 2).sum() / max(float((a ** 2).sum()), 1e-30))


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))
