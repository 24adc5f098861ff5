# SPDX-License-Identifier: Apache-2.0
"""Training gf2 codes: derivatives tell what errors cost, distillation learns, the files compile."""

from pathlib import Path

import numpy as np
import pytest

from edgefm.binding import Runtime
from edgefm.compiler import CompileOptions, calibration_inputs, compile_model
from edgefm.demo import demo_models, digits
from edgefm.errors import BadInput
from edgefm.tables import read_tables

torch = pytest.importorskip("torch", reason="needs the Python package torch (extra 'train')")

from edgefm.training import gf2 as training  # noqa: E402
from edgefm.training import networks  # noqa: E402

MODEL = next(model.weights for model in demo_models() if "squeeze" in model.name)


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


def options(calib: Path, *more: str) -> list[str]:
    return [str(MODEL), "--calib", str(calib), "--preprocess", "tf", *more]


def test_squared_derivatives_tell_what_noise_costs(calib: Path) -> None:
    parsed = training.parser().parse_args(options(calib, "-o", "unused"))
    weights, images = training.read_weights(MODEL), training.read_images(MODEL, parsed)
    name = training.squeezed_maps(weights)[0]
    costs = training.costs_of(weights, images, [name])[name]
    generator = torch.Generator().manual_seed(1)

    def noisy(own: str, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn(x.shape, generator=generator) * size if own == name else x

    with torch.no_grad():
        goal = networks.squeezenet(weights, images).log_softmax(1)
        size = float((0.01 / costs.sum()) ** 0.5)
        out = networks.squeezenet(weights, images, False, noisy).log_softmax(1)
    kl = (goal.exp() * (goal - out)).sum(1).mean()
    assert 0.5 < float(kl) / 0.01 < 2


def test_distillation_brings_the_network_back(calib: Path, capsys: pytest.CaptureFixture[str]
                                              ) -> None:
    parsed = training.parser().parse_args(options(
        calib, "--flat", "2", "--epochs", "12", "--rate", "3e-4", "-o", "unused"))
    weights, images = training.read_weights(MODEL), training.read_images(MODEL, parsed)
    codes = training.codes_for(weights, images, parsed)
    training.distil(weights, codes, images, parsed)
    losses = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("more", [["--bits", "3"], ["--bits", "1.5", "--share"], ["--flat", "4"]])
def test_what_is_written_compiles_and_says_what_was_trained(calib: Path, tmp_path: Path,
                                                            more: list[str]) -> None:
    assert training.main(options(calib, *more, "--epochs", "1", "-o", str(tmp_path))) == 0
    tables = read_tables(tmp_path / "tables.npz")
    weights = training.read_weights(tmp_path / "weights.npz")
    assert list(tables) == training.squeezed_maps(weights)
    assert any(one.paired for one in tables.values()) == ("--share" in more)
    compiled = compile_model(tmp_path / "weights.npz", CompileOptions(
        calib=calib, preprocess="tf", cut="ops", tables=tmp_path / "tables.npz"))
    assert [m.codec for m in compiled.plan.maps].count("gf2") == len(tables)
    assert [m.paired for m in compiled.plan.maps].count(True) == sum(
        one.paired for one in tables.values())
    image, = calibration_inputs(compiled.source, compiled.preprocess, calib, 1)
    data, = calibration_inputs(compiled.uncompressed, compiled.preprocess, calib, 1)
    with Runtime(compiled.package) as runtime, torch.no_grad():
        said = runtime.run([data]).outputs[0].reshape(-1)
        plain = networks.squeezenet(weights, torch.from_numpy(image).permute(0, 3, 1, 2))
    assert np.corrcoef(said.astype(float), plain[0].numpy())[0, 1] > 0.8


def test_a_map_that_is_none_is_named(calib: Path, capsys: pytest.CaptureFixture[str],
                                     tmp_path: Path) -> None:
    assert training.main(options(calib, "--maps", "conv1", "-o", str(tmp_path))) == 2
    assert "map 'conv1': expected a squeezed one" in capsys.readouterr().err


def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.npz").write_bytes(b"junk")
    with pytest.raises(BadInput, match=r"w\.npz"):
        training.read_weights(tmp_path / "w.npz")
