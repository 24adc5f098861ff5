# SPDX-License-Identifier: Apache-2.0
"""Training gf2 codes: torch codes as the codec does, distillation learns, the files compile."""

from pathlib import Path

import numpy as np
import pytest

from edgefm.codecs import RowShape, gf2, gf2_fit
from edgefm.compiler import CompileOptions, compile_model
from edgefm.demo import demo_models, digits
from edgefm.errors import BadInput
from edgefm.tables import read_tables

torch = pytest.importorskip("torch", reason="needs the Python package torch (extra 'train')")

from edgefm.training import gf2 as training  # noqa: E402

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


def test_torch_codes_as_the_codec_does() -> None:
    random = np.random.default_rng(3)
    rows = [np.clip(random.gamma(1.0, 30, (5, 7, 4)) - 128, -128, 127).astype(np.int8)
            for _ in range(8)]
    maps = torch.from_numpy(np.stack(rows).astype(np.float32) + 128).permute(0, 3, 1, 2) * 0.5
    code = training.learned_code(maps, 0.5, 3.0, 2)
    shape = RowShape(7, 4, -128)
    state = gf2.start(gf2.pack(gf2_fit.learn(rows, shape, 3.0, 2)), shape)
    back = np.stack([gf2.decode(state, gf2.encode(state, row)) for row in rows[0]])
    met = code(maps[:1])[0].permute(1, 2, 0).numpy() / 0.5 - 128
    assert np.array_equal(met, back)


def test_gradients_pass_straight_through() -> None:
    x = torch.tensor([[[[0.3, 0.9]]]], requires_grad=True)
    store = training.straight_through({"a": training.flat_code(1 / 255, 1)})
    y = store("a", x)
    assert y.detach().tolist() == [[[[0.0, 1.0]]]]
    y.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [[[[1.0, 1.0]]]]
    assert store("b", x) is x


def test_distillation_brings_the_network_back(calib: Path, capsys: pytest.CaptureFixture[str]
                                              ) -> None:
    options = training.parser().parse_args([
        str(MODEL), "--calib", str(calib), "--flat", "2", "--epochs", "6", "--rate", "3e-4",
        "--preprocess", "tf", "-o", "unused"])
    training.distil(training.read_weights(MODEL), training.read_images(MODEL, options), options)
    losses = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert losses[-1] < 0.7 * losses[0]


def test_what_is_written_compiles(calib: Path, tmp_path: Path) -> None:
    assert training.main([str(MODEL), "--calib", str(calib), "--bits", "3", "--block", "2",
                          "--epochs", "1", "--preprocess", "tf", "-o", str(tmp_path)]) == 0
    tables = read_tables(tmp_path / "tables.npz")
    assert set(tables) == set(training.MAPS)
    compiled = compile_model(tmp_path / "weights.npz", CompileOptions(
        calib=calib, preprocess="tf", cut="ops", tables=tmp_path / "tables.npz"))
    assert [m.codec for m in compiled.plan.maps].count("gf2") == 2


def test_a_map_that_is_none_is_named(calib: Path, capsys: pytest.CaptureFixture[str],
                                     tmp_path: Path) -> None:
    assert training.main([str(MODEL), "--calib", str(calib), "--maps", "conv1", "--preprocess",
                          "tf", "-o", str(tmp_path)]) == 2
    assert "map 'conv1': expected a squeezed one" in capsys.readouterr().err


def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.npz").write_bytes(b"junk")
    with pytest.raises(BadInput, match=r"w\.npz"):
        training.read_weights(tmp_path / "w.npz")
