# SPDX-License-Identifier: Apache-2.0
"""The coded size of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.codecs.weights import Weights, encode_tile
from edgefm.codecs.weights.fit import fit_tables
from edgefm.network.graph import Graph
from edgefm.network.operators import LINEAR, output_axis

TILE = 2048  # bytes


@dataclass(frozen=True, slots=True)
class CodedSize:
    """Weights of a network, and bytes that their tiles and tables take coded."""

    weights: int
    tiles: int
    tables: int

    @property
    def bits(self) -> float:
        """Bits per weight, tables counted."""
        return 8 * (self.tiles + self.tables) / max(self.weights, 1)


def bits_per_weight(graph: Graph) -> float:
    """The mean bits of a weight, in tiles of TILE bytes."""
    return coded_size(tiles_of(graph)).bits


def layers_of(graph: Graph) -> Iterator[Weights]:
    """The weights of every linear operator, int8 [channels, inputs of one]."""
    for node in graph.nodes:
        data = graph.tensors[node.inputs[1]].data if node.op in LINEAR else None
        if data is not None and data.itemsize == 1:
            signed = (data ^ 0x80).view(np.int8) if data.dtype == np.uint8 else data
            rows = np.moveaxis(signed, output_axis(node.op), 0)
            yield rows.reshape(len(rows), -1)


def tiles_of(graph: Graph, most: int = TILE) -> list[Weights]:
    """Whole channels of one operator in tiles of at most `most` bytes, or of one channel."""
    return [np.ascontiguousarray(rows[i:i + step]).ravel() for rows in layers_of(graph)
            for step in [max(1, most // rows.shape[1])] for i in range(0, len(rows), step)]


def coded_size(tiles: Sequence[Weights]) -> CodedSize:
    """The size of tiles with the tables that fit them."""
    tables = fit_tables(tiles)
    return CodedSize(sum(map(len, tiles)), sum(len(encode_tile(t, tables).data) for t in tiles),
                     sum(len(table.record()) for table in tables))


def order_0(graph: Graph) -> float:
    """Bits per weight of an ideal code for every operator, its table not counted."""
    bits, weights = 0.0, 0
    for rows in layers_of(graph):
        counts = np.unique(rows, return_counts=True)[1]
        bits -= float((counts * np.log2(counts / rows.size)).sum())
        weights += rows.size
    return bits / max(weights, 1)
