# SPDX-License-Identifier: Apache-2.0
"""Training gf2 codes: derivatives tell what errors cost, distillation learns, the files compile."""

import argparse
from pathlib import Path

import numpy as np
import pytest
from networks import Network

from edgefm import importers
from edgefm.codecs.tables_file import read_tables
from edgefm.compiler.calibration import calibration_inputs
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import compile_model
from edgefm.demo.bundled import demo_models, digits
from edgefm.exporters.tflite import export_tflite
from edgefm.images.preprocess import choose_preprocess
from edgefm.rate_distortion.channel_groups import bottlenecks, maps_read
from edgefm.runtime import Runtime

torch = pytest.importorskip("torch", reason="needs the Python package torch (extra 'train')")

from edgefm.training import gf2 as training  # noqa: E402
from edgefm.training import student  # noqa: E402

MODELS = {name: next(model.weights for model in demo_models() if name in model.name)
          for name in ("squeezenet", "mobilenet")}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def calib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some digits as pictures."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("calib")
    for i, picture in enumerate(digits("train")[0][:40]):
        Image.fromarray(picture[..., 0]).save(folder / f"{i:02}.png")
    return folder


def options(calib: Path, *more: str, model: str = "squeezenet") -> list[str]:
    return [str(MODELS[model]), "--calib", str(calib), "--preprocess", "tf", *more]


def pupil_of(calib: Path, model: str, *more: str) -> tuple[training.Pupil, argparse.Namespace]:
    parsed = training.parser().parse_args(options(calib, *more, "-o", "unused", model=model))
    return training.read_pupil(MODELS[model], parsed), parsed


@pytest.mark.parametrize("model", MODELS)
def test_squared_derivatives_tell_what_noise_costs(calib: Path, model: str) -> None:
    pupil, _ = pupil_of(calib, model)
    name = list(pupil.groups)[-3]
    maps = maps_read(pupil.graph, pupil.groups[name])
    costs = training.costs_of(pupil, pupil.images)[name]
    generator = torch.Generator().manual_seed(1)

    def noisy(t: int, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn(x.shape, generator=generator) * size if t in maps else x

    own = student.parameters(pupil.graph)
    with torch.no_grad():
        goal = student.scores(pupil.graph, own, pupil.images).log_softmax(1)
        size = float((0.01 / costs.sum()) ** 0.5)
        out = student.scores(pupil.graph, own, pupil.images, noisy).log_softmax(1)
    kl = (goal.exp() * (goal - out)).sum(1).mean()
    assert 0.4 < float(kl) / 0.01 < 2.5


@pytest.mark.parametrize(("model", "bits"), [("squeezenet", "2"), ("mobilenet", "3")])
def test_distillation_brings_the_network_back(calib: Path, capsys: pytest.CaptureFixture[str],
                                              model: str, bits: str) -> None:
    pupil, parsed = pupil_of(calib, model, "--flat", bits, "--epochs", "12", "--rate", "3e-4")
    training.distil(pupil, training.codes_for(pupil, parsed), parsed)
    losses = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(("model", "more"), [
    ("squeezenet", ["--bits", "3"]), ("squeezenet", ["--bits", "1.5", "--share"]),
    ("squeezenet", ["--flat", "4"]), ("mobilenet", ["--bits", "4"]),
    ("mobilenet", ["--bits", "2", "--share"])])
def test_what_is_written_compiles_and_says_what_was_trained(
        calib: Path, tmp_path: Path, model: str, more: list[str]) -> None:
    arguments = options(calib, *more, "--epochs", "1", "-o", str(tmp_path), model=model)
    assert training.main(arguments) == 0
    tables = read_tables(tmp_path / "tables.npz")
    assert any(one.paired for one in tables.values()) == ("--share" in more)
    compiled = compile_model(tmp_path / "network.tflite", CompileOptions(
        cut="ops", preprocess="tf", tables=tmp_path / "tables.npz"))
    names = {compiled.graph.tensors[t].name for group in bottlenecks(compiled.graph)
             for t in maps_read(compiled.graph, group)}
    assert set(tables) == names
    assert [m.codec for m in compiled.plan.maps].count("gf2") == len(tables)
    assert [m.paired for m in compiled.plan.maps].count(True) == sum(
        one.paired for one in tables.values())
    before = importers.load(MODELS[model])
    image, = calibration_inputs(before, choose_preprocess(before, "tf", None), calib, 1)
    data, = calibration_inputs(compiled.graph, compiled.preprocess, calib, 1)
    own = student.parameters(before)
    with Runtime(compiled.package) as runtime, torch.no_grad():
        said = runtime.run([data]).outputs[0].reshape(-1)
        plain = student.scores(before, own, student.images([image]))
    assert np.corrcoef(said.astype(float), plain[0].numpy())[0, 1] > 0.8


def test_an_integer_network_keeps_the_ranges_that_no_code_touches(calib: Path, tmp_path: Path
                                                                  ) -> None:
    quantized = compile_model(MODELS["mobilenet"], CompileOptions(
        calib=calib, preprocess="tf")).graph
    (tmp_path / "whole.tflite").write_bytes(export_tflite(quantized))
    assert training.main([str(tmp_path / "whole.tflite"), "--calib", str(calib), "--preprocess",
                          "tf", "--bits", "4", "--epochs", "0", "-o", str(tmp_path)]) == 0
    made = importers.load(tmp_path / "network.tflite")
    coded = {made.tensors[t].name for group in bottlenecks(made) for t in group.maps}
    before = {tensor.name: tensor for tensor in quantized.tensors if tensor.data is None}
    kept = [tensor for tensor in made.tensors
            if tensor.data is None and tensor.name in before and tensor.name not in coded]
    assert len(kept) > 20
    for tensor in kept:
        assert tensor.scale == pytest.approx(before[tensor.name].scale, rel=1e-5)
        assert tensor.zero_point == before[tensor.name].zero_point
    for name, one in read_tables(tmp_path / "tables.npz").items():
        tensor = next(tensor for tensor in made.tensors if tensor.name == name)
        assert (tensor.scale, tensor.zero_point) == (one.step, 0)


def test_a_map_that_is_none_is_named(calib: Path, capsys: pytest.CaptureFixture[str],
                                     tmp_path: Path) -> None:
    assert training.main(options(calib, "--maps", "conv1", "-o", str(tmp_path))) == 2
    assert "map 'conv1' is not a bottleneck; expected one of features" in capsys.readouterr().err


def test_a_network_without_bottlenecks_is_refused(calib: Path, tmp_path: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    net = Network(1)
    x = net.conv(net.input(1, 64, 64, 1), 4)
    (tmp_path / "plain.tflite").write_bytes(export_tflite(net.graph(net.mean(x))))
    assert training.main([str(tmp_path / "plain.tflite"), "--calib", str(calib), "--preprocess",
                          "tf", "-o", str(tmp_path)]) == 2
    assert "got no bottleneck map" in capsys.readouterr().err


def test_a_file_that_is_no_network_is_refused(calib: Path, tmp_path: Path,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.npz").write_bytes(b"junk")
    assert training.main([str(tmp_path / "w.npz"), "--calib", str(calib), "-o",
                          str(tmp_path)]) == 2
    assert "w.npz" in capsys.readouterr().err
