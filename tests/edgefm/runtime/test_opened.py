# SPDX-License-Identifier: Apache-2.0
"""A runtime that threads share, that is closed, opened again or entered again while it runs."""

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from networks import Network
from packages import build

from edgefm.codecs import CODECS
from edgefm.errors import BadInput
from edgefm.evaluate.diff import random_inputs
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph
from edgefm.runtime import RunResult, Runtime
from edgefm.runtime.coder import code_map
from edgefm.runtime.opened import Opened

THREADS, ROUNDS = 4, 60


def network(width: int = 48) -> Graph:
    net = Network(3, name="shared")
    x = net.conv(net.input(1, 48, width, 3), 8)
    return net.graph(net.softmax(net.dense(net.mean(net.add(net.depthwise(x), x)), 4)))


@pytest.fixture(name="graph", scope="module")
def _graph() -> Graph:
    return network()


@pytest.fixture(name="package", scope="module")
def _package(graph: Graph) -> bytes:
    return build(graph, cut="ops", codec="context").package


def expected_of(graph: Graph, inputs: list[Array]) -> Array:
    return run_graph(graph, inputs)[graph.outputs[0]].ravel()


def together(*jobs: Callable[[], object]) -> list[object]:
    """What the jobs return, begun at the same time."""
    start = threading.Barrier(len(jobs))

    def begin(job: Callable[[], object]) -> object:
        start.wait(20)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(begin, jobs))


def test_threads_that_share_a_runtime_get_right_outputs_or_hear_that_it_is_busy(
        graph: Graph, package: bytes) -> None:
    cases = [random_inputs(graph, seed) for seed in range(THREADS)]
    expected = [expected_of(graph, inputs) for inputs in cases]

    def work(k: int) -> tuple[int, int]:
        right = busy = 0
        for _ in range(ROUNDS):
            try:
                got = runtime.run(cases[k]).outputs[0].ravel()
                right += np.array_equal(got, expected[k])
            except BadInput as error:
                assert "busy with another run" in str(error)
                busy += 1
        return right, busy

    with Runtime(package) as runtime:
        counts = together(*(lambda k=k: work(k) for k in range(THREADS)))  # type: ignore[misc]
        np.testing.assert_array_equal(runtime.run(cases[0]).outputs[0].ravel(), expected[0])
    assert sum(right + busy for right, busy in counts) == THREADS * ROUNDS  # type: ignore[misc]


def test_a_run_within_a_run_is_refused_and_the_outer_one_ends_well(
        graph: Graph, package: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a signal handler or a finalizer would."""
    inputs, inner, run = random_inputs(graph, 0), [], Opened.run

    def enter_again(self: Opened, *given: object) -> RunResult:
        with pytest.raises(BadInput, match="busy with another run; open one for each thread") as e:
            runtime.run(inputs)
        inner.append(e)
        return run(self, *given)  # type: ignore[arg-type]

    with Runtime(package) as runtime:
        monkeypatch.setattr(Opened, "run", enter_again)
        outputs = runtime.run(inputs).outputs
        monkeypatch.undo()
        np.testing.assert_array_equal(outputs[0].ravel(), expected_of(graph, inputs))
        np.testing.assert_array_equal(runtime.run(inputs).outputs[0], outputs[0])
    assert len(inner) == 1


def test_closing_while_another_thread_runs_takes_no_memory_from_it(
        graph: Graph, package: bytes) -> None:
    inputs = random_inputs(graph, 0)
    expected = expected_of(graph, inputs)

    def use(runtime: Runtime) -> bool:
        try:
            while np.array_equal(runtime.run(inputs).outputs[0].ravel(), expected):
                pass
        except BadInput as error:
            return "closed" in str(error)
        return False

    def close(runtime: Runtime, after: float) -> bool:
        threading.Event().wait(after)
        runtime.close()
        gc.collect()
        return True

    for number in range(8):
        runtime = Runtime(package)
        assert together(lambda r=runtime: use(r),  # type: ignore[misc]
                        lambda r=runtime, n=number: close(r, n / 500)  # type: ignore[misc]
                        ) == [True, True]


def test_a_closed_runtime_says_so_and_still_describes_itself(graph: Graph, package: bytes) -> None:
    with Runtime(package) as runtime:
        pass
    with pytest.raises(BadInput, match=r"^shared: this runtime is closed; open the package again$"):
        runtime.run(random_inputs(graph, 0))
    with pytest.raises(BadInput, match="closed"), runtime:
        pass
    runtime.close()
    assert runtime.inputs[0].shape == (1, 48, 48, 3) and runtime.info.name == "shared"


def test_a_runtime_made_anew_while_it_runs_never_mixes_two_packages(
        graph: Graph, package: bytes) -> None:
    other = network(24)
    packages = [package, build(other).package]
    cases = [random_inputs(graph, 0), random_inputs(other, 0)]
    expected = [expected_of(graph, cases[0]), expected_of(other, cases[1])]
    runtime = Runtime(packages[0])

    def use(k: int) -> int:
        runs = 0
        for _ in range(ROUNDS):
            try:
                got = runtime.run(cases[k]).outputs[0].ravel()
            except BadInput as error:
                assert "busy" in str(error) or "expected int8" in str(error)
                continue
            np.testing.assert_array_equal(got, expected[k])
            runs += 1
        return runs

    def remake() -> None:
        for number in range(ROUNDS):
            Runtime.__init__(runtime, packages[number % 2])

    together(lambda: use(0), lambda: use(1), remake)
    Runtime.__init__(runtime, packages[1])
    assert use(1) == ROUNDS


def test_a_package_that_changes_after_opening_changes_nothing(graph: Graph, package: bytes) -> None:
    inputs, lent = random_inputs(graph, 0), bytearray(package)
    with Runtime(lent) as runtime:  # type: ignore[arg-type]
        lent[:] = b"\xff" * len(lent)
        lent.clear()
        got = runtime.run(inputs).outputs[0].ravel()
    np.testing.assert_array_equal(got, expected_of(graph, inputs))


def test_an_input_that_changes_while_it_is_read_costs_its_values_only(
        graph: Graph, package: bytes) -> None:
    (x,) = random_inputs(graph, 0)
    stop = threading.Event()

    def scribble() -> None:
        while not stop.is_set():
            x[...] = np.int8(5)
            x[...] = np.int8(-9)

    def use() -> float:
        sums = [float(runtime.run([x]).outputs[0].astype(np.float64).sum()) for _ in range(ROUNDS)]
        stop.set()
        return sum(np.isfinite(sums))

    with Runtime(package) as runtime:
        assert together(scribble, use)[1] == ROUNDS


def test_maps_that_change_while_they_are_coded_never_overrun() -> None:
    rng = np.random.default_rng(5)
    values = np.zeros((64, 32, 16), np.int8)
    stop = threading.Event()

    def scribble() -> None:
        while not stop.is_set():
            values[...] = rng.integers(-128, 128, values.shape, np.int8)
            values[...] = 0

    def use() -> int:
        for _ in range(ROUNDS):
            assert len(code_map(CODECS["zvc"].id, b"", 0, values).rows) == 64
        stop.set()
        return ROUNDS

    assert together(scribble, use)[1] == ROUNDS
