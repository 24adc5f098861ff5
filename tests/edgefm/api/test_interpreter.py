# SPDX-License-Identifier: Apache-2.0
"""A script for tflite_runtime runs on `edgefm.Interpreter`, with the same details and bits."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from networks import Network

import edgefm
from edgefm.errors import BadContainer, BadInput
from edgefm.exporters.tflite import export_tflite
from edgefm.network.graph import Graph, Tensor


def graphs() -> Iterator[Graph]:
    net = Network(8, "uint8", "detector")
    found = net.detect(net.conv(net.input(1, 12, 12, 3), 6, stride=2), 3)
    yield net.graph(*found)
    net = Network(6, name="twin")
    both = net.add(net.input(1, 8, 8, 4), net.input(1, 8, 8, 4))
    yield net.graph(net.mean(both), net.conv(both, 2), net.argmax(net.mean(both)))


def same(a, b) -> bool:
    """Equal values of equal types, in dictionaries too."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and a.dtype == b.dtype and a.shape == b.shape and bool(
            (a == b).all())
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("number", [0, 1])
def test_details_and_bits_are_those_of_litert(number: int, need_module) -> None:
    need_module("ai_edge_litert")
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    content = export_tflite(list(graphs())[number])
    theirs = Interpreter(model_content=content,
                         experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    ours = edgefm.Interpreter(model_content=content, num_threads=2)
    for one in (theirs, ours):
        one.allocate_tensors()
    details = [(one.get_input_details(), one.get_output_details()) for one in (ours, theirs)]
    for got, expected in zip(*details, strict=True):
        assert len(got) == len(expected)
        assert all(same(a, b) for a, b in zip(got, expected, strict=True))
    random = np.random.default_rng(3)
    for one in details[0][0]:
        limits = np.iinfo(one["dtype"])
        value = random.integers(limits.min, limits.max, one["shape"], one["dtype"], True)
        for interpreter in (ours, theirs):
            interpreter.set_tensor(one["index"], value)
    for interpreter in (ours, theirs):
        interpreter.invoke()
    for one in details[0][1]:
        assert same(ours.get_tensor(one["index"]), theirs.get_tensor(one["index"]))


@pytest.fixture
def interpreter(model: Path) -> edgefm.Interpreter:
    made = edgefm.Interpreter(model_path=str(model))
    made.allocate_tensors()
    return made


def test_a_package_and_its_model_give_the_same(model: Path, package: Path) -> None:
    value, results = np.full((1, 16, 20, 3), 7, np.int8), []
    for one in (edgefm.Interpreter(str(model)), edgefm.Interpreter(model_path=package),
                edgefm.Interpreter(model_content=package.read_bytes()),
                edgefm.Interpreter(model_content=model.read_bytes(), experimental_x=1)):
        one.allocate_tensors()
        one.set_tensor(one.get_input_details()[0]["index"], value)
        one.invoke()
        results.append(one.get_tensor(one.get_output_details()[0]["index"]).tolist())
    assert all(result == results[0] for result in results)
    with edgefm.open(package) as net:
        assert net.run(value)[0].tolist() == results[0]


def test_tensor_gives_the_tensor_itself(interpreter: edgefm.Interpreter) -> None:
    entry, end = (one[0]["index"] for one in (interpreter.get_input_details(),
                                              interpreter.get_output_details()))
    view = interpreter.tensor(end)()
    interpreter.tensor(entry)()[:] = 9
    interpreter.invoke()
    first, copy = view.copy(), interpreter.get_tensor(end)
    interpreter.tensor(entry)()[:] = -90
    interpreter.invoke()
    assert (copy == first).all() and (view == interpreter.get_tensor(end)).all()
    assert interpreter.get_tensor(entry).max() == -90 and (view != first).any()


@pytest.mark.parametrize(("act", "words"), [
    (lambda i: i.set_tensor(0, np.zeros((1, 16, 20, 3), np.float32)),
     r"input 'pixels' \(tensor 0\): got float32 \[1, 16, 20, 3\], expected int8 \[1, 16, 20, 3\]"),
    (lambda i: i.set_tensor(0, np.zeros((16, 20, 3), np.int8)), r"got int8 \[16, 20, 3\]"),
    (lambda i: i.set_tensor(i.get_output_details()[0]["index"], 0), "is an output; expected an"),
    (lambda i: i.set_tensor(999, 0), "got tensor index 999, expected one of the inputs"),
    (lambda i: i.get_tensor(1), r"got tensor index 1, expected one of the inputs \[0\]"),
    (lambda i: i.tensor(-1), "got tensor index -1"),
    (lambda i: i.resize_tensor_input(0, [8, 16, 20, 3]),
     r"got the new shape \[8, 16, 20, 3\], expected \[1, 16, 20, 3\]")])
def test_calls_that_cannot_be_answered_raise_what_tflite_raises(
        interpreter: edgefm.Interpreter, act, words: str) -> None:
    for kind in (ValueError, RuntimeError, BadInput):
        with pytest.raises(kind, match=words):
            act(interpreter)


def test_before_allocation_nothing_can_be_done(model: Path) -> None:
    one = edgefm.Interpreter(str(model))
    for act in (one.invoke, lambda: one.get_tensor(0), one.tensor(0),
                lambda: one.set_tensor(0, np.zeros((1, 16, 20, 3), np.int8))):
        with pytest.raises(RuntimeError, match=r"call allocate_tensors\(\) first"):
            act()


def test_the_size_that_is_there_may_be_set_again(interpreter: edgefm.Interpreter) -> None:
    interpreter.resize_tensor_input(0, np.array([1, 16, 20, 3]))
    assert interpreter.get_signature_list() == {}
    assert [one["index"] for one in interpreter.get_tensor_details()] == sorted(
        one["index"] for one in interpreter.get_input_details() + interpreter.get_output_details())


def test_what_is_no_network_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got neither, expected model_path or model_content"):
        edgefm.Interpreter()
    with pytest.raises(ValueError, match="got both"):
        edgefm.Interpreter(str(model), b"x")
    with pytest.raises(ValueError, match="got delegates, expected none"):
        edgefm.Interpreter(str(model), experimental_delegates=[object()])
    with pytest.raises(TypeError, match="unexpected keyword argument 'threads'"):
        edgefm.Interpreter(str(model), threads=3)
    with pytest.raises(BadInput, match="nowhere: no such file"):
        edgefm.Interpreter("nowhere")
    with pytest.raises(BadInput, match="model_content: "):
        edgefm.Interpreter(model_content=b"nonsense")
    with pytest.raises(BadContainer):
        edgefm.Interpreter(model_content=b"EFM1 nonsense")


def test_a_float_network_says_how_it_is_quantized() -> None:
    net = Network(2)
    x = net.conv(net.input(1, 8, 8, 3), 4)
    graph = net.graph(x)
    tensors = tuple(Tensor(t.name, t.shape, "float32", None,
                           None if t.data is None else t.data.astype(np.float32))
                    for t in graph.tensors)
    float_graph = Graph("f", tensors, graph.nodes, graph.inputs, graph.outputs)
    with pytest.raises(ValueError, match="got a float network, expected a quantized"):
        edgefm.Interpreter(model_content=export_tflite(float_graph))
