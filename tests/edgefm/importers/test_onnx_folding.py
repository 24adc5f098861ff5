# SPDX-License-Identifier: Apache-2.0
"""Constants that an ONNX file has computed: what they take is known before it is taken."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from limits import Limited
from onnx_models import Node, floats, model, whole

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.onnx import load_onnx
from edgefm.network.graph import Array


@pytest.fixture(autouse=True)
def _needs_onnx(need_module: Callable[[str], None]) -> None:
    need_module("onnx")


def load(tmp_path: Path, nodes: list[Node], constants: dict[str, Array]) -> Array:
    """The constant c that the nodes make, read back from x + c."""
    data = model([*nodes, ("Add", ["x", "c"], ["y"], {})], constants, (1, 4, 9, 8))
    (tmp_path / "net.onnx").write_bytes(data)
    graph = load_onnx(tmp_path / "net.onnx")
    found = graph.tensors[graph.nodes[-1].inputs[1]].data
    assert found is not None
    return found


def chain(op: str, count: int, **attrs: int) -> list[Node]:
    """c0 op c0 = c1, c1 op c1 = c2, …, c."""
    names = [f"c{i}" for i in range(count)] + ["c"]
    return [(op, [one, one], [other], dict(attrs))
            for one, other in pairwise(names)]


GREEDY: list[tuple[str, list[Node], dict[str, Array]]] = [
    ("40 doublings", chain("Concat", 40, axis=0), {"c0": floats(1)}),
    ("100 additions of 64 MB", [
        ("Add", ["a", "b"], ["c0"], {}), *chain("Add", 100)],
     {"a": floats(4000, 1), "b": floats(1, 4000)}),
    ("gather", [("Gather", ["a", "i"], ["b"], {}), ("Gather", ["b", "i"], ["c"], {"axis": 1})],
     {"a": floats(1, 1, 9), "i": np.zeros(4000, np.int64)}),
    ("casts", [("Add", ["a", "b"], ["c0"], {}),
               *(("Cast", [f"c{i}"], [f"c{i + 1}"], {"to": 1}) for i in range(100)),
               ("Identity", ["c100"], ["c"], {})], {"a": floats(900, 1), "b": floats(1, 900)}),
]


@pytest.mark.parametrize(("nodes", "constants"), [case[1:] for case in GREEDY],
                         ids=[case[0] for case in GREEDY])
def test_a_small_file_cannot_fold_into_a_large_one(tmp_path: Path, nodes: list[Node],
                                                   constants: dict[str, Array]) -> None:
    with Limited(160 << 20), pytest.raises(UnsupportedModel, match="too much memory") as refused:
        load(tmp_path, nodes, constants)
    assert "\n" not in str(refused.value) and "net.onnx" in str(refused.value)


def test_many_uses_of_one_constant_do_not_fill_memory(tmp_path: Path) -> None:
    nodes = [("Add", ["x" if i == 0 else f"x{i}", "c"], [f"x{i + 1}"], {}) for i in range(100)]
    data = model([("Add", ["a", "b"], ["c"], {}), *nodes],
                 {"a": floats(1024, 1), "b": floats(1024)}, (1, 4, 1024, 1024), outputs=("x100",))
    (tmp_path / "net.onnx").write_bytes(data)
    with Limited(160 << 20), pytest.raises(UnsupportedModel, match="too much memory"):
        load_onnx(tmp_path / "net.onnx")


def test_what_fits_is_folded(tmp_path: Path) -> None:
    c0 = floats(1, 1, 1, 4)
    twice = load(tmp_path, [("Concat", ["c0", "c0"], ["c"], {"axis": 3})], {"c0": c0})
    np.testing.assert_array_equal(twice.transpose(0, 3, 1, 2), np.concatenate([c0, c0], 3))


@pytest.mark.parametrize(("nodes", "constants", "said"), [
    ([("Cast", ["c0"], ["c"], {"to": 8})], {"c0": floats(1)}, "casts to type 8"),
    ([("Constant", [], ["c"], {"value_string": "a"})], {}, "expected truth values, whole or real"),
    ([("Identity", ["s"], ["c"], {})], {"s": np.array(["a"], object)}, "expected truth values"),
    ([("Unsqueeze", ["c0", "a"], ["c"], {})], {"c0": floats(1), "a": np.arange(100_000)},
     "more than 64 sizes or axes"),
    ([("Unsqueeze", ["c0", "a"], ["c"], {})], {"c0": floats(1), "a": np.arange(60)},
     "a constant of 61 dimensions"),
    ([("Identity", ["c0"], ["c"], {})], {"c0": floats(*[1] * 60)}, "has 60 dimensions"),
    ([("Reshape", ["c0", "s"], ["c"], {})], {"c0": floats(1), "s": whole(1 << 62, 1 << 62)},
     "cannot be computed"),
    ([("Reshape", ["x", "s"], ["d"], {}), ("Identity", ["c0"], ["c"], {})],
     {"c0": floats(1), "s": np.ones(100_000, np.int64)}, "100000 shape; expected at most 64"),
    ([("Unsqueeze", ["x", "s"], ["d"], {}), ("Identity", ["c0"], ["c"], {})],
     {"c0": floats(1), "s": np.arange(60)}, "its output would have the shape"),
    ([("Pad", ["x", "s"], ["d"], {}), ("Identity", ["c0"], ["c"], {})],
     {"c0": floats(1), "s": whole(0, 0, 0, 0, 0, 0, 1 << 20, 1 << 20)}, "would have the shape"),
    ([("Pad", ["x", "s"], ["d"], {}), ("Identity", ["c0"], ["c"], {})],
     {"c0": floats(1), "s": whole(0, 0, 0, 0, 0, 0, 1 << 62, 1 << 62)}, "would have the shape"),
])
def test_constants_and_shapes_beyond_all_measure_are_one_line(
        tmp_path: Path, nodes: list[Node], constants: dict[str, Array], said: str) -> None:
    with Limited(64 << 20), pytest.raises(BadInput, match=said) as refused:
        load(tmp_path, nodes, constants)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 600


def test_a_sparse_constant_is_refused_unexpanded(tmp_path: Path) -> None:
    from onnx import helper, numpy_helper
    sparse = helper.make_sparse_tensor(numpy_helper.from_array(floats(1), "v"),
                                       numpy_helper.from_array(whole(3), "i"), [1 << 40])
    with Limited(64 << 20), pytest.raises(BadInput):
        load(tmp_path, [("Constant", [], ["c"], {"sparse_value": sparse})], {})
