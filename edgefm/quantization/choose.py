# SPDX-License-Identifier: Apache-2.0
"""Post-training quantization: float `Graph` + calibration samples -> int8 `Graph`.

How ranges are chosen, whether channels are equalized and whether weights and biases are refined is
decided by measuring: every candidate runs as integers on held-out calibration samples and is
compared with the float graph. `recipe.py` makes the candidates, `refine.py` improves them. Once the
choice is made, the samples that were held out count too. With few samples every range is computed
again from all of them; with many, only the extremes are, where a range spans all values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.network.graph import Array, Graph
from edgefm.network.operators import Kind, of_kind
from edgefm.network.rewrite import fuse, prune
from edgefm.quantization.calibrate import Statistics
from edgefm.quantization.engine import Engine, Result, Work
from edgefm.quantization.equalize import can_equalize, equalized
from edgefm.quantization.recipe import Recipe, refuse_unquantizable
from edgefm.quantization.works import PART, Expect, FloatGraph, Make, Measure, Observe, parts

METHODS = ("minmax", "99.99", "99.999", "mse")
_AFTER_SCORES = of_kind(Kind.DECISION, Kind.ALIAS)
_FEW = 64  # samples up to which those that are held out are missed


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """What may be tried; tuples of one entry leave nothing to choose.

    methods         range methods of `calibrate.range_of`
    refine          round weights with error feedback and correct biases (`refine.refined`)
    equalize        cross-layer equalization (changes depthwise networks only)
    input_range     (low, high) that preprocessing can produce; what was measured beyond it counts
                    too, and alone when None
    given           (low, high) of maps whose range is not to be chosen, by name
    held_out        samples that choose between candidates and calibrate only then
    refine_with     samples among the others that refinement looks at; all are in memory at once
    """

    methods: tuple[str, ...] = METHODS
    refine: tuple[bool, ...] = (True, False)
    equalize: tuple[bool, ...] = (False, True)
    input_range: tuple[float, float] | None = None
    given: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    held_out: int = 32
    refine_with: int = 24


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedGraph:
    """One quantization, and its distance from the float graph on the held-out samples."""

    graph: Graph
    variant: FloatGraph
    method: str
    refined: bool
    distance: float

    @property
    def equalized(self) -> bool:
        """True when channels were equalized before."""
        return self.variant.equalized


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What every step of a search needs: who works, who is told, what is measured against what."""

    engine: Engine
    tick: Callable[[], None]
    options: QuantizeOptions
    samples: Sequence[Array] = ()
    tensors: tuple[int, ...] = ()
    expected: Sequence[Sequence[Array]] = ()

    def each(self, works: Iterable[Work[Result]]) -> list[Result]:
        """The results of works, in their order."""
        return list(self.engine.each(works, self._tell))

    def _tell(self, runs: int) -> None:
        for _ in range(runs):
            self.tick()

    def observed(self, graph: Graph, samples: Sequence[Array]) -> Statistics:
        """What a float graph's tensors hold on samples."""
        return reduce(Statistics.joined,
                      self.each(Observe(graph, part) for part in parts(samples)))

    def recipe(self, method: str) -> Recipe:
        return Recipe(method, self.options.input_range, self.options.given)


def quantize(graph: Graph, samples: Sequence[Array], options: QuantizeOptions | None = None,
             tick: Callable[[], None] = lambda: None, engine: Engine | None = None) -> Graph:
    """The int8 version of a float graph that follows it best; its inputs and outputs are int8.

    `samples`: preprocessed float32 inputs in the shape of the graph's one input; `tick` is called
    once for each run of one sample, `engine` runs them. Raises UnsupportedModel for operators
    without an int8 form, BadInput for unusable samples.
    """
    options = options or QuantizeOptions()
    search = _Search(engine or Engine(), tick, options)
    best = min(_quantizations(graph, samples, search), key=lambda c: c.distance)
    return _over_all(graph, samples, best, search)


def held_out_of(count: int) -> int:
    """How many of `count` calibration files choose between candidates."""
    return max(16, count // 8)


def most_runs(count: int, options: QuantizeOptions) -> int:
    """How often `quantize` calls `tick` for `count` samples, at most."""
    held = len(range(0, count, _stride(count, options.held_out)))
    fit = max(count - held, 1)
    few, all_few = (len(range(0, n, -(-n // max(1, options.refine_with)))) for n in (
        fit, fit if count > _FEW else count))
    variants = len(options.equalize)
    tried = len(options.methods) + len(options.refine) - 1
    last = (held if count > _FEW else variants * count) + all_few
    refined = len(options.methods) if options.refine[0] else len(options.refine) - 1
    return variants * (fit + tried * held + refined * few) + last


def _over_all(graph: Graph, samples: Sequence[Array], best: QuantizedGraph, search: _Search
              ) -> Graph:
    """The best candidate as it is once the samples that chose it calibrate too."""
    some, held = _split(samples, search.options.held_out)
    if len(samples) > _FEW:
        seen = best.variant.seen.spanning(search.observed(best.variant.graph, held))
        variant = replace(best.variant, seen=seen)
    else:
        some, own = list(samples), replace(search.options, equalize=(best.variant.equalized,))
        (variant,) = _variants(fuse(graph), some, replace(search, options=own))
    few = _some(some, search.options) if best.refined else ()
    (made,) = search.each([Make(variant, search.recipe(best.method), few)])
    return prune(made)


def quantizations(graph: Graph, samples: Sequence[Array], options: QuantizeOptions | None = None,
                  tick: Callable[[], None] = lambda: None, engine: Engine | None = None
                  ) -> list[QuantizedGraph]:
    """Every quantization that `quantize` chooses from, in the order in which they were tried."""
    return _quantizations(graph, samples,
                          _Search(engine or Engine(), tick, options or QuantizeOptions()))


def _quantizations(graph: Graph, samples: Sequence[Array], search: _Search
                   ) -> list[QuantizedGraph]:
    graph, options = fuse(graph), search.options
    refuse_unquantizable(graph)
    _check_samples(graph, samples)
    fit, held = _split(samples, options.held_out)
    tensors = _judged(graph)
    expected = search.each(Expect(graph, tensors, part) for part in parts(held))
    search = replace(search, samples=held, tensors=tensors,
                     expected=list(chain.from_iterable(expected)))
    tried: list[QuantizedGraph] = []
    for variant in _variants(graph, fit, search):
        tried += _tried(variant, _some(fit, options), search)
    return tried


def check_inputs(graph: Graph) -> None:
    """UnsupportedModel for a network that does not have exactly one input to calibrate with."""
    if len(graph.inputs) != 1:
        names = ", ".join(repr(graph.tensors[t].name[:40]) for t in graph.inputs[:4])
        raise UnsupportedModel(
            f"{graph.name}: a float network with {len(graph.inputs)} inputs ({names}); expected "
            "one, which --calib has values for (a quantized .tflite may have several)")


def _check_samples(graph: Graph, samples: Sequence[Array]) -> None:
    """Refuse what would calibrate to nonsense."""
    check_inputs(graph)
    if not len(samples):
        raise BadInput(f"{graph.name}: quantization needs at least one calibration sample")
    shape = graph.tensors[graph.inputs[0]].shape
    for i, sample in enumerate(samples):
        if sample.shape != shape or sample.dtype != np.float32 or not np.isfinite(sample).all():
            raise BadInput(f"{graph.name}: calibration sample {i} is {sample.dtype} "
                           f"{list(sample.shape)}; expected finite float32 {list(shape)}")


def _stride(count: int, held_out: int) -> int:
    return max(2, -(-count // max(1, held_out)))


def _split(samples: Sequence[Array], held_out: int) -> tuple[list[Array], list[Array]]:
    """(calibrate with, choose with), spread evenly; a single sample serves both."""
    stride = _stride(len(samples), held_out)
    fit = [sample for i, sample in enumerate(samples) if i % stride]
    return fit or list(samples), list(samples[::stride])


def _some(samples: Sequence[Array], options: QuantizeOptions) -> Sequence[Array]:
    """The samples to refine with, spread evenly."""
    return samples[::-(-len(samples) // max(1, options.refine_with))]


def _variants(graph: Graph, fit: Sequence[Array], search: _Search) -> Iterator[FloatGraph]:
    """The float graphs to quantize: as it is, and equalized."""
    wanted = search.options.equalize
    seen = search.observed(graph, fit)
    both = True in wanted and can_equalize(graph)
    if False in wanted or not both:
        yield FloatGraph(graph, seen, False)
    if both:
        other = equalized(graph, seen)
        yield FloatGraph(other, search.observed(other, fit), True)


def _tried(variant: FloatGraph, few: Sequence[Array], search: _Search) -> list[QuantizedGraph]:
    """Try every range method, then the best of them with the other ways to round."""
    first, *others = search.options.refine
    tried = _measured(variant, search.options.methods, few if first else (), search)
    best = min(tried, key=lambda c: c.distance).method
    for other in others:
        tried += _measured(variant, [best], few if other else (), search)
    return tried


def _measured(variant: FloatGraph, methods: Sequence[str], few: Sequence[Array], search: _Search
              ) -> list[QuantizedGraph]:
    """One candidate per method; refined with the samples `few`, if there are any."""
    made = search.each(Make(variant, search.recipe(method), few) for method in methods)
    works = [Measure(graph, search.tensors, part, search.expected[PART * i:PART * i + len(part)])
             for graph in made for i, part in enumerate(parts(search.samples))]
    distances = np.array(list(chain.from_iterable(search.each(works)))).reshape(len(made), -1)
    return [QuantizedGraph(prune(graph), variant, method, bool(few), sum(of.tolist()) / len(of))
            for graph, method, of in zip(made, methods, distances, strict=True)]


def _judged(graph: Graph) -> tuple[int, ...]:
    """The outputs, or where a softmax makes one, what goes into it: 8 bits tell more there."""
    made = graph.producer()
    tensors = []
    for t in graph.outputs:
        while t in made and graph.nodes[made[t]].op in _AFTER_SCORES:
            t = graph.nodes[made[t]].inputs[0]
        tensors.append(t)
    return tuple(tensors)
