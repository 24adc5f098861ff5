# SPDX-License-Identifier: Apache-2.0
"""The oracle's shim: which TFLite judges, and what it says of bad models and inputs."""

import importlib.metadata
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgefm.errors import BadInput, MissingTool
from edgefm.exporters.tflite import export_tflite
from edgefm.litert.reference import Reference, available
from edgefm.network.graph import Graph, Node, Quant, Tensor

PACKAGES = ["ai_edge_litert", "tflite_runtime", "tensorflow"]


def _relu() -> bytes:
    """int8 [1, 4]: max(x, 0)."""
    tensors = tuple(Tensor(name, (1, 4), "int8", Quant((0.5,), (0,))) for name in "xyz")
    nodes = (Node("relu", "first", (0,), (1,)), Node("relu6", "second", (1,), (2,)))
    return export_tflite(Graph("relu", tensors, nodes, (0,), (2,)))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`installed(tflite_runtime=...)` leaves only those; each value is an Interpreter."""

    def install(**interpreters: Any) -> None:
        for package in PACKAGES:
            for name in (package, f"{package}.interpreter", f"{package}.lite",
                         f"{package}.lite.python", f"{package}.lite.python.interpreter"):
                monkeypatch.setitem(sys.modules, name, None)
        for package, interpreter in interpreters.items():
            module = ModuleType("interpreter")
            module.Interpreter = interpreter  # type: ignore[attr-defined]
            module.OpResolverType = SimpleNamespace(BUILTIN_REF=3)  # type: ignore[attr-defined]
            path = "lite.python.interpreter" if package == "tensorflow" else "interpreter"
            for name in (package, f"{package}.lite", f"{package}.lite.python"):
                monkeypatch.setitem(sys.modules, name, ModuleType(name))
            monkeypatch.setitem(sys.modules, f"{package}.{path}", module)

    return install


def _refuses(**_: Any) -> None:
    raise ValueError("not a model")


def _breaks_late(**_: Any) -> None:
    raise SystemError("_ARRAY_API not found")


class _Works:
    """An interpreter of some other package with one input and one output."""

    def __init__(self, **options: Any) -> None:
        if options["model_content"] == b"no model":
            raise ValueError("not a model")

    def allocate_tensors(self) -> None:
        pass

    def get_input_details(self) -> list[dict[str, Any]]:
        return [{"index": 0, "name": "x", "shape": np.array([1, 4]), "dtype": np.int8}]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [{"index": 1}]

    def set_tensor(self, index: int, value: Any) -> None:
        self.value = value

    def invoke(self) -> None:
        pass

    def get_tensor(self, index: int) -> Any:
        return self.value


def test_available_prefers_the_exact_package(installed: Any) -> None:
    installed(ai_edge_litert=_refuses, tflite_runtime=_refuses, tensorflow=_refuses)
    assert available() == "ai_edge_litert"


def test_available_passes_over_a_package_that_imports_but_cannot_build(installed: Any) -> None:
    installed(tflite_runtime=_breaks_late, tensorflow=_refuses)
    assert available() == "tensorflow"


def test_without_any_tflite_the_message_says_what_to_install(installed: Any) -> None:
    installed()
    assert available() is None
    with pytest.raises(MissingTool, match=r"pip install 'edgefm\[tflite\]'"):
        Reference(b"")


def test_a_stand_in_gives_outputs_but_no_verdict(installed: Any) -> None:
    installed(tflite_runtime=_Works)
    reference, x = Reference(b"model"), np.arange(4, dtype=np.int8)[None]
    assert not reference.exact
    assert reference.outputs([x])[0].tolist() == x.tolist()
    with pytest.raises(MissingTool, match=r"tflite_runtime cannot show every tensor"):
        reference.tensors([x])


def test_another_version_of_the_exact_package_gives_no_verdict(
        installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(ai_edge_litert=_Works)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.4.0")
    assert not Reference(b"model").exact


def test_tensors_holds_every_operator_s_output(need_module: Any) -> None:
    need_module("ai_edge_litert")
    x = np.array([[-5, 0, 5, 50]], np.int8)
    with Reference(_relu()) as reference:
        assert reference.exact
        values = reference.tensors([x])
        assert {index: value.tolist() for index, value in values.items()} == {
            1: [[0, 0, 5, 50]], 2: [[0, 0, 5, 12]]}
        assert reference.outputs([x])[0].tolist() == [[0, 0, 5, 12]]


@pytest.mark.parametrize("inputs", [
    [], [np.zeros((1, 5), np.int8)], [np.zeros((1, 4), np.float32)]])
def test_inputs_that_do_not_fit_are_refused(need_module: Any, inputs: list[Any]) -> None:
    need_module("ai_edge_litert")
    with Reference(_relu()) as reference, pytest.raises(BadInput, match="expected"):
        reference.outputs(inputs)


@pytest.mark.parametrize("model", [b"", b"garbage" * 9, None])
def test_a_bad_model_is_refused_in_one_line(need_module: Any, model: bytes | None) -> None:
    need_module("ai_edge_litert")
    with pytest.raises(BadInput, match="ai_edge_litert refuses the model") as error:
        Reference(_relu()[:60] if model is None else model)
    assert "\n" not in str(error.value)
