# SPDX-License-Identifier: Apache-2.0
"""Diff finds every difference there is, and none where there is none."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from long_tests import some
from networks import Network, random_network
from packages import build

from edgefm.compiler.load import load_model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.errors import BadInput
from edgefm.evaluate.diff import diff_compiled, diff_model, random_inputs
from edgefm.exporters.tflite import export_tflite
from edgefm.litert import reference as tflite_reference
from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.package.container import read_sections, read_tiles, seal
from edgefm.package.records import OPERATOR, Section
from edgefm.planner import Target, analyze, smallest_plan
from tests.golden.edit import start, table

REAL = ("kws_ref_model", "pretrainedResnet_quant", "vww_96_int8", "person_detect_patched",
        "mobilenet_v1_0.25_128_quant")


def network() -> Graph:
    net = Network(21, name="small")
    x = net.conv(net.input(1, 9, 12, 3), 6)
    x = net.conv(x, 5)
    return net.graph(net.softmax(net.dense(net.mean(x), 4)))


def compiled(graph: Graph, cut: str = "auto") -> Compiled:
    built = build(graph, cut=cut)
    return Compiled(built.package, graph, graph, graph, built.layout.program, built.plan, None,
                    {})


def with_weight_changed(made: Compiled, op: str) -> Compiled:
    """The package with one weight of an operator turned upside down, and sealed again."""
    index = next(i for i, placed in enumerate(made.plan.ops) if placed.name == op)
    package = bytearray(made.package)
    operator = list(OPERATOR.iter_unpack(table(made.package)[Section.OPERATORS][1]))[index]
    tile = list(read_tiles(read_sections(made.package, op)))[operator[7]]
    last = start(made.package, Section.WEIGHTS) + tile.offset + tile.bytes - 1
    package[last] ^= 0x80
    return replace(made, package=seal(bytes(package)))


@pytest.fixture
def numpy_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without TFLite."""
    monkeypatch.setattr(tflite_reference, "available", lambda: None)


# -- no difference ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_networks_differ_nowhere(seed: int, numpy_only: None) -> None:
    graph = random_network(seed)
    result = diff_compiled(compiled(graph), [random_inputs(graph, k) for k in range(2)])
    assert (result.witness, result.inputs) == ("numpy", 2)
    assert result.max_abs_diff == 0 and result.first_difference is None
    computed = {graph.tensors[t].name for node in graph.nodes for t in node.outputs}
    assert result.tensors + len(result.folded) == len(computed)
    assert set(result.folded) <= computed


def test_what_fusing_made_disappear_is_listed(numpy_only: None) -> None:
    net = Network(3)
    x = net.pad(net.input(1, 6, 6, 2), (1, 1), (1, 1))
    graph = net.graph(net.conv(x, 3, pads=((0, 0), (0, 0))))
    result = diff_compiled(compiled(graph), [random_inputs(graph, 0)])
    assert result.folded == (net.tensors[x].name,)
    assert result.tensors == 1


def test_a_file_is_compared_with_itself_in_tflite(tmp_path: Path,
                                                  need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    path = tmp_path / "small.tflite"
    path.write_bytes(export_tflite(network()))
    result = diff_model(path, CompileOptions(fast=3000),
                        lambda made: [random_inputs(made.graph, 0)])
    assert result.witness != "numpy"
    assert result.max_abs_diff == 0
    assert result.tensors == 5
    told = result.to_json()
    assert json.loads(json.dumps(told))["first_difference"] is None
    assert len(result.model_sha256) == len(result.plan_sha256) == 64


@pytest.mark.parametrize("name_of", [
    lambda i: "", lambda i: "t", lambda i: "q" * 3000, lambda i: f"t{i // 2}",
    lambda i: f"tensor_{i + 1}" if i % 2 else ""],
    ids=["none", "equal", "huge", "in pairs", "taken"])
def test_names_in_the_file_change_nothing(
        tmp_path: Path, need_module: Callable[[str], None], name_of: Callable[[int], str]) -> None:
    need_module("ai_edge_litert")
    path, plain = tmp_path / "small.tflite", network()
    named = [replace(tensor, name=name_of(i)) for i, tensor in enumerate(plain.tensors)]
    path.write_bytes(export_tflite(replace(plain, tensors=tuple(named))))
    for fast in (None, 3000):
        result = diff_model(path, CompileOptions(fast=fast),
                            lambda made: [random_inputs(made.graph, 0)])
        assert result.witness != "numpy"
        assert (result.tensors, result.folded, result.max_abs_diff) == (5, (), 0)


def test_a_difference_is_found_among_equal_names(numpy_only: None) -> None:
    plain = network()
    graph = replace(plain, tensors=tuple(replace(tensor, name="t") for tensor in plain.tensors))
    spoilt = with_weight_changed(compiled(graph), "conv2d_1")
    found = diff_compiled(spoilt, [random_inputs(graph, 0)]).first_difference
    assert found is not None and (found.operator, found.tensor) == ("conv2d_1", "t")


def test_having_compared_nothing_is_an_error(numpy_only: None) -> None:
    with pytest.raises(BadInput, match="nothing was compared with numpy on 0 inputs"):
        diff_compiled(compiled(random_network(1)), [])


# -- a difference ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", ["auto", "ops"])
def test_a_changed_weight_is_found_where_it_is(cut: str, numpy_only: None) -> None:
    made = compiled(network(), cut)
    spoilt = with_weight_changed(made, "conv2d_1")
    inputs = [random_inputs(made.graph, 0)]
    assert diff_compiled(made, inputs).first_difference is None
    result = diff_compiled(spoilt, inputs)
    found = result.first_difference
    assert found is not None
    assert (found.operator, found.tensor) == ("conv2d_1", "t6")
    assert found.index[-1] == 4  # the last weight belongs to the last channel
    assert found.expected != found.got
    assert 0 < found.differing <= 9 * 12
    assert result.max_abs_diff >= abs(found.expected - found.got)
    json.dumps(result.to_json())


def test_tflite_finds_it_too(need_module: Callable[[str], None]) -> None:
    need_module("ai_edge_litert")
    made = compiled(network())
    result = diff_compiled(with_weight_changed(made, "conv2d_1"), [random_inputs(made.graph, 0)])
    assert result.witness != "numpy"
    assert result.first_difference is not None
    assert result.first_difference.tensor == "t6"


# -- inputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "low", "high"), [("int8", -128, 127), ("uint8", 0, 255)])
def test_random_inputs_reach_both_ends_of_the_type(dtype: str, low: int, high: int) -> None:
    net = Network(1, dtype)
    graph = net.graph(net.conv(net.input(1, 40, 40, 3), 2, 1))
    (x,) = random_inputs(graph, 5)
    assert (x.dtype, x.min(), x.max()) == (np.dtype(dtype), low, high)
    np.testing.assert_array_equal(x, random_inputs(graph, 5)[0])
    assert (x != random_inputs(graph, 6)[0]).any()


def test_random_float_inputs_lie_within_one() -> None:
    net = Network(1)
    net.inputs.append(net.tensor((1, 8, 8, 2), dtype="float32"))
    graph = net.graph(net.node("quantize", net.inputs, (1, 8, 8, 2)))
    (x,) = random_inputs(graph, 5)
    assert x.dtype == np.float32
    assert -1 <= x.min() < -0.5 and 0.5 < x.max() < 1


def test_an_input_of_another_shape_is_refused(numpy_only: None) -> None:
    made = compiled(network())
    with pytest.raises(BadInput, match=r"expected int8 \[1, 9, 12, 3\]"):
        diff_compiled(made, [[np.zeros((1, 9, 12, 4), np.int8)]])


# -- real networks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", some(REAL, fast=2))
def test_real_networks_differ_nowhere_at_any_budget(data_dir: Path, name: str) -> None:
    path = data_dir / "models" / f"{name}.tflite"
    model = load_model(path, CompileOptions())
    least, _ = smallest_plan(analyze(lower(model.graph)), Target())
    inputs = [random_inputs(model.graph, 0)]
    for fast in (least.fast_bytes, least.fast_bytes + 1, 64 << 10, 96 << 10, None):
        made = compile_loaded(model, CompileOptions(fast=fast))
        assert made.plan.fast_bytes <= (fast or 1 << 31)
        result = diff_compiled(made, inputs, path.read_bytes())
        assert result.max_abs_diff == 0, f"{fast}: {result.first_difference}"
        assert result.tensors > 8
