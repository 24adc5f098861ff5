# SPDX-License-Identifier: Apache-2.0
"""Writing a package: what is written is read back, aligned, and always the same bytes."""

import hashlib
import json

import pytest

from edgefm.errors import UnsupportedModel
from edgefm.images.preprocess import Preprocess
from edgefm.package.container import read_sections, read_tiles
from edgefm.package.read import read_info
from edgefm.package.records import (
    OPERATOR,
    TILE_ALIGNMENT,
    Section,
)
from edgefm.package.write import Description, write_package
from tests.golden.edit import table
from tests.support.networks import Network
from tests.support.small_package import plan_of, small_network, small_package


def test_what_is_written_is_read_back() -> None:
    preprocess = Preprocess(False, (127.5,), (64.0,), "bgr", "letterbox")
    graph = small_network()
    program, plan = plan_of(graph, "ops")
    data = write_package(graph, program, plan, {},
                         Description("ab", preprocess, ("cat", "dögs")))
    info = read_info(data)
    assert (info.name, info.model_sha256, info.labels) == ("small ☃", "ab", ("cat", "dögs"))
    assert info.preprocess == preprocess
    assert info.plan == json.loads(json.dumps(plan.to_json()))
    for read, ends in ((info.inputs, graph.inputs), (info.outputs, graph.outputs)):
        for tensor, index in zip(read, ends, strict=True):
            source = graph.tensors[index]
            assert (tensor.name, tensor.shape, tensor.dtype) == (
                source.name, source.shape, source.dtype)
            if source.quant is not None:
                assert (tensor.scale, tensor.zero_point) == (source.scale, source.zero_point)
    taps = [s.tensor for s in info.streams if s is not None]
    assert set(taps) >= {graph.tensors[t].name for t in graph.inputs}


def test_the_same_plan_gives_the_same_bytes_and_their_sum() -> None:
    first, second = small_package(), small_package()
    assert first == second
    sections = table(first)
    digest = hashlib.sha256(b"".join(data for i, (_, data) in sorted(sections.items())
                                     if i != Section.META)).hexdigest()
    assert read_info(first).plan_sha256 == digest


def test_more_outputs_than_a_package_holds_are_refused() -> None:
    net = Network(1)
    x = net.input(1, 2, 2, 1)
    graph = net.graph(*(net.relu(x) for _ in range(33)))
    with pytest.raises(UnsupportedModel, match="33 outputs; expected 32 at most"):
        write_package(graph, *plan_of(graph), {}, Description(""))


def test_tiles_are_what_operators_read() -> None:
    graph = small_network()
    program, plan = plan_of(graph)
    sections = read_sections(write_package(graph, program, plan, {}, Description("")), "small")
    tiles, rows = list(read_tiles(sections)), OPERATOR.iter_unpack(sections[Section.OPERATORS])
    for placed, row in zip(plan.ops, rows, strict=True):
        weights = program.ops[placed.op].weights if placed.op >= 0 else b""
        first, count = row[7], row[8]
        assert count == bool(weights)
        for tile in tiles[first:first + count]:
            assert sections[Section.WEIGHTS][tile.offset:tile.offset + tile.bytes] == weights
            assert tile.offset % TILE_ALIGNMENT == 0 and tile.bytes == tile.raw_bytes
    assert len(tiles) == sum(bool(op.weights) for op in program.ops)
