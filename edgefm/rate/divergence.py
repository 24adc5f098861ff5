# SPDX-License-Identifier: Apache-2.0
"""How far a changed network's decisions are from the original's: KL in nats, without labels.

The scores are taken where they are finest: before softmax or argmax, from a row tap of the C
runtime. A score map with several positions counts with the mean over them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgefm.binding import Runtime
from edgefm.container import Description, write_package
from edgefm.errors import BadInput
from edgefm.graph import Array, Graph
from edgefm.lower import lower
from edgefm.ops.quantize import dequantised
from edgefm.plan import analyse, load_target, make_plan

_ON_THE_WAY = frozenset({"softmax", "argmax", "reshape", "quantize", "dequantize"})

Divergences = npt.NDArray[np.float64]
Scores = Sequence[npt.NDArray[np.float64]]
"""Per sample, the log-probabilities [positions, classes]."""


def score_tensor(graph: Graph) -> int:
    """The tensor that holds the class scores of the first output.

    Raises BadInput when there are fewer than two classes or the output is made of boxes.
    """
    producer = graph.producer()
    t = graph.outputs[0]
    while t in producer and graph.nodes[producer[t]].op in _ON_THE_WAY:
        t = graph.nodes[producer[t]].inputs[0]
    made_by = graph.nodes[producer[t]].op if t in producer else "input"
    shape = graph.tensors[t].shape
    if made_by in ("input", "detection_postprocess") or not shape or shape[-1] < 2:
        raise BadInput(f"{graph.name}: the loss of coarser maps is measured on class scores; its "
                       f"first output is {list(shape)} out of {made_by}")
    return t


def package_of(graph: Graph) -> bytes:
    """A package without limits on memory, where nothing is stored outside."""
    layout = analyse(lower(graph))
    plan = make_plan(layout, load_target(None))
    return write_package(graph, layout.program, plan, {}, Description(""))


def scores(graph: Graph, samples: Sequence[Array]) -> Scores:
    """What the C runtime makes of each sample, the graph's one input."""
    tensor = graph.tensors[score_tensor(graph)]
    found = []
    with Runtime(package_of(graph)) as runtime:
        for sample in samples:
            taps = runtime.run([sample], taps=True).taps
            if tensor.name not in taps:
                raise BadInput(f"{graph.name}: its scores {tensor.name!r} are in no row stream")
            values = taps[tensor.name].reshape(-1, tensor.shape[-1])
            real = values if tensor.dtype == "float32" else dequantised(values, tensor)
            found.append(_log_probabilities(real.astype(np.float64)))
    return found


def divergences(reference: Scores, changed: Scores) -> Divergences:
    """KL(reference || changed) of each sample, mean over its positions."""
    return np.array([(np.exp(p) * (p - q)).sum(axis=1).mean()
                     for p, q in zip(reference, changed, strict=True)])


def _log_probabilities(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted = values - values.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
