# SPDX-License-Identifier: Apache-2.0
"""Which operators' weights are coded, with which tables that a network's weights share, and which
are read through a port."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from edgefm.codecs.weights import ALL_CODES, WeightCode, Weights, WeightTable, encode_tile
from edgefm.codecs.weights.fit import fit_tables
from edgefm.kernels.tile import CHANNEL, HEAD
from edgefm.network.program import Coding, Op, OpKind, Program, WeightPort

RAW, AUTO = "raw", "auto"
WEIGHT_CODECS = (RAW, AUTO, *(code.name.lower() for code in WeightCode if code != WeightCode.RAW))
MAPPED, PORT = "mapped", "port"
WEIGHT_MEMORIES = (MAPPED, PORT)
_MAPPED_ONLY = frozenset({OpKind.RESIZE_BILINEAR, OpKind.RESIZE_NEAREST, OpKind.GATHER,
                          OpKind.DETECTION})  # whose constants say which rows they need
_LEAST_SAVED = 0.03  # of an operator's constant data; less is not worth decoding


def with_coding(program: Program, packed: Program, codec: str) -> Program:
    """`packed`, the program as kernels want it, with the weights coded of operators where that
    makes them shorter. Those lie as `program`, the same in packing ROWS, has them.

    `codec` is a word of WEIGHT_CODECS.
    """
    if codec == RAW:
        return packed
    codes = ALL_CODES if codec == AUTO else frozenset({WeightCode[codec.upper()]})
    found = [i for i, op in enumerate(program.ops) if op.kind in (OpKind.CONV, OpKind.DEPTHWISE)]
    weights = [weights_of(program, program.ops[i]) for i in found]
    tables = fit_tables(weights) if WeightCode.HUFFMAN in codes else []
    ops = list(packed.ops)
    for i, own in zip(found, weights, strict=True):
        coding = _coding(program.ops[i], own, tables, codes)
        if coding is not None:
            ops[i] = replace(program.ops[i], coding=coding)
    return replace(packed, ops=tuple(ops))


def with_port(program: Program, rows: Program, port: WeightPort) -> Program:
    """`program` with its constant data read through a port, but for that of operators that need
    theirs when a package is opened. What is not coded lies as `rows`, the same in packing ROWS, has
    it."""
    return replace(program, ops=tuple(map(partial(_ported, port), program.ops, rows.ops)))


def _ported(port: WeightPort, op: Op, plain: Op) -> Op:
    if not op.weights or op.kind in _MAPPED_ONLY:
        return op
    if op.coding is None:
        return replace(plain, coding=Coding((), b"", port.transfer_bytes(len(plain.weights)), port))
    return replace(op, coding=replace(op.coding, port=port))


def weights_of(program: Program, op: Op) -> Weights:
    """The weights of a CONV or DEPTHWISE of packing ROWS, int8 [n]."""
    channels = program.streams[op.outputs[0]].channels
    return np.frombuffer(op.weights, np.int8)[HEAD.size + CHANNEL.itemsize * channels:]


def _coding(op: Op, weights: Weights, tables: list[WeightTable], codes: frozenset[WeightCode]
            ) -> Coding | None:
    """How an operator's weights are coded as one tile, if that saves enough."""
    coded = encode_tile(weights, tables, codes)
    size = len(op.weights) - len(weights) + len(coded.data)
    if coded.code == WeightCode.RAW or size > (1 - _LEAST_SAVED) * len(op.weights):
        return None
    huffman = coded.code == WeightCode.HUFFMAN
    return Coding(tuple(sorted(codes if huffman else codes - {WeightCode.HUFFMAN})),
                  tables[coded.table].record() if huffman else b"", size)
