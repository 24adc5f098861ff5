# SPDX-License-Identifier: Apache-2.0
"""Small networks with coded weights, in tiles as small as a test wants them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from edgefm.codecs.weights import WeightCode, Weights, WeightTable
from edgefm.codecs.weights.fit import limited_lengths
from edgefm.codecs.weights.huffman import LONGEST, SYMBOLS, symbols_of
from edgefm.compiler.coded_weights import weights_of
from edgefm.network.graph import Graph
from edgefm.network.operators import LINEAR
from edgefm.network.program import Coding, OpKind, Program
from edgefm.planner import build, weight_tiles


def calmed(graph: Graph) -> Graph:
    """The network with weights near zero, which codes are shorter for."""
    linear = {node.inputs[1] for node in graph.nodes if node.op in LINEAR}
    return replace(graph, tensors=tuple(
        replace(one, data=(one.data // np.int8(16)).astype(np.int8))
        if t in linear and one.data is not None else one for t, one in enumerate(graph.tensors)))


def coded(program: Program, *codes: WeightCode) -> Program:
    """The program with all weights coded that go by channel, whether that pays or not."""
    own = [i for i, op in enumerate(program.ops) if op.kind in (OpKind.CONV, OpKind.DEPTHWISE)]
    weights = np.concatenate([weights_of(program, program.ops[i]) for i in own])
    record = table_for(weights).record() if WeightCode.HUFFMAN in codes else b""
    ops = list(program.ops)
    for i in own:
        ops[i] = replace(ops[i], coding=Coding(codes, record, len(ops[i].weights)))
    return replace(program, ops=tuple(ops))


def table_for(weights: Weights) -> WeightTable:
    """The shortest code for some weights int8 [n]; an escape has one too."""
    counts = np.bincount(symbols_of(weights, False), minlength=SYMBOLS)
    counts[0] = 1
    used, lengths = np.flatnonzero(counts), np.zeros(SYMBOLS, np.int64)
    lengths[used] = limited_lengths(counts[used], LONGEST)
    return WeightTable(lengths)


@contextmanager
def tiles_of(least: int, grow: bool) -> Iterator[None]:
    """Plans have tiles of `least` bytes at the least, which do not `grow` where there is room."""
    def left_small(items: object, offsets: object, decoding: Mapping[int, object], limit: int
                   ) -> dict[int, bool]:
        del items, offsets, limit
        return dict.fromkeys(decoding, False)

    with patch.object(weight_tiles, "LEAST", least), patch.object(
            build, "enlarge", weight_tiles.enlarge if grow else left_small):
        yield
