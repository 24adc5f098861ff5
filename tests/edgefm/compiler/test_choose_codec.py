# SPDX-License-Identifier: Apache-2.0
"""How stored maps are coded: codes of two rows at once, as the executor and as Python see them."""

import numpy as np
import pytest

from edgefm.codecs import CODECS, RowShape, gf2
from edgefm.codecs.fit import gf2_fit
from edgefm.codecs.interface import in_pairs
from edgefm.codecs.tables_file import MapTables
from edgefm.compiler.choose_codec import code_maps
from edgefm.compiler.map_storage import storage_for
from edgefm.evaluate.diff import random_inputs
from edgefm.lower import lower
from edgefm.ops import run_graph
from edgefm.package.read import read_needs
from edgefm.package.records import Feature
from edgefm.package.write import Description, write_package
from edgefm.planner import Target, analyze, make_plan
from edgefm.runtime import Runtime
from tests.support.networks import Network


def test_a_pair_is_the_upper_rows_pixel_and_then_the_lower_rows():
    rows = np.arange(3 * 2 * 2, dtype=np.int8).reshape(3, 2, 2)
    assert in_pairs(rows).tolist() == [[[0, 1, 4, 5], [2, 3, 6, 7]],
                                       [[8, 9, 8, 9], [10, 11, 10, 11]]]
    assert RowShape(2, 2, -3).in_pairs == RowShape(2, 4, -3)


@pytest.mark.parametrize("buffers", [1, 2])
@pytest.mark.parametrize("height", [6, 7])
def test_a_map_coded_in_pairs_comes_back_as_python_decodes_it(height, buffers):
    net = Network(11)
    graph = net.graph(net.conv(net.input(1, height, 9, 3), 4, activation="relu"))
    inputs = random_inputs(graph, 1)
    output, = graph.outputs
    tensor = graph.tensors[output]
    made = run_graph(graph, inputs)[output][0]
    shape = RowShape(9, 4, tensor.zero_point).in_pairs
    tables = gf2.pack(gf2_fit.learn([in_pairs(made)], shape, 2.5, 2))

    layout = analyze(lower(graph))
    given = {tensor.name: MapTables("gf2", tables, tensor.scale, True)}
    storage = storage_for(layout.program, "raw", given=given)
    plan = make_plan(layout, Target(alignment=4, buffers=buffers), cut="ops", storage=storage)
    coded = code_maps(layout.program, plan, "raw", b"", [], given)
    package = write_package(graph, layout.program, plan, coded, Description("0" * 64))
    assert read_needs(package).features & Feature.PAIRED
    with Runtime(package) as runtime:
        result = runtime.run(inputs)

    state = CODECS["gf2"].start(tables, shape)
    codes = [gf2.encode(state, row) for row in in_pairs(made)]
    back = np.stack([gf2.decode(state, code) for code in codes]).reshape(-1, 9, 2, 4)
    expected = back.transpose(0, 2, 1, 3).reshape(-1, 9, 4)[:height]
    assert not np.array_equal(made, expected)
    assert np.array_equal(result.outputs[0][0], expected)
    assert result.counters.coded_bytes == 2 * sum(-(-len(code) // 4) * 4 for code in codes)
    assert result.counters.coded_values == 2 * made.size
    assert result.counters.coded_rows == len(codes)
