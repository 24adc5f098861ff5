# SPDX-License-Identifier: Apache-2.0
"""Who judges: TFLite on the file itself, the float network, or the network before it lost."""

from dataclasses import replace
from pathlib import Path

import pytest
from networks import Network

from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_model
from edgefm.evaluate.validate.judges import Judges, judges_of
from edgefm.exporters.tflite import export_tflite


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = Network(3)
    x = net.conv(net.input(1, 8, 8, 3), 4)
    path = tmp_path_factory.mktemp("judges") / "net.tflite"
    path.write_bytes(export_tflite(net.graph(net.softmax(net.dense(net.mean(x), 3)))))
    return path


@pytest.fixture(scope="module")
def compiled(model: Path) -> Compiled:
    return compile_model(model, CompileOptions())


def test_a_package_alone_has_no_judge(model: Path) -> None:
    assert judges_of(None, model) == Judges(None, None, None)


def test_a_quantized_file_is_judged_as_it_is(model: Path, compiled: Compiled, need_module) -> None:
    need_module("ai_edge_litert")
    judges = judges_of(compiled, model)
    assert (judges.oracle, judges.source, judges.decisions) == (model.read_bytes(), None, None)


def test_a_float_source_judges_too(model: Path, compiled: Compiled) -> None:
    tensors = tuple(replace(tensor, quant=None, dtype="float32") for tensor in
                    compiled.source.tensors)
    of_float = replace(compiled, source=replace(compiled.source, tensors=tensors))
    assert judges_of(of_float, model).source == model


def test_judges_do_not_print_their_networks(model: Path, compiled: Compiled) -> None:
    assert len(repr(judges_of(compiled, model))) < 100
