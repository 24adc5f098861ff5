# SPDX-License-Identifier: Apache-2.0
"""Bits per channel for maps, chosen by what errors cost the network, and gf2 codes in torch.

A map's code is that of `edgefm.codecs.gf2_planes`, on levels of its own per channel: level 255 is
a real number per channel (its *reach*), and level `zero` is 0: level 0 of rectified maps, level 128
of linear ones. Training learns the reaches; `scaled` puts them into the weights, so that the map
that is deployed has one step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as tnf

from edgefm.codecs.gf2 import LEVELS, PLANES, Learned
from edgefm.codecs.gf2_planes import curve_of, plane_net, rounded
from edgefm.network.graph import Graph
from edgefm.quantization.equalize import scale_inputs, scale_outputs
from edgefm.rate_distortion.channel_groups import ChannelGroup

POWERS = (1.0, 1.4)     # of curves, whose fine end is level 0
LINEAR_ZERO = 128       # the level of 0 where values have both signs
MOST_BITS = 7           # of a channel
PIXELS = 4              # that share a code: 2x2
_SHARES = (1.0, 0.8, 0.65, 0.5, 0.4, 0.32, 0.25, 0.2)  # of a channel's largest value, as reach
_BLOCKS = 4000          # of a channel that are looked at
_TOP = LEVELS - 1
LOWEST = -128           # int8, which level 0 is stored as
_PRICES = 60            # tried until the rate is met


@dataclass(frozen=True, slots=True, eq=False)
class MapCode:
    """The code of one map: per channel bits, whether the pixels of a block share them, log of the
    reach (a single number where all channels have the same), and what it is without any bits; the
    level of 0."""

    bits: torch.Tensor
    shared: torch.Tensor
    power: float
    log_reach: torch.Tensor
    mean: torch.Tensor
    zero: int = 0

    @property
    def reach(self) -> torch.Tensor:
        """The reaches [C, 1, 1]."""
        return self.log_reach.exp().expand(len(self.bits)).reshape(-1, 1, 1)

    @property
    def stored(self) -> float:
        """Mean bits per value."""
        return float((self.bits / torch.where(self.shared, PIXELS, 1)).mean())

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The map [N, C, H, W] as it comes back; gradients pass straight through, and reach the
        reaches and means."""
        table = torch.from_numpy(np.stack([rounded(int(n), self.power) for n in self.bits]))
        coded: torch.Tensor = _Coded.apply(x, self.reach, table, _back(self.power), self.shared,
                                           self.zero / _TOP)
        stored = (self.bits > 0).reshape(-1, 1, 1)
        return torch.where(stored, coded, self.mean.reshape(-1, 1, 1))


class _Coded(torch.autograd.Function):  # type: ignore[misc]
    """Values through a table of coded numbers; no gradient where they are cut off. `zero` is the
    share of all levels that lie below 0."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, reach: torch.Tensor, table: torch.Tensor,
                back: torch.Tensor, shared: torch.Tensor, zero: float) -> torch.Tensor:
        ratio = x / reach
        place = zero + ratio * (1 - zero)
        level = (place * _TOP).round().clamp(0, _TOP).long()
        coded = table.reshape(-1)[level + LEVELS * torch.arange(x.shape[1]).reshape(-1, 1, 1)]
        if bool(shared.any()):
            coded[:, shared] = _majority(coded[:, shared])
        share = (back[coded] - zero) / (1 - zero)
        lowest, highest = (back[table[:, end]].reshape(-1, 1, 1) for end in (0, -1))
        inside = (place <= highest) & ((place >= lowest) | (zero == 0))
        ctx.save_for_backward(ratio, share, inside)
        return share * reach

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        ratio, share, inside = ctx.saved_tensors
        through = grads[0] * inside
        reach = (grads[0] * share - through * ratio).sum((0, 2, 3)).reshape(-1, 1, 1)
        return through, reach, None, None, None, None


def _back(power: float) -> torch.Tensor:
    """The share of the reach that each coded number comes back as."""
    levels = np.frombuffer(curve_of(power)[1], np.uint8)
    return torch.from_numpy(levels.astype(np.float32) / _TOP)


def _majority(coded: torch.Tensor) -> torch.Tensor:
    """For each 2x2 pixels of [N, C, H, W] the planes that half of them have; edges repeat."""
    height, width = coded.shape[2:]
    even = tnf.pad(coded.float(), (0, width % 2, 0, height % 2), mode="replicate").long()
    kept = torch.zeros_like(even[:, :, ::2, ::2])
    for plane in range(PLANES):
        votes = sum((even[:, :, i::2, j::2] >> plane & 1 for i in (0, 1) for j in (0, 1)),
                    torch.zeros_like(kept))
        kept += (votes >= PIXELS // 2).long() << plane
    return kept.repeat_interleave(2, 2).repeat_interleave(2, 3)[:, :, :height, :width]


# -- choosing --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Choice:
    """One way to code a channel: its bits per value, mean squared error and reach."""

    bits: int
    shared: bool
    error: float
    reach: float

    @property
    def rate(self) -> float:
        return self.bits / PIXELS if self.shared else self.bits


def flat_codes(maps: Mapping[str, torch.Tensor], bits: int) -> dict[str, MapCode]:
    """Plain maps of 2^bits levels in equal steps, with the reach of least squared error."""
    codes = {}
    for name, x in maps.items():
        zero = level_of_zero(x)
        best = min(_tried(_blocks(x.reshape(-1, 1, *x.shape[2:]))[0], 1.0, bits, False, zero),
                   key=lambda one: one.error)
        channels = x.shape[1]
        codes[name] = MapCode(torch.full((channels,), bits),
                              torch.zeros(channels, dtype=torch.bool), 1.0,
                              torch.tensor([best.reach]).log(), x.mean((0, 2, 3)), zero)
    return codes


def level_of_zero(x: torch.Tensor) -> int:
    """The level that stands for 0 in a map with these values."""
    return 0 if float(x.min()) >= 0 else LINEAR_ZERO


def chosen_codes(maps: Mapping[str, torch.Tensor], costs: Mapping[str, torch.Tensor], rate: float,
                 share: bool, times: Mapping[str, int] | None = None) -> dict[str, MapCode]:
    """Codes of at most `rate` bits per value over all maps, bits going where errors cost most.

    `maps`: [N, C, H, W]; `costs`: per channel what a squared error in all of its pixels costs;
    `times`: how many maps each of them stands for, if not one. With `share`, channels may have one
    code for 2x2 pixels. Linear maps have equal steps.
    """
    weights = {name: x[0, 0].numel() * (times[name] if times else 1) for name, x in maps.items()}
    values = sum(weights[name] * x.shape[1] for name, x in maps.items())
    power, tried = min(((p, _ways(maps, p, share)) for p in POWERS), key=lambda way: sum(
        float(costs[name][c]) * one.error for (name, c), one in
        _within(way[1], costs, weights, rate * values).items()))
    found = _within(tried, costs, weights, rate * values)
    codes = {}
    for name, x in maps.items():
        mine, zero = [found[name, c] for c in range(x.shape[1])], level_of_zero(x)
        codes[name] = MapCode(
            torch.tensor([one.bits for one in mine]), torch.tensor([one.shared for one in mine]),
            1.0 if zero else power, torch.tensor([one.reach for one in mine]).log(),
            x.mean((0, 2, 3)), zero)
    return codes


Ways = dict[tuple[str, int], list[_Choice]]


def _ways(maps: Mapping[str, torch.Tensor], power: float, share: bool) -> Ways:
    """Per channel the ways to code it: nothing at all, bits of its own, shared bits."""
    ways: Ways = {}
    for name, x in maps.items():
        zero = level_of_zero(x)
        for c, blocks in enumerate(_blocks(x)):
            found = [_Choice(0, False, float(blocks.var()), _largest(blocks))]
            for bits, shared in product(range(1, MOST_BITS + 1), (False, True)[:1 + share]):
                found.append(min(_tried(blocks, 1.0 if zero else power, bits, shared, zero),
                                 key=lambda one: one.error))
            ways[name, c] = found
    return ways


def _blocks(x: torch.Tensor) -> torch.Tensor:
    """Some 2x2 pixels of [N, C, H, W] per channel: [C, blocks, 2, 2]."""
    height, width = (n // 2 * 2 for n in x.shape[2:])
    cut = x[:, :, :height, :width].unfold(2, 2, 2).unfold(3, 2, 2).transpose(0, 1)
    flat = cut.reshape(x.shape[1], -1, 2, 2)
    return flat[:, ::max(1, flat.shape[1] // _BLOCKS)].contiguous()


def _largest(blocks: torch.Tensor) -> float:
    return max(float(blocks.abs().max()), 1e-6)


def _tried(blocks: torch.Tensor, power: float, bits: int, shared: bool, zero: int
           ) -> list[_Choice]:
    """A channel's blocks [N, 2, 2] with several reaches."""
    found, top = [], _largest(blocks)
    for reach in (top * share for share in _SHARES):
        code = MapCode(torch.tensor([bits]), torch.tensor([shared]), power,
                       torch.tensor([reach]).log(), torch.zeros(1), zero)
        error = float(((code(blocks[:, None]) - blocks[:, None]) ** 2).mean())
        found.append(_Choice(bits, shared, error, reach))
    return found


def _within(ways: Ways, costs: Mapping[str, torch.Tensor], weights: Mapping[str, int],
            most: float) -> dict[tuple[str, int], _Choice]:
    """For each channel one way, at equal slopes, with at most `most` bits in all."""
    low, high = 1e-15, 1e6  # prices of a bit: the least that holds is between them
    best = {key: found[0] for key, found in ways.items()}
    for _ in range(_PRICES):
        price = (low * high) ** 0.5
        taken = {(name, c): min(found, key=lambda one: float(costs[name][c]) * one.error
                                + price * one.rate * weights[name])
                 for (name, c), found in ways.items()}
        if sum(one.rate * weights[name] for (name, _), one in taken.items()) > most:
            low = price
        else:
            best, high = taken, price
    return best


# -- deploying -------------------------------------------------------------------------------------


def step_of(code: MapCode) -> float:
    """The step of the deployed map, whose channels all have the same."""
    return float(code.log_reach.mean().exp()) / (_TOP - code.zero)


def scaled(graph: Graph, codes: Sequence[tuple[ChannelGroup, MapCode]]) -> Graph:
    """The same float network with coded maps whose channels all have the same reach."""
    tensors = list(graph.tensors)
    for group, code in codes:
        factors = (step_of(code) * (_TOP - code.zero) / code.reach).reshape(-1).detach().numpy()
        for node in group.writers:
            scale_outputs(tensors, node, factors)
        for node in group.readers:
            scale_inputs(tensors, node, 1 / factors)
    return replace(graph, tensors=tuple(tensors))


def tables_of(code: MapCode) -> tuple[Learned, bool]:
    """The codec for the deployed int8 map, and whether it codes rows in pairs."""
    paired = bool(code.shared.any())
    zero = code.zero / _TOP
    share = (zero + (1 - zero) * code.mean / code.reach.reshape(-1)).clamp(0, 1).detach().numpy()
    rest: npt.NDArray[np.float64] = np.rint(_TOP * share ** (1 / code.power))
    size = 2 if paired else 1
    return plane_net(LOWEST, code.bits.tolist(), code.shared.tolist(), [int(n) for n in rest],
                     code.power, size, size), paired
