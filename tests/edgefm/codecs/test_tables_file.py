# SPDX-License-Identifier: Apache-2.0
"""Codec tables in a file."""

import numpy as np
import pytest

from edgefm.codecs.tables_file import MapTables, read_tables, step_factors, write_tables
from edgefm.errors import BadInput
from edgefm.network.graph import Graph, Quant, Tensor

MAPS = {"a/b:0": MapTables("gf2", b"\1\2\3", 0.25), "d": MapTables("gf2", b"\4", 0.5, True),
        "c": MapTables("context", bytes(12), 1e-3)}


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "tables.npz"
    write_tables(path, MAPS)
    assert read_tables(path) == MAPS


@pytest.mark.parametrize(("arrays", "message"), [
    ({}, "holds no codec tables"),
    ({"wav:c": np.zeros(3, np.uint8), "step:c": np.array(1.0)}, "array 'wav:c'"),
    ({"gf2:": np.zeros(3, np.uint8)}, "expected CODEC:TENSOR"),
    ({"gf2:c": np.zeros(3, np.int8), "step:c": np.array(1.0)}, "a row of uint8"),
    ({"gf2:c": np.zeros(3, np.uint8)}, "no step of map 'c'"),
    ({"gf2:c": np.zeros(3, np.uint8), "step:c": np.array(-1.0)}, "one positive number"),
    ({"gf2:c": np.zeros(3, np.uint8), "step:c": np.array(np.nan)}, "one positive number"),
    ({"gf2:c": np.zeros(3, np.uint8), "step:c": np.array(1.0), "paired:c": np.array(2)},
     "one truth value")])
def test_arrays_that_are_no_tables_are_named(tmp_path, arrays, message):
    path = tmp_path / "tables.npz"
    np.savez(path, **arrays)
    with pytest.raises(BadInput, match=message) as error:
        read_tables(path)
    assert str(path) in str(error.value)


def test_a_cut_file_and_no_file_are_one_line(tmp_path):
    path = tmp_path / "tables.npz"
    write_tables(path, MAPS)
    path.write_bytes(path.read_bytes()[:-20])
    for broken, said in ((path, "not a readable .npz"), (tmp_path / "none.npz", "no such file")):
        with pytest.raises(BadInput, match=said):
            read_tables(broken)


def test_maps_get_the_steps_of_their_tables_and_must_be_there():
    graph = Graph("net", (Tensor("a", (1, 2, 2, 4), "int8", Quant((0.5,), (0,))),), (), (0,), (0,))
    assert step_factors({"a": MapTables("gf2", b"", 0.5)}, graph) == {}
    assert step_factors({"a": MapTables("gf2", b"", 0.6)}, graph) == {0: pytest.approx(1.2)}
    with pytest.raises(BadInput, match="no quantized map 'b'"):
        step_factors({"b": MapTables("gf2", b"", 0.5)}, graph)
