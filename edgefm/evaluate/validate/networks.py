# SPDX-License-Identifier: Apache-2.0
"""The networks that run on a file: the package, the reference, and the float source."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgefm import importers
from edgefm.files.read import read_bytes
from edgefm.images.preprocess import InputInfo, Preprocess, load_image
from edgefm.litert.reference import Reference, available
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph
from edgefm.package.counters import MapCounters
from edgefm.package.records import MAGIC
from edgefm.rate_distortion.divergence import Decision, DecisionScores
from edgefm.runtime import Counters, Runtime

Net = TypeVar("Net")


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a network makes of one input: outputs, its decision where one is read, counters."""

    outputs: Sequence[Array]
    decision: DecisionScores | None = None
    counters: Counters | None = None
    maps: tuple[MapCounters, ...] = ()


class PackageJudge:
    """An .efm in our runtime; a decision is read from row taps where `decision` says how."""

    def __init__(self, runtime: Runtime, decision: Decision | None = None) -> None:
        self.runtime = runtime
        self._decision = decision

    def see(self, data: Array) -> Seen:
        """Run once."""
        taps = self._decision is not None
        result = self.runtime.run([data], taps) if taps else self.runtime.run([data])
        read = self._decision.read(result.taps) if self._decision else None
        return Seen(result.outputs, read, result.counters, result.maps)


class Oracle:
    """A .tflite in TFLite's reference kernels."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def see(self, data: Array) -> Seen:
        """Run once."""
        return Seen(self._reference.outputs([data]))


def is_package(model: bytes) -> bool:
    """True for an .efm, false for a .tflite."""
    return model[:len(MAGIC)] == MAGIC


def opened(model: bytes, threads: int = 1) -> AbstractContextManager[Runtime | Reference]:
    """A Runtime, of `threads` threads, or a Reference, by what the bytes are."""
    return Runtime(model, threads=threads) if is_package(model) else Reference(model)


class OpenNetworks(threading.local):
    """The network that this thread opened last for each purpose: the units of a validation have
    the same ones, and opening one takes as long as several pictures."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[object, ExitStack, Any]] = {}

    def get(self, purpose: str, what: object, make: Callable[[], AbstractContextManager[Net]]
            ) -> Net:
        """What `make` opens; once, as long as it is of the same `what`: its bytes and how it runs.
        """
        known = self._held.get(purpose)
        if known is None or known[0] != what:
            self.close(purpose)
            stack = ExitStack()
            known = self._held[purpose] = (what, stack, stack.enter_context(make()))
        net: Net = known[2]
        return net

    def close(self, purpose: str) -> None:
        """Give up what is open for a purpose."""
        if purpose in self._held:
            self._held.pop(purpose)[1].close()


def as_judge(opened_model: Runtime | Reference, decision: Decision | None) -> PackageJudge | Oracle:
    """The judge around an opened model."""
    if isinstance(opened_model, Reference):
        return Oracle(opened_model)
    return PackageJudge(opened_model, decision)


@dataclass(frozen=True, slots=True, eq=False)
class FloatNet:
    """The float source network: by the oracle where it reads the file, else by edgefm.ops."""

    graph: Graph
    oracle: Reference | None

    @staticmethod
    def load(path: Path) -> FloatNet:
        """Open the source's file."""
        judged = path.suffix.lower() == ".tflite" and available()
        return FloatNet(importers.load(path), Reference(read_bytes(path)) if judged else None)

    def input(self, path: Path, preprocess: Preprocess | None) -> Array:
        """A file as this network's input."""
        source = self.graph.tensors[self.graph.inputs[0]]
        return load_image(path, preprocess, InputInfo(source.shape, source.dtype))

    def output(self, data: Array) -> Array:
        """The first output."""
        if self.oracle:
            return self.oracle.outputs([data])[0]
        result: Array = run_graph(self.graph, [data])[self.graph.outputs[0]]
        return result
