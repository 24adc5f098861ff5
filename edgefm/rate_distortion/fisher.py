# SPDX-License-Identifier: Apache-2.0
"""What one more step of noise in a channel costs the decision, from derivatives, without labels.

Small errors d of a map change the scores by J d, and the divergence of the decision by
1/2 d' J' (diag(p) - p p') J d, p being the class probabilities. Rounding to a step D makes errors
of variance D^2 / 12 that know nothing of each other, so only the diagonal counts. It is estimated
without the whole Jacobian: for a random vector u of signs, v = sqrt(p) u - p (sqrt(p) . u) has the
covariance diag(p) - p p', and one pass backwards gives J' v, whose square is right on average
(Hutchinson's estimator). All pixels of a channel count together, so few samples are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.errors import UnsupportedModel
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_node
from edgefm.rate_distortion.divergence import decision_of, package_of
from edgefm.rate_distortion.gradient import Floats as Derivative
from edgefm.rate_distortion.gradient import pulled_back
from edgefm.runtime import Runtime

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """By tensor, for every map that scores depend on, in nats per real unit squared, halved for an
    error's variance: `own` [C] of each channel, `joint` [C, C] for the maps that were asked for."""

    own: Mapping[int, Floats]
    joint: Mapping[int, Floats]


def slopes(graph: Graph, samples: Sequence[Array], joint: Collection[int] = (),
           tick: Callable[[], None] = lambda: None) -> Slopes:
    """Means over samples. Raises UnsupportedModel where an operator's derivative is not known
    and for boxes."""
    own, mixed = dict[int, Floats](), dict[int, Floats]()
    for found in derivatives(graph, samples, tick):
        for t, slope in found.items():
            flat = slope.reshape(-1, slope.shape[-1] if slope.ndim else 1).astype(np.float64)
            own[t] = own.get(t, 0.0) + (flat ** 2).sum(axis=0) / (2 * len(samples))
            if t in joint:
                mixed[t] = mixed.get(t, 0.0) + flat.T @ flat / (2 * len(samples))
    return Slopes(own, mixed)


@dataclass(frozen=True, slots=True, eq=False)
class Pulled:
    """One random v on one sample: the integers of the run and J' v, both by tensor, and the class
    probabilities [positions, classes]."""

    values: Mapping[int, Array]
    slopes: Mapping[int, Derivative]
    probabilities: Floats


def derivatives(graph: Graph, samples: Sequence[Array], tick: Callable[[], None] = lambda: None,
                probes: int = 1) -> Iterator[Mapping[int, Derivative]]:
    """J' v of every map, by tensor, for `probes` random v per sample, one after the other.

    Raises UnsupportedModel as `slopes` does.
    """
    return (pulled.slopes for pulled in pulls(graph, samples, tick, probes))


def pulls(graph: Graph, samples: Sequence[Array], tick: Callable[[], None] = lambda: None,
          probes: int = 1) -> Iterator[Pulled]:
    """The same with what it was taken at."""
    random = np.random.default_rng(0)
    tensor = scores_of(graph)
    decision = decision_of(graph)
    with Runtime(package_of(graph)) as runtime:
        for sample in samples:
            values = every_value(graph, runtime, sample, tensor)
            answer = decision.read({decision.scores.name: values[tensor]})
            for _ in range(probes):
                yield Pulled(values, pulled_back(graph, values, tensor, _probe(answer.scores,
                                                                               random)),
                             np.exp(answer.scores))
            tick()


def scores_of(graph: Graph) -> int:
    """The tensor that derivatives are taken of: class scores. Raises UnsupportedModel for boxes."""
    decision = decision_of(graph)
    if decision.offsets is not None or not decision.logits:
        raise UnsupportedModel(f"{graph.name}: derivatives of boxes are not known here")
    return next(t for t, one in enumerate(graph.tensors) if one is decision.scores)


def step_costs(graph: Graph, own: Mapping[int, Floats]) -> dict[int, Floats]:
    """Nats per squared factor on a map's step, [C], for maps with one scale.

    A cost is that of a rounding that is new in this map; maps that only move values have one too.
    """
    return {t: slope * graph.tensors[t].scale ** 2 / 12 for t, slope in own.items()
            if graph.tensors[t].quant is not None}


def every_value(graph: Graph, runtime: Runtime, sample: Array, last: int) -> Mapping[int, Array]:
    """The integers of one run, by tensor, up to tensor `last`; what has no tap is computed."""
    taps = runtime.run([sample], taps=True).taps
    values = {graph.inputs[0]: sample}
    for node in graph.nodes:
        tensors = [graph.tensors[t] for t in node.outputs]
        if all(t.name in taps for t in tensors):
            values.update((t, taps[o.name].reshape(o.shape))
                          for t, o in zip(node.outputs, tensors, strict=True))
        else:
            values.update(zip(node.outputs, run_node(graph, node, values), strict=True))
        if last in node.outputs:
            break
    return values


def _probe(scores: Floats, random: np.random.Generator) -> Derivative:
    """The random vector v for log-probabilities [positions, classes]; positions count by mean."""
    p = np.exp(scores)
    signed = np.sqrt(p) * random.choice([-1.0, 1.0], size=p.shape)
    v = signed - p * signed.sum(axis=1, keepdims=True)
    return np.asarray(v / len(p) ** 0.5, np.float32)

