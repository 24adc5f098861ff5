# SPDX-License-Identifier: Apache-2.0
"""Compares every tensor of a deployed plan, reassembled from row taps, with an independent witness.

The witness is TFLite's reference kernels if they are installed and can run the network (networks
that edgefm quantized are exported to .tflite for this), else the NumPy operators. Tensors are
identified by their index in the graph, which importers, lowering and the exporter keep; names are
only for display.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edgefm.codecs import CODECS
from edgefm.compiler.load import load_model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.errors import BadInput, naming
from edgefm.exporters.tflite import export_tflite
from edgefm.files.read import read_bytes
from edgefm.litert import reference as tflite_reference
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph
from edgefm.runtime import Runtime
from edgefm.shrink.channels import UNREAD, Removed

Witness = Callable[[Sequence[Array]], dict[int, Array]]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first value that differs: in which tensor, where, and how many more do."""

    tensor: str
    operator: str
    index: tuple[int, ...]
    expected: float
    got: float
    differing: int


@dataclass(frozen=True, slots=True)
class DiffResult:
    """The result of `diff` over all inputs."""

    witness: str
    inputs: int
    tensors: int
    folded: tuple[str, ...]
    max_abs_diff: float
    first_difference: Difference | None
    model_sha256: str
    plan_sha256: str

    def to_json(self) -> dict[str, object]:
        """The fields as plain data."""
        return asdict(self)


def random_inputs(graph: Graph, seed: int) -> list[Array]:
    """One random value for each graph input: every integer of its type, or floats over [-1, 1)."""
    random = np.random.default_rng(seed)
    made = []
    for t in graph.inputs:
        tensor = graph.tensors[t]
        if tensor.dtype == "float32":
            made.append((random.random(tensor.shape) * 2 - 1).astype(np.float32))
        else:
            limits = np.iinfo(tensor.dtype)
            made.append(random.integers(limits.min, limits.max, tensor.shape, tensor.dtype, True))
    return made


def diff_model(path: Path, options: CompileOptions,
               inputs: Callable[[Compiled], Sequence[Sequence[Array]]]) -> DiffResult:
    """Compile a model, run it on the inputs that `inputs` makes, and compare every tensor."""
    model = load_model(path, options)
    compiled = compile_loaded(model, options)
    shown = (path.suffix == ".tflite" and not model.source.is_float()
             and compiled.graph is compiled.uncompressed)
    with naming(path, compiled.graph.name):
        return diff_compiled(compiled, inputs(compiled), read_bytes(path) if shown else None)


def diff_compiled(compiled: Compiled, inputs: Sequence[Sequence[Array]],
                  original: bytes | None = None) -> DiffResult:
    """Compare the compiled package with the witness; `original` is the .tflite it came from.

    Raises BadInput when there is nothing to compare.
    """
    _refuse_loss(compiled)
    graph = compiled.graph
    name, witness = _witness(graph, original)
    removed = compiled.removed if original is not None else {}
    made_by = {t: node.name for node in graph.nodes for t in node.outputs}
    compared: set[int] = set()
    worst, first = 0.0, None
    with Runtime(compiled.package) as runtime:
        for values in inputs:
            got = _tensors(compiled, runtime, values)
            for t, expected in witness(values).items():
                if t not in got:
                    continue
                compared.add(t)
                gap, found = _compare(graph.tensors[t].name, made_by.get(t, ""), expected,
                                      _whole(got[t], expected, removed.get(t)))
                worst, first = max(worst, gap), first or found
        info = runtime.info
    if not compared:
        raise BadInput(f"{graph.name}: nothing was compared with {name} on {len(inputs)} inputs; "
                       "expected at least one input and one tensor that both have")
    folded = tuple(graph.tensors[t].name for t in made_by if t not in compared)
    return DiffResult(name, len(inputs), len(compared), folded, worst, first, info.model_sha256,
                      info.plan_sha256)


def _refuse_loss(compiled: Compiled) -> None:
    """BadInput where a stored map's codec loses: what follows it has other bits on purpose."""
    for stored in compiled.plan.maps:
        if stored.codec in CODECS and not CODECS[stored.codec].lossless:
            raise BadInput(f"{compiled.graph.name}: stored maps are coded with {stored.codec}, "
                           "which loses; diff expects a lossless codec")


def _tensors(compiled: Compiled, runtime: Runtime, values: Sequence[Array]) -> dict[int, Array]:
    """Every tapped tensor; outputs as the caller gets them."""
    result = runtime.run(values, taps=True)
    got: dict[int, Array] = {}
    for placed, tap in zip(compiled.plan.streams, result.streams, strict=True):
        if tap is not None:
            got.setdefault(compiled.program.streams[placed.stream].tensor, tap)
    got.update(zip(compiled.graph.outputs, result.outputs, strict=True))
    return got


def _whole(got: Array, expected: Array, removed: Removed | None) -> Array:
    """A tensor with the channels that compiling removed put back: a constant channel with its
    constant, an unread one with the expected values. A witness without them is compared as is."""
    if removed is None or got.size == expected.size:
        return got
    whole = expected.reshape(-1, removed.kept.size + removed.gone.size).copy()
    whole[:, removed.kept] = got.reshape(-1, removed.kept.size)
    proved = removed.constant != UNREAD
    whole[:, removed.gone[proved]] = removed.constant[proved]
    return whole


def _witness(graph: Graph, original: bytes | None) -> tuple[str, Witness]:
    if tflite_reference.available() is not None:
        try:
            judge = tflite_reference.Reference(export_tflite(graph) if original is None
                                               else original)
        except BadInput:
            judge = None  # a file that TFLite itself refuses
        if judge is not None and judge.exact:
            return judge.package, judge.tensors

    def numpy(values: Sequence[Array]) -> dict[int, Array]:
        computed = run_graph(graph, values)
        return {t: computed[t] for node in graph.nodes for t in node.outputs}

    return "numpy", numpy


def _compare(tensor: str, operator: str, expected: Array,
             got: Array) -> tuple[float, Difference | None]:
    """The largest gap and the first differing value (NaN equals NaN)."""
    if expected.size != got.size:
        raise BadInput(f"{tensor}: the plan carries {got.size} values, the witness {expected.size}")
    a, b = expected.ravel(), got.ravel()
    differs = np.flatnonzero((a != b) & ~((a != a) & (b != b)))
    if differs.size == 0:
        return 0.0, None
    at = int(differs[0])
    gap = float(np.abs(a[differs].astype(np.float64) - b[differs].astype(np.float64)).max())
    where = tuple(int(i) for i in np.unravel_index(at, expected.shape))
    return gap, Difference(tensor, operator, where, float(a[at]), float(b[at]), int(differs.size))
