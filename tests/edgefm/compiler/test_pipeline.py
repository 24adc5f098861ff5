# SPDX-License-Identifier: Apache-2.0
"""The pipeline from a model file to a package: what goes in, what comes out, what is refused."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import Network, small_classifier
from onnx_models import onnx_file
from packages import Built, differing

from edgefm.codecs import gf2
from edgefm.codecs.gf2_planes import plane_net
from edgefm.codecs.tables_file import MapTables, write_tables
from edgefm.compiler.load import load_model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_loaded, compile_model
from edgefm.errors import BadInput, CalibrationWarning, Infeasible
from edgefm.evaluate.diff import random_inputs
from edgefm.exporters.tflite import export_tflite
from edgefm.network.graph import Quant
from edgefm.ops import run_graph
from edgefm.package.read import read_info
from edgefm.package.records import MAP, Section
from edgefm.planner import analyze
from edgefm.runtime import Runtime


def tables_of(package: bytes) -> list[bytes]:
    """The codec tables of each stored map."""
    parts = {one.name: one for one in read_info(package).sections}
    def bytes_of(section: Section) -> bytes:
        one = parts[section.name.lower()]
        return package[one.offset:one.offset + one.bytes]

    learned = bytes_of(Section.TABLES)
    return [learned[row[6]:row[6] + row[7]] for row in MAP.iter_unpack(bytes_of(Section.MAPS))]


def test_errors_while_compiling_name_the_file(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "net.onnx", ("x",))
    np.save(tmp_path / "a.npy", np.ones((1, 8, 8, 3), np.float32))
    options = CompileOptions(calib=tmp_path, preprocess="raw")
    with pytest.warns(CalibrationWarning):
        loaded = load_model(path, options)
    with pytest.raises(BadInput, match="codec temporal") as error:
        compile_loaded(loaded, replace(options, tolerance=3))
    assert str(error.value).startswith(f"{path}: ")


# -- packages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    CompileOptions(), CompileOptions(fast=4000), CompileOptions(fast=4000, objective="maps"),
    CompileOptions(cut="ops"), CompileOptions(cut="blocks"), CompileOptions(target="qspi-psram"),
    CompileOptions(fast=6000, external=0), CompileOptions(cut="ops", codec="zvc"),
    CompileOptions(cut="ops", codec="ebpc", target="qspi-psram")])
def test_every_way_to_compile_gives_the_same_bits(model: Path, options: CompileOptions) -> None:
    compiled = compile_model(model, options)
    built = Built(compiled.package, compiled.graph, analyze(compiled.program), compiled.plan)
    for seed in range(3):
        assert differing(built, random_inputs(compiled.graph, seed)) == []


@pytest.mark.parametrize("codec", ["context", "lossless"])
def test_learned_tables_come_from_the_calibration_files(model: Path, samples: Path,
                                                        codec: str) -> None:
    compiled = compile_model(model, CompileOptions(cut="ops", codec=codec, calib=samples))
    built = Built(compiled.package, compiled.graph, analyze(compiled.program), compiled.plan)
    assert differing(built, random_inputs(compiled.graph, 1)) == []
    assert any(m.codec == codec for m in compiled.plan.maps)


def test_options_reach_the_plan(model: Path) -> None:
    plan = compile_model(model, CompileOptions(fast=4000, objective="maps",
                                               target="qspi-psram")).plan
    assert plan.fast_bytes <= 4000
    assert (plan.objective, plan.alignment, plan.port_buffers, plan.burst) == ("maps", 4, 2, 256)
    assert compile_model(model, CompileOptions(external=0)).plan.external_bytes == 0


def test_the_package_names_its_model(model: Path) -> None:
    compiled = compile_model(model, CompileOptions(labels=("cat", "dog")))
    with Runtime(compiled.package) as runtime:
        info = runtime.info
    assert info.model_sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    assert info.labels == ("cat", "dog")
    assert info.preprocess == compiled.preprocess
    assert info.plan["fast_bytes"] == compiled.plan.fast_bytes


def test_equal_options_give_equal_packages(model: Path, samples: Path) -> None:
    options = CompileOptions(fast=4000, codec="lossless", calib=samples)
    assert compile_model(model, options).package == compile_model(model, options).package


def test_plans_that_differ_have_another_checksum(model: Path) -> None:
    def plan_sha256(options: CompileOptions) -> str:
        with Runtime(compile_model(model, options).package) as runtime:
            return runtime.info.plan_sha256

    assert plan_sha256(CompileOptions()) != plan_sha256(CompileOptions(fast=4000))
    assert plan_sha256(CompileOptions()) == plan_sha256(CompileOptions(labels=("a", "b")))


def test_a_quantized_file_is_its_own_graph(model: Path) -> None:
    loaded = load_model(model, CompileOptions())
    assert loaded.graph is loaded.source
    assert [n.op for n in load_model(model, CompileOptions()).graph.nodes] == [
        n.op for n in small_classifier().nodes]


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "got"), [
    (CompileOptions(cut="ops", codec="zip"), "codec 'zip': expected lossless or one of raw"),
    (CompileOptions(cut="ops", codec="context"), "calibration files are needed; expected --calib"),
    (CompileOptions(objective="speed"), "objective 'speed': expected one of cost, maps"),
    (CompileOptions(target="nowhere"), "target 'nowhere': no such file"),
    (CompileOptions(cut="nothing"), "--cut names 'nothing', which no operator makes")])
def test_options_that_make_no_sense_are_one_clear_line(model: Path, options: CompileOptions,
                                                       got: str) -> None:
    with pytest.raises(BadInput) as error:
        compile_model(model, options)
    assert got in str(error.value)
    assert "\n" not in str(error.value)


def test_too_little_memory_says_how_much_is_enough(model: Path) -> None:
    with pytest.raises(Infeasible) as error:
        compile_model(model, CompileOptions(fast=100))
    enough = error.value.smallest
    assert compile_model(model, CompileOptions(fast=enough)).plan.fast_bytes <= enough
    with pytest.raises(Infeasible):
        compile_model(model, CompileOptions(fast=enough - 1))


# -- tables from a file ----------------------------------------------------------------------------


def test_maps_with_tables_of_their_own_are_stored_with_them(model, samples, tmp_path):
    graph = load_model(model, CompileOptions()).graph
    learned = compile_model(model, CompileOptions(cut="ops", codec="gf2", calib=samples))
    with Runtime(learned.package) as runtime:
        maps = runtime.info.plan["maps"]
    stored = {m["name"]: t for m, t in zip(maps, tables_of(learned.package), strict=True)}
    name = next(iter(stored))
    tensor = next(t for t in graph.tensors if t.name == name)
    path = tmp_path / "tables.npz"
    write_tables(path, {name: MapTables("gf2", stored[name], tensor.scale)})
    mixed = compile_model(model, CompileOptions(cut="ops", codec="zvc", tables=path))
    with Runtime(mixed.package) as runtime:
        codecs = {m["name"]: m["codec"] for m in runtime.info.plan["maps"]}
        result = runtime.run(random_inputs(graph, 1))
    assert codecs[name] == "gf2"
    assert set(codecs.values()) == {"gf2", "zvc"}
    assert result.counters.coded_values > 0
    assert tables_of(mixed.package)[list(codecs).index(name)] == stored[name]


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_a_map_gets_the_step_that_its_tables_are_for(tmp_path, factor):
    net = Network(6)
    rectified = Quant((0.0625,), (-128,))
    x = net.conv(net.input(1, 8, 9, 3), 4, activation="relu", result=rectified)
    graph = net.graph(net.conv(x, 3))
    tensor = graph.tensors[graph.nodes[0].outputs[0]]
    (tmp_path / "net.tflite").write_bytes(export_tflite(graph))
    bits, step = [8, 8, 8, 8], float(np.float32(factor * tensor.scale))
    tables = gf2.pack(plane_net(-128, bits, [False] * 4, [0] * 4, 1.0, 1))
    write_tables(tmp_path / "t.npz", {tensor.name: MapTables("gf2", tables, step)})
    compiled = compile_model(tmp_path / "net.tflite",
                             CompileOptions(cut="ops", tables=tmp_path / "t.npz"))
    names = {t.name: t for t in compiled.graph.tensors}
    assert names[tensor.name].scale == pytest.approx(step, rel=1e-5)
    inputs = random_inputs(graph, 2)
    with Runtime(compiled.package) as runtime:
        result = runtime.run(inputs)
    expected = run_graph(compiled.graph, inputs)[compiled.graph.outputs[0]]
    assert np.array_equal(result.outputs[0], expected)  # 8 of 8 planes: nothing is lost
    assert {"gf2"} <= {m.codec for m in compiled.plan.maps}


def test_a_finer_step_than_a_map_with_negative_values_can_take_is_refused(model, tmp_path):
    graph = compile_model(model, CompileOptions()).graph
    tensor = next(t for node in graph.nodes for t in (graph.tensors[node.outputs[0]],)
                  if node.op == "conv2d" and t.zero_point > -100)
    write_tables(tmp_path / "t.npz", {tensor.name: MapTables("gf2", b"", tensor.scale / 2)})
    with pytest.raises(BadInput, match="negative values"):
        compile_model(model, CompileOptions(tables=tmp_path / "t.npz"))


def test_tables_for_no_map_are_refused(model, tmp_path):
    write_tables(tmp_path / "t.npz", {"x": MapTables("gf2", b"", 1.0)})
    with pytest.raises(BadInput, match="no quantized map 'x'"):
        compile_model(model, CompileOptions(tables=tmp_path / "t.npz"))
