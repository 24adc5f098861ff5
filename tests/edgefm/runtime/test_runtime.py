# SPDX-License-Identifier: Apache-2.0
"""Packages in the C runtime: the bits of the NumPy meaning, the bytes of the plan."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Network, random_network
from packages import Built, build, differing

from edgefm.codecs import CODECS as REGISTRY
from edgefm.codecs import encode_map
from edgefm.compiler.map_samples import shape_of
from edgefm.errors import BadContainer, BadInput, RuntimeFault
from edgefm.evaluate.diff import random_inputs
from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.ops import run_graph
from edgefm.package.container import read_sections, seal
from edgefm.package.records import MAP, Section
from edgefm.planner import Target, analyze, smallest_plan
from edgefm.planner.model import StoredMap
from edgefm.runtime import Runtime
from tests.golden.edit import header

TARGETS = (Target(), Target(alignment=4, burst=16, buffers=2), Target(alignment=16, buffers=2),
           Target(alignment=4, burst=8), Target(burst=5), Target(alignment=16, burst=32))
CODECS = ("rle", "zvc", "ebpc", "context", "lossless")


CODEC = REGISTRY["temporal"]


def tables_of(package: bytes) -> list[bytes]:
    """The codec tables of each stored map."""
    sections = read_sections(package, "package")
    return [sections[Section.TABLES][row[6]:row[6] + row[7]]
            for row in MAP.iter_unpack(sections[Section.MAPS])]


def transfers_of(built: Built, name: str) -> int:
    """How often a stored map is written and read."""
    return sum(op.map >= 0 and built.plan.maps[op.map].name == name for op in built.plan.ops)


def as_map(tap: np.ndarray, stored: StoredMap) -> np.ndarray:
    """A tapped tensor as the rows that are stored, whatever its shape."""
    values = (tap ^ 0x80 if tap.dtype == np.uint8 else tap).view(np.int8)
    return values.reshape(stored.rows, -1, values.shape[-1])


def network() -> Graph:
    net = Network(3, name="small")
    x = net.conv(net.input(1, 9, 11, 3), 6)
    return net.graph(net.softmax(net.dense(net.mean(net.add(net.depthwise(x), x)), 4)))


# -- the same bits, whatever the plan --------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000), target=st.sampled_from(TARGETS),
       budget=st.sampled_from((1.0, 1.001, 1.2, 1.7, None)),
       objective=st.sampled_from(("cost", "maps")))
def test_every_budget_and_target_gives_the_same_bits_and_the_planned_bytes(
        seed: int, target: Target, budget: float | None, objective: str) -> None:
    graph = random_network(seed)
    if budget is not None:
        least, _ = smallest_plan(analyze(lower(graph)), target)
        target = replace(target, fast_bytes=int(np.ceil(least.fast_bytes * budget)))
    built = build(graph, target, objective)
    assert built.plan.fast_bytes <= (target.fast_bytes or 2**31)
    assert differing(built, random_inputs(graph, seed)) == []


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000), target=st.sampled_from(TARGETS[:3]),
       codec=st.sampled_from(CODECS))
def test_coded_maps_give_the_same_bits(seed: int, target: Target, codec: str) -> None:
    graph = random_network(seed)
    built = build(graph, target, cut="ops", codec=codec)
    assert differing(built, random_inputs(graph, seed)) == []


def test_a_map_that_lowering_invented_is_stored_raw() -> None:
    """A rescaled part of a concat is not a tensor of the graph: there are no taps to learn from."""
    net = Network(4)
    x = net.input(1, 9, 11, 3)
    first, second = net.conv(x, 4), net.conv(x, 4)
    whole = net.concat(first, second, axis=1, quant=net.tensors[first].quant)
    graph = net.graph(net.conv(whole, 2))
    built = build(graph, cut="ops", codec="context")
    codecs = {m.name: m.codec for m in built.plan.maps}
    assert codecs[f"{net.tensors[second].name}:scaled"] == "raw"
    assert codecs[net.tensors[second].name] == "context"
    assert differing(built, random_inputs(graph, 0)) == []


@pytest.mark.parametrize("cut", ["ops", "blocks"])
@pytest.mark.parametrize("seed", range(6))
def test_fixed_cuts_give_the_same_bits(seed: int, cut: str) -> None:
    graph = random_network(seed)
    assert differing(build(graph, cut=cut), random_inputs(graph, seed)) == []


def test_the_random_networks_use_every_operator_but_the_detector() -> None:
    """What the tests above rest on."""
    kinds = {op.kind.name for seed in range(150) for op in lower(random_network(seed)).ops}
    assert {"CONV", "DEPTHWISE", "ADD", "MUL", "AVERAGE_POOL", "MAX_POOL", "MEAN", "LUT", "SOFTMAX",
            "RESHAPE", "CONCAT_CHANNELS", "CONCAT_ROWS", "PAD", "TRANSPOSE", "DEQUANTIZE", "VIEW",
            "RESIZE_BILINEAR", "RESIZE_NEAREST", "ARGMAX"} <= kinds


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("op, attrs", [("hard_swish", {}), ("leaky_relu", {"alpha": 0.2})])
def test_unary_operators_give_the_same_bits(op: str, attrs: dict[str, float], dtype: str) -> None:
    net = Network(5, dtype)
    x = net.relu(net.conv(net.input(1, 9, 7, 3), 6), op, **attrs)
    graph = net.graph(net.relu(net.depthwise(x), op, **attrs))
    for cut in ("auto", "ops"):
        assert differing(build(graph, cut=cut), random_inputs(graph, 7)) == []


def test_a_second_run_does_not_remember_the_first() -> None:
    graph = network()
    built = build(graph, cut="ops")
    first, second = random_inputs(graph, 1), random_inputs(graph, 2)
    with Runtime(built.package) as runtime:
        before = runtime.run(first)
        runtime.run(second)
        after = runtime.run(first)
    np.testing.assert_array_equal(before.outputs[0], after.outputs[0])
    assert before.counters == after.counters


# -- frames of a stream ----------------------------------------------------------------------------


def clip(graph: Graph, frames: int) -> list[list[np.ndarray]]:
    """Inputs that stay as they were but for their first rows."""
    found = [random_inputs(graph, 0)]
    for frame in range(1, frames):
        later = [values.copy() for values in found[-1]]
        for values in later:
            values[:, :3] = random_inputs(graph, frame)[0][:, :3]
        found.append(later)
    return found


def test_frames_give_the_same_bits_and_the_bytes_of_the_python_twin() -> None:
    graph = network()
    built = build(graph, cut="ops", codec="temporal")
    frames = clip(graph, 4)
    tables = {m.name: learned for m, learned in zip(built.plan.maps, tables_of(built.package),
                                                    strict=True)}
    before: dict[str, np.ndarray] = {}
    with Runtime(built.package) as runtime:
        for number, inputs in enumerate(frames):
            result = runtime.run(inputs, taps=True, frame=number)
            expected = run_graph(graph, inputs)
            np.testing.assert_array_equal(result.outputs[0], expected[graph.outputs[0]])
            coded = sum(transfers_of(built, m.name) * sum(map(len, encode_map(
                CODEC, tables[m.name], shape_of(built.layout.program.streams[m.stream]),
                as_map(result.taps[m.name], m), before.get(m.name))))
                for m in built.plan.maps if m.codec == "temporal")
            assert result.counters.coded_bytes == coded
            before = {m.name: as_map(result.taps[m.name], m) for m in built.plan.maps}
            readers = sum(transfers_of(built, m.name) * m.rows * m.row_bytes
                          for m in built.plan.maps if m.reference >= 0)
            kept = sum(m.reference_bytes for m in built.plan.maps)
            assert kept > 0
            assert result.counters.reference_bytes == kept + (readers if number else 0)


def test_what_does_not_move_takes_fewer_bytes_and_a_refresh_as_many_as_the_first_frame() -> None:
    graph = network()
    inputs = random_inputs(graph, 0)
    with Runtime(build(graph, cut="ops", codec="temporal", refresh=3).package) as runtime:
        sizes = [runtime.run(inputs, frame=n).counters.coded_bytes for n in range(7)]
    assert sizes[1] < sizes[0] / 3
    assert sizes[0] == sizes[3] == sizes[6] and sizes[1] == sizes[2] == sizes[4] == sizes[5]


def test_a_broken_promise_about_frames_costs_bytes_and_not_values() -> None:
    graph = network()
    first, other = random_inputs(graph, 1), random_inputs(graph, 2)
    expected = run_graph(graph, other)[graph.outputs[0]]
    with Runtime(build(graph, cut="ops", codec="temporal").package) as runtime:
        np.testing.assert_array_equal(runtime.run(other, frame=5).outputs[0], expected)
        runtime.run(first, frame=1)
        np.testing.assert_array_equal(runtime.run(other, frame=9).outputs[0], expected)


def test_the_frame_before_is_part_of_the_fast_memory_that_is_planned() -> None:
    graph = network()
    plain, referring = (build(graph, cut="ops", codec=c).plan for c in ("context", "temporal"))
    kept = [(m.reference, m.reference + m.reference_bytes) for m in referring.maps
            if m.reference >= 0]
    assert referring.fast_bytes >= plain.fast_bytes + sum(b - a for a, b in kept)
    taken = kept + [(b.offset, b.offset + b.bytes) for b in referring.buffers]
    for i, (start, stop) in enumerate(kept):
        assert referring.control_bytes <= start and stop <= referring.fast_bytes
        assert all(stop <= a or b <= start for j, (a, b) in enumerate(taken) if j != i)


# -- counters and taps -----------------------------------------------------------------------------


def test_coded_bytes_and_rows_are_counted() -> None:
    net = Network(5)
    x = net.conv(net.input(1, 12, 16, 3), 8, activation="relu")
    graph = net.graph(net.conv(x, 4, 1))
    built = build(graph, cut=net.tensors[x].name, codec="rle")
    with Runtime(built.package) as runtime:
        counters = runtime.run(random_inputs(graph, 0)).counters
    assert counters.coded_values == 2 * 12 * 16 * 8  # written once, read once
    assert counters.coded_bytes == counters.external_read_bytes + counters.external_write_bytes
    assert counters.external_read_bytes == counters.external_write_bytes
    assert counters.coded_rows == 12
    assert 0 <= counters.raw_rows <= 12
    assert counters.coded_bytes <= built.plan.external_read_bytes + built.plan.external_write_bytes


def test_taps_are_whole_tensors_in_their_own_type() -> None:
    net = Network(5, "uint8")
    x = net.conv(net.input(1, 7, 6, 3), 4)
    graph = net.graph(net.conv(x, 2))
    inputs = random_inputs(graph, 0)
    with Runtime(build(graph).package) as runtime:
        taps = runtime.run(inputs, taps=True).taps
        plain = runtime.run(inputs)
        assert (plain.taps, plain.streams) == ({}, ())
    expected = run_graph(graph, inputs)
    name = net.tensors[x].name
    assert taps[name].dtype == np.uint8
    np.testing.assert_array_equal(taps[name].reshape(net.shape(x)), expected[x])


def test_several_runtimes_run_at_once() -> None:
    graphs = [random_network(seed) for seed in range(8)]
    runtimes = [Runtime(build(graph, cut="ops").package) for graph in graphs]

    def work(k: int) -> bool:
        inputs = random_inputs(graphs[k % 8], k)
        expected = run_graph(graphs[k % 8], inputs)
        outputs = runtimes[k % 8].run(inputs).outputs
        return all(np.array_equal(a.ravel(), expected[t].ravel())
                   for a, t in zip(outputs, graphs[k % 8].outputs, strict=True))

    def several(k: int) -> bool:
        return all(work(k) for _ in range(10))  # one instance stays in one thread

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(several, range(8)))


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "got"), [
    (lambda x: [], "0 inputs given, expected 1"),
    (lambda x: [x, x], "2 inputs given, expected 1"),
    (lambda x: [x[:, :8]], r"input 't0' is int8 \[1, 8, 11, 3\], expected int8 \[1, 9, 11, 3\]"),
    (lambda x: [x.astype(np.float32)], "is float32"),
    (lambda x: [x.view(np.uint8)], "is uint8"),
    (lambda x: [x.tolist()], r"input 't0' is of type list, expected a NumPy array int8 \[1, 9, "),
    (lambda x: [None], "is of type NoneType, expected a NumPy array"),
    (lambda x: [x.tobytes()], "is of type bytes, expected a NumPy array"),
    (lambda x: None, "inputs are of type NoneType, expected a list of 1 NumPy arrays"),
    (lambda x: x, "inputs are of type ndarray, expected a list of 1 NumPy arrays"),
    (lambda x: {0: x}, "inputs are of type dict, expected a list"),
    (lambda x: iter([x]), "inputs are of type list_iterator, expected a list"),
    (lambda x: [x[0]], r"is int8 \[9, 11, 3\]")])
def test_inputs_of_another_kind_are_refused_with_one_line(change: object, got: str) -> None:
    assert callable(change)
    graph = network()
    (x,) = random_inputs(graph, 0)
    with Runtime(build(graph).package, "small.efm") as runtime, \
            pytest.raises(BadInput, match=got) as error:
        runtime.run(change(x))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("frame", [-1, 1 << 32, 1.5, None, "0", True], ids=repr)
def test_frames_are_whole_numbers_of_32_bits(frame: int) -> None:
    graph = network()
    with Runtime(build(graph).package) as runtime, pytest.raises(
            BadInput, match=r"^small: frame: got .*, expected a whole number 0\.\.4294967295$"):
        runtime.run(random_inputs(graph, 0), frame=frame)


def test_messages_begin_with_the_name_given_or_the_networks() -> None:
    package = build(network()).package
    for name, where in ((None, "small"), ("d/net.efm", "d/net.efm")):
        with Runtime(package, name) as runtime, pytest.raises(BadInput) as error:
            runtime.run([])
        assert str(error.value) == f"{where}: 0 inputs given, expected 1"
        with pytest.raises(BadInput, match=f"^{where}: this runtime is closed"):
            runtime.run([])


@pytest.mark.parametrize("package", [None, "EFM1", 5, [69, 70]], ids=repr)
def test_a_package_that_is_not_bytes_is_refused(package: bytes) -> None:
    with pytest.raises(BadInput, match=r"^net\.efm: got \w+, expected bytes$"):
        Runtime(package, "net.efm")


def test_inputs_need_not_be_contiguous() -> None:
    graph = network()
    (x,) = random_inputs(graph, 0)
    turned = np.asfortranarray(x)
    assert not turned.flags.c_contiguous
    with Runtime(build(graph).package) as runtime:
        np.testing.assert_array_equal(runtime.run([x]).outputs[0], runtime.run([turned]).outputs[0])


@pytest.mark.parametrize("damage", [
    lambda p: b"", lambda p: p[:40], lambda p: p[:-1], lambda p: p + b"\0",
    lambda p: b"EFM2" + p[4:], lambda p: p[:4] + b"\3" + p[5:],
    lambda p: p[:-1] + bytes([p[-1] ^ 1])])
def test_a_damaged_package_is_refused_with_one_line(damage: object) -> None:
    assert callable(damage)
    with pytest.raises(BadContainer, match=r"^broken\.efm: ") as error:
        Runtime(damage(build(network()).package), "broken.efm")
    assert "\n" not in str(error.value)


def test_what_only_the_runtime_sees_is_refused_with_the_status() -> None:
    """An arena that is smaller than the buffers in it."""
    built = build(network())
    smaller = header("arena_bytes", built.plan.fast_bytes - 8)(built.package)
    with pytest.raises(BadContainer, match="the runtime refuses it: EFM_BAD_"):
        Runtime(smaller)


def test_a_schedule_that_cannot_run_stops_with_the_status() -> None:
    """The first two firings change places: the convolution has no rows yet."""
    built = build(network())
    with Runtime(built.package) as runtime:
        section = next(s for s in runtime.info.sections if s.name == Section.FIRINGS.name.lower())
    at, package = section.offset, bytearray(built.package)
    package[at:at + 8] = package[at + 4:at + 8] + package[at:at + 4]
    with Runtime(seal(bytes(package))) as runtime, \
            pytest.raises(RuntimeFault, match="stopped: EFM_BAD_SCHEDULE") as error:
        runtime.run(random_inputs(built.graph, 0))
    assert error.value.status == -11
