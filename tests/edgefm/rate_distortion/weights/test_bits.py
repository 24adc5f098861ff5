# SPDX-License-Identifier: Apache-2.0
"""Weights counted as they are coded."""

import numpy as np

from edgefm.network.graph import Graph
from edgefm.network.operators import LINEAR
from edgefm.rate_distortion.weights.bits import (
    bits_per_weight,
    coded_size,
    layers_of,
    order_0,
    tiles_of,
)


def test_tiles_hold_every_weight_once_in_whole_channels(classifier: Graph) -> None:
    tiles = tiles_of(classifier, 200)
    weights = [classifier.tensors[node.inputs[1]] for node in classifier.nodes
               if node.op in LINEAR]
    assert sum(map(len, tiles)) == sum(int(np.prod(one.shape)) for one in weights)
    assert sum(int(tile.astype(int).sum()) for tile in tiles) == sum(
        int(one.data.astype(int).sum()) for one in weights)
    assert max(map(len, tiles)) <= max(200, max(rows.shape[1] for rows in layers_of(classifier)))


def test_no_network_takes_more_than_raw_and_none_less_than_its_entropy(classifier: Graph) -> None:
    assert bits_per_weight(classifier) <= 8.0
    assert coded_size([np.zeros(4000, np.int8)]).bits < 0.1
    assert order_0(classifier) <= 8.0
