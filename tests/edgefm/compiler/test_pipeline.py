# SPDX-License-Identifier: Apache-2.0
"""The pipeline from a model file to a package: what goes in, what comes out, what is refused."""

import hashlib
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from networks import Network
from packages import Built, differing
from PIL import Image

from edgefm.codecs import gf2
from edgefm.codecs.gf2_planes import plane_net
from edgefm.codecs.tables_file import MapTables, write_tables
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import (
    Compiled,
    calibration_files,
    calibration_inputs,
    compile_loaded,
    compile_model,
    load_model,
    load_quantized,
)
from edgefm.errors import BadInput, CalibrationWarning, ClippingWarning, Infeasible
from edgefm.evaluate.diff import random_inputs
from edgefm.exporters.tflite import export_tflite
from edgefm.network.graph import Graph, Node, Quant, Tensor
from edgefm.ops import run_graph
from edgefm.package.container import MAP, Section, read_info
from edgefm.planner import analyse
from edgefm.runtime import Runtime


def network() -> Graph:
    net = Network(11, name="small")
    x = net.conv(net.input(1, 20, 24, 3), 8, activation="relu6")
    x = net.conv(net.depthwise(x, stride=2), 12, 1)
    return net.graph(net.softmax(net.dense(net.mean(x), 4)))


def tables_of(package: bytes) -> list[bytes]:
    """The codec tables of each stored map."""
    parts = {one.name: one for one in read_info(package).sections}
    def bytes_of(section: Section) -> bytes:
        one = parts[section.name.lower()]
        return package[one.offset:one.offset + one.bytes]

    learned = bytes_of(Section.TABLES)
    return [learned[row[6]:row[6] + row[7]] for row in MAP.iter_unpack(bytes_of(Section.MAPS))]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    path.write_bytes(export_tflite(network()))
    return path


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten inputs as .npy, and a file of another kind."""
    folder = tmp_path_factory.mktemp("samples")
    for k in range(10):
        np.save(folder / f"{k:02}.npy", random_inputs(network(), k)[0])
    (folder / "notes.txt").write_text("not a picture")
    return folder


def onnx_file(path: Path, inputs: tuple[str, ...], shape: tuple[int, ...] = (1, 3, 8, 8)) -> Path:
    """A float network of a graph that torch calls main_graph: the sum of its inputs."""
    helper, onnx = pytest.importorskip("onnx.helper"), pytest.importorskip("onnx")
    made = helper.make_graph(
        [helper.make_node("Add", [inputs[0], inputs[-1]], ["y"])], "main_graph",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)])
    path.write_bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)],
                                       ir_version=8).SerializeToString())
    return path


# -- what a float network lacks --------------------------------------------------------------------


@pytest.mark.parametrize(("inputs", "options", "text"), [
    ("x", CompileOptions(), r"expected --calib DIR and --preprocess raw\|tf"),
    ("x", CompileOptions(preprocess="raw"), "calibration files are needed; expected --calib DIR"),
    ("x", CompileOptions(calib=Path()), r"must be said: --preprocess raw\|tf"),
    ("xz", CompileOptions(), r"float network with 2 inputs \('x', 'z'\); expected one"),
    ("xz", CompileOptions(preprocess="raw", calib=Path()), r"2 inputs \('x', 'z'\); expected one")])
def test_what_a_float_network_lacks_is_said_at_once_and_names_its_file(
        tmp_path: Path, inputs: str, options: CompileOptions, text: str) -> None:
    path = onnx_file(tmp_path / "net.onnx", tuple(inputs))
    if options.calib is not None:
        Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
        options = replace(options, calib=tmp_path)
    with pytest.raises(BadInput, match=text) as error:
        compile_model(path, options)
    assert str(error.value).startswith(f"{path}: ") and "main_graph" not in str(error.value)


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
    built = Built(compiled.package, compiled.graph, analyse(compiled.program), compiled.plan)
    for seed in range(3):
        assert differing(built, random_inputs(compiled.graph, seed)) == []


@pytest.mark.parametrize("codec", ["context", "lossless"])
def test_learned_tables_come_from_the_calibration_files(model: Path, samples: Path,
                                                        codec: str) -> None:
    compiled = compile_model(model, CompileOptions(cut="ops", codec=codec, calib=samples))
    built = Built(compiled.package, compiled.graph, analyse(compiled.program), compiled.plan)
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
    assert [n.op for n in load_quantized(model, CompileOptions()).nodes] == [
        n.op for n in network().nodes]


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "met"), [
    (CompileOptions(cut="ops", codec="zip"), "codec 'zip': expected lossless or one of raw"),
    (CompileOptions(cut="ops", codec="context"), "calibration files are needed; expected --calib"),
    (CompileOptions(objective="speed"), "objective 'speed': expected one of cost, maps"),
    (CompileOptions(target="nowhere"), "target 'nowhere': no such file"),
    (CompileOptions(cut="nothing"), "--cut names 'nothing', which no operator makes")])
def test_options_that_make_no_sense_are_one_clear_line(model: Path, options: CompileOptions,
                                                       met: str) -> None:
    with pytest.raises(BadInput) as error:
        compile_model(model, options)
    assert met in str(error.value)
    assert "\n" not in str(error.value)


def test_too_little_memory_says_how_much_is_enough(model: Path) -> None:
    with pytest.raises(Infeasible) as error:
        compile_model(model, CompileOptions(fast=100))
    enough = error.value.smallest
    assert compile_model(model, CompileOptions(fast=enough)).plan.fast_bytes <= enough
    with pytest.raises(Infeasible):
        compile_model(model, CompileOptions(fast=enough - 1))


def test_calibration_files_are_pictures_and_arrays_in_order(samples: Path) -> None:
    names = [path.name for path in calibration_files(samples, "net")]
    assert names == [f"{k:02}.npy" for k in range(10)]


@pytest.mark.parametrize(("most", "names"), [(1, [0]), (3, [0, 3, 6]), (5, [0, 2, 4, 6, 8]),
                                             (10, list(range(10))), (99, list(range(10)))])
def test_calibration_inputs_are_spread_over_the_files(samples: Path, most: int,
                                                      names: list[int]) -> None:
    inputs = calibration_inputs(network(), None, samples, most)
    for array, name in zip(inputs, names, strict=True):
        np.testing.assert_array_equal(array, random_inputs(network(), name)[0])


def test_no_calibration_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="net: calibration files are needed; expected --calib DIR"):
        calibration_files(None, "net")
    with pytest.raises(BadInput, match="not a folder"):
        calibration_files(tmp_path / "nowhere", "net")
    with pytest.raises(BadInput, match=r"no pictures or \.npy files in it"):
        calibration_files(tmp_path, "net")


def test_few_calibration_files_name_the_consequence(model: Path, samples: Path, tmp_path: Path
                                                    ) -> None:
    (tmp_path / "0.npy").write_bytes((samples / "00.npy").read_bytes())
    options = CompileOptions(calib=tmp_path, cut="ops", codec="context")
    with pytest.warns(CalibrationWarning, match="1 calibration file, expected at least 4: codec "
                                                "tables are learned from them"):
        compile_model(model, options)
    with pytest.raises(BadInput, match="one calibration file; expected at least two"), \
            pytest.warns(CalibrationWarning, match="expected at least 20: the budget"):
        compile_model(model, replace(options, kl_budget=0.1))


def test_unreadable_calibration_files_are_named(model: Path, tmp_path: Path) -> None:
    options = CompileOptions(calib=tmp_path, cut="ops", codec="context")
    np.save(tmp_path / "0.npy", np.zeros((1, 3, 3, 3), np.int8))
    with pytest.raises(BadInput, match=r"0\.npy: holds int8 \[1, 3, 3, 3\], expected"):
        compile_model(model, options)
    (tmp_path / "0.npy").write_bytes(b"")
    with pytest.raises(BadInput, match=r"0\.npy: not a readable \.npy file"):
        compile_model(model, options)


# -- float networks and arrays ---------------------------------------------------------------------


def float_file(folder: Path, *shape: int) -> Path:
    """A float .tflite of one fully connected operator over all of its input."""
    tensors = [Tensor("x", shape, "float32"), Tensor("flat", (1, prod(shape)), "float32"),
               Tensor("y", (1, 4), "float32")]
    data = np.random.default_rng(1).normal(size=(4, prod(shape))).astype(np.float32)
    tensors.append(Tensor("w", data.shape, "float32", data=data))
    nodes = (Node("reshape", "flat", (0,), (1,)),
             Node("fully_connected", "y", (1, 3, -1), (2,),
                  {"activation": None, "keep_dims": False}))
    path = folder / "float.tflite"
    path.write_bytes(export_tflite(Graph("float", tuple(tensors), nodes, (0,), (2,))))
    return path


def float_samples(folder: Path, shape: tuple[int, ...], low: float = -3, high: float = 4) -> Path:
    """Forty .npy files between `low` and `high`; the first alone reaches -9 and 12."""
    folder.mkdir()
    for k in range(40):
        values = np.random.default_rng(k).uniform(low, high, shape).astype(np.float32)
        if k == 0:
            values.flat[:2] = -9, 12
        np.save(folder / f"{k:02}.npy", values)
    return folder


def reach(compiled: Compiled) -> tuple[float, float]:
    entry = compiled.graph.tensors[compiled.graph.inputs[0]]
    return (entry.scale * (-128 - entry.zero_point), entry.scale * (127 - entry.zero_point))


@pytest.mark.parametrize("shape", [(1, 3), (1, 16), (1, 20, 3), (20, 3), (1, 4, 5, 3), (1, 3, 4, 5),
                                   (1, 4, 5, 2)], ids=str)
def test_a_float_network_calibrated_with_arrays_is_not_asked_for_pictures(
        tmp_path: Path, shape: tuple[int, ...]) -> None:
    model, calib = float_file(tmp_path, *shape), float_samples(tmp_path / "calib", shape)
    compiled = compile_model(model, CompileOptions(calib=calib))
    assert compiled.preprocess is None and read_info(compiled.package).preprocess is None
    assert reach(compiled) == pytest.approx((-9, 12), abs=0.05)


@pytest.mark.parametrize("preprocess", ["raw", "tf", "torchvision"])
def test_what_arrays_hold_wins_over_preprocessing(tmp_path: Path, preprocess: str) -> None:
    shape = (1, 4, 5, 3)
    model, calib = float_file(tmp_path, *shape), float_samples(tmp_path / "calib", shape)
    with pytest.warns(CalibrationWarning, match=r"of 2400 values in 40 of 40 \.npy files lie out"):
        compiled = compile_model(model, CompileOptions(calib=calib, preprocess=preprocess))
    assert compiled.preprocess is not None
    assert reach(compiled) == pytest.approx((-9, 12), abs=0.05)


def test_pictures_among_arrays_have_to_be_explained(tmp_path: Path) -> None:
    shape = (1, 4, 5, 3)
    model, calib = float_file(tmp_path, *shape), float_samples(tmp_path / "calib", shape)
    Image.new("RGB", (9, 9)).save(calib / "x.png")
    with pytest.raises(BadInput, match="must be said: --preprocess"):
        compile_model(model, CompileOptions(calib=calib))
    with pytest.raises(BadInput, match=r"x\.png: nothing says how a picture becomes"):
        compile_model(model, CompileOptions(calib=calib, pictures=False))
    with pytest.warns(CalibrationWarning, match="widened to that of the files"):
        compiled = compile_model(model, CompileOptions(calib=calib, preprocess="raw"))
    assert reach(compiled) == pytest.approx((-9, 255), abs=1.1)


def test_arrays_that_a_quantized_input_cannot_hold_are_told(model: Path, tmp_path: Path) -> None:
    compiled = compile_model(model, CompileOptions())
    np.save(tmp_path / "0.npy", np.full((1, 20, 24, 3), 50, np.float32))
    with pytest.warns(ClippingWarning, match="1440 of 1440 values in 1 of 1"):
        calibration_inputs(compiled.graph, compiled.preprocess, tmp_path)


# -- tables from a file ----------------------------------------------------------------------------


def test_maps_with_tables_of_their_own_are_stored_with_them(model, samples, tmp_path):
    graph = load_quantized(model, CompileOptions())
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
