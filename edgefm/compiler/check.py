# SPDX-License-Identifier: Apache-2.0
"""Checks layer by layer whether a network can run, and collects all problems.

The check runs the steps of a compilation up to the program, without calibration and planning, and
collects the errors of single layers. A float network gets placeholder ranges, because its operators
do not depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgefm import importers
from edgefm.errors import BadInput, EdgefmError
from edgefm.importers.faults import Faults
from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.network.rewrite import fuse
from edgefm.quantization.calibrate import Statistics
from edgefm.quantization.dequantize import dequantized_graph
from edgefm.quantization.recipe import Recipe, integer_graph, refuse_unquantizable

_ELSEWHERE: Final = ("replace it in the model, or cut the network before it and compute the rest "
                     "on the host")
_REMEDIES: Final[Sequence[tuple[str, str]]] = (
    ("edgetpu", "take the file from before the Edge TPU compiler"),
    ("ethos-u", "take the file from before Vela"),
    ("Flex", "convert without SELECT_TF_OPS"),
    ("int16", "quantize the network with 8-bit activations"),
    ("int4", "quantize the network with 8-bit weights"),
    ("keeps its value between runs", "export the network without state, one window per run"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One layer that cannot run: where it is, why not, and what to do."""

    where: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A network's name, the number of layers that were checked, the number that could not be
    checked (the shapes of their inputs are not known), and the layers that cannot run."""

    name: str
    layers: int
    unseen: int
    problems: tuple[Problem, ...]


def check_model(path: Path, input_shape: tuple[int, ...] | None = None) -> Checked:
    """All problems of a model. Raises BadInput for a file that cannot be read."""
    faults = Faults(kept=True)
    graph = importers.load(path, input_shape, faults)
    layers = len(graph.nodes) + len(faults.found)
    if graph.nodes and graph.is_float():
        graph = _with_ranges(graph, faults)
    try:
        lower(graph, faults)
    except EdgefmError as error:
        faults.found.append(BadInput(str(error)))
    texts = dict.fromkeys(_without(str(error), path, graph.name) for error in faults.found)
    return Checked(graph.name, layers, faults.unseen, tuple(map(_problem, texts)))


def _with_ranges(graph: Graph, faults: Faults) -> Graph:
    """The 8-bit form of a float graph whose maps all lie in -1..1; itself where there is none."""
    graph = fuse(dequantized_graph(graph))
    refuse_unquantizable(graph, faults)
    seen = Statistics({}, {}, dict.fromkeys(range(len(graph.tensors)), (-1.0, 1.0)))
    with faults.of_layer():
        return integer_graph(graph, seen, Recipe("minmax"))
    return graph


def _without(text: str, path: Path, name: str) -> str:
    """A message without the file's name, which the list shows once."""
    for start in (str(path), path.name, name):
        text = text.removeprefix(f"{start}: ")
    return text


def _problem(text: str) -> Problem:
    where, colon, reason = text.partition(": ")
    if not colon:
        where, reason = "-", text
    for separator in ("; expected ", ": expected ", ", expected "):
        said, found, wanted = reason.partition(separator)
        if found:
            return Problem(where, said, f"expected {wanted}")
    remedy = next((what for word, what in _REMEDIES if word in text), _ELSEWHERE)
    return Problem(where, reason, remedy)
