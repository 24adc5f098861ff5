# SPDX-License-Identifier: Apache-2.0
"""Every layer that cannot run is named at once, with what to do, and the others are not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import Network
from onnx_models import floats, model

from edgefm.compiler.check import check_model
from edgefm.errors import BadInput, UnsupportedModel
from edgefm.exporters.tflite import export_tflite, pack
from edgefm.exporters.tflite_operators import TfliteOperator, write_operators
from edgefm.importers.tflite import load_tflite
from edgefm.network.graph import Graph, Quant

FILTERS = floats(4, 4, 1, 1)


def network() -> Graph:
    net = Network(3, name="f")
    return net.graph(net.conv(net.conv(net.conv(net.input(1, 8, 8, 3), 4), 4), 4))


def saved(tmp_path: Path, *wrong: int) -> Path:
    """The network as a file, in which some operators are replaced by unknown ones."""
    graph = network()
    tensors, operators = write_operators(graph)
    for place in wrong:
        old = operators[place]
        operators[place] = TfliteOperator("MyOperator", 1, old.inputs, old.outputs)
    path = tmp_path / "net.tflite"
    path.write_bytes(pack(tensors, operators, graph.inputs, graph.outputs))
    return path


def test_a_network_that_runs_has_no_problems(tmp_path: Path) -> None:
    checked = check_model(saved(tmp_path))
    assert (checked.name, checked.layers, checked.unseen, checked.problems) == ("net", 3, 0, ())


def test_every_unknown_operator_of_a_tflite_file_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, 0, 2)
    checked = check_model(path)
    assert [one.where.partition(" '")[0] for one in checked.problems] == [
        "layer 0 (MyOperator", "layer 2 (MyOperator"]
    assert all("cut the network before it" in one.remedy for one in checked.problems)
    assert checked.layers == 3
    with pytest.raises(UnsupportedModel, match="layer 0"):
        load_tflite(path)


def test_every_problem_of_an_onnx_file_is_named(tmp_path: Path, need_module: Callable[[str], None]
                                                ) -> None:
    need_module("onnx")
    nodes: list[Any] = [
        ("MaxPool", ["x"], ["a"], {"kernel_shape": [2, 2], "storage_order": 1}),
        ("Foo", ["a"], ["b"], {"domain": "own"}), ("Relu", ["b"], ["c"], {}),
        ("Conv", ["a", "w"], ["d"], {}), ("Bar", ["d"], ["y"], {"domain": "own"})]
    import onnx
    made = onnx.load_from_string(model(nodes, {"w": FILTERS}))
    made.opset_import.append(onnx.helper.make_opsetid("own", 1))
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    checked = check_model(path)
    assert [one.reason for one in checked.problems] == ["edgefm has no operator own.Foo",
                                                        "edgefm has no operator own.Bar"]
    assert checked.unseen == 1  # the relu behind an operator of unknown shape


def test_what_only_the_runtime_refuses_is_named_too(tmp_path: Path) -> None:
    graph = network()
    tensors = list(graph.tensors)
    for place in (0, 1):
        t = graph.nodes[place].outputs[0]
        tensors[t] = replace(tensors[t], quant=Quant((1e-30,), (0,)))
    path = tmp_path / "net.tflite"
    path.write_bytes(export_tflite(replace(graph, tensors=tuple(tensors))))
    checked = check_model(path)
    assert [one.reason.partition(" is ")[0] for one in checked.problems] == [
        "scales whose ratio"]
    assert all(one.remedy.startswith("expected at most") for one in checked.problems)


def test_a_broken_file_is_one_error_line(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="net.tflite"):
        check_model(tmp_path / "net.tflite")


def test_changed_bytes_never_crash_a_check(tmp_path: Path) -> None:
    data, random = saved(tmp_path).read_bytes(), np.random.default_rng(1)
    path = tmp_path / "changed.tflite"
    for _ in range(200):
        changed = bytearray(data)
        for at in random.integers(0, len(data), 3):
            changed[at] = random.integers(0, 256)
        path.write_bytes(changed)
        try:
            check_model(path)
        except BadInput as error:
            assert "\n" not in str(error)
