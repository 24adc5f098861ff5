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

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.network.graph import Array, Graph
from edgefm.network.operators import Kind, of_kind
from edgefm.network.rewrite import fuse, prune
from edgefm.ops import run_graph
from edgefm.ops.quantize import dequantized, quantized
from edgefm.quantization.calibrate import Statistics, observe
from edgefm.quantization.equalize import can_equalize, equalized
from edgefm.quantization.recipe import Recipe, integer_graph, refuse_unquantizable
from edgefm.quantization.refine import refined

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
class FloatGraph:
    """A float graph to be quantized, and what its tensors hold."""

    graph: Graph
    seen: Statistics
    equalized: bool


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
class _Judge:
    """Samples, and the float values that `tensors` have on each of them."""

    samples: Sequence[Array]
    tensors: tuple[int, ...]
    expected: Sequence[Sequence[Array]]
    tick: Callable[[], None]


def quantize(graph: Graph, samples: Sequence[Array], options: QuantizeOptions | None = None,
             tick: Callable[[], None] = lambda: None) -> Graph:
    """The int8 version of a float graph that follows it best; its inputs and outputs are int8.

    `samples`: preprocessed float32 inputs in the shape of the graph's one input; `tick` is called
    after each run of one sample. Raises UnsupportedModel for operators without an int8 form,
    BadInput for unusable samples.
    """
    options = options or QuantizeOptions()
    best = min(quantizations(graph, samples, options, tick), key=lambda c: c.distance)
    return _over_all(graph, samples, best, options, tick)


def held_out_of(count: int) -> int:
    """How many of `count` calibration files choose between candidates."""
    return max(16, count // 8)


def most_runs(count: int, options: QuantizeOptions) -> int:
    """At most how often `quantize` calls `tick` for so many samples."""
    held = len(range(0, count, _stride(count, options.held_out)))
    variants = len(options.equalize)
    tried = len(options.methods) + len(options.refine) - 1
    last = held if count > _FEW else variants * count
    return variants * (max(count - held, 1) + tried * held) + last


def _over_all(graph: Graph, samples: Sequence[Array], best: QuantizedGraph,
              options: QuantizeOptions, tick: Callable[[], None]) -> Graph:
    """The best candidate as it is once the samples that chose it calibrate too."""
    some, held = _split(samples, options.held_out)
    if len(samples) > _FEW:
        seen = best.variant.seen.spanning(observe(best.variant.graph, _ticking(held, tick)))
        variant = replace(best.variant, seen=seen)
    else:
        some, own = list(samples), replace(options, equalize=(best.variant.equalized,))
        (variant,) = _variants(fuse(graph), some, own, tick)
    few = _some(some, options) if best.refined else ()
    return prune(_made(variant, best.method, few, options))


def quantizations(graph: Graph, samples: Sequence[Array], options: QuantizeOptions | None = None,
               tick: Callable[[], None] = lambda: None) -> list[QuantizedGraph]:
    """Every quantization that `quantize` chooses from, in the order in which they were tried."""
    options = options or QuantizeOptions()
    graph = fuse(graph)
    refuse_unquantizable(graph)
    _check_samples(graph, samples)
    fit, held = _split(samples, options.held_out)
    tensors = _judged(graph)
    expected = [[values[t] for t in tensors] for values in (run_graph(graph, [x]) for x in held)]
    judge = _Judge(held, tensors, expected, tick)
    tried: list[QuantizedGraph] = []
    for variant in _variants(graph, fit, options, tick):
        tried += _search(variant, _some(fit, options), judge, options)
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


def _variants(graph: Graph, fit: Sequence[Array], options: QuantizeOptions,
              tick: Callable[[], None]) -> Iterator[FloatGraph]:
    """The float graphs to quantize: as it is, and equalized."""
    seen = observe(graph, _ticking(fit, tick))
    both = True in options.equalize and can_equalize(graph)
    if False in options.equalize or not both:
        yield FloatGraph(graph, seen, False)
    if both:
        other = equalized(graph, seen)
        yield FloatGraph(other, observe(other, _ticking(fit, tick)), True)


def _ticking(samples: Iterable[Array], tick: Callable[[], None]) -> Iterator[Array]:
    for sample in samples:
        yield sample
        tick()


def _search(variant: FloatGraph, few: Sequence[Array], judge: _Judge, options: QuantizeOptions
            ) -> list[QuantizedGraph]:
    """Try every range method, then the best of them with the other ways to round."""
    first, *others = options.refine
    tried = [_measured(variant, method, few if first else (), judge, options)
             for method in options.methods]
    best = min(tried, key=lambda c: c.distance).method
    return tried + [_measured(variant, best, few if other else (), judge, options)
                    for other in others]


def _measured(variant: FloatGraph, method: str, few: Sequence[Array], judge: _Judge,
              options: QuantizeOptions) -> QuantizedGraph:
    """One candidate; refined with the samples `few`, if there are any."""
    made = _made(variant, method, few, options)
    return QuantizedGraph(prune(made), variant, method, bool(few), _distance(made, judge))


def _made(variant: FloatGraph, method: str, few: Sequence[Array],
          options: QuantizeOptions) -> Graph:
    made = integer_graph(variant.graph, variant.seen, Recipe(method, options.input_range,
                                                             options.given))
    return refined(variant.graph, made, few) if few else made


def _judged(graph: Graph) -> tuple[int, ...]:
    """The outputs, or where a softmax makes one, what goes into it: 8 bits tell more there."""
    made = graph.producer()
    tensors = []
    for t in graph.outputs:
        while t in made and graph.nodes[made[t]].op in _AFTER_SCORES:
            t = graph.nodes[made[t]].inputs[0]
        tensors.append(t)
    return tuple(tensors)


def _distance(graph: Graph, judge: _Judge) -> float:
    """Mean distance of an int8 graph from the float values."""
    total, into = 0.0, graph.tensors[graph.inputs[0]]
    for sample, expected in zip(judge.samples, judge.expected, strict=True):
        values = run_graph(graph, [quantized(sample, into)])
        total += sum(_divergence(real, dequantized(values[t], graph.tensors[t]))
                     for t, real in zip(judge.tensors, expected, strict=True))
        judge.tick()
    return total / len(judge.samples)


def _divergence(real: Array, met: Array) -> float:
    """Between vectors, of their softmax: Kullback-Leibler, in nats; between maps: relative square
    error."""
    a, b = real.astype(np.float64).ravel(), met.astype(np.float64).ravel()
    if 1 < max(real.shape, default=0) == a.size:
        log_p, log_q = _log_softmax(a), _log_softmax(b)
        return float((np.exp(log_p) * (log_p - log_q)).sum())
    return float(((a - b) ** 2).sum() / max(float((a ** 2).sum()), 1e-30))


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))
