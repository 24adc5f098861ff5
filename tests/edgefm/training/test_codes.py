# SPDX-License-Identifier: Apache-2.0
"""gf2 codes in torch: they are the codec's, their gradients, and where the bits go."""

from dataclasses import replace

import numpy as np
import pytest

from edgefm.codecs import RowShape, gf2
from edgefm.codecs.interface import in_pairs

torch = pytest.importorskip("torch", reason="needs the Python package torch (extra 'train')")

from edgefm.training import codes  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def code(bits: list[int], shared: list[bool] | None = None, power: float = 1.4,
         reach: list[float] | None = None) -> codes.MapCode:
    return codes.MapCode(torch.tensor(bits), torch.tensor(shared or [False] * len(bits)), power,
                         torch.tensor(reach or [255.0] * len(bits)).log(),
                         torch.full((len(bits),), 30.0))


@pytest.mark.parametrize("shared", [[False] * 4, [True, False, False, True]])
def test_torch_codes_as_the_codec_does(shared: list[bool]) -> None:
    levels = np.random.default_rng(3).gamma(1.0, 60, (5, 7, 4)).clip(0, 255).astype(int)
    one = code([3, 0, 5, 2], shared)
    learned, paired = codes.tables_of(one, -128)
    assert paired == any(shared)
    rows, shape = (levels - 128).astype(np.int8), RowShape(7, 4, -128)
    if paired:
        rows, shape = in_pairs(rows), shape.in_pairs
    state = gf2.start(gf2.pack(learned), shape)
    back = np.stack([gf2.decode(state, gf2.encode(state, row)) for row in rows]).astype(int) + 128
    if paired:
        back = back.reshape(-1, 7, 2, 4).transpose(0, 2, 1, 3).reshape(-1, 7, 4)[:5]
    met = one(torch.from_numpy(levels).float().permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    kept = [0, 2, 3]
    assert np.allclose(met.numpy()[..., kept], back[..., kept], atol=1e-3)
    assert np.abs(met.numpy()[..., 1] - back[..., 1]).max() <= 1  # a constant in whole levels


def test_gradients_pass_where_nothing_is_cut_off_and_reach_the_reach() -> None:
    reach = torch.tensor([10.0]).log().requires_grad_()
    x = torch.tensor([3.0, 9.0, 40.0]).reshape(1, 1, 1, 3).requires_grad_()
    one = replace(code([4], power=1.0), log_reach=reach)
    one(x).sum().backward()
    assert x.grad is not None and x.grad.reshape(-1).tolist() == [1.0, 1.0, 0.0]
    assert reach.grad is not None and reach.grad.item() == pytest.approx(
        float((one(x) - x).detach()[..., :2].sum() + 240 / 255 * 10), abs=0.1)


def random_maps() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    noisy = torch.rand((20, 3, 9, 12), generator=generator) ** 3
    smooth = torch.rand((20, 3, 5, 6), generator=generator).repeat_interleave(
        2, 2).repeat_interleave(2, 3)[:, :, :9]
    return {"noisy": noisy * torch.tensor([1.0, 1.0, 20.0]).reshape(3, 1, 1), "smooth": smooth}


def stored(found: dict[str, codes.MapCode]) -> float:
    return float(np.mean([one.stored for one in found.values()]))


def test_bits_go_where_errors_cost_and_keep_to_the_rate() -> None:
    maps = random_maps()
    costs = {"noisy": torch.tensor([1.0, 100.0, 1.0]), "smooth": torch.ones(3)}
    for rate in (1.5, 3.0, 4.0):
        found = codes.chosen_codes(maps, costs, rate, share=False)
        assert rate - 0.7 < stored(found) <= rate
        quiet, dear, loud = found["noisy"].bits.tolist()
        assert dear > quiet and loud > quiet
        assert not found["smooth"].shared.any()


def test_smooth_channels_share_where_bits_are_few() -> None:
    maps = random_maps()
    found = codes.chosen_codes(maps, {name: torch.ones(3) for name in maps}, 1.5, share=True)
    assert found["smooth"].shared.all() and stored(found) <= 1.5
    error = ((found["smooth"](maps["smooth"]) - maps["smooth"]) ** 2).mean()
    own = codes.chosen_codes(maps, {name: torch.ones(3) for name in maps}, 1.5, share=False)
    assert error < 0.5 * ((own["smooth"](maps["smooth"]) - maps["smooth"]) ** 2).mean()


def test_a_reach_in_the_weights_changes_nothing_but_the_maps_step() -> None:
    names = ("squeeze", "expand1x1", "expand3x3")
    generator = torch.Generator().manual_seed(2)
    shapes = {"squeeze": (2, 5, 1, 1), "expand1x1": (4, 2, 1, 1), "expand3x3": (4, 2, 3, 3)}
    weights = {f"f.3.{n}.weight": torch.randn(shapes[n], generator=generator) for n in names}
    weights |= {f"f.3.{n}.bias": torch.randn(shapes[n][0], generator=generator) for n in names}
    one = code([4, 4], reach=[2.0, 8.0])
    made, steps = codes.scaled(weights, {"f.3.squeeze": one})
    assert steps == {"f.3.squeeze": pytest.approx(4 / 255)}
    x = torch.randn((1, 5, 1, 1), generator=generator)

    def expanded(own: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        conv = torch.nn.functional.conv2d
        y = conv(x, own["f.3.squeeze.weight"], own["f.3.squeeze.bias"]).relu()
        return y, conv(y, own["f.3.expand1x1.weight"], own["f.3.expand1x1.bias"])

    (before, out), (after, same) = expanded(weights), expanded(made)
    assert torch.allclose(out, same, atol=1e-5)
    assert torch.allclose(after, before * torch.tensor([2.0, 0.5]).reshape(1, 2, 1, 1))
