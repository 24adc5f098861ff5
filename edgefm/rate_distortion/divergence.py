# SPDX-License-Identifier: Apache-2.0
"""How far a changed network's decisions are from the original's: KL in nats, without labels.

A decision is read where it is finest, from row taps of the C runtime:

* *classes*: the scores before softmax or argmax. A map of them counts with the mean over its
  positions, before it is resized to the picture.
* *objects*: what a detector says of each anchor before boxes are suppressed. The model is the one
  such detectors are trained as: every class of every anchor is a decision of its own (a sigmoid),
  and the four offsets are normal with a variance of 1, in the code units of the box regression;
  they matter as much as the anchor is believed to show an object. The sum over anchors is divided
  by the number of anchors that are believed to, so that it is nats per object, like nats per class.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadInput
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph, Tensor
from edgefm.network.operators import Kind, of_kind
from edgefm.ops.quantize import dequantized
from edgefm.package.write import Description, write_package
from edgefm.planner import analyze, load_target, make_plan
from edgefm.runtime import Runtime

_THREADS = os.cpu_count() or 1  # the C runtime runs without the interpreter's lock
_CONVERSIONS = of_kind(Kind.CONVERSION)
_ON_THE_WAY = _CONVERSIONS | of_kind(Kind.DECISION, Kind.ALIAS, Kind.RESIZE)
_LEAST_PROBABILITY = 1 / 512  # half a step of an 8-bit probability

Real = npt.NDArray[np.float64]
Divergences = Real


@dataclass(frozen=True, slots=True, eq=False)
class DecisionScores:
    """One sample's decision: log-probabilities [positions, classes], or a detector's logits
    [anchors, classes] with its offsets [anchors, 4]."""

    scores: Real
    offsets: Real | None = None


Scores = Sequence[DecisionScores]


@dataclass(frozen=True, slots=True)
class Decision:
    """Which tensors of a graph hold its decision; `read` takes it from row taps.

    `logits` is false where only a detector's probabilities are at hand; `skipped` classes before
    the first real one are left out.
    """

    graph: str
    scores: Tensor
    offsets: Tensor | None = None
    logits: bool = True
    skipped: int = 0

    def read(self, taps: Mapping[str, Array]) -> DecisionScores:
        """The decision of one run. Raises BadInput where its tensors enter no row stream."""
        values = self._real(taps, self.scores).reshape(-1, self.scores.shape[-1])[:, self.skipped:]
        if self.offsets is None:
            return DecisionScores(_log_probabilities(values))
        if not self.logits:
            p = np.clip(values, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
            values = np.log(p) - np.log1p(-p)
        offsets = self._real(taps, self.offsets)
        return DecisionScores(values, offsets.reshape(-1, self.offsets.shape[-1])[:, :4])

    def _real(self, taps: Mapping[str, Array], tensor: Tensor) -> Real:
        if tensor.name not in taps:
            raise BadInput(f"{self.graph}: its scores {tensor.name!r} are in no row stream")
        values = taps[tensor.name]
        real = values if tensor.dtype == "float32" else dequantized(values, tensor)
        return np.asarray(real, np.float64)


def decision_of(graph: Graph) -> Decision:
    """Where the first output's decision is finest.

    Raises BadInput when there are fewer than two classes, or no scores at all.
    """
    producer = graph.producer()
    t = graph.outputs[0]
    while t in producer and graph.nodes[producer[t]].op in _ON_THE_WAY:
        t = graph.nodes[producer[t]].inputs[0]
    made_by = graph.nodes[producer[t]].op if t in producer else "input"
    if made_by == "detection_postprocess":
        return _objects(graph, t)
    shape = graph.tensors[t].shape
    if made_by == "input" or not shape or shape[-1] < 2:
        raise BadInput(f"{graph.name}: the loss of coarser maps is measured on class scores; its "
                       f"first output is {list(shape)} out of {made_by}")
    return Decision(graph.name, graph.tensors[t])


def _objects(graph: Graph, boxes: int) -> Decision:
    """A detector's decision: the inputs of its post-processing, logits where it has them."""
    producer = graph.producer()
    node = graph.nodes[producer[boxes]]

    def behind(t: int, ops: frozenset[str]) -> int:
        while t in producer and graph.nodes[producer[t]].op in ops:
            t = graph.nodes[producer[t]].inputs[0]
        return t

    offsets, scores = (behind(t, _CONVERSIONS) for t in node.inputs[:2])
    logits = scores in producer and graph.nodes[producer[scores]].op == "logistic"
    if logits:
        scores = behind(graph.nodes[producer[scores]].inputs[0], _CONVERSIONS)
    skipped = graph.tensors[scores].shape[-1] - int(node.attrs["num_classes"])
    return Decision(graph.name, graph.tensors[scores], graph.tensors[offsets], logits, skipped)


def package_of(graph: Graph) -> bytes:
    """A package without limits on memory, where nothing is stored outside."""
    layout = analyze(lower(graph))
    plan = make_plan(layout, load_target(None))
    return write_package(graph, layout.program, plan, {}, Description(""))


def scores(graph: Graph, samples: Sequence[Array], package: bytes | None = None) -> Scores:
    """What the C runtime makes of each sample, the graph's one input; `package` is one of the graph
    whose stored maps lose something on the way, else nothing is lost. Threads share the work."""
    decision, data = decision_of(graph), package or package_of(graph)
    parts = max(1, min(_THREADS, len(samples)))

    def some(first: int) -> list[DecisionScores]:
        with Runtime(data) as runtime:
            return [decision.read(runtime.run([sample], taps=True).taps)
                    for sample in samples[first::parts] if not stop.is_set()]

    stop = threading.Event()
    with ThreadPoolExecutor(parts) as pool:
        try:
            found = list(pool.map(some, range(parts)))
        finally:
            stop.set()
    return [found[i % parts][i // parts] for i in range(len(samples))]


def divergences(reference: Scores, changed: Scores) -> Divergences:
    """The divergence of each sample."""
    return np.array([divergence(p, q) for p, q in zip(reference, changed, strict=True)])


def divergence(reference: DecisionScores, changed: DecisionScores) -> float:
    """KL(reference || changed) of one sample in nats: per position, or per object."""
    p, q = reference.scores, changed.scores
    if reference.offsets is None or changed.offsets is None:
        return float((np.exp(p) * (p - q)).sum(axis=1).mean())
    seen = _sigmoid(p)
    classes = seen * (_log_sigmoid(p) - _log_sigmoid(q)) + (
        1 - seen) * (_log_sigmoid(-p) - _log_sigmoid(-q))
    believed = seen.max(axis=1)
    moved = believed @ ((reference.offsets - changed.offsets) ** 2).sum(axis=1) / 2
    return float((classes.sum() + moved) / max(believed.sum(), 1.0))


def changed(reference: Scores, other: Scores) -> float | None:
    """The share of decisions that changed: the classes with the highest score, positions counted
    by their mean. None for objects, as their number is not known."""
    pairs = list(zip(reference, other, strict=True))
    if not pairs or pairs[0][0].offsets is not None:
        return None
    return float(np.mean([(a.scores.argmax(axis=1) != b.scores.argmax(axis=1)).mean()
                          for a, b in pairs]))


def _log_probabilities(values: Real) -> Real:
    shifted = values - values.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _sigmoid(values: Real) -> Real:
    return np.exp(_log_sigmoid(values))


def _log_sigmoid(values: Real) -> Real:
    return np.asarray(-np.logaddexp(0, -values))
