# SPDX-License-Identifier: Apache-2.0
"""Coordinates of a map's channels in which one step serves all of them.

A map has one scale. "channels" divides each channel by its own number, so that the step is large
where the decision does not depend on the channel. "klt" mixes channels where nothing rectifies
between them: with G what errors cost (the covariance of derivatives) and R the covariance of what a
prediction from neighboring pixels leaves, A = U' G^(1/2), with U the eigenvectors of
G^(1/2) R G^(1/2), an error costs the same in every new channel, and the remainders to code are
independent. It is the task-aware transform of Young et al., "Transform Quantization for CNN
Compression" (arXiv:2009.01174), for maps instead of weights; with G = 1 it is the Karhunen-Loeve
transform. A map that is stored at one step in these coordinates gets reverse water-filling free:
channels weaker than the step round to zero.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.network.graph import Array, Graph, Node, Quant
from edgefm.network.operators import ACTIVATIONS
from edgefm.quantization.refine import covariance_of, taps_of
from edgefm.rate_distortion.channel_groups import ChannelGroup, Taps, channel_groups, transformed
from edgefm.rate_distortion.divergence import package_of
from edgefm.rate_distortion.fisher import Floats, Slopes, slopes, step_costs
from edgefm.rate_distortion.gradient import Floats as Derivative
from edgefm.runtime import Runtime

TRANSFORMS = ("none", "channels", "klt")
_LARGEST_RATIO = 4.0    # of a channel's step to the typical one
_MARGIN = 1.1           # beyond what calibration samples reach
_CEILING = ACTIVATIONS["relu6"][1]
_LEAST_GAIN = 0.05      # bits per value, for which weights are rounded again
_MIXED_SHARE = 0.1      # of all values that cross the port; smaller groups keep their basis
_PIXELS = 2048          # of each sample, for the range of mixed channels
_SHRINK = 0.02          # of the mean, added to the costs of all directions


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A graph whose maps are in good coordinates, and what a step costs in each channel there
    (None where no derivatives are known); `changed` names the maps of other coordinates."""

    graph: Graph
    costs: Mapping[int, Floats] | None
    changed: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _Held:
    """What one map held in all samples, in real units: extremes [C], some pixels [N, C], and the
    covariance [C, C] of what neighboring pixels do not foretell."""

    low: Floats
    high: Floats
    pixels: list[Floats]
    left: Floats


def in_good_coordinates(graph: Graph, stored: Mapping[int, int], samples: Sequence[Array],
                        transform: str, tick: Callable[[], None] = lambda: None) -> Base:
    """`graph` with the stored maps' channels changed as `transform` says.

    Nothing changes where derivatives are not known. Raises BadInput for an unknown transform.
    """
    if transform not in TRANSFORMS:
        raise BadInput(f"transform {transform!r}: expected one of {', '.join(TRANSFORMS)}")
    wanted = [one for one in channel_groups(graph)
              if transform != "none" and stored.keys() & set(one.maps)]
    mixed = [s for s in wanted if transform == "klt" and _is_large(s, stored)]
    try:
        found = slopes(graph, samples[::2], {t for s in mixed for t in s.maps}, tick)
    except UnsupportedModel:
        return Base(graph, None, ())
    own, base, changed = dict(found.own), graph, list[str]()
    held = _observed(graph, {t for s in wanted for t in s.maps}, samples)
    for group in wanted:
        matrix = (_mixing(group, stored, found, held) if group in mixed
                  else _ratios(graph, group, stored, own, held))
        if matrix is None:
            continue
        tapped = _taps(graph, group, samples, matrix.ndim > 1)
        base = transformed(base, group, matrix, _quants(graph, group, matrix, held), tapped)
        for t in group.maps:
            own[t] = _moved(matrix, found, t)
        changed += [graph.tensors[t].name for t in group.maps if t in stored]
    return Base(base, step_costs(base, own), tuple(changed))


def _is_large(group: ChannelGroup, stored: Mapping[int, int]) -> bool:
    """Whether a mixable group has enough values to make a new basis worth rounding weights."""
    values = sum(stored.get(t, 0) for t in group.maps)
    return group.mixable and values >= _MIXED_SHARE * sum(stored.values())


def _observed(graph: Graph, wanted: Collection[int], samples: Sequence[Array]
              ) -> dict[int, _Held]:
    held: dict[int, _Held] = {}
    with Runtime(package_of(graph)) as runtime:
        for sample in samples:
            taps = runtime.run([sample], taps=True).taps
            for t in wanted:
                tensor = graph.tensors[t]
                rows = taps[tensor.name].reshape(tensor.shape[1:]).astype(np.float32)
                _add(held, t, (rows - np.float32(tensor.zero_point)) * np.float32(tensor.scale))
    return held


def _add(held: dict[int, _Held], tensor: int, rows: Derivative) -> None:
    """One sample's map [H, W, C]."""
    flat = rows.reshape(-1, rows.shape[-1])
    new = (rows[1:, 1:] - (rows[1:, :-1] + rows[:-1, 1:]) / 2).reshape(-1, rows.shape[-1])
    left = (new.T @ new).astype(np.float64)
    low, high = flat.min(axis=0).astype(np.float64), flat.max(axis=0).astype(np.float64)
    some = flat[::-(-len(flat) // _PIXELS)].astype(np.float64)
    if tensor not in held:
        held[tensor] = _Held(low, high, [some], left)
        return
    seen = held[tensor]
    seen.low, seen.high = np.minimum(seen.low, low), np.maximum(seen.high, high)
    seen.pixels.append(some)
    seen.left = seen.left + left


def _ratios(graph: Graph, group: ChannelGroup, stored: Mapping[int, int], own: Mapping[int, Floats],
            held: Mapping[int, _Held]) -> Floats | None:
    """What each channel is multiplied with: large where errors cost much. None: not worth it."""
    exact = all(node.op == "depthwise_conv2d" for node in group.readers)
    if not exact and any(_is_narrowing(graph, node) for node in group.readers):
        return None
    known = [(t, own[t]) for t in group.maps if t in stored and t in own]
    if not known:
        return None
    cost = np.sum([stored[t] * c / max(float(c.sum()), 1e-300) for t, c in known], axis=0)
    reach = np.max([np.maximum(held[t].high, -held[t].low) for t in group.maps], axis=0)
    capped = np.array([node.attrs["activation"] == "relu6" for node in group.writers]).any()
    full = (reach * _MARGIN >= _CEILING) & capped
    alive = (reach > 0) & (cost > 0)
    if not alive.any() or (exact is False and _gain(cost[alive]) < _LEAST_GAIN):
        return None
    usual = (cost[full & alive].mean() if (full & alive).sum() > len(cost) / 8
             else np.exp(np.log(cost[alive]).mean()))
    wanted = np.clip((np.where(alive, cost, usual) / usual) ** 0.5,
                     1 / _LARGEST_RATIO, _LARGEST_RATIO)
    if capped:
        wanted = np.where(full, 1.0, np.minimum(wanted, _CEILING / np.maximum(
            reach * _MARGIN, 1e-30)))
    return np.asarray(np.where(alive, wanted, 1.0))


def _is_narrowing(graph: Graph, node: Node) -> bool:
    """True for a convolution with more input than output channels: rounding the weights of its
    many inputs again was measured to cost more than steps per channel save."""
    weights = graph.tensors[node.inputs[1]].shape
    return node.op == "conv2d" and weights[-1] > weights[0]


def _gain(cost: Floats) -> float:
    """Bits per value that a step per channel saves at equal loss, with fine steps."""
    return float(np.log2(cost.mean()) - np.log2(cost).mean()) / 2


def _mixing(group: ChannelGroup, stored: Mapping[int, int], found: Slopes,
            held: Mapping[int, _Held]) -> Floats | None:
    """The task-aware transform of a group, of determinant 1."""
    known = [t for t in group.maps if t in stored and t in found.joint]
    if not known:
        return None
    channels = len(found.joint[known[0]])
    cost = _average([(stored[t], found.joint[t]) for t in known])
    left = _average([(stored[t], held[t].left) for t in known])
    cost = cost + _SHRINK / channels * np.eye(channels)
    values, vectors = np.linalg.eigh(cost)
    root = vectors * np.sqrt(values) @ vectors.T
    _, basis = np.linalg.eigh(root @ left @ root)
    matrix = basis.T[::-1] @ root
    return np.asarray(matrix / np.exp(np.linalg.slogdet(matrix)[1] / channels))


def _average(weighted: Sequence[tuple[int, Floats]]) -> Floats:
    """The mean of matrices, each of trace 1 first, by weight."""
    scaled = [weight * m / max(float(np.trace(m)), 1e-300) for weight, m in weighted]
    return np.asarray(np.sum(scaled, axis=0) / sum(weight for weight, _ in weighted))


def _moved(matrix: Floats, found: Slopes, tensor: int) -> Floats:
    """What errors of each new channel cost, in its units."""
    if matrix.ndim == 1:
        return np.asarray(found.own[tensor] / matrix ** 2)
    back = np.linalg.inv(matrix)
    return np.asarray(np.einsum("ic,ij,jc->c", back, found.joint[tensor], back))


def _quants(graph: Graph, group: ChannelGroup, matrix: Floats,
            held: Mapping[int, _Held]) -> dict[int, Quant]:
    """Scales that hold everything calibration showed, with a margin; zero stays exact."""
    made = {}
    capped = any(node.attrs["activation"] == "relu6" for node in group.writers)
    for t in group.maps:
        if matrix.ndim == 1:
            new = np.stack([held[t].low * matrix, held[t].high * matrix])
        else:
            new = np.concatenate(held[t].pixels) @ matrix.T
        low, high = min(float(new.min()), 0.0) * _MARGIN, max(float(new.max()), 0.0) * _MARGIN
        high = min(high, _CEILING) if capped else high
        scale = float(np.float32(max((high - low) / 255, graph.tensors[t].scale * 2.0 ** -8)))
        made[t] = Quant((scale,), (int(np.clip(np.rint(-128 - low / scale), -128, 127)),))
    return made


def _taps(graph: Graph, group: ChannelGroup, samples: Sequence[Array], mixes: bool
          ) -> dict[int, Taps]:
    """The inputs of convolutions whose weights are rounded again, by weights."""
    nodes = [node for node in (*(group.writers if mixes else ()), *group.readers)
             if node.op == "conv2d"]
    seen: dict[int, list[Array]] = {node.inputs[1]: [] for node in nodes}
    with Runtime(package_of(graph)) as runtime:
        for sample in samples if nodes else ():
            taps = runtime.run([sample], taps=True).taps
            for node in nodes:
                tensor = graph.tensors[node.inputs[0]]
                rows = taps[tensor.name].reshape(tensor.shape).astype(np.float32)
                real = (rows - np.float32(tensor.zero_point)) * np.float32(tensor.scale)
                shape = graph.tensors[node.inputs[1]].shape
                seen[node.inputs[1]].append(taps_of(real, node, shape, _PIXELS))
    return {w: Taps(np.mean([x.mean(axis=1, dtype=np.float64)[0] for x in tapped], axis=0),
                    covariance_of(tapped)[0]) for w, tapped in seen.items()}
