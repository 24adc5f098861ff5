# SPDX-License-Identifier: Apache-2.0
"""Which stored maps a codec may code, one by one and in pairs of rows."""


from edgefm.compiler.map_storage import storage_for
from edgefm.lower import lower
from tests.support.networks import Network


def test_rows_whose_pairs_are_too_long_stay_raw():
    net = Network(12)
    graph = net.graph(net.conv(net.input(1, 2, 40_000, 1), 1, kernel=1))
    program = lower(graph)
    stream = next(i for i, s in enumerate(program.streams) if s.tensor == graph.outputs[0])
    for paired, codec in ((False, "zvc"), (True, "raw")):
        storage = storage_for(program, "zvc", paired=paired)
        assert storage.codec_of(stream) == codec and not storage.paired(stream)


def test_a_map_that_is_stored_as_it_is_after_all_has_no_pairs():
    net = Network(13)
    graph = net.graph(net.conv(net.input(1, 6, 5, 3), 4))
    program = lower(graph)
    storage = storage_for(program, "zvc", paired=True)
    kept = next(i for i, s in enumerate(program.streams) if s.tensor == graph.outputs[0])
    other = next(i for i, s in enumerate(program.streams) if s.tensor == graph.inputs[0])
    assert storage.paired(kept) and storage.paired(other)
    alone = storage.only(frozenset({kept}))
    assert alone.paired(kept) and not alone.paired(other)
    assert alone.rows(other, program.streams[other]) == (6, 15)
