# SPDX-License-Identifier: Apache-2.0
"""One-operator graphs, judged by the pinned TFLite."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from edgefm.exporters.tflite import export_tflite
from edgefm.litert.reference import Reference, available
from edgefm.network.graph import Array, Graph, Node, Quant, Tensor
from edgefm.ops import run_graph

settings.register_profile("ops", max_examples=40, deadline=None, derandomize=True,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ops")


def tensor(shape: Sequence[int], dtype: str = "int8", scale: float | Sequence[float] = 0.05,
           zero_point: int = 0, axis: int | None = None, data: Array | None = None) -> Tensor:
    """A tensor whose scales are float32 numbers, as a file would hold them."""
    if dtype in ("float32", "int64") or (dtype == "int32" and data is None):
        return Tensor("t", tuple(shape), dtype, None, data)
    scales = tuple(float(s) for s in np.atleast_1d(np.asarray(scale, np.float32)))
    return Tensor("t", tuple(shape), dtype,
                  Quant(scales, (zero_point,) * len(scales), axis), data)


@dataclass(frozen=True)
class Judge:
    """Builds a graph of one node, and compares our values with the oracle's."""

    tensor: Any

    def graph(self, op: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor],
              attrs: Mapping[str, Any]) -> Graph:
        """Inputs without data become the graph's inputs."""
        every = [Tensor(f"t{i}", t.shape, t.dtype, t.quant, t.data)
                 for i, t in enumerate((*inputs, *outputs))]
        ins = tuple(range(len(inputs)))
        outs = tuple(range(len(inputs), len(every)))
        fed = tuple(i for i in ins if every[i].data is None)
        node = Node(op, "node", ins, outs, {"activation": None, **attrs})
        return Graph("test", tuple(every), (node,), fed, outs)

    def values(self, graph: Graph, seed: int) -> list[Array]:
        """Random inputs over the whole range of their types, extremes included."""
        rng = np.random.default_rng(seed)
        return [self._value(rng, graph.tensors[i]) for i in graph.inputs]

    def _value(self, rng: np.random.Generator, like: Tensor) -> Array:
        if like.dtype == "float32":
            return rng.normal(0, 3, like.shape).astype(np.float32)
        info = np.iinfo(like.dtype)
        full = rng.integers(info.min, info.max + 1, like.shape)
        ends = rng.choice([info.min, info.max], like.shape)
        return np.where(rng.random(like.shape) < 0.1, ends, full).astype(like.dtype)

    def without_delegates(self, graph: Graph, values: Sequence[Array]) -> Array:
        """The first output by TFLite's other kernels, for what the reference ones lack."""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
        runner = Interpreter(model_content=export_tflite(graph), experimental_op_resolver_type=(
            OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES))
        runner.allocate_tensors()
        for entry, value in zip(runner.get_input_details(), values, strict=True):
            runner.set_tensor(entry["index"], value)
        runner.invoke()
        return np.asarray(runner.get_tensor(runner.get_output_details()[0]["index"]))

    def chain_agrees(self, x: Tensor, *steps: tuple[str, tuple[int, ...], Mapping[str, Any]]
                     ) -> None:
        """The same for operators of one input, one after another: (op, shape, attributes)."""
        every = [Tensor(f"t{k}", tuple(shape), x.dtype, x.quant)
                 for k, shape in enumerate((x.shape, *(step[1] for step in steps)))]
        nodes = tuple(Node(op, f"n{k}", (k,), (k + 1,), attrs)
                      for k, (op, _, attrs) in enumerate(steps))
        graph = Graph("chain", tuple(every), nodes, (0,), (len(steps),))
        values = self.values(graph, 0)
        with Reference(export_tflite(graph)) as oracle:
            np.testing.assert_array_equal(run_graph(graph, values)[len(steps)],
                                          oracle.outputs(values)[0])

    def agrees(self, op: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], seed: int = 0,
               tolerance: float = 0, values: Sequence[Array] | None = None,
               counted: bool = False, **attrs: Any) -> list[Array]:
        """Assert equality (float32: within `tolerance`) and return our outputs.

        `values` are the inputs; random when left out. With `counted` the last output says how many
        entries of the others are compared.
        """
        graph = self.graph(op, inputs, outputs, attrs)
        values = self.values(graph, seed) if values is None else values
        ours = run_graph(graph, values)
        with Reference(export_tflite(graph)) as oracle:
            theirs = oracle.outputs(values)
        made = [ours[index] for index in graph.outputs]
        if counted:
            valid = slice(int(theirs[-1][0]))
            made, theirs = ([*(a[:, valid] for a in all_[:-1]), all_[-1]]
                            for all_ in (made, theirs))
        for mine, expected in zip(made, theirs, strict=True):
            assert mine.dtype == expected.dtype
            if tolerance:
                np.testing.assert_allclose(mine, expected, tolerance, tolerance)
            else:
                np.testing.assert_array_equal(mine, expected)
        return made


@pytest.fixture(scope="session")
def judge(need_module: Any) -> Judge:
    """The oracle; skips where the pinned TFLite is missing."""
    need_module("ai_edge_litert")
    assert available() == "ai_edge_litert"
    return Judge(tensor)
