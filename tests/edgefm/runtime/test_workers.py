# SPDX-License-Identifier: Apache-2.0
"""A runtime of several threads: the same outputs, fair shares, and what is refused."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from networks import Network
from packages import build

from edgefm.errors import BadInput, InputWarning, RuntimeFault
from edgefm.evaluate.diff import random_inputs
from edgefm.network.graph import Array, Graph
from edgefm.runtime import Runtime
from edgefm.runtime.guarded import Guarded

_kept: list[Runtime] = []   # what a forked process takes over


def mobile() -> Graph:
    """Blocks as MobileNetV2 has them, down to maps of 7 x 7 and one pixel."""
    net = Network(5, name="mobile")
    x = net.conv(net.input(1, 112, 112, 3), 16, stride=2, activation="relu6")
    for channels, stride in ((24, 2), (24, 1), (48, 2), (48, 1), (96, 2), (96, 1)):
        wide = net.conv(x, 4 * channels, 1, activation="relu6")
        thin = net.conv(net.depthwise(wide, stride=stride, activation="relu6"), channels, 1)
        x = net.add(thin, x) if net.shape(thin) == net.shape(x) else thin
    return net.graph(net.softmax(net.dense(net.mean(net.conv(x, 384, 1)), 100)))


@pytest.fixture(name="graph", scope="module")
def _graph() -> Graph:
    return mobile()


@pytest.fixture(name="package", scope="module")
def _package(graph: Graph) -> bytes:
    return build(graph).package


@pytest.fixture(name="inputs", scope="module")
def _inputs(graph: Graph) -> list[Array]:
    return random_inputs(graph, 3)


@pytest.mark.parametrize("threads", [2, 3, 4, 7, 32])
def test_outputs_counters_and_taps_are_those_of_one_thread(package: bytes, inputs: list[Array],
                                                           threads: int) -> None:
    with Runtime(package) as one, Runtime(package, threads=threads) as several:
        expected, found = one.run(inputs, taps=True), several.run(inputs, taps=True)
        assert (one.threads, several.threads) == (1, threads)
    assert found.counters == expected.counters
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert all(np.array_equal(found.taps[name], expected.taps[name]) for name in expected.taps)


@pytest.mark.parametrize(("threads", "most"), [(2, 0.52), (3, 0.36), (4, 0.30), (7, 0.19)])
def test_the_busiest_thread_has_little_more_than_its_share(package: bytes, inputs: list[Array],
                                                           threads: int, most: float) -> None:
    with Runtime(package, threads=threads) as runtime:
        shares = runtime.run(inputs).shares
        assert sum(shares) == runtime.info.plan["macs"]
    assert len(shares) == threads
    assert max(shares) / sum(shares) <= most


def test_one_thread_counts_no_shares(package: bytes, inputs: list[Array]) -> None:
    with Runtime(package) as runtime:
        assert runtime.run(inputs).shares == ()


def test_a_plan_without_limits_fires_each_operator_once(graph: Graph) -> None:
    plan = build(graph).plan
    assert len(plan.firings) == len({operator for operator, _ in plan.firings})


@pytest.mark.parametrize("threads", [0, 33, -1, 1.5, True, "two", None])
def test_other_numbers_of_threads_are_refused(package: bytes, threads: object) -> None:
    with pytest.raises(BadInput, match=r"net\.efm: threads: got .*, expected a whole number 1\.\."):
        Runtime(package, "net.efm", threads)  # type: ignore[arg-type]


def test_fewer_threads_than_asked_for_are_told(package: bytes, inputs: list[Array],
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    from edgefm.runtime import opened

    ffi, lib = opened.native()

    class _Poor:
        """A system that gives two threads at most."""

        def __getattr__(self, name: str) -> object:
            return getattr(lib, name)

        def efm_threads_start(self, count: int) -> object:
            return lib.efm_threads_start(min(count, 2))

    monkeypatch.setattr(opened, "native", lambda: (ffi, _Poor()))
    with pytest.warns(InputWarning, match=r"net\.efm: got 2 of 5 threads from the system"):
        runtime = Runtime(package, "net.efm", 5)
    assert runtime.threads == 2
    assert len(runtime.run(inputs).shares) == 2


def _outputs(inputs: list[Array]) -> bytes:
    return bytes(_kept[0].run(inputs)[0].tobytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_goes_on_alone(package: bytes, inputs: list[Array]) -> None:
    with Runtime(package, threads=4) as runtime:
        expected = runtime.run(inputs)[0].tobytes()
        _kept[:] = [runtime]
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(1, context) as pool:
            assert pool.submit(_outputs, inputs).result(30) == expected
        _kept.clear()
        assert runtime.run(inputs)[0].tobytes() == expected


def test_a_thread_that_writes_beside_its_scratch_is_found(package: bytes, inputs: list[Array],
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    arm = Guarded.arm

    def damage(memory: Guarded) -> None:
        arm(memory)
        memory.memory[-1] ^= len(pieces)
        pieces.append(memory)

    pieces: list[Guarded] = []
    monkeypatch.setattr(Guarded, "arm", damage)
    with pytest.raises(RuntimeFault, match="outside"):
        Runtime(package, threads=2).run(inputs)
    assert len(pieces) == 2     # the arena, whose canary stayed, and the scratch
