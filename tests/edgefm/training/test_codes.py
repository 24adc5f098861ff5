# SPDX-License-Identifier: Apache-2.0
"""gf2 codes in torch: they are the codec's, their gradients, and where the bits go."""

from dataclasses import replace

import numpy as np
import pytest
from networks import Network

from edgefm.codecs import RowShape, gf2
from edgefm.codecs.interface import in_pairs
from edgefm.ops import run_graph
from edgefm.quantization.dequantize import dequantized_graph
from edgefm.rate_distortion.channel_groups import bottlenecks

torch = pytest.importorskip("torch", reason="needs the Python package torch (extra 'train')")

from edgefm.training import codes  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def code(bits: list[int], shared: list[bool] | None = None, power: float = 1.4,
         reach: list[float] | None = None, zero: int = 0) -> codes.MapCode:
    return codes.MapCode(torch.tensor(bits), torch.tensor(shared or [False] * len(bits)), power,
                         torch.tensor(reach or [255.0 - zero] * len(bits)).log(),
                         torch.full((len(bits),), 30.0), zero)


@pytest.mark.parametrize("zero", [0, 128])
@pytest.mark.parametrize("shared", [[False] * 4, [True, False, False, True]])
def test_torch_codes_as_the_codec_does(shared: list[bool], zero: int) -> None:
    levels = np.random.default_rng(3).gamma(1.0, 60, (5, 7, 4)).clip(0, 255).astype(int)
    one = code([3, 0, 5, 2], shared, 1.0 if zero else 1.4, zero=zero)
    learned, paired = codes.tables_of(one)
    assert paired == any(shared)
    rows, shape = (levels - 128).astype(np.int8), RowShape(7, 4, -128)
    if paired:
        rows, shape = in_pairs(rows), shape.in_pairs
    state = gf2.start(gf2.pack(learned), shape)
    back = np.stack([gf2.decode(state, gf2.encode(state, row)) for row in rows]).astype(int) + 128
    if paired:
        back = back.reshape(-1, 7, 2, 4).transpose(0, 2, 1, 3).reshape(-1, 7, 4)[:5]
    values = torch.from_numpy(levels - zero).float().permute(2, 0, 1)[None]
    got = one(values)[0].permute(1, 2, 0).numpy() + zero
    kept = [0, 2, 3]
    assert np.allclose(got[..., kept], back[..., kept], atol=1e-3)
    assert np.abs(got[..., 1] - back[..., 1]).max() <= 1  # a constant in whole levels


def test_gradients_pass_where_nothing_is_cut_off_and_reach_the_reach() -> None:
    reach = torch.tensor([10.0]).log().requires_grad_()
    x = torch.tensor([3.0, 9.0, 40.0]).reshape(1, 1, 1, 3).requires_grad_()
    one = replace(code([4], power=1.0), log_reach=reach)
    one(x).sum().backward()
    assert x.grad is not None and x.grad.reshape(-1).tolist() == [1.0, 1.0, 0.0]
    assert reach.grad is not None and reach.grad.item() == pytest.approx(
        float((one(x) - x).detach()[..., :2].sum() + 240 / 255 * 10), abs=0.1)


def test_linear_maps_are_cut_off_on_both_sides_and_reach_both_ways() -> None:
    reach = torch.tensor([10.0]).log().requires_grad_()
    x = torch.tensor([-40.0, -10.0, -3.0, 3.0, 8.5, 40.0]).reshape(1, 1, 1, 6).requires_grad_()
    one = replace(code([4], power=1.0, zero=128), log_reach=reach)
    back = one(x)
    assert torch.allclose(back.reshape(-1)[1:5], x.reshape(-1)[1:5], atol=1.4)
    back.sum().backward()
    assert x.grad is not None and x.grad.reshape(-1).tolist() == [0.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    for factor in (0.98, 1.02):  # of the reach: what is cut off moves with it
        ends = [0, 5]
        moved = replace(one, log_reach=reach + np.log(factor))(x)
        assert torch.allclose(moved.reshape(-1)[ends], back.reshape(-1)[ends] * factor)


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


def test_what_stands_for_several_maps_costs_as_many_bits() -> None:
    maps = random_maps()
    costs = {name: torch.ones(3) for name in maps}
    many = {"noisy": 1, "smooth": 5}
    found = codes.chosen_codes(maps, costs, 3.0, False, many)
    sizes = {name: x[0].numel() * many[name] for name, x in maps.items()}
    bits = sum(found[name].stored * size for name, size in sizes.items())
    assert 2.5 < bits / sum(sizes.values()) <= 3.0


def test_smooth_channels_share_where_bits_are_few() -> None:
    maps = random_maps()
    found = codes.chosen_codes(maps, {name: torch.ones(3) for name in maps}, 1.5, share=True)
    assert found["smooth"].shared.all() and stored(found) <= 1.5
    error = ((found["smooth"](maps["smooth"]) - maps["smooth"]) ** 2).mean()
    own = codes.chosen_codes(maps, {name: torch.ones(3) for name in maps}, 1.5, share=False)
    assert error < 0.5 * ((own["smooth"](maps["smooth"]) - maps["smooth"]) ** 2).mean()


def test_a_linear_map_gets_the_level_in_the_middle_for_zero_and_equal_steps() -> None:
    maps = random_maps()
    maps["noisy"] = maps["noisy"] - 0.3
    found = codes.chosen_codes(maps, {name: torch.ones(3) for name in maps}, 4.0, share=False)
    assert (found["noisy"].zero, found["noisy"].power) == (128, 1.0)
    assert found["smooth"].zero == 0
    flat = codes.flat_codes(maps, 6)
    assert (flat["noisy"].zero, flat["smooth"].zero) == (128, 0)
    error = ((found["noisy"](maps["noisy"]) - maps["noisy"]) ** 2).mean((0, 2, 3))
    assert (error < 0.1 * maps["noisy"].var((0, 2, 3))).all()


@pytest.mark.parametrize("zero", [0, 128])
def test_a_reach_in_the_weights_changes_nothing_but_the_maps_step(zero: int) -> None:
    net = Network(5)
    x = net.conv(net.input(1, 10, 8, 3), 6, kernel=1)
    x = net.add(x, net.conv(net.conv(x, 12, activation="relu"), 6, kernel=1))
    graph = dequantized_graph(net.graph(net.mean(net.conv(x, 10))))
    group = max(bottlenecks(graph), key=lambda group: len(group.maps))
    channels = graph.tensors[group.maps[0]].shape[-1]
    reach = (2.0 ** (torch.arange(channels) % 3)).tolist()
    one = code([4] * channels, reach=reach, zero=zero)
    made = codes.scaled(graph, [(group, one)])
    assert codes.step_of(one) == pytest.approx(float(np.exp(np.log(reach).mean())) / (255 - zero))
    image = np.random.default_rng(1).normal(size=graph.tensors[graph.inputs[0]].shape)
    before, after = (run_graph(g, [image.astype(np.float32)]) for g in (graph, made))
    out = graph.outputs[0]
    np.testing.assert_allclose(after[out], before[out], rtol=1e-3, atol=1e-4)
    for t in group.maps:
        np.testing.assert_allclose(
            after[t] / (codes.step_of(one) * (255 - zero)), before[t] / reach, rtol=1e-3, atol=1e-3)
