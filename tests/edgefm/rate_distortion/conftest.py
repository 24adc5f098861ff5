# SPDX-License-Identifier: Apache-2.0
"""A small classifier with a residual block, and samples for it."""

import numpy as np
import pytest
from networks import Network

from edgefm.network.graph import Array, Graph


@pytest.fixture(scope="session")
def classifier() -> Graph:
    """[1,16,12,4] -> conv, residual block, pool, conv, mean, dense, softmax over 6 classes."""
    net = Network(3, name="classifier")
    x = net.conv(net.input(1, 16, 12, 4), 8)
    x = net.add(net.conv(net.depthwise(x), 8, kernel=1), x)
    x = net.conv(net.pool(x), 12)
    return net.graph(net.softmax(net.dense(net.mean(x), 6)))


@pytest.fixture(scope="session")
def samples(classifier: Graph) -> list[Array]:
    """Nine smooth random inputs."""
    random = np.random.default_rng(5)
    coarse = random.integers(-100, 100, (9, 1, 4, 3, 4))
    fine = coarse.repeat(4, axis=2).repeat(4, axis=3) + random.integers(-9, 9, (9, 1, 16, 12, 4))
    return list(fine.astype(np.int8))


@pytest.fixture(scope="session")
def maps(classifier: Graph) -> dict[str, int]:
    """Tensor indices of the outputs, by node name."""
    return {node.name: node.outputs[0] for node in classifier.nodes}
