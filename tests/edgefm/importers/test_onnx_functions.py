# SPDX-License-Identifier: Apache-2.0
"""Functions of a file stand where they are called, and nodes stand behind what they read."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from onnx_models import floats, model

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.onnx import load_onnx


@pytest.fixture(autouse=True)
def _needs_onnx(need_module: Callable[[str], None]) -> None:
    need_module("onnx")


def function(name: str, calls: Sequence[tuple[str, str]]) -> Any:
    """A function of `a` to `r` that calls one operator (domain, name) after the other."""
    from onnx import helper
    names = ["a", *(f"m{i}" for i in range(len(calls) - 1)), "r"]
    nodes = [helper.make_node(op, [names[i]], [names[i + 1]], domain=domain)
             for i, (domain, op) in enumerate(calls)]
    sets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["r"], nodes, sets)


def saved(tmp_path: Path, functions: Sequence[Any], op: str = "f") -> Path:
    import onnx
    from onnx import helper
    made = onnx.load_from_string(model([(op, ["x"], ["y"], {"domain": "own"})], {}, opset=18))
    made.opset_import.append(helper.make_opsetid("own", 1))
    made.functions.extend(functions)
    (tmp_path / "net.onnx").write_bytes(made.SerializeToString())
    return tmp_path / "net.onnx"


def test_a_function_stands_where_it_is_called(tmp_path: Path) -> None:
    inner, outer = function("g", [("", "Relu")]), function("f", [("", "Sigmoid"), ("own", "g")])
    graph = load_onnx(saved(tmp_path, [inner, outer]))
    assert [node.op for node in graph.nodes] == ["logistic", "relu"]


def test_a_function_that_calls_itself_is_one_error_line(tmp_path: Path) -> None:
    first, second = function("f", [("own", "g")]), function("g", [("own", "f")])
    with pytest.raises(BadInput, match="net.onnx: function 'f' calls itself"):
        load_onnx(saved(tmp_path, [first, second]))


def test_functions_that_grow_without_end_are_refused_before_they_do(tmp_path: Path) -> None:
    functions = [function("f0", [("", "Relu")])]
    functions += [function(f"f{n}", [("own", f"f{n - 1}")] * 8) for n in range(1, 12)]
    with pytest.raises(UnsupportedModel, match=f"{8 ** 11} nodes with those of its functions"):
        load_onnx(saved(tmp_path, functions, "f11"))


def test_nodes_are_put_behind_what_they_read(tmp_path: Path) -> None:
    nodes: list[Any] = [("Relu", ["b"], ["y"], {}), ("Sigmoid", ["a"], ["b"], {}),
                        ("Conv", ["x", "w"], ["a"], {})]
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes, {"w": floats(2, 4, 1, 1)}))
    assert [node.op for node in load_onnx(path).nodes] == ["conv2d", "logistic", "relu"]


def test_nodes_that_wait_for_each_other_are_one_error_line(tmp_path: Path) -> None:
    nodes: list[Any] = [("Add", ["x", "b"], ["y"], {}), ("Relu", ["c"], ["b"], {}),
                        ("Relu", ["b"], ["c"], {})]
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes, {}))
    with pytest.raises(BadInput, match="net.onnx"):
        load_onnx(path)
