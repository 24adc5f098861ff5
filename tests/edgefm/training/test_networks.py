# SPDX-License-Identifier: Apache-2.0
"""The torch networks compute what the imported graphs compute, and training learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefm.demo.bundled import demo_models
from edgefm.importers.definitions import NetworkSize, mobilenet_v2, squeezenet
from edgefm.importers.npz import load_npz
from edgefm.ops import run_graph

torch = pytest.importorskip("torch", reason="needs the Python package torch (extra 'train')")

from edgefm.training import digits as training  # noqa: E402
from edgefm.training import networks  # noqa: E402
from edgefm.training.shapes import mobilenet_v2_shapes, squeezenet_shapes  # noqa: E402

CASES = {
    "squeezenet 1.0": (networks.squeezenet, squeezenet,
                       squeezenet_shapes(7, 6, [(3, 4, 5)] * 8, 7), (60, 75)),
    "squeezenet 1.1": (networks.squeezenet, squeezenet,
                       squeezenet_shapes(3, 6, [(3, 4, 5)] * 8, 7, 1), (48, 49)),
    "mobilenet_v2": (networks.mobilenet_v2, mobilenet_v2,
                     mobilenet_v2_shapes(4, [(1, 4)] + [(3, 4), (2, 6)] * 8, 9, 7), (35, 64)),
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Threads that wait for each other would cost more than these small networks do."""
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", CASES)
def test_graph_and_torch_network_agree(name: str) -> None:
    network, definition, shapes, size = CASES[name]
    torch.manual_seed(3)
    parameters = {key: value + 0.3 * torch.rand(value.shape) if key.endswith("bias") else value
                  for key, value in networks.initialize(shapes, 3).items()}
    channels = next(iter(shapes.values()))[1]
    images = torch.randn((1, channels, *size), generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        network(parameters, images.repeat(8, 1, 1, 1) * torch.rand(8, 1, 1, 1), True)  # statistics
        expected = network(parameters, images, False).numpy()
    weights = {key: value.numpy() for key, value in parameters.items()}
    graph = definition(weights, name, NetworkSize(size))
    image = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    logits = run_graph(graph, [image])[graph.outputs[0]]
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected) > 1e-3


def linear(parameters: dict[str, Any], images: Any, training: bool) -> Any:
    """The smallest network that tells a 0 from a 1: one layer on the 8x8 digit."""
    small = torch.nn.functional.avg_pool2d(images, 8).flatten(1)
    return torch.nn.functional.linear(small, parameters["weight"], parameters["bias"])


def test_training_lowers_the_error_and_repeats_itself() -> None:
    plan = training.TrainingPlan(linear, {"weight": (2, 64), "bias": (2,)}, epochs=8, rate=0.03)
    images, labels = training.digits("train")
    pair = np.flatnonzero(labels < 2)[:128]
    wanted = torch.from_numpy(labels[pair])
    untrained = networks.initialize(plan.shapes, plan.seed)
    assert training.accuracy(plan, untrained, images[pair], wanted) < 80
    first, again = (training.train(plan, images[pair], wanted) for _ in range(2))
    assert training.accuracy(plan, first, images[pair], wanted) >= 95
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_saved_weights_are_read_back_as_the_network_they_were(tmp_path: Path) -> None:
    plan = training.recipe("digits_mobilenet_v2")
    path = tmp_path / "fresh.npz"
    written = training.save(path, networks.initialize(plan.shapes, 5))
    graph = load_npz(path)
    image = np.linspace(-1, 1, 64 * 64, dtype=np.float32).reshape(1, 64, 64, 1)
    with torch.no_grad():
        expected = plan.network(written, torch.from_numpy(image).permute(0, 3, 1, 2), False)
    np.testing.assert_allclose(run_graph(graph, [image])[graph.outputs[0]], expected.numpy(),
                               rtol=1e-3, atol=1e-4)


def test_distorted_digits_stay_inside_their_range() -> None:
    torch.manual_seed(6)
    batch = torch.rand(16, 1, 64, 64) * 2 - 1
    moved = training.distort(batch)
    assert moved.shape == batch.shape and moved.abs().max() <= 1.0001
    assert not torch.allclose(moved, batch, atol=0.1)


def test_every_bundled_network_has_a_recipe_with_its_shapes() -> None:
    for model in demo_models():
        with np.load(model.weights) as archive:
            stored = {name: archive[name].shape for name in archive.files
                      if not name.startswith("edgefm.")}
        assert stored == training.recipe(model.name).shapes
