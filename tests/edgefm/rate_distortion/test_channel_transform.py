# SPDX-License-Identifier: Apache-2.0
"""Coordinates are chosen where they pay, and the package stays exact to its own graph."""

from pathlib import Path

import numpy as np
import pytest
from networks import Network

from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.errors import BadInput
from edgefm.evaluate.diff import diff_compiled
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph
from edgefm.rate_distortion.channel_transform import TRANSFORMS, in_good_coordinates
from edgefm.rate_distortion.divergence import divergences, scores


@pytest.fixture(scope="module")
def bottlenecks() -> Graph:
    """A linear bottleneck between expansions, two of which feed depthwise convolutions."""
    net = Network(7, name="bottlenecks")
    x = net.conv(net.input(1, 16, 12, 3), 8, activation="relu6")
    x = net.conv(net.depthwise(x, activation="relu6"), 6, kernel=1)
    x = net.depthwise(net.conv(x, 12, kernel=1, activation="relu6"))
    return net.graph(net.softmax(net.dense(net.mean(x), 5)))


@pytest.fixture(scope="module")
def photos() -> list[Array]:
    random = np.random.default_rng(8)
    coarse = random.integers(-100, 100, (8, 1, 4, 3, 3)).repeat(4, axis=2).repeat(4, axis=3)
    return list((coarse + random.integers(-9, 9, coarse.shape)).astype(np.int8))


def stored(graph: Graph) -> dict[int, int]:
    return {t: int(np.prod(graph.tensors[t].shape)) for node in graph.nodes for t in node.outputs
            if len(graph.tensors[t].shape) == 4}


def test_without_a_transform_the_graph_stays(bottlenecks: Graph, photos: list[Array]) -> None:
    base = in_good_coordinates(bottlenecks, stored(bottlenecks), photos, "none")
    assert base.graph is bottlenecks and base.changed == () and base.costs


@pytest.mark.parametrize("transform", ["channels", "klt"])
def test_other_coordinates_alone_cost_little(bottlenecks: Graph, photos: list[Array],
                                             transform: str) -> None:
    base = in_good_coordinates(bottlenecks, stored(bottlenecks), photos, transform)
    assert base.changed and base.costs
    got = divergences(scores(bottlenecks, photos), scores(base.graph, photos))
    assert got.mean() < 1e-3


def test_channels_that_reach_the_cap_keep_their_step(bottlenecks: Graph,
                                                     photos: list[Array]) -> None:
    """A capped channel times its ratio is still capped at 6: nothing but that would be exact."""
    base = in_good_coordinates(bottlenecks, stored(bottlenecks), photos, "channels")
    for node in bottlenecks.nodes:
        if node.op == "conv2d" and node.attrs["activation"] == "relu6":
            old, new = (g.tensors[node.inputs[1]].quant for g in (bottlenecks, base.graph))
            assert old is not None and new is not None
            ratio = np.array(new.scale) / np.array(old.scale)
            tensor = bottlenecks.tensors[node.outputs[0]]
            peak = np.max([run_graph(bottlenecks, [x])[node.outputs[0]].max(axis=(0, 1, 2))
                           for x in photos], axis=0)
            reach = (peak.astype(float) - tensor.zero_point) * tensor.scale
            assert ratio[reach * 1.1 >= 6] == pytest.approx(1)
            assert (ratio * reach <= 6.01).all()


def test_mixed_channels_make_errors_cost_alike(bottlenecks: Graph, photos: list[Array]) -> None:
    """More nearly than in the old coordinates, in spite of what is added to all directions."""
    linear = next(n.outputs[0] for n in bottlenecks.nodes
                  if n.op == "conv2d" and n.attrs["activation"] is None)
    spread = []
    for transform in ("none", "klt"):
        base = in_good_coordinates(bottlenecks, stored(bottlenecks), photos, transform)
        assert base.costs is not None
        spread.append(np.log(base.costs[linear]).std())
    assert spread[1] < 0.8 * spread[0]


def test_readers_of_several_sizes_share_a_map(photos: list[Array]) -> None:
    """A squeeze map is read by a 1x1 and a 3x3 convolution; both absorb its channels' steps."""
    net = Network(11)
    x = net.conv(net.conv(net.input(1, 16, 12, 3), 8), 3, kernel=1, activation="relu")
    a, b = net.conv(x, 6, kernel=1), net.conv(x, 6)
    both = net.concat(a, b, quant=net.tensors[a].quant)
    graph = net.graph(net.dense(net.mean(both), 4))
    base = in_good_coordinates(graph, {x: 1000}, photos, "channels")
    assert base.changed == (graph.tensors[x].name,)
    got = divergences(scores(graph, photos), scores(base.graph, photos))
    assert got.mean() < 1e-3


def test_networks_without_derivatives_stay(photos: list[Array]) -> None:
    net = Network(9)
    x = net.logistic(net.conv(net.input(1, 16, 12, 3), 4))
    graph = net.graph(net.dense(net.mean(net.conv(x, 4)), 3))
    base = in_good_coordinates(graph, stored(graph), photos, "channels")
    assert base.graph is graph and base.costs is None


def test_an_unknown_transform_is_refused(bottlenecks: Graph, photos: list[Array]) -> None:
    with pytest.raises(BadInput, match="none, channels, klt"):
        in_good_coordinates(bottlenecks, stored(bottlenecks), photos, "dct")


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_the_package_is_exact_to_its_own_graph(bottlenecks: Graph, photos: list[Array],
                                               tmp_path: Path, transform: str) -> None:
    compiled = _compiled(bottlenecks, photos, tmp_path, transform)
    assert compiled.rate is not None and compiled.rate.transform == transform
    assert bool(compiled.rate.transformed) == (transform != "none")
    assert diff_compiled(compiled, [[x] for x in photos[:2]]).max_abs_diff == 0


def _compiled(graph: Graph, photos: list[Array], folder: Path, transform: str) -> Compiled:
    for number, photo in enumerate(photos):
        np.save(folder / f"{number}.npy", photo)
    return compile_loaded(Model(graph, graph, None, ""), CompileOptions(
        calib=folder, cut="ops", codec="zvc", kl_budget=0.003, transform=transform))
