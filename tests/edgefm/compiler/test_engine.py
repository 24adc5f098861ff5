# SPDX-License-Identifier: Apache-2.0
"""The fast engine gives NumPy's integers to the bit and its floats up to rounding, in any number of
processes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgefm.compiler import engine as module
from edgefm.compiler.engine import FastEngine, engine_for
from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph, Node, Tensor
from edgefm.network.rewrite import fuse
from edgefm.ops.quantize import quantized
from edgefm.quantization.calibrate import observe
from edgefm.quantization.choose import QuantizeOptions, quantize
from edgefm.quantization.engine import Engine
from edgefm.quantization.recipe import Recipe, integer_graph
from edgefm.quantization.works import Observe

RNG = np.random.default_rng(2)
FEW = QuantizeOptions(("minmax", "mse"), held_out=4)


def net() -> Graph:
    """A convolution, a mean, scores and their softmax."""
    def constant(name: str, *shape: int) -> Tensor:
        return Tensor(name, shape, "float32", data=RNG.standard_normal(shape).astype(np.float32))

    tensors = (Tensor("x", (1, 12, 10, 3), "float32"), constant("w", 8, 3, 3, 3), constant("b", 8),
               Tensor("c", (1, 12, 10, 8), "float32"), Tensor("m", (1, 8), "float32"),
               constant("v", 5, 8), Tensor("y", (1, 5), "float32"), Tensor("p", (1, 5), "float32"))
    one = ((1, 1), (1, 1))
    nodes = (Node("conv2d", "c", (0, 1, 2), (3,), {
        "stride": (1, 1), "dilation": (1, 1), "padding": one, "activation": "relu"}),
        Node("mean", "m", (3,), (4,), {"axes": (1, 2), "keep_dims": False}),
        Node("fully_connected", "y", (4, 5, -1), (6,), {"activation": None, "keep_dims": False}),
        Node("softmax", "p", (6,), (7,), {"beta": 1.0}))
    return Graph("net", tensors, nodes, (0,), (7,))


def samples(count: int) -> list[Array]:
    return [RNG.standard_normal((1, 12, 10, 3)).astype(np.float32) for _ in range(count)]


def test_floats_are_those_of_numpy(need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    graph, (x,) = fuse(net()), samples(1)
    fast, slow = FastEngine().float_run(graph)(x), Engine().float_run(graph)(x)
    assert fast.keys() == slow.keys()
    for t, values in slow.items():
        np.testing.assert_allclose(fast[t], values, rtol=1e-5, atol=1e-5)


def test_what_litert_says_of_itself_is_silent(need_module: Callable[[str], None],
                                              capfd: pytest.CaptureFixture[str]) -> None:
    need_module("ai_edge_litert")
    FastEngine().float_run(fuse(net()))(samples(1)[0])
    assert capfd.readouterr() == ("", "")


def test_integers_are_those_of_numpy_to_the_bit() -> None:
    graph = fuse(net())
    made = integer_graph(graph, observe(graph, samples(4)), Recipe("minmax"))
    x = quantized(samples(1)[0], made.tensors[made.inputs[0]])
    tensors = (made.nodes[2].outputs[0], made.nodes[1].outputs[0], made.nodes[2].outputs[0])
    fast, slow = FastEngine().integer_run(made, tensors)(x), Engine().integer_run(made, tensors)(x)
    for ours, theirs in zip(fast, slow, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_without_litert_numpy_runs_the_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(model: bytes) -> None:
        raise module.MissingTool("none")

    monkeypatch.setattr(module, "FastFloat", missing)
    graph, (x,) = fuse(net()), samples(1)
    np.testing.assert_array_equal(FastEngine().float_run(graph)(x)[7],
                                  Engine().float_run(graph)(x)[7])


def test_an_operator_without_a_tflite_form_runs_in_numpy() -> None:
    tensors = (Tensor("x", (1, 4, 4, 2), "float32"), Tensor("y", (1, 4, 4, 2), "float32"))
    attrs = {"kernel": (3, 3), "stride": (1, 1), "padding": ((0, 2), (0, 2)), "activation": None}
    graph = Graph("net", tensors, (Node("average_pool", "y", (0,), (1,), attrs),), (0,), (1,))
    x = RNG.standard_normal((1, 4, 4, 2)).astype(np.float32)
    np.testing.assert_array_equal(FastEngine().float_run(graph)(x)[1],
                                  Engine().float_run(graph)(x)[1])


def test_processes_give_what_one_gives_and_every_run_is_told(
        monkeypatch: pytest.MonkeyPatch) -> None:
    graph, some = net(), samples(12)
    told: dict[bool, int] = {}
    made: dict[bool, Graph] = {}
    for pooled in (False, True):
        monkeypatch.setattr(module, "_WORTH_PROCESSES", 0 if pooled else 1e30)
        told[pooled] = 0

        def tick(pooled: bool = pooled) -> None:
            told[pooled] += 1

        with engine_for(graph, 1) as engine:
            made[pooled] = quantize(graph, some, FEW, tick, engine)
    assert told[True] == told[False] > 0
    for a, b in zip(made[False].tensors, made[True].tensors, strict=True):
        assert a.quant == b.quant
        assert (a.data is None) == (b.data is None)
        assert a.data is None or np.array_equal(a.data, b.data)


def test_an_error_in_a_process_is_raised_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WORTH_PROCESSES", 0)
    wrong = samples(1)[0] * np.float32(np.inf)
    with engine_for(net(), 1) as engine, pytest.raises(BadInput, match="not finite"):
        list(engine.each([Observe(fuse(net()), [wrong])], lambda runs: None))


def test_a_script_without_a_guard_may_start_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("""
from edgefm.console.pool import process_pool
print("once")
with process_pool(1, alone=True) as pool:
    print(pool.submit(abs, -3).result())
""")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("once\n3\n", "", 0)
